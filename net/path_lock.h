// A lock on a path between processes: `<path>.lock`, held with flock(2) and naming its owner's pid.
// It goes with its process, however that ends. The file is removed when the lock is let go; a crash
// leaves it behind, unlocked, and the next owner takes it over. Any thread, one at a time.
#pragma once

#include <expected>
#include <string>
#include <string_view>

namespace toll::net {

class PathLock {
 public:
  PathLock() = default;  // holds nothing
  PathLock(PathLock&& other) noexcept;
  PathLock& operator=(PathLock&& other) noexcept;
  ~PathLock() { release(); }

  // Does not wait. The error is a sentence for the operator; if the lock is held it names the pid,
  // and what to choose otherwise.
  static std::expected<PathLock, std::string> take(const std::string& path,
                                                   std::string_view otherwise = "socket path");

  void release();
  bool held() const { return fd_ >= 0; }

 private:
  std::string file_;
  int fd_ = -1;
};

// Why a file cannot be made in the directory of `path`: a sentence that says what to do.
// `error` is an errno.
std::string cannot_create(const std::string& path, int error);

}  // namespace toll::net
