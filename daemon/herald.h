// Tells what happens: to the audit log, and to those who WATCH.
//
// A thread of its own. It takes what the workers and the control thread noted
// (daemon/happenings.h), hashes ids, writes records, and hands events to the workers whose sessions
// watch. So nobody waits for a disk, a hash or a watcher but this thread, and what it cannot keep
// up with is counted.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <expected>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "config/settings.h"
#include "daemon/audit_log.h"
#include "daemon/happening.h"
#include "daemon/happenings.h"
#include "daemon/pseudonyms.h"
#include "daemon/watchers.h"
#include "net/path_lock.h"

namespace toll::daemon {

struct Process;

class Herald {
 public:
  // Opens the audit log, if there is to be one. Before the workers start; `process` outlives it.
  // Error: a sentence for the operator; the daemon must not start.
  static std::expected<std::unique_ptr<Herald>, std::string> open(
      Process& process, const config::AuditSettings& settings);
  ~Herald();

  void start();
  // Events reach no worker any more: they may go. Any thread.
  void leave_workers();
  // After the last worker has ended: writes what there is, and that the daemon stops.
  void stop();

  // A session of that worker that watched the topics of `before` watches those of `now`. What
  // happens after the return is told. Any thread; takes a lock that is held briefly.
  void watch(uint32_t worker, Topics before, Topics now);
  // The audit log's file was moved away. Any thread.
  void reopen();

  // Any thread.
  bool audits() const { return audit_ != nullptr; }
  uint64_t records() const { return audits() ? audit_->figures().records.get() : 0; }
  uint64_t skipped() const;
  uint64_t lost() const;
  uint64_t errors() const { return audits() ? audit_->figures().errors.get() : 0; }

 private:
  Herald(Process& process, const config::AuditSettings& settings);

  void run();
  bool turn();
  int until_next_turn_ms();
  bool has_mail() const;
  void take(const Happening& happening);
  void record(const Happening& happening, const std::vector<HappeningField>& fields);
  bool within_rate(HappeningKind kind);
  uint64_t skipped(HappeningKind kind) const;
  const Pseudonyms& pseudonyms();
  void look_for_losses();
  void send_events();
  bool owes_events() const;

  Process& process_;
  const config::AuditSettings settings_;
  HeraldBell bell_;
  std::optional<Pseudonyms> pseudonyms_;  // made when the first id is to be hashed
  net::PathLock lock_;
  std::unique_ptr<AuditLog> audit_;
  uint64_t lost_seen_ = 0;  // of the workers' own losses
  int64_t synced_ns_ = 0;
  struct Sample {
    int64_t second = 0;
    uint32_t recorded = 0;
    uint64_t skipped_told = 0;
  };
  std::array<Sample, kSampledKinds> samples_{};
  std::array<Counter, kSampledKinds> skipped_;  // that the workers had not

  std::shared_ptr<Events> events_ = std::make_shared<Events>();  // collected
  MissedEvents missed_seen_{};                                   // of what workers had no room for
  std::vector<MissedEvents> missed_;  // by each worker, since its last batch

  std::mutex mutex_;  // the next three
  bool left_workers_ = false;
  std::array<uint32_t, kTopics> watched_{};  // by how many
  std::vector<uint32_t> watchers_;           // of each worker
  std::atomic<bool> reopen_{false};
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace toll::daemon
