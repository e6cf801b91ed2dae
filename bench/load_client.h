// One connection of a load: keeps `depth` requests in flight and times their replies.
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
  Histogram latency_ns;
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

  // Sends the rest of a request that was cut off by a full socket, and nothing new.
  std::expected<void, std::string> send_unsent();

  bool wants_to_write() const { return !unsent_.empty(); }
  uint32_t in_flight() const { return in_flight_; }
  int fd() const { return socket_.fd(); }
  const std::string& first_error() const { return counter_.first_error(); }

  bool armed_for_write = false;  // the load's: whether the epoll set waits for room

 private:
  // Requests that left together share their time.
  struct Group {
    int64_t sent_ns = 0;
    uint32_t count = 0;
  };

  void settle(uint32_t replies, int64_t now_ns);

  Socket socket_;
  const RequestScript& script_;
  size_t cursor_;
  uint32_t depth_;
  uint32_t in_flight_ = 0;
  std::string_view unsent_;  // the end of the last slice
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
