#include "net/listener.h"

#include <cassert>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <string_view>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <utility>

namespace toll::net {

namespace {

// The socket is made under the path's name with this behind it, and then renamed.
constexpr std::string_view kUnfinished = "~";
constexpr size_t kPathMax = sizeof(sockaddr_un::sun_path) - 1 - kUnfinished.size();

// A socket outlives its process for a moment when the kernel tidies up behind it (io_uring does so
// in its own time, which is long where it has little): this many looks at it, each this much later
// than the one before. Two seconds in all.
constexpr int kLooksMax = 20;
constexpr int kLookIntervalMs = 10;

sockaddr_un address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  assert(path.size() < sizeof address.sun_path);
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

void wait_after(int look) {
  ::poll(nullptr, 0, look * kLookIntervalMs);
}

int unix_socket() {
  return ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

// What answers behind a socket's file.
struct Probe {
  int error = 0;  // of connect(2); 0: somebody listens
  pid_t pid = 0;  // who, if known
};

Probe probe(const std::string& path) {
  const int fd = unix_socket();
  if (fd < 0) return {.error = errno};
  Probe found;
  const sockaddr_un address = address_of(path);
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    found.error = errno;
  } else {
    ucred owner{};
    socklen_t length = sizeof owner;
    if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &owner, &length) == 0) found.pid = owner.pid;
  }
  ::close(fd);
  return found;
}

// Whether a socket can be one that outlives its process. We hold the path's lock, so if it is this
// process' own, it is left over from an earlier listener. Looking is no more than needed: each look
// takes a place in the queue of whoever listens.
bool may_be_passing(pid_t pid) {
  return pid > 0 && (pid == ::getpid() || (::kill(pid, 0) != 0 && errno == ESRCH));
}

// Nothing but a socket nobody listens on may be replaced.
std::expected<void, std::string> expect_free(const std::string& path) {
  pid_t owner = 0;
  for (int look = 1;; ++look) {
    struct stat file{};
    if (::lstat(path.c_str(), &file) != 0) {
      if (errno == ENOENT) return {};
      return std::unexpected(cannot_create(path, errno));
    }
    if (!S_ISSOCK(file.st_mode)) {
      return std::unexpected(fmt::format(
          "{} is there already and is not a socket: move it away, or choose another socket path",
          path));
    }
    const Probe found = probe(path);
    if (found.error == ECONNREFUSED || found.error == ENOENT) return {};
    if (found.error != 0 && found.error != EAGAIN) {
      return std::unexpected(
          fmt::format("{} is there already and cannot be looked into ({}): remove it, or choose "
                      "another socket path",
                      path, std::strerror(found.error)));
    }
    if (found.pid > 0) owner = found.pid;
    if (look == kLooksMax || !may_be_passing(owner)) {
      return std::unexpected(fmt::format(
          "somebody listens on {} already (pid {}): stop that process, or choose another socket "
          "path",
          path, owner > 0 ? fmt::to_string(owner) : "unknown"));
    }
    wait_after(look);
  }
}

std::expected<void, std::string> check_path(const std::string& path) {
  if (path.empty() || path.back() == '/' || path.find('\0') != std::string::npos) {
    return std::unexpected(fmt::format("'{}' is no path for a socket: name a file", path));
  }
  if (path.size() > kPathMax) {
    return std::unexpected(
        fmt::format("the socket path is {} bytes long and at most {} fit: choose a shorter one: {}",
                    path.size(), kPathMax, path));
  }
  return {};
}

// Binds under a name that only the holder of the path's lock uses; what has it is a leftover.
int bind_unfinished(int fd, const std::string& path) {
  const sockaddr_un address = address_of(path);
  for (int look = 1;; ++look) {
    struct stat file{};
    if (::lstat(path.c_str(), &file) == 0 && S_ISSOCK(file.st_mode)) ::unlink(path.c_str());
    if (::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return 0;
    if (errno != EADDRINUSE || look == kLooksMax) return errno;
    wait_after(look);
  }
}

}  // namespace

std::expected<Listener, std::string> Listener::open(const ListenerSettings& settings) {
  if (auto fit = check_path(settings.path); !fit) return std::unexpected(std::move(fit.error()));
  auto lock = PathLock::take(settings.path);
  if (!lock) return std::unexpected(std::move(lock.error()));
  if (auto free = expect_free(settings.path); !free) {
    return std::unexpected(std::move(free.error()));
  }
  Listener listener;
  listener.lock_ = std::move(*lock);
  if (auto done = listener.publish(settings); !done) {
    return std::unexpected(std::move(done.error()));
  }
  return listener;
}

