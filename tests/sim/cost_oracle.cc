#include "tests/sim/cost_oracle.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <fmt/format.h>

#include "engine/money.h"
#include "tests/sim/oracle.h"

namespace toll::sim {

using engine::format_dollars;

namespace {

// A run begins some seconds into a year; clocks may be set back over its beginning.
constexpr std::array<const char*, 2> kMonths = {"2025:12", "2026:01"};

// A hold counts for so long at least, however clocks go. Shorter ones are not looked at.
constexpr int64_t kLastingMs = 120'000;

bool charges(Ask ask) {
  return ask == Ask::kCostAdd || ask == Ask::kCostSettle;
}

}  // namespace

void CostOracle::asked(const Request& request) {
  const CostWish& wish = request.wish.cost;
  Tally& tally = tallies_[wish.id];
  const bool ends_hold =
      request.wish.ask == Ask::kCostSettle || request.wish.ask == Ask::kCostCancel;
  if (ends_hold) tally.holds.erase(wish.text);
  if (!charges(request.wish.ask)) return;
  if (!wish.text.empty()) {
    const auto [keyed, added] = tally.keyed.try_emplace(wish.text, Keyed{wish.amount, {}});
    if (!added) return;
  }
  tally.sent += wish.amount;
}

void CostOracle::answered(const Request& request, const Told& reply) {
  const CostWish& wish = request.wish.cost;
  Tally& tally = tallies_[wish.id];
  check_shape(request, reply);
  check_not_more(wish.id, tally);
  if (reply.word == Word::kError) return;
  if (request.wish.ask == Ask::kCostHold) return held(request, reply, tally);
  if (!charges(request.wish.ask)) return;
  ++acknowledged_;
  const Ack ack{wish.amount, request.host, request.life, scheduler_.now_ns()};
  if (wish.text.empty()) {
    acks_.emplace_back(wish.id, ack);
  } else {
    tally.keyed[wish.text].acks.push_back(ack);
  }
}

void CostOracle::check_shape(const Request& request, const Told& reply) const {
  const bool decides = request.wish.ask == Ask::kCostCheck || request.wish.ask == Ask::kCostHold;
  if (reply.word == Word::kError) {
    if (reply.text.starts_with("BUSY") || reply.text.starts_with("UNAVAILABLE")) return;
    return history_.violation("request {} of client {} is answered ERR {}", request.number,
                              request.client, reply.text);
  }
  const bool fits =
      decides ? reply.word == Word::kAllow || reply.word == Word::kDeny : reply.word == Word::kOk;
  const bool named = reply.source == "redis" || reply.source == "journal";
  if (fits && named) return;
  history_.violation("order: request {} of client {} has the reply of another verb: {}",
                     request.number, request.client, reply.text);
}

// Not while a daemon may not yet know how much of its journal Redis has.
void CostOracle::check_told(const Request& request, const Told& reply) const {
  const int64_t sent = tallies_.at(request.wish.cost.id).sent;
  if (reply.word == Word::kError || reply.source != "redis" || reply.spent <= sent) return;
  history_.violation(
      "promise 4, exactly once: client {} is told of {} that {} were spent, {} were sent",
      request.client, request.wish.cost.id, format_dollars(reply.spent), format_dollars(sent));
}

// At any time.
void CostOracle::check_not_more(const std::string& id, const Tally& tally) const {
  const int64_t there = total(id);
  if (there <= tally.sent) return;
  history_.violation(
      "promise 4, exactly once: the total of {} is {}, and no more than {} was ever sent", id,
      format_dollars(there), format_dollars(tally.sent));
}

void CostOracle::held(const Request& request, const Told& reply, Tally& tally) {
  if (reply.word != Word::kAllow || reply.source != "redis") return;
  const int64_t budget = load_.settings().budget;
  if (budget == engine::kNoBudget) return;
  const CostWish& wish = request.wish.cost;
  if (engine::add_capped(reply.spent, reply.held) > budget) {
    return history_.violation(
        "promise 4: {} is let hold {} with {} spent and {} held, its budget is {}", wish.id,
        format_dollars(wish.amount), format_dollars(reply.spent), format_dollars(reply.held),
        format_dollars(budget));
  }
  // What was held before says nothing once Redis forgot, or has another time.
  if (tally.breaks != redis_.breaks()) tally.holds.clear();
  tally.breaks = redis_.breaks();
  if (wish.ttl_ms < kLastingMs || request.breaks != redis_.breaks()) return;
  tally.holds[reply.hold] = {wish.amount, request.sent_ns + kLastingMs * kNsPerMs / 2};
  int64_t sum = 0;
  for (const auto& [name, hold] : tally.holds) {
    if (hold.until_ns > scheduler_.now_ns()) sum += hold.amount;
  }
  if (sum <= budget) return;
  history_.violation("promise 4: {} has {} held by redis, its budget is {}", wish.id,
                     format_dollars(sum), format_dollars(budget));
}

void CostOracle::given_up(size_t host, int64_t since_ns, uint64_t first_life, uint64_t last_life) {
  given_up_.push_back({host, since_ns, first_life, last_life});
}

void CostOracle::shared_name(size_t host, int64_t since_ns) {
  shared_names_.emplace_back(host, since_ns);
}

bool CostOracle::excused(const Ack& ack) const {
  const bool unfenced = std::ranges::any_of(shared_names_, [&](const auto& shared) {
    return shared.first == ack.host && redis_.forgot_ns() >= shared.second;
  });
  if (unfenced && ack.when_ns <= redis_.forgot_ns()) return true;
  if (!load_.keeps_all() && ack.when_ns <= redis_.forgot_ns()) return true;
  return std::ranges::any_of(given_up_, [&](const GivenUp& each) {
    return each.host == ack.host && each.since_ns <= ack.when_ns && each.first_life <= ack.life &&
           ack.life <= each.last_life;
  });
}

void CostOracle::judge() {
  std::map<std::string, int64_t> acknowledged;
  for (const auto& [id, ack] : acks_) {
    if (!excused(ack)) acknowledged[id] += ack.amount;
  }
  for (const auto& [id, tally] : tallies_) {
    for (const auto& [key, keyed] : tally.keyed) {
      const bool counts =
          std::ranges::any_of(keyed.acks, [&](const Ack& a) { return !excused(a); });
      if (counts) acknowledged[id] += keyed.amount;
    }
    check_not_more(id, tally);
    const int64_t there = total(id);
    if (there >= acknowledged[id]) continue;
    tell_of(id);
    history_.violation("promise 4, exactly once: the total of {} is {}, {} were acknowledged", id,
                       format_dollars(there), format_dollars(acknowledged[id]));
  }
}

// Who acknowledged what, for whoever looks for what is missing.
void CostOracle::tell_of(const std::string& id) const {
  std::map<std::pair<size_t, uint64_t>, int64_t> sums;
  const auto count = [&](const Ack& ack) {
    if (!excused(ack)) sums[{ack.host, ack.life}] += ack.amount;
  };
  for (const auto& [of, ack] : acks_) {
    if (of == id) count(ack);
  }
  for (const auto& [key, keyed] : tallies_.at(id).keyed) {
    if (!keyed.acks.empty()) count(keyed.acks.front());
  }
  for (const auto& [who, sum] : sums) {
    history_.tell("  of {} host {} acknowledged {} in life {}", id, who.first, format_dollars(sum),
                  who.second);
  }
  const std::string key = fmt::format("cost:{}:{}", id, kMonths[1]);
  for (const std::string& name : {key, "{" + key + "}:state"}) {
    history_.tell("  {}: {}", name, redis_.server().run({"HGETALL", name}, redis_.now_us()));
  }
}

// ---- what lies in Redis ----

int64_t CostOracle::total(const std::string& id) const {
  int64_t sum = 0;
  for (const char* month : kMonths) {
    const std::string key = fmt::format("cost:{}:{}", id, month);
    const bool hash = load_.settings().layout == engine::CostLayout::kHash;
    const std::string reply = hash ? redis_.server().run({"HGET", key, "total"}, redis_.now_us())
                                   : redis_.server().run({"GET", key}, redis_.now_us());
    const size_t head = reply.find("\r\n");
    if (!reply.starts_with('$') || reply.starts_with("$-1") || head == std::string::npos) continue;
    int64_t total = 0;
    std::from_chars(reply.data() + head + 2, reply.data() + reply.size(), total);
    sum += total;
  }
  return sum;
}

std::string CostOracle::owner_of_epoch(const std::string& node) const {
  const std::string reply =
      redis_.server().run({"GET", "tollkeeper:epoch:" + node}, redis_.now_us());
  const size_t head = reply.find("\r\n");
  if (!reply.starts_with('$') || reply.starts_with("$-1") || head == std::string::npos) return "";
  return reply.substr(head + 2, reply.size() - head - 4);
}

}  // namespace toll::sim
