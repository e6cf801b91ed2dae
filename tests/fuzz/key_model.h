// One key of a shard as it should be: the models of tests/unit/algorithm_models.h, one for each
// limit of its policy, with what a shard adds to them: several limits at once, tickets, and
// reloads.
//
// For a clock that does not step back. A copy is another key with the same history.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "engine/policy.h"
#include "engine/shard.h"
#include "engine/types.h"
#include "tests/fuzz/units_model.h"
#include "tests/unit/algorithm_models.h"

namespace toll::engine::model {

class KeyModel {
 public:
  KeyModel(Algorithm algorithm, std::vector<Limit> limits)
      : algorithm_(algorithm), limits_(std::move(limits)) {
    for (const Limit& limit : limits_) models_.push_back(fresh(limit));
  }

  // Decides, and applies unless it refuses.
  void decide(Operation& op, TimeUs now) {
    advance(now);
    const bool asks =
        op.verb == Verb::kCheck || op.verb == Verb::kAcquire || op.verb == Verb::kThrottle;
    op.outcome = asks ? Outcome::kAdmitted : Outcome::kDone;
    if (asks && !admits(op.units)) return refuse(op);
    for (size_t i = 0; i < models_.size(); ++i) {
      std::visit([&](auto& model) { apply(model, limits_[i], op, now); }, models_[i]);
    }
    describe(op);
  }

  // The policy is another from now on: what was used stays used, where the algorithm is the same.
  // REQUIRES: limits of both that have a window in common stand at the same place.
  void fit(Algorithm algorithm, const std::vector<Limit>& limits, TimeUs now) {
    if (algorithm == algorithm_ && limits == limits_) return;
    KeyModel fitted(algorithm, limits);
    advance(now);
    fitted.advance(now);
    for (size_t i = 0; algorithm == algorithm_ && i < std::min(limits.size(), limits_.size());
         ++i) {
      if (limits[i] == limits_[i] || keeps_its_units(limits[i], limits_[i])) {
        fitted.models_[i] = models_[i];
        std::visit([&](auto& model) { take_limit(model, limits[i]); }, fitted.models_[i]);
        continue;
      }
      // A part of a unit counts as a whole one.
      const int64_t used = limits_[i].burst - remaining(i);
      std::visit([&](auto& model) { model.charge(used); }, fitted.models_[i]);
    }
    *this = std::move(fitted);
  }

 private:
  using Model =
      std::variant<GcraModel, TokenBucketModel, FixedWindowModel, SlidingWindowModel, UnitsModel>;

  Model fresh(const Limit& limit) const {
    switch (algorithm_) {
      case Algorithm::kGcra:
        return GcraModel(limit);
      case Algorithm::kTokenBucket:
        return TokenBucketModel(limit);
      case Algorithm::kFixedWindow:
        return FixedWindowModel(limit);
      case Algorithm::kSlidingWindow:
        return SlidingWindowModel(limit);
      case Algorithm::kSlidingLog:
      case Algorithm::kConcurrency:
        break;
    }
    return UnitsModel(limit, algorithm_ == Algorithm::kConcurrency);
  }

  // Whether each unit keeps its own time.
  bool keeps_its_units(const Limit& a, const Limit& b) const {
    const bool same_windows = a.window_us == b.window_us && a.calendar == b.calendar;
    return algorithm_ == Algorithm::kSlidingLog || algorithm_ == Algorithm::kConcurrency ||
           (algorithm_ == Algorithm::kSlidingWindow && same_windows);
  }
  template <typename M>
  static void take_limit(M& model, const Limit& limit) {
    if constexpr (requires { model.take_limit(limit); }) model.take_limit(limit);
  }

  template <typename M>
  static void apply(M& model, const Limit& limit, const Operation& op, TimeUs now) {
    constexpr bool kWindows =
        !std::is_same_v<M, UnitsModel> && requires { model.take_limit(limit); };
    switch (op.verb) {
      case Verb::kCheck:
      case Verb::kCharge:
      case Verb::kThrottle:
        if (op.units > 0) model.charge(op.units);
        return;
      case Verb::kUndo:
        // A window that began since has nothing of it.
        if constexpr (kWindows) {
          const auto window = [&](TimeUs at) {
            return window_holding(limit, at / kUsPerMs).start_ms;
          };
          if (window(op.charged_at) < window(now)) return;
        }
        return model.refund(op.units);
      case Verb::kRefund:
        return model.refund(op.units);
      case Verb::kAcquire:
      case Verb::kRelease:
        if constexpr (std::is_same_v<M, UnitsModel>) {
          if (op.verb == Verb::kRelease) return model.release(op.ticket);
          return model.acquire(op.units, op.ttl_us, op.ticket);
        }
        return;
      case Verb::kNote:
        return note(model, op);
      case Verb::kPeek:
      case Verb::kReset:
      case Verb::kRepay:
      case Verb::kLease:
      case Verb::kReturn:
        return;
    }
  }
  // Uses what is left, and a ticket if it fits.
  template <typename M>
  static void note(M& model, const Operation& op) {
    if constexpr (std::is_same_v<M, UnitsModel>) {
      if (op.ticket != 0) {
        if (model.admits(op.units)) model.acquire(op.units, op.ttl_us, op.ticket);
        return;
      }
    }
    if (model.remaining() > 0) model.charge(std::min(op.units, model.remaining()));
  }

  void advance(TimeUs now) {
    for (Model& each : models_) std::visit([&](auto& model) { model.advance(now); }, each);
  }
  bool admits(int64_t units) const {
    return std::ranges::all_of(models_, [&](const Model& each) {
      return units == 0 || std::visit([&](const auto& model) { return model.admits(units); }, each);
    });
  }
  int64_t remaining(size_t i) const {
    return std::visit([](const auto& model) { return model.remaining(); }, models_[i]);
  }
  void answer(Operation& op, size_t i, int64_t retry_us) const {
    const int64_t reset_us =
        std::visit([](const auto& model) { return model.reset_us(); }, models_[i]);
    op.answer = {limits_[i].burst, remaining(i), retry_us, reset_us};
  }
  // The first limit with the least remaining speaks.
  void describe(Operation& op) const {
    size_t least = 0;
    for (size_t i = 1; i < models_.size(); ++i) {
      if (remaining(i) < remaining(least)) least = i;
    }
    answer(op, least, 0);
  }
  // The first limit with the longest wait speaks, and never is longest.
  void refuse(Operation& op) const {
    op.outcome = Outcome::kRefused;
    std::vector<uint64_t> waits;  // never, which is below 0, is the largest
    for (const Model& each : models_) {
      waits.push_back(static_cast<uint64_t>(
          std::visit([&](const auto& model) { return model.retry_us(op.units); }, each)));
    }
    const auto longest = std::ranges::max_element(waits);
    answer(op, static_cast<size_t>(longest - waits.begin()), static_cast<int64_t>(*longest));
  }

  Algorithm algorithm_;
  std::vector<Limit> limits_;
  std::vector<Model> models_;
};

}  // namespace toll::engine::model
