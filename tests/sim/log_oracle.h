// Promise 6, no record lost silently, held against what clients were told about log records and
// what Redis saw of them:
//
// - What was acknowledged reaches a consumer at least once, or was counted as dropped. Excused is
//   only what was in Redis when it forgot. What a client had in its hands and never read is its own
//   loss.
// - What comes is what somebody pushed, byte for byte.
// - A record comes to the queue once, unless the process that pushed it ended, Redis forgot, its
//   scripts were flushed, or a push came from a connection that was given up after it was asked
//   whether it had come; and it goes to a consumer once, unless something was lost on its way.
// - What one connection pushes comes to the queue in its order. So it is taken in that order, too,
//   but for what was given back (a client that left, a lost reply, a daemon that died): that comes
//   to the front of the queue again, after what others took meanwhile, and in no order of its own.
//   What a client pushes on another connection may overtake what it pushed before: there it belongs
//   to another worker, which does not wait for the first one's spill. A replay after a crash
//   repeats records in their order. One that was refused may have come to the disk nonetheless, as
//   the write of which an error was told; then it comes once its daemon was started anew.
// - pushed = popped - returned + dropped, exactly, where nothing crashed or was lost.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/sim/daemon_host.h"
#include "tests/sim/history.h"
#include "tests/sim/log_load.h"
#include "tests/sim/redis_node.h"

namespace toll::sim {

struct Request;
struct Told;
struct Wish;

class LogOracle final : private ListWatcher {
 public:
  LogOracle(Scheduler& scheduler, History& history, const LogLoad& load, RedisNode& redis,
            std::vector<std::unique_ptr<DaemonHost>>& hosts);

  void asked(const Request& request);
  // From `calm_ns` on all is as it should be.
  void answered(const Request& request, const Told& reply, int64_t calm_ns);
  // A reply that reached a client which never read it.
  void unread(const Request& request, const Told& reply);

  // Until then a reply or a process may be lost.
  void may_lose(int64_t until_ns) { lost_ns_ = std::max(lost_ns_, until_ns); }

  // At the end, when all has settled and the queue was emptied.
  void judge();

  static int64_t deadline_ns(const Wish& wish);
  uint64_t acknowledged() const { return acknowledged_; }

 private:
  // What one connection of a client pushes.
  using Stream = std::pair<uint64_t, uint64_t>;

  struct Record {
    Stream stream;
    uint64_t number = 0;
    size_t host = 0;
    int64_t sent_ns = 0;
    bool acknowledged = false;
    bool refused = false;
    uint64_t pushes = 0;     // to the end of the queue
    int64_t pushed_ns = 0;   // the first time
    bool came_late = false;  // that time, by a connection that was given up
    uint64_t given_back = 0;
    uint64_t cut_off = 0;
    uint64_t delivered = 0;
    bool in_hand = false;  // of a client that never read it
  };

  void on_list(std::string_view key, std::string_view element, ListEvent event) override;
  void came_to_queue(const std::string& text, Record& record);
  void check_pushed(const Request& request, const Told& reply, int64_t calm_ns);
  void check_error(const Request& request, const Told& reply);
  void delivered(const Request& request, const std::string& text);
  Record* known(std::string_view text);
  bool moved_back(const Record& record) const;
  bool forgotten(const Record& record) const;
  bool may_come_twice(const Record& record) const;
  bool may_come_late(const Record& record) const;
  bool hears_late() const;
  bool looked_up_in_vain(const Record& record) const;
  bool ended_since(const Record& record, int64_t when_ns) const;  // the process it was pushed to
  bool ended_around(int64_t when_ns) const;
  void judge_lost() const;
  void judge_counters() const;

  Scheduler& scheduler_;
  History& history_;
  const LogLoad& load_;
  RedisNode& redis_;
  std::vector<std::unique_ptr<DaemonHost>>& hosts_;
  std::map<std::string, Record, std::less<>> records_;
  std::map<Stream, uint64_t> last_in_queue_;  // number
  // By who took them.
  std::map<std::pair<Stream, Stream>, uint64_t> last_delivered_;
  struct Cut {
    int64_t when_ns;
    bool late;  // by a connection that was given up
  };
  std::vector<Cut> cuts_;
  uint64_t acknowledged_ = 0;
  int64_t lost_ns_ = -1;
};

}  // namespace toll::sim
