// Where one worker writes down what happens, for the herald to tell (daemon/herald.h): a bounded
// ring to its thread, and back for what was read.
//
// Nobody waits for the herald. What finds no room is lost and counted, by who misses it: the audit
// log or the watchers. While nobody wants to know, asking wants() is all there is to do.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "daemon/happening.h"
#include "daemon/letter.h"
#include "daemon/limits.h"
#include "daemon/statistics.h"
#include "engine/types.h"
#include "net/event_doorbell.h"
#include "net/spsc_ring.h"

namespace toll::daemon {

// Wakes the herald, if it sleeps. Any thread.
class HeraldBell {
 public:
  // The herald's: false: do not sleep, something has come. As net::PostOffice's.
  template <class HasMail>
  bool may_sleep(HasMail&& has_mail) {
    sleeping_.store(true, std::memory_order_seq_cst);
    if (!has_mail()) return true;
    awake();
    return false;
  }
  void awake() { sleeping_.store(false, std::memory_order_relaxed); }
  void wait(int timeout_ms);  // negative: no limit

  void wake() {
    if (!sleeping_.load(std::memory_order_seq_cst)) return;
    if (sleeping_.exchange(false, std::memory_order_acq_rel)) doorbell_.ring();
  }

 private:
  std::atomic<bool> sleeping_{false};
  net::EventDoorbell doorbell_;
};

class alignas(net::kCacheLineBytes) Happenings {
 public:
  Happenings() = default;
  Happenings(const Happenings&) = delete;
  Happenings& operator=(const Happenings&) = delete;

  // ---- the herald's

  // Before the worker starts. `per_second`: of each kind that is sampled, for the audit log.
  void connect(HeraldBell& bell, bool audited, uint32_t per_second);
  // What is watched by anybody. Any thread, one at a time.
  void watch(Topics topics);

  // Calls on_happening(happening) for each that was published. Returns whether there was any.
  template <class OnHappening>
  bool collect(OnHappening&& on_happening) {
    bool any = false;
    while (Happening* happening = noted_.take()) {
      on_happening(*happening);
      [[maybe_unused]] const bool put = read_.put(happening);
      assert(put);
      any = true;
    }
    noted_.release();
    read_.publish();
    return any;
  }
  bool has_any() const { return !noted_.empty(); }

  // What was not noted so far. Any thread.
  uint64_t skipped(HappeningKind kind) const { return skipped_[static_cast<size_t>(kind)].get(); }
  uint64_t lost() const { return lost_.get(); }
  uint64_t missed(Topic topic) const { return missed_[static_cast<size_t>(topic)].get(); }

  // ---- the worker's

  bool wants(HappeningKind kind) const {
    return (wanted_.load(std::memory_order_relaxed) & mask_of(kind)) != 0;
  }
  // One to be filled in, which leaves with publish(). Null: nobody wants it, or there is no room.
  Happening* note(HappeningKind kind, engine::TimeUs now);
  // Once a turn.
  void publish() {
    if (noted_any_) hand_over();
  }

 private:
  static constexpr uint32_t kAudited = 1U << kTopics;
  static constexpr uint32_t mask_of(HappeningKind kind);

  Happening* take(bool for_audit);
  bool within_rate(HappeningKind kind, engine::TimeUs now);
  void hand_over();

  std::atomic<uint32_t> wanted_{0};  // topics, and kAudited
  bool noted_any_ = false;
  HeraldBell* bell_ = nullptr;  // null: there is no herald
  uint32_t per_second_ = 0;
  struct Second {
    int64_t number = 0;
    uint32_t noted = 0;
  };
  std::array<Second, kSampledKinds> seconds_{};
  LetterPool<Happening> pool_{kHappeningsMax};
  net::SpscRing<Happening> noted_{kHappeningsMax};
  net::SpscRing<Happening> read_{kHappeningsMax};
  std::array<Counter, kSampledKinds> skipped_;  // beyond the rate
  Counter lost_;                                // for the audit log, and there was no room
  std::array<Counter, kTopics> missed_;         // likewise for watchers
};

constexpr uint32_t Happenings::mask_of(HappeningKind kind) {
  switch (kind) {
    case HappeningKind::kRefusal:
      return kAudited | topics_of(Topic::kRefusals);
    case HappeningKind::kBudget:
      return kAudited | topics_of(Topic::kBudget);
    case HappeningKind::kBreaker:
      return kAudited | topics_of(Topic::kBreaker);
    case HappeningKind::kConfig:
      return kAudited | topics_of(Topic::kConfig);
    case HappeningKind::kAdmin:
      return kAudited;
  }
  return 0;
}

}  // namespace toll::daemon
