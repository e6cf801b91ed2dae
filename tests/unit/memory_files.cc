#include "tests/unit/memory_files.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace toll::test {

namespace {

constexpr uint64_t kSectorBytes = 512;

std::unexpected<net::FileError> failure(int error, const std::string& what) {
  return std::unexpected(net::FileError{
      .code = error, .text = "cannot " + what + ": " + std::strerror(error) + " (simulated)"});
}

void put_at(std::string& into, uint64_t offset, std::string_view bytes) {
  if (into.size() < offset + bytes.size()) into.resize(offset + bytes.size());
  into.replace(offset, bytes.size(), bytes);
}

// One change of names.
void take_effect(auto& names, const auto& change) {
  if (!change.from.empty()) names.erase(change.from);
  if (change.inode) names[change.to] = change.inode;
}

}  // namespace

class MemoryFile final : public net::File {
 public:
  MemoryFile(MemoryDisk& disk, std::shared_ptr<MemoryDisk::Inode> inode, std::string name)
      : disk_(disk),
        generation_(disk.generation_),
        inode_(std::move(inode)),
        name_(std::move(name)) {}

  std::expected<void, net::FileError> write_at(uint64_t offset, std::string_view bytes) override {
    int error = disk_.begin(FileOperation::kWrite, generation_);
    if (!disk_.power_is_cut_ && generation_ == disk_.generation_) {
      error = disk_.write(*inode_, offset, bytes, error);
    }
    if (error != 0) return failure(error, "write " + name_);
    return {};
  }

  std::expected<size_t, net::FileError> read_at(uint64_t offset, std::span<char> into) override {
    if (const int error = disk_.begin(FileOperation::kRead, generation_)) {
      return failure(error, "read " + name_);
    }
    if (into.size() > disk_.read_bytes_max_) return failure(disk_.read_error_, "read " + name_);
    if (offset >= inode_->now.size()) return size_t{0};
    const std::string_view bytes = std::string_view(inode_->now).substr(offset, into.size());
    std::ranges::copy(bytes, into.begin());
    return bytes.size();
  }

  std::expected<void, net::FileError> sync() override {
    const int error = disk_.begin(FileOperation::kSync, generation_);
    if (!disk_.power_is_cut_ && generation_ == disk_.generation_) disk_.sync(*inode_, error == 0);
    if (error != 0) return failure(error, "sync " + name_);
    return {};
  }

  std::expected<uint64_t, net::FileError> size() override {
    if (const int error = disk_.begin(FileOperation::kSize, generation_)) {
      return failure(error, "ask for the size of " + name_);
    }
    return uint64_t{inode_->now.size()};
  }

  std::expected<void, net::FileError> truncate(uint64_t bytes) override {
    const int error = disk_.begin(FileOperation::kTruncate, generation_);
    if (error != 0) return failure(error, "cut the end off " + name_);
    MemoryDisk::truncate(*inode_, bytes);
    return {};
  }

 private:
  MemoryDisk& disk_;
  uint64_t generation_;
  std::shared_ptr<MemoryDisk::Inode> inode_;
  std::string name_;
};

class MemoryFileSystem final : public net::FileSystem {
 public:
  explicit MemoryFileSystem(MemoryDisk& disk) : disk_(disk), generation_(disk.generation_) {}

  std::expected<std::unique_ptr<net::File>, net::FileError> create(
      const std::string& name) override {
    int error = disk_.begin(FileOperation::kCreate, generation_);
    if (error == 0 && disk_.names_.contains(name)) error = EEXIST;
    if (error != 0) return failure(error, "create " + name);
    disk_.change({.from = {}, .to = name, .inode = std::make_shared<MemoryDisk::Inode>()});
    return std::make_unique<MemoryFile>(disk_, disk_.names_.at(name), name);
  }

  std::expected<std::unique_ptr<net::File>, net::FileError> open(const std::string& name) override {
    int error = disk_.begin(FileOperation::kOpen, generation_);
    if (error == 0 && !disk_.names_.contains(name)) error = ENOENT;
    if (error != 0) return failure(error, "open " + name);
    return std::make_unique<MemoryFile>(disk_, disk_.names_.at(name), name);
  }

  std::expected<void, net::FileError> rename(const std::string& from,
                                             const std::string& to) override {
    int error = disk_.begin(FileOperation::kRename, generation_);
    if (error == 0 && !disk_.names_.contains(from)) error = ENOENT;
    if (error != 0) return failure(error, "rename " + from);
    disk_.change({.from = from, .to = to, .inode = disk_.names_.at(from)});
    return {};
  }