std::expected<Listener, std::string> Listener::adopt(int fd) {
  Listener listener;
  listener.fd_ = fd;
  listener.adopted_ = true;
  const auto is = [fd](int option, int wanted) {
    int value = 0;
    socklen_t bytes = sizeof value;
    return ::getsockopt(fd, SOL_SOCKET, option, &value, &bytes) == 0 && value == wanted;
  };
  if (!is(SO_DOMAIN, AF_UNIX) || !is(SO_TYPE, SOCK_STREAM) || !is(SO_ACCEPTCONN, 1)) {
    return std::unexpected(
        "the socket that the service manager passed is no listening Unix stream socket: its unit "
        "needs ListenStream= with a path, and Accept=no");
  }
  sockaddr_un address{};
  socklen_t length = sizeof address;
  const int flags = ::fcntl(fd, F_GETFL);
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length) != 0 || flags < 0 ||
      ::fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0) {
    return std::unexpected(
        fmt::format("the socket that the service manager passed: {}", std::strerror(errno)));
  }
  const size_t bytes = length - offsetof(sockaddr_un, sun_path);
  listener.path_.assign(address.sun_path, ::strnlen(address.sun_path, bytes));
  return listener;
}

// Makes the socket under its unfinished name, gives it all it needs, and only then its own name.
std::expected<void, std::string> Listener::publish(const ListenerSettings& settings) {
  const std::string unfinished = settings.path + std::string(kUnfinished);
  const auto failed = [&](std::string why) -> std::expected<void, std::string> {
    ::unlink(unfinished.c_str());
    return std::unexpected(std::move(why));
  };
  fd_ = unix_socket();
  if (fd_ < 0) {
    return std::unexpected(fmt::format("cannot make a Unix socket: {}", std::strerror(errno)));
  }
  if (const int error = bind_unfinished(fd_, unfinished); error == EADDRINUSE) {
    return std::unexpected(fmt::format(
        "{} is there already and is not a socket: the name is needed for a moment, move it away",
        unfinished));
  } else if (error != 0) {
    return std::unexpected(cannot_create(settings.path, error));
  }
  if (settings.group && ::fchownat(AT_FDCWD, unfinished.c_str(), static_cast<uid_t>(-1),
                                   *settings.group, AT_SYMLINK_NOFOLLOW) != 0) {
    return failed(fmt::format(
        "cannot give {} to group {}: {}; add user {} to that group, or choose another group",
        settings.path, *settings.group, std::strerror(errno), ::geteuid()));
  }
  struct stat file{};
  if (::chmod(unfinished.c_str(), settings.mode) != 0 || ::lstat(unfinished.c_str(), &file) != 0 ||
      ::listen(fd_, settings.backlog) != 0 ||
      ::rename(unfinished.c_str(), settings.path.c_str()) != 0) {
    return failed(fmt::format("cannot listen on {}: {}", settings.path, std::strerror(errno)));
  }
  path_ = settings.path;
  device_ = file.st_dev;
  inode_ = file.st_ino;
  return {};
}

Listener::Listener(Listener&& other) noexcept
    : lock_(std::move(other.lock_)),
      path_(std::move(other.path_)),
      fd_(std::exchange(other.fd_, -1)),
      adopted_(other.adopted_),
      device_(other.device_),
      inode_(other.inode_) {}

Listener& Listener::operator=(Listener&& other) noexcept {
  if (this != &other) {
    withdraw();
    if (fd_ >= 0) ::close(fd_);
    lock_ = std::move(other.lock_);
    path_ = std::move(other.path_);
    fd_ = std::exchange(other.fd_, -1);
    adopted_ = other.adopted_;
    device_ = other.device_;
    inode_ = other.inode_;
  }
  return *this;
}

// The file goes before the descriptor: nobody finds a file that refuses.
Listener::~Listener() {
  withdraw();
  if (fd_ >= 0) ::close(fd_);
}

void Listener::withdraw() {
  if (!lock_.held()) return;
  struct stat file{};
  const bool ours = !path_.empty() && ::lstat(path_.c_str(), &file) == 0 &&
                    file.st_dev == device_ && file.st_ino == inode_;
  if (ours) ::unlink(path_.c_str());
  lock_.release();
}

}  // namespace toll::net
