#include "tests/sim/log_oracle.h"

#include <algorithm>
#include <fmt/format.h>

#include "tests/sim/oracle.h"

namespace toll::sim {
namespace {

// A push waits for the calls under way, at their worst, and for its commit; so does what is asked,
// but for what it waits for by its own wish.
constexpr int64_t kAnsweredNs = 1'500 * kNsPerMs;
// What a process sent arrives within so long of its end; and what it had not heard of yet was sent
// no longer before it.
constexpr int64_t kOnTheWayNs = 10 * kNsPerS;
// From what Redis says of a push to the same push again, at most.
constexpr int64_t kLookedUpNs = kNsPerS;
// What was lost is missed after so long: a process that is gone, or seems so.
constexpr int64_t kMissedNs = 15 * kNsPerS;

std::string shown(std::string_view text) {
  return std::string(text.substr(0, 40));
}

}  // namespace

LogOracle::LogOracle(Scheduler& scheduler, History& history, const LogLoad& load, RedisNode& redis,
                     std::vector<std::unique_ptr<DaemonHost>>& hosts)
    : scheduler_(scheduler), history_(history), load_(load), redis_(redis), hosts_(hosts) {
  redis_.server().watch_lists(this);
}

int64_t LogOracle::deadline_ns(const Wish& wish) {
  return kAnsweredNs + wish.log.wait_ms * kNsPerMs;
}

// ---- what clients say and hear ----

void LogOracle::asked(const Request& request) {
  if (request.wish.ask != Ask::kLogPush) return;
  const LogWish& log = request.wish.log;
  records_[log.record] = {.stream = {request.client, log.connection},
                          .number = log.number,
                          .host = request.host,
                          .sent_ns = request.sent_ns};
}

void LogOracle::answered(const Request& request, const Told& reply, int64_t calm_ns) {
  if (reply.word == Word::kError) return check_error(request, reply);
  if (request.wish.ask == Ask::kLogPush) return check_pushed(request, reply, calm_ns);
  const bool lists = takes_records(request.wish.ask) || request.wish.ask == Ask::kLogPeek;
  if (!lists) return;
  if (static_cast<int64_t>(reply.rows.size()) > request.wish.log.count) {
    history_.violation("request {} of client {} for {} records is answered by {}", request.number,
                       request.client, request.wish.log.count, reply.rows.size());
  }
  for (const std::string& text : reply.rows) {
    if (takes_records(request.wish.ask)) {
      delivered(request, text);
    } else {
      known(text);
    }
  }
}

void LogOracle::unread(const Request& request, const Told& reply) {
  if (!takes_records(request.wish.ask)) return;
  for (const std::string& text : reply.rows) {
    if (Record* const record = known(text); record != nullptr) record->in_hand = true;
  }
}

void LogOracle::check_error(const Request& request, const Told& reply) {
  if (request.wish.ask == Ask::kLogPush) {
    records_.find(request.wish.log.record)->second.refused = true;
  }
  if (reply.text.starts_with("BUSY") || reply.text.starts_with("UNAVAILABLE")) return;
  history_.violation("request {} of client {} is answered ERR {}", request.number, request.client,
                     reply.text);
}

void LogOracle::check_pushed(const Request& request, const Told& reply, int64_t calm_ns) {
  ++acknowledged_;
  records_.find(request.wish.log.record)->second.acknowledged = true;
  const bool named = reply.source == "redis" || reply.source == "spill";
  const bool calm = request.sent_ns >= calm_ns;
  if (named && (!calm || reply.source == "redis")) return;
  history_.violation(
      "promise 7 and liveness: request {} of client {} to {}, to keep a record, is "
      "answered {}",
      request.number, request.client, hosts_[request.host]->settings().name, reply.text);
}

LogOracle::Record* LogOracle::known(std::string_view text) {
  const auto found = records_.find(text);
  if (found != records_.end()) return &found->second;
  history_.violation("promise 6: the record {} was pushed by nobody", shown(text));
  return nullptr;
}

void LogOracle::delivered(const Request& request, const std::string& text) {
  Record* const record = known(text);
  if (record == nullptr) return;
  if (++record->delivered > 1 && !may_come_twice(*record)) {
    history_.violation("promise 6: the record {} is given twice, and nothing was lost",
                       shown(text));
  }
  if (moved_back(*record) || may_come_late(*record) || !request.alone) return;
  uint64_t& last = last_delivered_[{{request.client, request.wish.log.connection}, record->stream}];
  if (record->number < last) {
    history_.violation("promise 6, order: client {} is given {} after number {} of the same",
                       request.client, shown(text), last);
  }
  last = std::max(last, record->number);
}

// It may be in the queue again after it was taken, and behind those that came after it.
bool LogOracle::moved_back(const Record& record) const {
  return record.pushes > 1 || record.given_back > 0 || forgotten(record);
}

bool LogOracle::forgotten(const Record& record) const {
  return record.pushes > 0 && record.pushed_ns <= redis_.forgot_ns();
}

bool LogOracle::may_come_twice(const Record& record) const {
  if (record.pushes > 1 || forgotten(record)) return true;
  return record.given_back > 0 && lost_ns_ + kMissedNs >= record.sent_ns;
}

bool LogOracle::may_come_late(const Record& record) const {
  return record.refused && ended_since(record, record.sent_ns);
}

bool LogOracle::ended_since(const Record& record, int64_t when_ns) const {
  const auto& ends = hosts_[record.host]->ends_ns();
  return !ends.empty() && ends.back() >= when_ns;
}

// ---- what comes to the queue in Redis ----

void LogOracle::on_list(std::string_view key, std::string_view element, ListEvent event) {
  if (key != load_.settings().key) return;
  Record* const record = known(element);
  if (record == nullptr) return;
  switch (event) {
    case ListEvent::kPushedBack:
      return came_to_queue(std::string(element), *record);
    case ListEvent::kPushedFront:
      ++record->given_back;
      return;
    case ListEvent::kCutOff:
      ++record->cut_off;
      cuts_.push_back({scheduler_.now_ns(), hears_late()});
      return;
  }
}

void LogOracle::came_to_queue(const std::string& text, Record& record) {
  if (++record.pushes == 1) {
    record.pushed_ns = scheduler_.now_ns();
    record.came_late = hears_late();
    if (may_come_late(record)) return;
    uint64_t& last = last_in_queue_[record.stream];
    if (record.number < last) {
      history_.violation("promise 6, order: {} comes to the queue behind number {} of the same",
                         shown(text), last);
    }
    last = std::max(last, record.number);
    return;
  }
  const int64_t since_ns = std::max(record.sent_ns, record.pushed_ns - kOnTheWayNs);
  const bool unnoted = redis_.forgot_ns() >= since_ns || redis_.flushed_ns() >= since_ns;
  if (ended_since(record, since_ns) || unnoted || looked_up_in_vain(record)) return;
  history_.violation("promise 6: the record {} comes to the queue twice, and its daemon lives",
                     shown(text));
}

// What Redis does now was asked by a connection whose client has given it up.
bool LogOracle::hears_late() const {
  return redis_.heard_late_ns() == scheduler_.now_ns();
}

// Of two comings one is late: its daemon had asked before whether it had come, and pushed it again.
bool LogOracle::looked_up_in_vain(const Record& record) const {
  return hears_late() ||
         (record.came_late && scheduler_.now_ns() - record.pushed_ns <= kLookedUpNs);
}

// ---- the end ----

void LogOracle::judge() {
  if (!load_.on()) return;
  judge_lost();
  judge_counters();
}

void LogOracle::judge_lost() const {
  std::map<size_t, std::vector<std::string>> lost;
  for (const auto& [text, record] : records_) {
    if (!record.acknowledged || record.delivered > 0 || record.in_hand || record.cut_off > 0) {
      continue;
    }
    if (forgotten(record)) continue;
    lost[record.host].push_back(fmt::format("{}, {} times in the queue, {} times given back",
                                            shown(text), record.pushes, record.given_back));
  }
  for (const auto& [host, records] : lost) {
    const uint64_t counted = hosts_[host]->log_sums().dropped_from_disk;
    if (records.size() <= counted) continue;
    history_.violation(
        "promise 6: {} records that {} had acknowledged never came, it counted {} as dropped from "
        "its disk: {}",
        records.size(), hosts_[host]->settings().name, counted, records.front());
  }
}

bool LogOracle::ended_around(int64_t when_ns) const {
  return std::ranges::any_of(hosts_, [&](const auto& host) {
    return std::ranges::any_of(host->ends_ns(), [&](int64_t end_ns) {
      return when_ns >= end_ns - kOnTheWayNs && when_ns <= end_ns + kOnTheWayNs;
    });
  });
}

void LogOracle::judge_counters() const {
  LogSums sums;
  bool ended = false;
  for (const auto& host : hosts_) {
    const LogSums own = host->log_sums();
    sums.pushed += own.pushed;
    sums.popped += own.popped;
    sums.returned += own.returned;
    sums.dropped_by_redis += own.dropped_by_redis;
    sums.dropped_from_disk += own.dropped_from_disk;
    sums.refused += own.refused;
    ended = ended || !host->ends_ns().empty();
  }
  // Notes of what was dropped were lost, or never made.
  if (redis_.forgot_ns() >= 0 || redis_.flushed_ns() >= 0) return;
  const auto sure = static_cast<uint64_t>(std::ranges::count_if(
      cuts_, [&](const Cut& cut) { return !cut.late && !ended_around(cut.when_ns); }));
  // What a push cut off whose reply was lost is looked up with its records, which are then on the
  // disk; where that refused or dropped them, it is not.
  const bool misses = sums.refused == 0 && sums.dropped_by_redis + sums.dropped_from_disk < sure;
  if (misses || (!ended && sums.dropped_by_redis > cuts_.size())) {
    history_.violation("promise 6: {} records were cut off the queue, {} were counted as dropped",
                       cuts_.size(), sums.dropped_by_redis);
  }
  const uint64_t dropped = sums.dropped_by_redis + sums.dropped_from_disk;
  if (lost_ns_ >= 0 || sums.pushed == sums.popped - sums.returned + dropped) return;
  history_.violation("promise 6: {} pushed, {} popped, {} returned, {} dropped, none left",
                     sums.pushed, sums.popped, sums.returned, dropped);
}

}  // namespace toll::sim
