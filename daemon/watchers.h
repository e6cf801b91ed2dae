// A worker's sessions that WATCH, and the events on their way to them.
//
// The herald hands over batches, a bounded number at a time; each turn writes some lines of them
// into the sessions' output. What there is no room for is lost, and counted at its place.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "daemon/happening.h"
#include "daemon/limits.h"

namespace toll::daemon {

class Session;

struct Event {
  Topic topic = Topic::kConfig;
  std::string line;  // in line framing
  std::string resp;
};
using Events = std::vector<Event>;

// For each topic, how many events are missing.
using MissedEvents = std::array<uint64_t, kTopics>;

class Watchers {
 public:
  // The herald's: a place for one more batch. False: there are as many as may be.
  bool reserve();

  // ---- the worker's

  void add(Session& session);
  void remove(Session& session);
  size_t size() const { return sessions_.size(); }

  // REQUIRES: reserve() was true. `missed` come before the batch.
  void take(std::shared_ptr<const Events> events, const MissedEvents& missed);
  // Writes some; once a turn.
  void tell();
  // Is there more to tell?
  bool pending() const { return !batches_.empty(); }

 private:
  struct Batch {
    std::shared_ptr<const Events> events;
    MissedEvents missed;
  };

  std::vector<Session*> sessions_;
  std::deque<Batch> batches_;
  size_t next_ = 0;  // of sessions_: who is to be told of the first batch
  std::atomic<uint32_t> under_way_{0};
};

}  // namespace toll::daemon
