#include "engine/store_queue.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "engine/flaws.h"
#include "engine/store_renewals.h"

namespace toll::engine {

void StoreQueue::List::push(StoreRequest& request) {
  request.next = nullptr;
  if (last == nullptr) {
    first = &request;
  } else {
    last->next = &request;
  }
  last = &request;
}

StoreRequest* StoreQueue::List::pop() {
  StoreRequest* request = first;
  if (request == nullptr) return nullptr;
  first = request->next;
  if (first == nullptr) last = nullptr;
  return request;
}

StoreQueue::StoreQueue(const Settings& settings) : settings_(settings) {
  assert(settings.waiting_max > 0 && settings.flights_max > 0);
  const auto renewals = std::make_shared<StoreRenewals>();
  for (size_t i = 0; i < settings.flights_max; ++i) {
    flights_.push_back(std::make_unique<Flight>(settings.batch, renewals));
    flights_.back()->index = i;
  }
}

bool StoreQueue::put(StoreRequest& request, int64_t leave_ns) {
  if (waiting_count_ >= settings_.waiting_max) return false;
  request.result = StoreResult::kNone;
  request.sent = false;
  waiting_.push(request);
  ++waiting_count_;
  waiting_deadline_ns_ = std::min(waiting_deadline_ns_, request.deadline_ns);
  leave_ns_ = waiting_count_ >= settings_.crowd ? 0 : std::min(leave_ns_, leave_ns);
  return true;
}

StoreQueue::Flight* StoreQueue::start(int64_t now_ns, TimeUs store_now, size_t requests_max) {
  assert(may_start() && requests_max > 0 && rules_ != nullptr);
  const auto free =
      std::find_if(flights_.begin(), flights_.end(), [](const auto& each) { return !each->out; });
  Flight& flight = **free;
  flight.batch.clear(rules_);
  flight.first_deadline_ns = INT64_MAX;
  while (waiting_.first != nullptr && flight.batch.requests().size() < requests_max) {
    StoreRequest& request = *waiting_.first;
    const StoreBatch::Added added = flight.batch.add(request, store_now);
    if (added == StoreBatch::Added::kFull) break;
    waiting_.pop();
    --waiting_count_;
    if (added != StoreBatch::Added::kTaken) {
      give_back(request, StoreResult::kDecided);
      continue;
    }
    request.sent = true;
    flight.first_deadline_ns = std::min(flight.first_deadline_ns, request.deadline_ns);
  }
  if (waiting_count_ == 0) waiting_deadline_ns_ = INT64_MAX;
  leave_ns_ = waiting_count_ == 0 ? INT64_MAX : 0;
  if (flight.batch.empty()) return nullptr;
  flight.batch.pack();
  flight.sent_ns = now_ns;
  flight.out = true;
  ++flights_out_;
  return &flight;
}

std::expected<TimeUs, std::string_view> StoreQueue::settle(Flight& flight, std::string_view reply) {
  assert(flight.out);
  auto decided = flight.batch.deal(reply);
  if (!decided) {
    lose(flight);
    return decided;
  }
  for (StoreRequest* request : flight.batch.requests()) {
    if (request != nullptr) answered_.push(*request);
  }
  land(flight);
  return decided;
}

void StoreQueue::lose(Flight& flight) {
  assert(flight.out);
  for (StoreRequest* request : flight.batch.requests()) {
    if (request != nullptr) give_back(*request, StoreResult::kAway);
  }
  land(flight);
}

void StoreQueue::land(Flight& flight) {
  flight.out = false;
  --flights_out_;
}

void StoreQueue::lose_waiting() {
  while (StoreRequest* request = waiting_.pop()) give_back(*request, StoreResult::kAway);
  waiting_count_ = 0;
  leave_ns_ = INT64_MAX;
  waiting_deadline_ns_ = INT64_MAX;
}

void StoreQueue::give_back(StoreRequest& request, StoreResult result) {
  request.result = result;
  answered_.push(request);
}

StoreRequest* StoreQueue::take_answered() {
  return answered_.pop();
}

// ---- deadlines ----

void StoreQueue::expire(int64_t now_ns) {
  if (flawed(Flaw::kWaitsForStore)) return;
  if (now_ns >= waiting_deadline_ns_) expire_waiting(now_ns);
  for (const auto& flight : flights_) {
    if (flight->out && now_ns >= flight->first_deadline_ns) {
      expire_flight(*flight, now_ns, answered_);
    }
  }
}

void StoreQueue::expire_waiting(int64_t now_ns) {
  List kept;
  waiting_deadline_ns_ = INT64_MAX;
  while (StoreRequest* request = waiting_.pop()) {
    if (now_ns >= request->deadline_ns) {
      --waiting_count_;
      give_back(*request, StoreResult::kAway);
    } else {
      kept.push(*request);
      waiting_deadline_ns_ = std::min(waiting_deadline_ns_, request->deadline_ns);
    }
  }
  waiting_ = kept;
}

void StoreQueue::expire_flight(Flight& flight, int64_t now_ns, List& answered) {
  flight.first_deadline_ns = INT64_MAX;
  const std::span<StoreRequest* const> requests = flight.batch.requests();
  for (size_t i = 0; i < requests.size(); ++i) {
    StoreRequest* request = requests[i];
    if (request == nullptr) continue;
    if (now_ns >= request->deadline_ns) {
      flight.batch.abandon(i);
      request->result = StoreResult::kAway;
      answered.push(*request);
    } else {
      flight.first_deadline_ns = std::min(flight.first_deadline_ns, request->deadline_ns);
    }
  }
}

int64_t StoreQueue::next_deadline_ns() const {
  int64_t next_ns = waiting_deadline_ns_;
  for (const auto& flight : flights_) {
    if (flight->out) next_ns = std::min(next_ns, flight->first_deadline_ns);
  }
  return next_ns;
}

}  // namespace toll::engine
