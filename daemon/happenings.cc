#include "daemon/happenings.h"

#include <cassert>
#include <poll.h>
#include <unistd.h>

namespace toll::daemon {
namespace {

constexpr engine::TimeUs kUsPerSecond = 1'000'000;

}  // namespace

void HeraldBell::wait(int timeout_ms) {
  pollfd bell{.fd = doorbell_.fd(), .events = POLLIN, .revents = 0};
  if (poll(&bell, 1, timeout_ms) <= 0) return;
  uint64_t rings = 0;
  [[maybe_unused]] const ssize_t rung = ::read(doorbell_.fd(), &rings, sizeof(rings));
}

void Happenings::connect(HeraldBell& bell, bool audited, uint32_t per_second) {
  bell_ = &bell;
  per_second_ = per_second;
  if (audited) wanted_.store(kAudited);
}

void Happenings::watch(Topics topics) {
  wanted_.store((wanted_.load(std::memory_order_relaxed) & kAudited) | topics);
}

Happening* Happenings::note(HappeningKind kind, engine::TimeUs now) {
  const uint32_t wanted = wanted_.load(std::memory_order_relaxed) & mask_of(kind);
  if (wanted == 0) return nullptr;
  const bool for_watchers = (wanted & ~kAudited) != 0;
  bool for_audit = (wanted & kAudited) != 0;
  if (for_audit && is_sampled(kind) && !within_rate(kind, now)) {
    skipped_[static_cast<size_t>(kind)].add();
    for_audit = false;
  }
  if (!for_audit && !for_watchers) return nullptr;
  Happening* happening = take(for_audit);
  if (happening == nullptr) {
    if (for_audit) lost_.add();
    if (for_watchers) missed_[static_cast<size_t>(*topic_of(kind))].add();
    return nullptr;
  }
  happening->kind = kind;
  happening->for_audit = for_audit;
  happening->for_watchers = for_watchers;
  happening->time = now;
  happening->what = happening->outcome = happening->source = happening->level = {};
  happening->request = AdminRequest::kNone;
  happening->peer.reset();
  happening->budget.reset();
  happening->policy.clear();
  happening->id.clear();
  happening->reason.clear();
  [[maybe_unused]] const bool put = noted_.put(happening);
  assert(put);  // there are no more of them than places
  noted_any_ = true;
  return happening;
}

Happening* Happenings::take(bool for_audit) {
  const size_t kept = for_audit ? 0 : kHappeningsForAudit;
  if (pool_.room() <= kHappeningsForAudit) {
    while (Happening* read = read_.take()) pool_.give(read);
    read_.release();
  }
  return pool_.room() > kept ? pool_.take() : nullptr;
}

bool Happenings::within_rate(HappeningKind kind, engine::TimeUs now) {
  Second& second = seconds_[static_cast<size_t>(kind)];
  if (second.number != now / kUsPerSecond) second = {.number = now / kUsPerSecond, .noted = 0};
  if (second.noted >= per_second_) return false;
  ++second.noted;
  return true;
}

void Happenings::hand_over() {
  noted_any_ = false;
  noted_.publish();
  bell_->wake();
}

}  // namespace toll::daemon