  std::expected<void, net::FileError> remove(const std::string& name) override {
    int error = disk_.begin(FileOperation::kRemove, generation_);
    if (error == 0 && !disk_.names_.contains(name)) error = ENOENT;
    if (error != 0) return failure(error, "remove " + name);
    disk_.change({.from = name, .to = {}, .inode = nullptr});
    return {};
  }

  std::expected<std::vector<std::string>, net::FileError> list() override {
    if (const int error = disk_.begin(FileOperation::kList, generation_)) {
      return failure(error, "list the directory");
    }
    return disk_.names();
  }

  std::expected<void, net::FileError> sync_directory() override {
    const int error = disk_.begin(FileOperation::kSyncDirectory, generation_);
    if (!disk_.power_is_cut_ && generation_ == disk_.generation_) disk_.sync_directory(error == 0);
    if (error != 0) return failure(error, "sync the directory");
    return {};
  }

 private:
  MemoryDisk& disk_;
  uint64_t generation_;
};

MemoryDisk::MemoryDisk(uint64_t seed) : random_(seed) {}
MemoryDisk::~MemoryDisk() = default;

std::unique_ptr<net::FileSystem> MemoryDisk::mount() {
  generation_ += 1;
  return std::make_unique<MemoryFileSystem>(*this);
}

void MemoryDisk::fail_at(uint64_t n, int error) {
  fail_at_ = operations_ + n;
  fail_error_ = error;
}

void MemoryDisk::fail_each(FileOperation operation, int error) {
  fail_each_[operation] = error;
}

void MemoryDisk::heal() {
  fail_at_.reset();
  fail_again_ = 0;
  read_bytes_max_ = UINT64_MAX;
  fail_each_.clear();
  cut_at_.reset();
}

void MemoryDisk::cut_power_at(uint64_t n) {
  cut_at_ = operations_ + n;
}

int MemoryDisk::begin(FileOperation operation, uint64_t generation) {
  if (generation != generation_) return EIO;
  operations_ += 1;
  counts_[static_cast<size_t>(operation)] += 1;
  if (cut_at_ && operations_ >= *cut_at_) power_is_cut_ = true;
  if (power_is_cut_) return EIO;
  if (fail_at_ && operations_ == *fail_at_) {
    fail_at_.reset();
    if (fail_again_ > 0) fail_at(std::exchange(fail_again_, 0), fail_error_);
    return fail_error_;
  }
  const auto each = fail_each_.find(operation);
  return each == fail_each_.end() ? 0 : each->second;
}

// What is written of it; the error that the caller is told. `error` is one that came already.
int MemoryDisk::write(Inode& inode, uint64_t offset, std::string_view bytes, int error) {
  if (inode.sync_failed) touched_after_failed_sync_ += 1;
  if (error != 0) bytes = bytes.substr(0, random(bytes.size() + 1));
  const uint64_t end = offset + bytes.size();
  if (bytes_max_ && end > inode.now.size()) {
    const uint64_t used = bytes_used();
    const uint64_t room = *bytes_max_ > used ? *bytes_max_ - used : 0;
    if (end - inode.now.size() > room) {
      if (error == 0) error = ENOSPC;
      const uint64_t end_with_room = inode.now.size() + room;
      bytes = bytes.substr(0, end_with_room > offset ? end_with_room - offset : 0);
    }
  }
  if (bytes.empty()) return error;
  put_at(inode.now, offset, bytes);
  inode.writes.push_back({.offset = offset, .bytes = std::string(bytes)});
  return error;
}

void MemoryDisk::truncate(Inode& inode, uint64_t bytes) {
  inode.now.resize(bytes);
  inode.durable.resize(std::min<uint64_t>(bytes, inode.durable.size()));
  for (Write& write : inode.writes) {
    write.bytes.resize(std::min<uint64_t>(write.bytes.size(),
                                          std::max<uint64_t>(bytes, write.offset) - write.offset));
  }
  std::erase_if(inode.writes, [](const Write& write) { return write.bytes.empty(); });
}

