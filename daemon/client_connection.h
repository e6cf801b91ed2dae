// A client's connection to a daemon: found, opened, asked.
//
// Line framing. One thread; blocks, for no longer than its timeout. Errors are sentences for the
// user, and a connection that had one is of no use any more.
#pragma once

#include <chrono>
#include <expected>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/reply_reader.h"

namespace toll::daemon {

struct ClientSettings {
  std::string socket;  // "": where a daemon may be
  std::chrono::milliseconds timeout{5'000};
};

// Where to look for a daemon, in this order: `socket` alone if given, else $TOLLKEEPER_SOCKET
// alone, else the packaged daemon's socket and those of one started by hand.
std::vector<std::string> socket_candidates(const std::string& socket,
                                           const std::map<std::string, std::string>& environment);

class ClientConnection {
 public:
  // Connects to the first candidate where somebody listens. The error names all that were tried and
  // says how to start a daemon.
  static std::expected<ClientConnection, std::string> open(const ClientSettings& settings);

  ClientConnection(ClientConnection&& other) noexcept;
  ClientConnection& operator=(ClientConnection&& other) noexcept;
  ~ClientConnection();

  // Sends one request (with its \n) and waits for its reply. REQUIRES: nothing is in flight.
  std::expected<Reply, std::string> ask(std::string_view request);

  // The parts of it, for who has many in flight. None blocks.
  // Sends what the kernel takes and says how much. A daemon that has gone away takes everything:
  // its last replies may still be there, and receive_some() tells.
  std::expected<size_t, std::string> send_some(std::string_view bytes);
  // Reads what is there. Errors: closed, broken.
  std::expected<void, std::string> receive_some();
  std::expected<std::optional<Reply>, std::string> next_reply() { return reader_.next(); }

  int fd() const { return fd_; }
  std::chrono::milliseconds timeout() const { return timeout_; }
  std::string timeout_error() const;

 private:
  ClientConnection(int fd, std::string path, std::chrono::milliseconds timeout)
      : fd_(fd), path_(std::move(path)), timeout_(timeout) {}

  int fd_;
  std::string path_;
  std::chrono::milliseconds timeout_;
  ReplyReader reader_;
};

}  // namespace toll::daemon
