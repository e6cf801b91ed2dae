// What a session tells of, and what it is told that watches.

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>

#include "daemon/error_text.h"
#include "daemon/herald.h"
#include "daemon/session.h"
#include "daemon/treasury.h"
#include "daemon/worker.h"

namespace toll::daemon {

// ---- telling

void Session::tell_refusal(const Ask& ask) {
  Happening* told = worker_.happenings().note(HappeningKind::kRefusal, worker_.now());
  if (told == nullptr) return;
  told->policy.set(policy_name(ask.operation.policy));
  told->id.set(ask.id);
  told->units = ask.operation.units;
  told->retry_ms = engine::wait_ms(ask.operation.answer.retry_us);
  told->source = to_string(ask.source);
}

std::string_view Session::policy_name(uint16_t number) const {
  if (number == engine::kThrottlePolicy) return kThrottleLabel;
  const engine::Policy* policy = worker_.policies().find(number);
  return policy == nullptr ? "" : std::string_view(policy->spec.name);
}

// A charge past the budget, or what the budget refused.
void Session::tell_budget(const CostRequest& request, std::string_view what) {
  const bool charges =
      request.kind == CostRequestKind::kAdd || request.kind == CostRequestKind::kSettle;
  const bool past = charges ? request.budget != engine::kNoBudget && !request.repeated &&
                                  request.spent > request.budget
                            : request.result == CostResult::kRefused;
  if (!past) return;
  Happening* told = worker_.happenings().note(HappeningKind::kBudget, worker_.now());
  if (told == nullptr) return;
  told->what = what;
  told->id.set(request.id);
  told->spent = request.spent;
  told->held = request.held;
  told->budget = request.budget;
  told->source = request.by_store ? "redis" : "journal";
}

void Session::tell_administration(AdminRequest request, std::optional<ErrorCode> error,
                                  const Ask* ask) {
  Happening* told = worker_.happenings().note(HappeningKind::kAdmin, worker_.now());
  if (told == nullptr) return;
  told->request = request;
  told->outcome = error ? to_string(*error) : "OK";
  if (!peer_ && !closed_) peer_ = worker_.loop().peer(stream_.fd());
  told->peer = peer_;
  if (ask == nullptr) return;
  if (ask->cost != nullptr) {
    told->id.set(ask->cost->id);
    if (request == AdminRequest::kBudgetSet) told->budget = ask->cost->amount;
  } else if (ask->keeps_id) {
    told->policy.set(policy_name(ask->operation.policy));
    told->id.set(ask->id);
  }
}

void Session::tell_level(std::string_view level) {
  Happening* told = worker_.happenings().note(HappeningKind::kConfig, worker_.now());
  if (told == nullptr) return;
  told->what = "level";
  told->level = level;
}

// ---- being told

void Session::ask_watch(Framing framing, Request words) {
  Herald* herald = worker_.process().herald;
  if (herald == nullptr) {
    return refuse(framing, ErrorCode::kUnavailable, "nothing is told here");
  }
  Topics wanted = topics_;
  for (const std::string_view word : words.subspan(1)) {
    const std::optional<Topic> topic = find_topic(word);
    if (!topic) {
      return refuse(framing, ErrorCode::kBadRequest,
                    ErrorText("no topic ")
                        .quote(word)
                        .add("; there are pain, pleasure, refusals, breaker, budget and config"));
    }
    wanted |= topics_of(*topic);
  }
  if (topics_ == 0) worker_.watchers().add(*this);
  herald->watch(worker_.index(), topics_, wanted);
  topics_ = wanted;
  events_framing_ = framing;
  worker_.counters().watchers.set(worker_.watchers().size());
  ReplyWriter(stream_.output(), framing).ok();
}

void Session::watch_no_more() {
  if (topics_ == 0) return;
  worker_.process().herald->watch(worker_.index(), topics_, 0);
  topics_ = 0;
  worker_.watchers().remove(*this);
  worker_.counters().watchers.set(worker_.watchers().size());
}

bool Session::has_room_for(size_t bytes) const {
  const size_t most = std::min(kWatcherOutputMax, worker_.process().server.max_output_bytes);
  // Who was too slow begins anew once half of it is read, or there would be a gap between any two.
  return stream_.unsent_bytes() + bytes <= (events_lost_ > 0 ? most / 2 : most);
}

void Session::tell(const Event& event) {
  if (closing_ || (topics_ & topics_of(event.topic)) == 0) return;
  const std::string& text = events_framing_ == Framing::kResp ? event.resp : event.line;
  if (!has_room_for(text.size())) {
    ++events_lost_;
    worker_.counters().events_lost.add();
    return;
  }
  tell_gap();
  stream_.output().append(text);
  worker_.counters().events_sent.add();
  worker_.touch(*this);
}

void Session::miss(const MissedEvents& missed) {
  uint64_t lost = 0;
  for (size_t i = 0; i < kTopics; ++i) {
    if ((topics_ & topics_of(static_cast<Topic>(i))) != 0) lost += missed[i];
  }
  if (lost == 0) return;
  events_lost_ += lost;
  worker_.counters().events_lost.add(lost);
  worker_.touch(*this);
}

// At the place of what was lost, once there is room.
void Session::tell_gap() {
  if (events_lost_ == 0 || closing_ || !has_room_for(0)) return;
  stream_.output().append(gap_text(events_lost_, events_framing_));
  events_lost_ = 0;
}

}  // namespace toll::daemon
