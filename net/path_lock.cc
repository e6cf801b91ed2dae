#include "net/path_lock.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace toll::net {

namespace {

std::string directory_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

std::string held_by(int fd, const std::string& path, std::string_view otherwise) {
  std::array<char, 32> text{};
  const ssize_t length = ::pread(fd, text.data(), text.size(), 0);
  std::string_view pid(text.data(), length > 0 ? static_cast<size_t>(length) : 0);
  pid = pid.substr(0, pid.find('\n'));
  return fmt::format("{} is taken by another daemon (pid {}): stop it, or choose another {}", path,
                     pid.empty() ? "unknown" : pid, otherwise);
}

// Whether the file of that name is still the one we have open: its last owner may have removed it
// between our open and our lock, and then the lock is on nothing.
bool is_current(int fd, const std::string& file) {
  struct stat ours{};
  struct stat named{};
  if (::fstat(fd, &ours) != 0 || ::lstat(file.c_str(), &named) != 0) return false;
  return ours.st_dev == named.st_dev && ours.st_ino == named.st_ino;
}

}  // namespace

std::string cannot_create(const std::string& path, int error) {
  const std::string directory = directory_of(path);
  switch (error) {
    case ENOENT:
      return fmt::format(
          "the directory {} for the socket does not exist: create it, or choose another "
          "socket path",
          directory);
    case ENOTDIR:
      return fmt::format("{} is not a directory: choose another socket path", directory);
    case EACCES:
    case EPERM:
      return fmt::format(
          "user {} may not create files in {}, or what is there belongs to somebody else: "
          "change the directory's owner or mode, or choose another socket path",
          ::geteuid(), directory);
    case EROFS:
      return fmt::format("{} is on a read-only file system: choose another socket path", directory);
    default:
      return fmt::format("cannot create the socket in {}: {}", directory, std::strerror(error));
  }
}

PathLock::PathLock(PathLock&& other) noexcept
    : file_(std::move(other.file_)), fd_(std::exchange(other.fd_, -1)) {}

PathLock& PathLock::operator=(PathLock&& other) noexcept {
  if (this != &other) {
    release();
    file_ = std::move(other.file_);
    fd_ = std::exchange(other.fd_, -1);
  }
  return *this;
}

std::expected<PathLock, std::string> PathLock::take(const std::string& path,
                                                    std::string_view otherwise) {
  PathLock lock;
  const std::string file = path + ".lock";
  // Each further round means that another owner let go just then.
  for (int round = 0; round < 100; ++round) {
    const int fd = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd < 0) return std::unexpected(cannot_create(path, errno));
    if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
      const int error = errno;
      std::string why = error == EWOULDBLOCK
                            ? held_by(fd, path, otherwise)
                            : fmt::format("cannot lock {}: {}", file, std::strerror(error));
      ::close(fd);
      return std::unexpected(std::move(why));
    }
    if (is_current(fd, file)) {
      lock.fd_ = fd;
      lock.file_ = file;
      const std::string pid = fmt::format("{}\n", ::getpid());
      if (::ftruncate(fd, 0) != 0 ||
          ::pwrite(fd, pid.data(), pid.size(), 0) != static_cast<ssize_t>(pid.size())) {
        return std::unexpected(fmt::format("cannot write {}: {}", file, std::strerror(errno)));
      }
      return lock;
    }
    ::close(fd);
  }
  return std::unexpected(fmt::format("{} changes hands again and again: try again", file));
}

void PathLock::release() {
  if (fd_ < 0) return;
  // Removed while it is still locked: nobody else can hold a file of this name by then.
  if (is_current(fd_, file_)) ::unlink(file_.c_str());
  ::close(fd_);
  fd_ = -1;
}

}  // namespace toll::net
