// A disk in memory that fails like a real one: what was not synced may be gone after a power cut,
// in part, torn, or as garbage; what a failed sync left out stays lost, however often one syncs
// again. Deterministic: one seed decides everything. One thread.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "net/file_system.h"

namespace toll::test {

enum class FileOperation : uint8_t {
  kCreate,
  kOpen,
  kRename,
  kRemove,
  kList,
  kSyncDirectory,
  kWrite,
  kRead,
  kSync,
  kSize,
  kTruncate
};

class MemoryDisk {
 public:
  explicit MemoryDisk(uint64_t seed);
  ~MemoryDisk();

  // The disk as one process sees it; the file systems handed out before fail from now on.
  std::unique_ptr<net::FileSystem> mount();

  // The n-th operation from now (1: the next) fails, once: a write after a part of it was written,
  // a sync so that what it was to sync never will be.
  void fail_at(uint64_t n, int error);
  // Once that has happened, another one fails in the same way, `n` operations later.
  void fail_again_after(uint64_t n) { fail_again_ = n; }
  // All operations of that kind fail, until heal().
  void fail_each(FileOperation operation, int error);
  // All reads of more than so many bytes fail, as over a bad sector; until heal().
  void fail_reads_over(uint64_t bytes, int error) {
    read_bytes_max_ = bytes;
    read_error_ = error;
  }
  void heal();
  // From the n-th operation from now on all fail with EIO and nothing takes effect.
  void cut_power_at(uint64_t n);
  // What was synced is there; of what was not, what chance kept. Nothing fails any more.
  void power_back();
  // Only the process ended: what it wrote is there, but may still be lost by a power cut.
  void kill_process();
  // No room past so many bytes in all files; nullopt: any number.
  void fill(std::optional<uint64_t> bytes_max) { bytes_max_ = bytes_max; }

  bool power_is_cut() const { return power_is_cut_; }
  // Did what fail_at() asked for happen?
  bool failed() const { return !fail_at_; }
  uint64_t operations() const { return operations_; }
  uint64_t count(FileOperation operation) const { return counts_[static_cast<size_t>(operation)]; }
  // Of files one of whose syncs had failed: how often one was synced or written again.
  uint64_t touched_after_failed_sync() const { return touched_after_failed_sync_; }

  std::vector<std::string> names() const;
  bool has(const std::string& name) const { return names_.contains(name); }
  uint64_t bytes_used() const;
  // As if it had always been there.
  std::string contents(const std::string& name) const;
  void put(const std::string& name, const std::string& contents);
  void remove(const std::string& name);
  void corrupt(const std::string& name, uint64_t offset);

 private:
  friend class MemoryFile;
  friend class MemoryFileSystem;

  enum class Fate : uint8_t { kPending, kSynced, kLost };
  struct Write {
    uint64_t offset = 0;
    std::string bytes;
    Fate fate = Fate::kPending;
  };
  struct Inode {
    std::string now;      // what a reader sees
    std::string durable;  // what was there before `writes`
    std::vector<Write> writes;
    bool sync_failed = false;
  };
  using Names = std::map<std::string, std::shared_ptr<Inode>>;
  struct Change {  // `to` becomes the name of `inode`, if there is one; `from` of nothing
    std::string from;
    std::string to;
    std::shared_ptr<Inode> inode;
    Fate fate = Fate::kPending;
  };

  // The errno that this operation is to fail with; 0: none.
  int begin(FileOperation operation, uint64_t generation);
  int write(Inode& inode, uint64_t offset, std::string_view bytes, int error);
  // Lasts at once, unlike what is written.
  static void truncate(Inode& inode, uint64_t bytes);
  void sync(Inode& inode, bool success);
  void sync_directory(bool success);
  void change(Change change);
  void survive(Inode& inode);
  // What of one write is kept: a part of its sectors, some of them as garbage.
  void survive(std::string& into, const Write& write);
  uint64_t random(uint64_t below);

  std::mt19937_64 random_;
  uint64_t generation_ = 0;
  uint64_t operations_ = 0;
  std::array<uint64_t, 11> counts_ = {};
  std::optional<uint64_t> fail_at_;
  int fail_error_ = 0;
  uint64_t fail_again_ = 0;
  uint64_t read_bytes_max_ = UINT64_MAX;
  int read_error_ = 0;
  std::map<FileOperation, int> fail_each_;
  std::optional<uint64_t> cut_at_;
  bool power_is_cut_ = false;
  std::optional<uint64_t> bytes_max_;
  uint64_t touched_after_failed_sync_ = 0;

  Names names_;
  Names durable_names_;  // before `changes_`
  std::vector<Change> changes_;
};

}  // namespace toll::test
