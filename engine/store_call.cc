// How a batch's items travel to lua/limits.lua, and how its reply is dealt out.
#include <algorithm>
#include <cassert>

#include "engine/flaws.h"
#include "engine/store_batch_state.h"

namespace toll::engine {
namespace {

constexpr std::string_view kNotThisCall = "the reply of the script is not one to this call";
constexpr std::string_view kContradicted =
    "the script decided otherwise than the state of the key that it tells";

}  // namespace

void StoreBatch::pack() {
  state_->pack();
}

std::span<const std::string_view> StoreBatch::keys() const {
  return state_->keys.texts();
}

std::span<const std::string_view> StoreBatch::arguments() const {
  return state_->arguments;
}

std::expected<TimeUs, std::string_view> StoreBatch::deal(std::string_view reply) {
  const auto decided = state_->read(reply);
  if (decided) state_->hand_out(requests_);
  return decided;
}

// What the head of lua/quick.lua says.
bool StoreBatch::State::is_quick(const Item& item) const {
  const Part& part = parts[item.first_part];
  const bool lease = item.verb == ScriptVerb::kLease;
  const bool gives_back = item.verb == ScriptVerb::kReturn && part.c > 0;
  if ((!item.merges && !lease && !gives_back) || item.parts != 1) return false;
  const StoreKey& key = keys[part.key];
  if (!key.alone) return false;
  if (key.algorithm == Algorithm::kSlidingLog) return part.a == 1;
  return key.algorithm == Algorithm::kGcra && limits[part.rule].interval_fraction == 0;
}

size_t StoreBatch::State::sort_items() {
  order.clear();
  for (uint32_t i = 0; i < items.size() && order.size() < settings.quick_max; ++i) {
    if (!is_quick(items[i])) continue;
    keys[parts[items[i].first_part].key].quick = true;
    order.push_back(i);
  }
  const size_t quick = order.size();
  size_t next = 0;
  for (uint32_t i = 0; i < items.size(); ++i) {
    if (next < quick && order[next] == i) {
      ++next;
    } else {
      order.push_back(i);
    }
  }
  return quick;
}

void StoreBatch::State::pack() {
  const size_t quick = sort_items();
  const StoreKeys::Strings strings = keys.number_all();
  for (StoreKey& key : keys.all()) {
    if (key.algorithm != Algorithm::kSlidingLog) continue;
    key.renew =
        shared[key.rule] || renewals->due(key.identity, limits[key.rule].window_us, store_now);
  }
  // A quick item has one part.
  writer.begin(kHeadNumbers + kRuleNumbers * numbers.size() + kQuickNumbers * quick +
               kItemNumbers * (items.size() - quick) + kPartNumbers * (parts.size() - quick));
  writer.number(static_cast<int64_t>(quick));
  writer.number(static_cast<int64_t>(strings.quick));
  writer.number(static_cast<int64_t>(strings.all));
  writer.number(static_cast<int64_t>(numbers.size()));
  writer.number(static_cast<int64_t>(items.size() - quick));
  for (const RuleNumbers& rule : numbers) {
    for (const int64_t number : rule) writer.number(number);
  }
  reply_numbers = 1;
  for (size_t i = 0; i < order.size(); ++i) {
    i < quick ? pack_quick_item(items[order[i]]) : pack_item(items[order[i]]);
  }

  arguments.clear();
  arguments.push_back(writer.bytes());
  uint32_t begin = 0;
  for (const uint32_t end : ticket_ends) {
    arguments.push_back(std::string_view(tickets).substr(begin, end - begin));
    begin = end;
  }
}

void StoreBatch::State::pack_quick_item(const Item& item) {
  const Part& part = parts[item.first_part];
  const StoreKey& key = keys[part.key];
  writer.number(part.rule);
  if (item.verb == ScriptVerb::kLease) {
    writer.number(-part.a);
    writer.number(part.c * kQuickTimesEnd + item.times);
  } else if (item.verb == ScriptVerb::kReturn) {
    writer.number(-part.a);
    writer.number(-part.c);
  } else {
    writer.number(key.algorithm == Algorithm::kSlidingLog ? int64_t{key.renew} : part.a);
    writer.number(item.times);
  }
  reply_numbers += 1 + state_numbers(key.algorithm);
}

void StoreBatch::State::pack_item(const Item& item) {
  writer.number(static_cast<int64_t>(item.verb));
  writer.number(item.times);
  writer.number(item.parts);
  reply_numbers += 1;
  for (const Part& part : std::span(parts).subspan(item.first_part, item.parts)) {
    const StoreKey& key = keys[part.key];
    const bool log = key.algorithm == Algorithm::kSlidingLog;
    writer.number(part.rule);
    writer.number(key.number);
    const bool more = key.algorithm == Algorithm::kFixedWindow && flawed(Flaw::kChargesNobody);
    writer.number(part.a + int64_t{more});
    writer.number(log ? int64_t{key.renew} : part.b);
    writer.number(part.c);
    reply_numbers += state_numbers(key.algorithm);
  }
}

// Nothing is dealt before all of it is read, since the last byte may be the one that is wrong.
std::expected<TimeUs, std::string_view> StoreBatch::State::read(std::string_view reply) {
  PackReader reader(reply);
  if (reader.array() != reply_numbers) return std::unexpected(kNotThisCall);
  const TimeUs now = reader.number(0, kTimeMaxUs);
  renewed.clear();
  for (const uint32_t place : order) {
    const Item& item = items[place];
    const int64_t code = reader.number(kCodePoisoned, kUnitsMax);
    if (reader.failed()) return std::unexpected(kNotThisCall);
    const bool read =
        code == kCodePoisoned ? pass_over(item, reader) : read_item(item, code, now, reader);
    if (!read) return std::unexpected(reader.failed() ? kNotThisCall : kContradicted);
  }
  if (reader.failed() || !reader.at_end()) return std::unexpected(kNotThisCall);
  for (const uint32_t key : renewed) renewals->renewed(keys[key].identity, now);
  return now;
}

bool StoreBatch::State::pass_over(const Item& item, PackReader& reader) {
  for (const StoreClaim& claim : std::span(claims).subspan(item.first_claim, item.claims)) {
    reader.skip(claim.limits * state_numbers(claim.algorithm));
    for (uint32_t at = claim.first_slot; at != kNoSlot; at = slots[at].next) {
      slots[at].result = StoreResult::kPoisoned;
    }
  }
  return !reader.failed();
}

bool StoreBatch::State::read_item(const Item& item, int64_t code, TimeUs now, PackReader& reader) {
  bool refused = false;
  for (const StoreClaim& claim : std::span(claims).subspan(item.first_claim, item.claims)) {
    for (uint32_t at = claim.first_slot; at != kNoSlot; at = slots[at].next) {
      slots[at].result = StoreResult::kDecided;
    }
    if (claim.unseen) {
      reader.skip(claim.limits * state_numbers(claim.algorithm));
      slots[claim.first_slot].outcome = Outcome::kDone;
      continue;
    }
    const auto of = std::span<const Limit>(limits).subspan(claim.first_rule, claim.limits);
    const Replay replay = describe_claim(claim, item.merges, of, code, now, reader, slots);
    if (replay == Replay::kContradicts) return false;
    refused = refused || replay == Replay::kRefuses;
  }
  if (reader.failed()) return false;
  const bool admits = item.verb == ScriptVerb::kCheck || item.verb == ScriptVerb::kAcquire;
  if (admits && code == 0) return refused;
  const bool adds = item.verb == ScriptVerb::kCheck || item.verb == ScriptVerb::kCharge;
  if (!adds) return true;
  for (const Part& part : std::span(parts).subspan(item.first_part, item.parts)) {
    if (keys[part.key].renew) renewed.push_back(part.key);
  }
  return true;
}

void StoreBatch::State::hand_out(std::span<StoreRequest* const> requests) const {
  for (const StoreSlot& slot : slots) {
    StoreRequest* request = requests[slot.request];
    if (request == nullptr) continue;
    request->result = slot.result;
    if (slot.result != StoreResult::kDecided) continue;
    Operation& op = request->operations[slot.operation];
    op.outcome = slot.outcome;
    const bool refused = op.outcome == Outcome::kRefused;
    if (refused && flawed(Flaw::kAdmitsRefused)) op.outcome = Outcome::kAdmitted;
    op.answer = slot.answer;
    if (op.verb != Verb::kLease) continue;
    op.granted = slot.granted;
    op.lease_us = slot.lease_ends;
  }
}

}  // namespace toll::engine
