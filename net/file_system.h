// Files of one directory, as the journal needs them: what is written counts only once it was
// synced, and every step can fail. The kernel's, or a simulated one that forgets what was not
// synced. Blocking: not for a worker's thread. One thread at a time.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace toll::net {

// An errno, and the sentence for the operator: what was tried, on which file, what went wrong.
struct FileError {
  int code = 0;
  std::string text;
};

class File {
 public:
  virtual ~File() = default;

  // All of it, or an error (after which any part of it may have been written).
  virtual std::expected<void, FileError> write_at(uint64_t offset, std::string_view bytes) = 0;
  // Fewer bytes than asked for only at the end of the file.
  virtual std::expected<size_t, FileError> read_at(uint64_t offset, std::span<char> into) = 0;
  // fdatasync(2). After an error nothing is known of what was written since the last success, and
  // trying again on this file tells nothing: the kernel has marked the pages clean.
  virtual std::expected<void, FileError> sync() = 0;
  virtual std::expected<uint64_t, FileError> size() = 0;
  // Cuts off what lies behind the first `bytes`. REQUIRES: the file is no shorter.
  virtual std::expected<void, FileError> truncate(uint64_t bytes) = 0;
};

class FileSystem {
 public:
  virtual ~FileSystem() = default;

  // Names have no slash. create(): fails if it is there; mode 0600. open(): for reading and
  // writing.
  virtual std::expected<std::unique_ptr<File>, FileError> create(const std::string& name) = 0;
  virtual std::expected<std::unique_ptr<File>, FileError> open(const std::string& name) = 0;
  virtual std::expected<void, FileError> rename(const std::string& from, const std::string& to) = 0;
  virtual std::expected<void, FileError> remove(const std::string& name) = 0;
  // Names, in no order.
  virtual std::expected<std::vector<std::string>, FileError> list() = 0;
  // fsync(2) of the directory: creations, renames and removals before it will last.
  virtual std::expected<void, FileError> sync_directory() = 0;
};

// The directory at `path`, which is made (mode 0700, with those above it) where it is missing.
std::expected<std::unique_ptr<FileSystem>, FileError> open_directory(const std::string& path);

}  // namespace toll::net
