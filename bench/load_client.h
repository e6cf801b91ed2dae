// One connection of a load: keeps `depth` requests in flight, or sends each when it is due, and
// times their replies.
//
// Owned by the load, used on its thread; must not move once the epoll set points to it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bench/histogram.h"
#include "bench/reply_counter.h"
#include "bench/request_script.h"
#include "bench/socket.h"

namespace toll::bench {

// What all clients of a load add to.
struct LoadTally {
  ReplyCounts counts;
  uint64_t replies = 0;
  uint64_t asked_decisions = 0;
  uint64_t asked_others = 0;
  uint64_t pushed_records = 0;
  Histogram latency_ns;
  uint64_t sent_when_due = 0;  // of an open loop; those after kLateNs too
  uint64_t sent_late = 0;
};

// When the requests of an open loop are due: one every 1/rate seconds, and to each client in turn.
struct Schedule {
  int64_t start_ns = 0;
  double interval_ns = 0;
  uint64_t clients = 1;

  // Request `number` is that of client `number % clients`.
  int64_t due_ns(uint64_t number) const {
    return start_ns + static_cast<int64_t>(static_cast<double>(number) * interval_ns);
  }
};

class LoadClient {
 public:
  // `socket` is non-blocking. `first` is where in the script it begins, below script.size(). The
  // script and the tally outlive the client.
  LoadClient(Socket socket, const RequestScript& script, size_t first, uint32_t depth,
             Framing framing, LoadTally& tally);

  // Reads what is there, once, into `buffer`; the clock is read after it and returned, with 0 if
  // nothing was there. Errors: closed or broken.
  std::expected<int64_t, std::string> read_replies(std::span<char> buffer);

  // Sends until `depth` requests are in flight or the kernel takes no more; `now_ns` is the time
  // they count from. Errors: broken.
  std::expected<void, std::string> fill_window(int64_t now_ns);

  // Open loop: the first request of this client has that number, and none is due.
  void begin_schedule(uint64_t number) {
    due_number_ = number;
    owed_ = 0;
  }
  // One more of its requests has become due.
  void owe() { ++owed_; }
  // Sends what is due, as far as `depth` and the kernel allow: the rest stays due. Its replies are
  // timed from when each was due. Errors: broken.
  std::expected<void, std::string> send_due(const Schedule& schedule, int64_t now_ns);
  // Counts those not answered yet with the wait they have had so far; how many are not even sent.
  uint64_t count_waiting(const Schedule& schedule, int64_t now_ns);

  // Sends the rest of a request that was cut off by a full socket, and nothing new.
  std::expected<void, std::string> send_unsent();

  bool wants_to_write() const { return !unsent_.empty(); }
  uint32_t in_flight() const { return in_flight_; }
  int fd() const { return socket_.fd(); }
  const std::string& first_error() const { return counter_.first_error(); }

  bool armed_for_write = false;  // the load's: whether the epoll set waits for room

 private:
  // Requests that left together share the time they count from.
  struct Group {
    int64_t since_ns = 0;
    uint32_t count = 0;
  };

  void settle(uint32_t replies, int64_t now_ns);
  // Makes the next requests of the script, at most that many, the unsent ones; says how many.
  uint32_t take(uint64_t most);
  void add_group(int64_t since_ns, uint32_t count);

  Socket socket_;
  const RequestScript& script_;
  size_t cursor_;
  uint32_t depth_;
  uint32_t in_flight_ = 0;
  std::string_view unsent_;  // the end of the last slice
  uint64_t owed_ = 0;        // requests that are due and not sent
  uint64_t due_number_ = 0;  // of the first of them, or of the next
  ReplyCounter counter_;
  LoadTally& tally_;
  // A ring: each group holds at least one request in flight, so there are never more than `depth`.
  std::vector<Group> groups_;
  size_t oldest_ = 0;
  size_t group_count_ = 0;
};

// The monotonic clock in nanoseconds.
int64_t clock_ns();

}  // namespace toll::bench
