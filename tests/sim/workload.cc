#include "tests/sim/workload.h"

#include <algorithm>
#include <array>
#include <utility>

#include "tests/unit/times.h"

namespace toll::sim {

using engine::Algorithm;
using engine::Limit;
using engine::make_limit;
using engine::OnOutage;

namespace {

constexpr std::array<int64_t, 6> kWindows = {100 * kMs,   500 * kMs,    1 * kSecond,
                                             3 * kSecond, 10 * kSecond, 60 * kSecond};
constexpr std::array<Algorithm, 5> kWindowed = {Algorithm::kGcra, Algorithm::kTokenBucket,
                                                Algorithm::kSlidingLog, Algorithm::kSlidingWindow,
                                                Algorithm::kFixedWindow};
constexpr std::array<int64_t, 4> kDeadlines = {10 * kMs, 50 * kMs, 200 * kMs, 1 * kSecond};

}  // namespace

Workload::Workload(Random random) : random_(random) {
  ids_ = static_cast<size_t>(random_.skewed(1, 12));
  peek_percent_ = random_.below(20);
  mess_percent_ = random_.below(30);
  group_percent_ = random_.chance(50) ? 0 : random_.below(30);
  // Limits tell apart whose reply one is: no two are alike.
  int64_t count = random_.between(3, 9);
  const auto next_count = [&] { return count += random_.between(1, 9); };
  const auto window = [&] { return kWindows[random_.below(kWindows.size())]; };
  // One whose window lasts: what it counts can be added up at the end.
  add(Algorithm::kFixedWindow, {make_limit(40 * next_count(), 0, kOneDay)});
  const int64_t others = random_.between(2, 6);
  for (int64_t i = 0; i < others; ++i) {
    const Algorithm algorithm = kWindowed[random_.below(kWindowed.size())];
    const bool bucket = algorithm == Algorithm::kGcra || algorithm == Algorithm::kTokenBucket;
    const int64_t burst = bucket && random_.chance(30) ? random_.between(1, 20) : 0;
    std::vector<Limit> limits = {make_limit(next_count(), burst, window())};
    if (random_.chance(25)) limits.push_back(make_limit(3 * next_count(), 0, 10 * window()));
    add(algorithm, std::move(limits));
  }
  // Large enough for slices, and now and then used up.
  if (random_.chance(60)) {
    constexpr std::array<Algorithm, 4> kLeased = {Algorithm::kGcra, Algorithm::kTokenBucket,
                                                  Algorithm::kFixedWindow,
                                                  Algorithm::kSlidingWindow};
    const Algorithm algorithm = kLeased[random_.below(kLeased.size())];
    std::vector<Limit> limits = {make_limit(random_.between(5, 40) * next_count(), 0, window())};
    if (random_.chance(25)) limits.push_back(make_limit(60 * next_count(), 0, 10 * window()));
    add(algorithm, std::move(limits));
    rules_.back().spec.mode = engine::Mode::kLeased;
  }
  if (random_.chance(40)) {
    add(Algorithm::kConcurrency, {make_limit(next_count(), 0, random_.between(1, 20) * kSecond)});
  }
}

void Workload::add(Algorithm algorithm, std::vector<Limit> limits) {
  Rule rule;
  rule.spec.name = "p" + std::to_string(rules_.size());
  rule.spec.algorithm = algorithm;
  rule.spec.deadline_us = kDeadlines[random_.below(kDeadlines.size())];
  if (random_.chance(30)) {
    rule.spec.on_outage = random_.chance(50) ? OnOutage::kAllow : OnOutage::kDeny;
  }
  rule.lasting = limits.front().window_us == kOneDay;
  if (!rule.lasting && random_.chance(10)) rule.spec.mode = engine::Mode::kLocal;
  rule.plain = rule.lasting || random_.chance(60);
  rule.spec.limits = std::move(limits);
  rules_.push_back(std::move(rule));
}

std::vector<engine::PolicySpec> Workload::specs() const {
  std::vector<engine::PolicySpec> specs;
  for (const Rule& rule : rules_) specs.push_back(rule.spec);
  return specs;
}

Part Workload::part(size_t rule) {
  const int64_t most = rules_[rule].spec.limits.front().count;
  return {.rule = rule,
          .id = static_cast<size_t>(random_.skewed(0, static_cast<int64_t>(ids_))) % ids_,
          .units = random_.chance(80) ? 1 : random_.skewed(1, std::max<int64_t>(most / 2, 2))};
}

Wish Workload::draw() {
  const size_t chosen = random_.below(rules_.size());
  const Rule& rule = rules_[chosen];
  Wish wish{.ask = Ask::kCheck, .parts = {part(chosen)}};
  if (rule.spec.algorithm == Algorithm::kConcurrency) {
    wish.ask = random_.chance(peek_percent_) ? Ask::kPeek : Ask::kAcquire;
    wish.parts[0].units = 1;
    return wish;
  }
  if (random_.chance(peek_percent_)) {
    wish.ask = Ask::kPeek;
  } else if (!rule.plain && random_.chance(mess_percent_)) {
    constexpr std::array<Ask, 4> kMess = {Ask::kRefund, Ask::kRefund, Ask::kCharge, Ask::kReset};
    wish.ask = kMess[random_.below(kMess.size())];
  } else if (random_.chance(group_percent_)) {
    // Policies of mode local and others do not go together, nor does the same key twice.
    for (size_t other = 0; other < rules_.size(); ++other) {
      const engine::PolicySpec& spec = rules_[other].spec;
      if (other == chosen || spec.algorithm == Algorithm::kConcurrency) continue;
      if (spec.mode == rule.spec.mode && random_.chance(40)) wish.parts.push_back(part(other));
    }
  }
  return wish;
}

}  // namespace toll::sim
