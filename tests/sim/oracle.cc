#include "tests/sim/oracle.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <charconv>
#include <fmt/format.h>

#include "lua/scripts.h"

namespace toll::sim {

using engine::Algorithm;

namespace {

// What an answer may be late for: turns of workers, and their waking.
constexpr int64_t kSlackNs = 15 * kNsPerMs;

// After the last fault all is as it should be within so long: breakers close, links are made anew.
constexpr int64_t kSettledNs = 15 * kNsPerS;

// What another daemon gave back ends the memory of refusals within so long.
constexpr int64_t kNewsNs = 1'100 * kNsPerMs;

// No refusal is remembered for longer.
// A slice of units that Redis set aside is used up or given back within.
constexpr int64_t kSliceNs = 1 * kNsPerS;
constexpr int64_t kRememberedNs = 11 * kNsPerS;

// Lives that ended a while ago still count as hosts.
constexpr int64_t kHostsMost = 30;

// What Redis would do is only known to be what it would have done if it was asked just before.
constexpr int64_t kJustNowNs = 5 * kNsPerMs;
constexpr int64_t kClearlyMs = 10;

// A daemon holds its clock against the system's once a second.
constexpr int64_t kClockTakenNs = 1'200 * kNsPerMs;

// What is asked about costs waits for Redis for 50 ms, and a charge before that for the commit
// under way and its own, at the disk's worst; with costs.ack = "redis" for its call, too.
constexpr int64_t kCostNs = 120 * kNsPerMs;
constexpr int64_t kCallNs = 250 * kNsPerMs;

// The longest that a tally of admissions looks back.
constexpr size_t kRecentMost = 400;

bool gives_back(Ask ask) {
  return ask == Ask::kRefund || ask == Ask::kReset || ask == Ask::kRelease;
}

}  // namespace

Oracle::Oracle(Scheduler& scheduler, History& history, Workload& workload,
               const CostLoad& cost_load, const LogLoad& log_load, RedisNode& redis,
               std::vector<std::unique_ptr<DaemonHost>>& hosts)
    : scheduler_(scheduler),
      history_(history),
      workload_(workload),
      redis_(redis),
      hosts_(hosts),
      cost_load_(cost_load),
      costs_(scheduler, history, cost_load, redis),
      logs_(scheduler, history, log_load, redis, hosts),
      probe_(engine::StoreBatch::Settings{}) {
  const auto specs = workload_.specs();
  rules_ = std::make_shared<engine::StoreRules>(*engine::PolicyTable::build(specs, nullptr), "");
}

void Oracle::disturbed(int64_t until_ns) {
  disturbed_until_ns_ = std::max(disturbed_until_ns_, until_ns);
}

// Windows by a host's own clock say nothing over its steps.
void Oracle::clock_set(size_t host) {
  clock_uncertain_until_ns_[host] = scheduler_.now_ns() + kClockTakenNs;
  for (auto& [key, dark] : dark_) {
    if (std::get<0>(key) == host) dark.recent.clear();
  }
}

void Oracle::asked(const Request& request) {
  if (about_costs(request.wish.ask)) return costs_.asked(request);
  if (about_logs(request.wish.ask)) return logs_.asked(request);
  if (!gives_back(request.wish.ask)) return;
  for (const Part& part : request.wish.parts) ++tally(part).giving_back;
}

void Oracle::end_giving_back(const Request& request) {
  if (!gives_back(request.wish.ask)) return;
  for (const Part& part : request.wish.parts) {
    --tally(part).giving_back;
    tally(part).given_back_ns = scheduler_.now_ns();
  }
}

void Oracle::unanswered(const Request& request) {
  ++counts_.unanswered;
  end_giving_back(request);
  if (request.wish.ask != Ask::kCheck && request.wish.ask != Ask::kAcquire) return;
  for (const Part& part : request.wish.parts) tally(part).maybe += part.units;
}

void Oracle::answered(const Request& request, const Told& reply, int64_t client_idle_ns) {
  ++counts_.answered;
  if (reply.word == Word::kAllow) ++counts_.allowed;
  if (reply.word == Word::kDeny) ++counts_.denied;
  if (reply.word == Word::kError) ++counts_.errors;
  if (!reply.source.empty()) ++counts_.by_source[reply.source];
  if (request.wish.ask == Ask::kHealth) return;
  if (about_costs(request.wish.ask)) {
    costs_.answered(request, reply);
    check_cost_source(request, reply);
    return check_time(request, client_idle_ns);
  }
  if (about_logs(request.wish.ask)) {
    logs_.answered(request, reply, disturbed_until_ns_ + kSettledNs);
    return check_time(request, client_idle_ns);
  }
  end_giving_back(request);
  note_hosts(request.host);
  check_shape(request, reply);
  check_time(request, client_idle_ns);
  check_source(request, reply);
  const bool decides = request.wish.ask == Ask::kCheck || request.wish.ask == Ask::kAcquire;
  for (const Part& part : request.wish.parts) {
    if (!decides) continue;
    const bool by_redis = reply.source == "redis" || reply.source == "cache";
    const bool of_limit = reply.source == "redis" || reply.source == "lease";
    if (reply.word == Word::kAllow && of_limit) admitted_by_redis(request, reply, part);
    if (reply.word == Word::kAllow && reply.source == "local") admitted_in_the_dark(request, part);
    if (!by_redis && !reply.text.starts_with("BUSY")) tally(part).maybe += part.units;
  }
  if (request.wish.ask == Ask::kAcquire && reply.word == Word::kAllow) ticket_taken(request, reply);
  if (reply.source == "cache") check_cache(request, reply);
}

// ---- replies in order, and of the right form ----

void Oracle::check_shape(const Request& request, const Told& reply) {
  const bool decides = request.wish.ask == Ask::kCheck || request.wish.ask == Ask::kAcquire;
  if (reply.word == Word::kError) {
    // NOPERM never: the simulated clients are the daemon's own user.
    if (reply.text.starts_with("BUSY") || reply.text.starts_with("UNAVAILABLE")) return;
    return history_.violation("request {} of client {} is answered ERR {}", request.number,
                              request.client, reply.text);
  }
  const bool fits =
      decides ? reply.word == Word::kAllow || reply.word == Word::kDeny : reply.word == Word::kOk;
  if (!fits) {
    return history_.violation("order: request {} of client {} has the reply of another verb",
                              request.number, request.client);
  }
  if (!decides && request.wish.ask != Ask::kPeek) return;
  if (reply.position >= request.wish.parts.size()) {
    return history_.violation("order: request {} of client {} has {} parts, the reply is of {}",
                              request.number, request.client, request.wish.parts.size(),
                              reply.position);
  }
  const Rule& rule = workload_.rules()[request.wish.parts[reply.position].rule];
  for (const engine::Limit& limit : rule.spec.limits) {
    for (int64_t hosts = 1; hosts <= kHostsMost; ++hosts) {
      if (reply.limit == std::max<int64_t>(1, limit.burst / hosts)) return;
    }
  }
  if (reply.source == "open" || reply.source == "closed") return;
  history_.violation("order: request {} of client {} is of {}, the reply's limit {} is another's",
                     request.number, request.client, rule.spec.name, reply.limit);
}

// ---- promise 3: in time ----

int64_t Oracle::deadline_ns(const Wish& wish) const {
  if (about_costs(wish.ask)) {
    const bool by_redis = cost_load_.settings().ack == config::CostAck::kRedis;
    return kCostNs + (by_redis ? kCallNs : 0);
  }
  if (about_logs(wish.ask)) return LogOracle::deadline_ns(wish);
  int64_t deadline_us = kNsPerS / kNsPerUs;  // of what has no policy
  for (const Part& part : wish.parts) {
    deadline_us = std::min(deadline_us, workload_.rules()[part.rule].spec.deadline_us);
  }
  return deadline_us * kNsPerUs;
}

void Oracle::check_time(const Request& request, int64_t client_idle_ns) {
  const int64_t due_ns = request.due_ns + kSlackNs + 2 * way_ns_ + client_idle_ns +
                         hosts_[request.host]->stalled_since_ns(request.waits_since_ns);
  if (scheduler_.now_ns() <= due_ns) return;
  history_.violation(
      "promise 3, in time: request {} of client {} to {} took {} ms, its deadline is {} ms",
      request.number, request.client, hosts_[request.host]->settings().name,
      (scheduler_.now_ns() - request.sent_ns) / kNsPerMs, deadline_ns(request.wish) / kNsPerMs);
}

// ---- promise 7: honest ----

void Oracle::check_source(const Request& request, const Told& reply) {
  if (reply.source.empty()) return;
  const Rule& rule = workload_.rules()[request.wish.parts[0].rule];
  if (!by_store(rule)) {
    if (reply.source == "local") return;
    return history_.violation("promise 7, honest: {} of mode local is answered by {}",
                              rule.spec.name, reply.source);
  }
  const bool leased = rule.spec.mode == engine::Mode::kLeased && request.wish.parts.size() == 1;
  if (reply.source == "redis" || reply.source == "cache") return;
  if (reply.source == "lease" && leased) return;
  if (request.sent_ns < disturbed_until_ns_ + kSettledNs) return;
  history_.violation(
      "promise 7 and liveness: request {} of client {} to {} is answered by {}, {} s after the "
      "last "
      "fault",
      request.number, request.client, hosts_[request.host]->settings().name, reply.source,
      (scheduler_.now_ns() - disturbed_until_ns_) / kNsPerS);
}

void Oracle::check_cost_source(const Request& request, const Told& reply) {
  const bool calm = request.sent_ns >= disturbed_until_ns_ + kSettledNs;
  if (!calm) return;
  costs_.check_told(request, reply);
  if (reply.source == "redis" && reply.word != Word::kError) return;
  history_.violation(
      "promise 7 and liveness: request {} of client {} to {}, about costs, is answered {}, {} s "
      "after the last fault",
      request.number, request.client, hosts_[request.host]->settings().name, reply.text,
      (scheduler_.now_ns() - disturbed_until_ns_) / kNsPerS);
}

// A remembered refusal must be one that Redis would give as well, for as long as the reply says.
void Oracle::check_cache(const Request& request, const Told& reply) {
  if (request.wish.parts.size() != 1) return;
  const Part& part = request.wish.parts[0];
  const engine::PolicySpec& spec = workload_.rules()[part.rule].spec;
  if (spec.algorithm == Algorithm::kConcurrency) return;
  // What of a slice comes back is told within a second, too, but nobody here knows when it came.
  if (spec.mode == engine::Mode::kLeased) return;
  if (disturbed_until_ns_ + 2 * kNsPerS > request.sent_ns) return;
  if (redis_.broke_ns() + kRememberedNs > request.sent_ns) return;
  if (clocks_stood_ns_ + kRememberedNs > request.sent_ns) return;
  if (scheduler_.now_ns() - request.sent_ns > kJustNowNs || reply.retry_ms < kClearlyMs) return;
  const Tally& tally = this->tally(part);
  if (tally.giving_back > 0) return;
  if (tally.given_back_ns >= 0 && tally.given_back_ns + kNewsNs > request.sent_ns) return;
  ++counts_.cache_checks;
  if (!redis_would_admit(part)) return;
  history_.violation(
      "promise 7, honest: request {} of client {} to {} ({} {}, {} units) is refused from memory, "
      "with a retry of {} ms; Redis would have admitted it",
      request.number, request.client, hosts_[request.host]->settings().name,
      workload_.rules()[part.rule].spec.name, Workload::id(part.id), part.units, reply.retry_ms);
}

bool Oracle::redis_would_admit(const Part& part) {
  const engine::PolicySpec& spec = workload_.rules()[part.rule].spec;
  const std::string id = Workload::id(part.id);
  engine::Operation operation;
  operation.verb = engine::Verb::kPeek;
  operation.policy = rules_->table().find(spec.name)->id;
  operation.key = hasher_(operation.policy, id);
  const std::string_view id_view = id;
  engine::StoreRequest request{.operations = &operation, .ids = &id_view};
  probe_.clear(rules_);
  if (probe_.add(request, redis_.now_us()) != engine::StoreBatch::Added::kTaken) return false;
  probe_.pack();
  std::vector<std::string_view> words = {"EVAL", lua::kLimits.body};
  const std::string keys = std::to_string(probe_.keys().size());
  words.push_back(keys);
  words.insert(words.end(), probe_.keys().begin(), probe_.keys().end());
  words.insert(words.end(), probe_.arguments().begin(), probe_.arguments().end());
  const std::string reply = redis_.server().run(words, redis_.now_us());
  const size_t head = reply.find("\r\n");
  if (!reply.starts_with("$") || head == std::string::npos) return false;
  const std::string_view body(reply.data() + head + 2, reply.size() - head - 4);
  if (!probe_.deal(body) || request.result != engine::StoreResult::kDecided) return false;
  return operation.answer.remaining >= part.units;
}

// ---- promise 1: never over ----

// The most that may be admitted within a stretch of time, its ends included.
int64_t Oracle::bound(const engine::PolicySpec& spec, const engine::Limit& limit, int64_t count,
                      int64_t burst, int64_t passed_us) {
  passed_us = std::max<int64_t>(passed_us, 0);
  const int64_t windows = passed_us / limit.window_us;
  switch (spec.algorithm) {
    case Algorithm::kGcra:
    case Algorithm::kTokenBucket:
      return burst + windows * count + (passed_us % limit.window_us) * count / limit.window_us + 1;
    case Algorithm::kSlidingLog:  // in whole milliseconds
      return ((passed_us + 1'000) / limit.window_us + 1) * count;
    case Algorithm::kSlidingWindow:
    case Algorithm::kFixedWindow:
      return (windows + 2) * count;
    case Algorithm::kConcurrency:
      break;
  }
  return INT64_MAX;
}

void Oracle::admitted_by_redis(const Request& request, const Told& reply, const Part& part) {
  const Rule& rule = workload_.rules()[part.rule];
  Tally& tally = this->tally(part);
  if (tally.breaks != redis_.breaks()) {
    tally.admitted = 0;
    tally.maybe = 0;
    tally.recent.clear();
    tally.tickets.clear();
    tally.breaks = redis_.breaks();
  }
  if (request.breaks != redis_.breaks()) return;
  // It may be of a slice that Redis set aside before it forgot.
  if (reply.source == "lease" && request.sent_ns < redis_.broke_ns() + kSliceNs) return;
  tally.admitted += part.units;
  if (!rule.plain || rule.spec.algorithm == Algorithm::kConcurrency) return;
  const int64_t received_us = redis_.now_us();
  const Admission admission{request.redis_sent_us, received_us, part.units};
  const auto later = [](const Admission& a, const Admission& b) { return a.sent < b.sent; };
  tally.recent.insert(std::upper_bound(tally.recent.begin(), tally.recent.end(), admission, later),
                      admission);
  if (tally.recent.size() > kRecentMost) tally.recent.pop_front();
  for (const engine::Limit& limit : rule.spec.limits) {
    int64_t sum = 0;
    int64_t in_window = 0;
    const int64_t window = received_us / limit.window_us;
    for (auto each = tally.recent.rbegin(); each != tally.recent.rend(); ++each) {
      sum += each->units;
      if (each->sent / limit.window_us == window) in_window += each->units;
      const int64_t most =
          bound(rule.spec, limit, limit.count, limit.burst, received_us - each->sent);
      const bool fixed = rule.spec.algorithm == Algorithm::kFixedWindow;
      if (sum <= most && (!fixed || in_window <= limit.count)) continue;
      return history_.violation(
          "promise 1, never over: {} {} admitted {} units within {} ms, the limit is {} in {} ms",
          rule.spec.name, Workload::id(part.id), sum, (received_us - each->sent) / 1'000,
          limit.count, limit.window_us / 1'000);
    }
  }
}

void Oracle::ticket_taken(const Request& request, const Told& reply) {
  const Part& part = request.wish.parts[0];
  const Rule& rule = workload_.rules()[part.rule];
  if (reply.source != "redis" || request.breaks != redis_.breaks()) return;
  Tally& tally = this->tally(part);
  const engine::Limit& limit = rule.spec.limits[0];
  tally.tickets[reply.ticket] = {scheduler_.now_ns(), request.sent_ns + limit.window_us * kNsPerUs};
  std::erase_if(tally.tickets,
                [&](const auto& each) { return each.second.until_ns <= scheduler_.now_ns(); });
  if (static_cast<int64_t>(tally.tickets.size()) <= limit.count) return;
  history_.violation("promise 1, never over: {} {} has {} tickets out, the limit is {}",
                     rule.spec.name, Workload::id(part.id), tally.tickets.size(), limit.count);
}

// ---- promise 5: bounded when dark ----

void Oracle::note_hosts(size_t host) {
  if (!hosts_[host]->running()) return;
  const int64_t now = hosts_[host]->process().hosts.load();
  auto& seen = seen_hosts_[{host, hosts_[host]->life()}];
  if (seen.empty() || seen.back().hosts != now) seen.push_back({scheduler_.now_ns(), now});
}

// What a host decided by at some time since then, at the most generous.
int64_t Oracle::least_hosts(size_t host, int64_t since_ns) const {
  const auto found = seen_hosts_.find({host, hosts_[host]->life()});
  if (found == seen_hosts_.end()) return 1;
  int64_t least = found->second.back().hosts;
  for (auto each = found->second.rbegin(); each != found->second.rend(); ++each) {
    least = std::min(least, each->hosts);
    if (each->when_ns < since_ns) break;
  }
  return least;
}

void Oracle::admitted_in_the_dark(const Request& request, const Part& part) {
  const Rule& rule = workload_.rules()[part.rule];
  const bool alone = rule.spec.mode == engine::Mode::kLocal;
  if (!rule.plain || rule.spec.algorithm == Algorithm::kConcurrency) return;
  if (request.life != hosts_[request.host]->life() || !hosts_[request.host]->running()) return;
  if (request.sent_ns < clock_uncertain_until_ns_[request.host]) return;
  Dark& dark = dark_[{request.host, request.life, part.rule, part.id}];
  const int64_t now_ns = scheduler_.now_ns();
  const Admission admission{request.sent_ns, now_ns, part.units};
  const auto later = [](const Admission& a, const Admission& b) { return a.sent < b.sent; };
  dark.recent.insert(std::upper_bound(dark.recent.begin(), dark.recent.end(), admission, later),
                     admission);
  if (dark.recent.size() > kRecentMost) dark.recent.pop_front();
  for (const engine::Limit& limit : rule.spec.limits) {
    int64_t sum = 0;
    for (auto each = dark.recent.rbegin(); each != dark.recent.rend(); ++each) {
      sum += each->units;
      const int64_t passed_ns = now_ns - each->sent;
      const int64_t hosts =
          alone ? 1 : least_hosts(request.host, each->sent - limit.window_us * kNsPerUs - kNsPerS);
      // Its clock may run somewhat fast.
      const int64_t most = bound(rule.spec, limit, std::max<int64_t>(limit.count / hosts, 1),
                                 std::max<int64_t>(limit.burst / hosts, 1),
                                 passed_ns / kNsPerUs + passed_ns / kNsPerMs);
      if (sum <= most) continue;
      return history_.violation(
          "promise 5, bounded when dark: {} admitted {} units of {} {} by itself within {} ms, its "
          "share is {} hosts' of {} in {} ms",
          hosts_[request.host]->settings().name, sum, rule.spec.name, Workload::id(part.id),
          passed_ns / kNsPerMs, hosts, limit.count, limit.window_us / 1'000);
    }
  }
}

// ---- promise 2: a refusal is free ----

void Oracle::counted(size_t rule, size_t id, int64_t used) {
  const Tally& tally = this->tally({.rule = rule, .id = id});
  if (tally.breaks != redis_.breaks() || redis_.breaks() != 0) return;
  const std::string_view name = workload_.rules()[rule].spec.name;
  if (used < tally.admitted) {
    history_.violation("promise 1: {} {} has counted {} units, and Redis said of {} that it did",
                       name, Workload::id(id), used, tally.admitted);
  }
  if (used > tally.admitted + tally.maybe) {
    history_.violation(
        "promise 2, a refusal is free: {} {} has counted {} units, of which {} were admitted and "
        "at "
        "most {} more may have been",
        name, Workload::id(id), used, tally.admitted, tally.maybe);
  }
}

}  // namespace toll::sim
