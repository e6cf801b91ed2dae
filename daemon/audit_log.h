// The audit log on its disk: a chain of records (daemon/audit_chain.h) in a file that is rotated by
// size, file.1 the newest of those before it.
//
// Records are added, then written together by flush(). What cannot be written is lost and counted,
// and once it can be again a record `gap` says how many are missing; nothing waits for the disk,
// and nobody else is stopped by it. What a crash tore off the end is cut off, and a record `torn`
// says so. One thread; blocks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/audit_chain.h"
#include "daemon/statistics.h"
#include "engine/types.h"
#include "net/file_system.h"

namespace toll::daemon {

// Any thread may read them.
struct AuditFigures {
  Counter records;  // written
  Counter lost;     // for want of room in a queue, or on the disk
  Counter errors;   // of the disk
};

class AuditLog {
 public:
  struct Settings {
    std::string name;  // in the directory
    uint64_t bytes_max = 0;
    uint32_t keep = 1;  // rotated files
    std::string key_id;
  };

  // Reads where the chain ends. `now` is the time of the first record, if one must be made. Error:
  // a sentence for the operator.
  static std::expected<std::unique_ptr<AuditLog>, std::string> open(
      std::unique_ptr<net::FileSystem> files, Settings settings, engine::TimeUs now);

  // `fields` as audit_line() takes them.
  void add(engine::TimeUs time, std::string_view kind, std::string fields = "");
  // So many more are missing.
  void lose(uint64_t records);
  // Writes what was added, and what is to be told of a gap. `now` is its time.
  void flush(engine::TimeUs now);
  // Makes what was written last.
  void sync(engine::TimeUs now);
  // The file that has the name now, which may be a new one: somebody moved ours away. The chain
  // goes on.
  void reopen(engine::TimeUs now);

  // Has the disk failed lately? Then flush() is to be called again before long.
  bool failing() const { return failing_; }
  bool unsynced() const { return unsynced_; }
  const AuditFigures& figures() const { return figures_; }
  const AuditLink& last() const { return last_; }

 private:
  using Done = std::expected<void, net::FileError>;
  struct Pending {
    engine::TimeUs time;
    std::string kind;
    std::string fields;
  };
  // What a file ends with.
  struct Tail {
    uint64_t bytes = 0;  // up to the end of its last whole line
    uint64_t torn = 0;   // behind it
    AuditLink last;      // number 0: no line at all
  };

  AuditLog(std::unique_ptr<net::FileSystem> files, Settings settings);

  std::expected<Tail, net::FileError> read_tail(net::File& file, const std::string& name);
  std::expected<AuditLink, net::FileError> last_of_rotated();
  Done open_file(engine::TimeUs now);
  Done write(std::string_view bytes, engine::TimeUs now);
  Done rotate(engine::TimeUs now);
  void failed(const net::FileError& error, engine::TimeUs now);
  void look_whether_well(engine::TimeUs now);
  std::string rotated(uint32_t number) const;

  const std::unique_ptr<net::FileSystem> files_;
  const Settings settings_;
  std::unique_ptr<net::File> file_;  // null: it could not be opened
  uint64_t bytes_ = 0;               // of whole lines
  bool ragged_ = false;              // there may be more behind them
  bool unsynced_ = false;
  bool failing_ = false;  // which was told
  engine::TimeUs failed_at_ = 0;
  AuditLink last_;
  std::vector<Pending> pending_;
  uint64_t untold_ = 0;  // lost, and no record says so yet
  AuditFigures figures_;
};

}  // namespace toll::daemon
