// The listening Unix socket: made so that a crash leaves nothing behind that hinders the next
// start, and a second daemon cannot take a living one's place.
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <sys/types.h>

#include "net/path_lock.h"

namespace toll::net {

struct ListenerSettings {
  std::string path;
  mode_t mode = 0660;
  std::optional<gid_t> group = {};  // unset: as created
  int backlog = 4096;
};

// Owns the listening descriptor, and unless it was adopted the socket's file and the lock that goes
// with it. While it lives,
// `<path>.lock` is held; the socket is made as `<path>~` and renamed, so that whoever finds the
// file finds it listening, with its final mode and group. Any thread, one at a time.
class Listener {
 public:
  // Binds and listens. A stale file (nobody accepts there) is taken over; a live one is an error
  // that names the pid of its owner; a path that is something else than a socket is an error and
  // left alone. The file appears with its final mode and group. Errors are sentences for the
  // operator.
  static std::expected<Listener, std::string> open(const ListenerSettings& settings);

  // Takes a Unix stream socket that listens already, and is somebody else's as well: its file stays
  // when we go, and who connects meanwhile waits for the next to accept. Makes it non-blocking. The
  // error is a sentence for the operator; the descriptor is closed then.
  static std::expected<Listener, std::string> adopt(int fd);

  Listener(Listener&& other) noexcept;
  Listener& operator=(Listener&& other) noexcept;
  ~Listener();  // closes, and unlinks the file if it is still ours (same device and inode)

  int fd() const { return fd_; }
  const std::string& path() const { return path_; }
  bool adopted() const { return adopted_; }
  // Stops new connections: unlinks the file, if ours, and lets the path go to whoever wants it
  // next. The descriptor stays open for its loop. Nothing, of an adopted one.
  void withdraw();

 private:
  Listener() = default;
  std::expected<void, std::string> publish(const ListenerSettings& settings);

  PathLock lock_;
  std::string path_;
  int fd_ = -1;
  bool adopted_ = false;
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

}  // namespace toll::net
