// Unix stream sockets as the bench's client side needs them: plain system calls, so that the
// load generator does not depend on what it measures.
//
// A Socket owns its descriptor; one thread.
#pragma once

#include <cstddef>
#include <expected>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <utility>
#include <vector>

namespace toll::bench {

class Socket {
 public:
  Socket() = default;
  explicit Socket(int fd) : fd_(fd) {}
  Socket(Socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Socket& operator=(Socket&& other) noexcept;
  ~Socket();

  int fd() const { return fd_; }

 private:
  int fd_ = -1;
};

// Connects to the socket at `path`, blocking. Errors: a sentence that names the path.
std::expected<Socket, std::string> connect_to(const std::string& path);

// The process that listens at the other end, as the kernel tells it; 0 if that is not to be known.
pid_t peer_pid(const Socket& socket);

// Sends all of `bytes`. For blocking sockets. Errors: a sentence.
std::expected<void, std::string> send_all(const Socket& socket, std::string_view bytes);

// Asks one request that is answered by `LIST n` in the line framing and returns its rows. Errors: a
// sentence, or the ERR that came.
std::expected<std::vector<std::string>, std::string> ask_list(const std::string& path,
                                                              std::string_view request);

}  // namespace toll::bench
