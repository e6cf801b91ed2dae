#include "daemon/store_lane.h"

#include <algorithm>
#include <cassert>
#include <spdlog/spdlog.h>
#include <utility>

#include "daemon/limits.h"
#include "daemon/store_link.h"
#include "engine/flaws.h"

namespace toll::daemon {
namespace {

using engine::Breaker;
using engine::BreakerState;
using net::RedisErrorKind;

// Errors are said once in a while; STATS counts them all.
constexpr int64_t kLogEveryNs = 10'000'000'000;

}  // namespace

StoreLane::StoreLane(StoreLaneOwner& owner, net::Loop& loop, net::ChunkPool& chunks,
                     net::RedisLinkSettings settings, uint64_t seed)
    : owner_(owner),
      link_(loop, chunks, std::move(settings), *this, seed),
      queue_(engine::StoreQueue::Settings{}),
      calls_(engine::StoreQueue::Settings{}.flights_max) {
  for (BatchCall& call : calls_) call.lane = this;
}

StoreLane::~StoreLane() = default;

void StoreLane::pump() {
  const int64_t now_ns = owner_.turn_ns();
  if (now_ns >= link_.next_tick_ns()) link_.tick(now_ns);
  queue_.expire(now_ns);
  if (!link_.ready()) queue_.lose_waiting();
  deliver({});
  while (queue_.leave_ns() <= now_ns) {
    if (!owner_.breaker().allow(owner_.now())) {
      queue_.lose_waiting();
      deliver({});
      break;
    }
    // A probe risks one request, not all that wait.
    const bool probe = owner_.breaker().state() != BreakerState::kClosed;
    engine::StoreQueue::Flight* flight =
        queue_.start(now_ns, owner_.now() + clock_ahead_us_, probe ? 1 : SIZE_MAX);
    deliver({});
    if (flight == nullptr) {
      owner_.breaker().report(Breaker::Call::kVoid, 0, owner_.now());
      break;
    }
    BatchCall& call = calls_[flight->index];
    call.flight = flight;
    call.info = {.sent = owner_.now(), .news = owner_.news_seen()};
    call.resent = 0;
    send(call);
  }
  link_.flush();
}

int64_t StoreLane::next_due_ns() const {
  return std::min({link_.next_tick_ns(), queue_.next_deadline_ns(), queue_.leave_ns()});
}

void StoreLane::send(BatchCall& call) {
  const engine::StoreBatch& batch = call.flight->batch;
  const std::span<const std::string_view> keys = batch.keys();
  const std::span<const std::string_view> arguments = batch.arguments();
  WorkerCounters& counters = owner_.counters();
  counters.store_calls.sent.add();
  counters.store_batches.add(batch.requests().size());
  counters.store_merged.add(batch.requests().size() - batch.items());
  link_.begin(call, 3 + keys.size() + arguments.size());
  link_.word("EVALSHA");
  link_.word(link_.sha1(kLimitsScript));
  link_.word(static_cast<int64_t>(keys.size()));
  for (const std::string_view key : keys) link_.word(key);
  for (const std::string_view argument : arguments) link_.word(argument);
  link_.end(owner_.turn_ns());
}

// ---- replies ----

void StoreLane::replied(BatchCall& call, const net::RedisReply& reply) {
  owner_.counters().store_calls.answered.add(static_cast<uint64_t>(duration_us(call)));
  if (reply.kind == net::RedisReply::Kind::kError) return failed(call, reply.text);
  report(call, in_vain(call) ? Breaker::Call::kFailed : Breaker::Call::kDone);
  const auto decided = queue_.settle(
      *call.flight, reply.kind == net::RedisReply::Kind::kString ? reply.text : std::string_view());
  if (decided) {
    clock_ahead_us_ = *decided - owner_.now();
    deliver(call.info);
  } else {
    owner_.counters().store_calls.malformed.add();
    log_error(decided.error());
    deliver({});
  }
  owner_.flight_over();
}

void StoreLane::lost(BatchCall& call, net::CallLoss loss) {
  if (engine::flawed(engine::Flaw::kForgetsLostCalls)) return;
  owner_.counters().store_calls.lost[static_cast<size_t>(loss)].add();
  report(call, loss == net::CallLoss::kCut ? Breaker::Call::kVoid : Breaker::Call::kFailed);
  lose(call);
}

void StoreLane::lose(BatchCall& call) {
  queue_.lose(*call.flight);
  deliver({});
  owner_.flight_over();
}

// The reaction to each error: whether it speaks of the store, of the connection, or of the script.
void StoreLane::failed(BatchCall& call, std::string_view message) {
  const RedisErrorKind kind = net::error_kind(message);
  owner_.counters().store_calls.errors[static_cast<size_t>(kind)].add();
  if (kind == RedisErrorKind::kNoScript && call.resent < kResendsMax) {
    ++call.resent;
    link_.load_scripts(owner_.turn_ns());
    send(call);
    link_.flush();
    return;
  }
  log_error(message);
  const engine::TimeUs now = owner_.now();
  switch (kind) {
    case RedisErrorKind::kLoading:
    case RedisErrorKind::kNoReplicas:
    case RedisErrorKind::kMisconf:
    case RedisErrorKind::kOutOfMemory:
    case RedisErrorKind::kBusy:
    case RedisErrorKind::kReadOnly:
    case RedisErrorKind::kRefused:
    case RedisErrorKind::kTooMany:
    case RedisErrorKind::kClusterDown:
    case RedisErrorKind::kMoved:
    case RedisErrorKind::kCrossSlot:
      // It says itself that it will not serve us, and the next call would hear the same; and that
      // it did nothing, as if nothing had been sent.
      for (engine::StoreRequest* request : call.flight->batch.requests()) {
        if (request != nullptr) request->sent = false;
      }
      report(call, Breaker::Call::kFailed);
      owner_.breaker().trip(now);
      break;
    case RedisErrorKind::kWrongType:
      report(call, Breaker::Call::kDone);
      break;
    case RedisErrorKind::kNoScript:
    case RedisErrorKind::kTryAgain:
    case RedisErrorKind::kOther:
      report(call, Breaker::Call::kFailed);
      break;
  }
  lose(call);
  if (kind == RedisErrorKind::kReadOnly) link_.cut("it is no master any more (READONLY)");
  if (kind == RedisErrorKind::kRefused && message.starts_with("NOAUTH")) {
    link_.cut("it asks for a password again (NOAUTH)");
  }
}

void StoreLane::report(const BatchCall& call, Breaker::Call outcome) {
  owner_.breaker().report(outcome, duration_us(call), owner_.now());
}

int64_t StoreLane::duration_us(const BatchCall& call) {
  return (owner_.turn_ns() - call.flight->sent_ns) / 1'000;
}

// A slow answer that comes when all who asked have been answered otherwise has helped nobody. As
// few batches are under way at a time, there are too few of these in a second for a rate to tell.
bool StoreLane::in_vain(const BatchCall& call) {
  const auto requests = call.flight->batch.requests();
  return duration_us(call) > owner_.slow_call_us() &&
         std::all_of(requests.begin(), requests.end(),
                     [](const engine::StoreRequest* request) { return request == nullptr; });
}

void StoreLane::deliver(const StoreFlightInfo& info) {
  while (engine::StoreRequest* request = queue_.take_answered()) owner_.returned(*request, info);
}

void StoreLane::log_error(std::string_view message) {
  const int64_t now_ns = owner_.turn_ns();
  if (logged_ns_ != 0 && now_ns - logged_ns_ < kLogEveryNs) return;
  logged_ns_ = now_ns;
  spdlog::warn("redis answered a batch with an error: {}", message);
}

// ---- the link ----

void StoreLane::on_ready() {
  owner_.on_lane_ready(*this);
}

void StoreLane::on_away(std::string_view reason, bool refused) {
  queue_.lose_waiting();
  deliver({});
  owner_.on_lane_away(*this, reason, refused);
}

}  // namespace toll::daemon