void MemoryDisk::sync(Inode& inode, bool success) {
  if (inode.sync_failed) touched_after_failed_sync_ += 1;
  inode.sync_failed = inode.sync_failed || !success;
  for (Write& write : inode.writes) {
    if (write.fate == Fate::kPending) write.fate = success ? Fate::kSynced : Fate::kLost;
  }
  size_t settled = 0;
  for (; settled < inode.writes.size(); ++settled) {
    const Write& write = inode.writes[settled];
    if (write.fate != Fate::kSynced) break;
    put_at(inode.durable, write.offset, write.bytes);
  }
  inode.writes.erase(inode.writes.begin(),
                     inode.writes.begin() + static_cast<std::ptrdiff_t>(settled));
}

void MemoryDisk::change(Change change) {
  take_effect(names_, change);
  changes_.push_back(std::move(change));
}

void MemoryDisk::sync_directory(bool success) {
  for (Change& change : changes_) {
    if (change.fate == Fate::kPending) change.fate = success ? Fate::kSynced : Fate::kLost;
  }
  size_t settled = 0;
  for (; settled < changes_.size() && changes_[settled].fate == Fate::kSynced; ++settled) {
    take_effect(durable_names_, changes_[settled]);
  }
  changes_.erase(changes_.begin(), changes_.begin() + static_cast<std::ptrdiff_t>(settled));
}

void MemoryDisk::power_back() {
  heal();
  power_is_cut_ = false;
  generation_ += 1;
  const bool keep_many = random(2) == 0;
  for (const Change& change : changes_) {
    const bool kept = change.fate == Fate::kSynced || random(4) < (keep_many ? 3 : 1);
    if (kept) take_effect(durable_names_, change);
  }
  changes_.clear();
  names_ = durable_names_;
  std::set<Inode*> seen;
  for (const auto& [name, inode] : names_) {
    if (seen.insert(inode.get()).second) survive(*inode);
  }
}

void MemoryDisk::kill_process() {
  heal();
  power_is_cut_ = false;
  generation_ += 1;
  // The next process cannot know.
  for (const auto& [name, inode] : names_) inode->sync_failed = false;
}

void MemoryDisk::survive(Inode& inode) {
  for (const Write& write : inode.writes) {
    if (write.fate == Fate::kSynced) {
      put_at(inode.durable, write.offset, write.bytes);
    } else {
      survive(inode.durable, write);
    }
  }
  inode.writes.clear();
  inode.now = inode.durable;
  inode.sync_failed = false;
}

void MemoryDisk::survive(std::string& into, const Write& write) {
  enum : uint8_t { kAll, kNone, kBeginning, kAny };
  const uint64_t kind = random(4);
  if (kind == kNone) return;
  const uint64_t end = write.offset + write.bytes.size();
  const uint64_t sectors = (end - 1) / kSectorBytes - write.offset / kSectorBytes + 1;
  const uint64_t kept = kind == kBeginning ? random(sectors + 1) : sectors;
  uint64_t at = write.offset;
  for (uint64_t i = 0; i < kept; ++i) {
    const uint64_t next = std::min(end, (at / kSectorBytes + 1) * kSectorBytes);
    std::string bytes = write.bytes.substr(at - write.offset, next - at);
    if (kind != kAll && random(8) == 0) {
      for (char& byte : bytes) byte = static_cast<char>(random(256));
    }
    if (kind != kAny || random(2) == 0) put_at(into, at, bytes);
    at = next;
  }
}

uint64_t MemoryDisk::random(uint64_t below) {
  return random_() % below;
}

std::vector<std::string> MemoryDisk::names() const {
  std::vector<std::string> all;
  for (const auto& [name, inode] : names_) all.push_back(name);
  return all;
}

uint64_t MemoryDisk::bytes_used() const {
  uint64_t sum = 0;
  for (const auto& [name, inode] : names_) sum += inode->now.size();
  return sum;
}

std::string MemoryDisk::contents(const std::string& name) const {
  const auto found = names_.find(name);
  return found == names_.end() ? std::string() : found->second->now;
}

void MemoryDisk::put(const std::string& name, const std::string& contents) {
  auto inode = std::make_shared<Inode>();
  inode->now = inode->durable = contents;
  names_[name] = durable_names_[name] = inode;
}

void MemoryDisk::remove(const std::string& name) {
  names_.erase(name);
  durable_names_.erase(name);
}

void MemoryDisk::corrupt(const std::string& name, uint64_t offset) {
  std::string bytes = contents(name);
  bytes.at(offset) = static_cast<char>(bytes.at(offset) ^ 0x5a);
  put(name, bytes);
}

}  // namespace toll::test
