#include "net/http_server.h"

#include <algorithm>
#include <arpa/inet.h>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <fmt/format.h>
#include <future>
#include <netinet/in.h>
#include <span>
#include <sys/resource.h>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

#include "net/limits.h"
#include "net/loop.h"
#include "net/machine.h"
#include "net/stream.h"

namespace toll::net {
namespace {

constexpr int kBacklog = 16;
constexpr int kNice = 10;

std::string_view reason_of(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 400:
      return "Bad Request";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 431:
      return "Request Header Fields Too Large";
    default:
      return "Service Unavailable";
  }
}

struct Address {
  sockaddr_storage bytes{};
  socklen_t length = 0;
};

std::expected<Address, std::string> address_of(const std::string& host, uint16_t port) {
  Address address;
  auto& four = reinterpret_cast<sockaddr_in&>(address.bytes);
  auto& six = reinterpret_cast<sockaddr_in6&>(address.bytes);
  if (inet_pton(AF_INET, host.c_str(), &four.sin_addr) == 1) {
    four.sin_family = AF_INET;
    four.sin_port = htons(port);
    address.length = sizeof four;
  } else if (inet_pton(AF_INET6, host.c_str(), &six.sin6_addr) == 1) {
    six.sin6_family = AF_INET6;
    six.sin6_port = htons(port);
    address.length = sizeof six;
  } else {
    return std::unexpected(fmt::format("{} is no address", host));
  }
  return address;
}

// A listening descriptor.
std::expected<int, std::string> listen_on(const std::string& host, uint16_t port) {
  const auto address = address_of(host, port);
  if (!address) return std::unexpected(address.error());
  const int fd = ::socket(address->bytes.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const int yes = 1;
  if (fd >= 0) ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  if (fd < 0 ||
      ::bind(fd, reinterpret_cast<const sockaddr*>(&address->bytes), address->length) != 0 ||
      ::listen(fd, kBacklog) != 0) {
    const int error = errno;
    if (fd >= 0) ::close(fd);
    return std::unexpected(
        fmt::format("cannot listen on {} port {}: {}", host, port, std::strerror(error)));
  }
  return fd;
}

uint16_t port_of(int listener) {
  sockaddr_storage address{};
  socklen_t length = sizeof address;
  ::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &length);
  return ntohs(address.ss_family == AF_INET ? reinterpret_cast<sockaddr_in&>(address).sin_port
                                            : reinterpret_cast<sockaddr_in6&>(address).sin6_port);
}

// The first line of a request.
struct RequestLine {
  std::string_view method;
  std::string_view path;
};

std::expected<RequestLine, int> parse(std::string_view request) {
  const std::string_view line = request.substr(0, request.find_first_of("\r\n"));
  const size_t first = line.find(' ');
  const size_t last = line.rfind(' ');
  if (first == line.npos || first == last) return std::unexpected(400);
  const std::string_view method = line.substr(0, first);
  const std::string_view target = line.substr(first + 1, last - first - 1);
  if (!line.substr(last + 1).starts_with("HTTP/1.") || !target.starts_with('/') ||
      target.contains(' ')) {
    return std::unexpected(400);
  }
  if (method != "GET" && method != "HEAD") return std::unexpected(405);
  return RequestLine{method, target.substr(0, target.find('?'))};
}

bool is_whole(std::string_view request) {
  return request.contains("\r\n\r\n") || request.contains("\n\n");
}

}  // namespace

class HttpServer::Impl final : private Completion {
 public:
  Impl(int listener, Answer answer)
      : listener_(listener), port_(port_of(listener)), answer_(std::move(answer)) {}

  ~Impl() {
    if (thread_.joinable()) {
      stopping_.store(true);
      doorbell_->ring();
      rung_.store(true);
      rung_.notify_one();
      thread_.join();
    }
    ::close(listener_);
  }

  std::expected<void, std::string> start() {
    std::promise<std::expected<void, std::string>> opened;
    auto result = opened.get_future();
    thread_ = std::thread([this, opened = std::move(opened)]() mutable { run(opened); });
    auto open = result.get();
    if (!open) thread_.join();
    return open;
  }

  uint16_t port() const { return port_; }

 private:
  class Connection final : public StreamHandler {
   public:
    Connection(Impl& server, int fd)
        : stream(*server.loop_, fd, server.chunks_, *this), server_(server) {}

    void on_data(std::span<char> data) override {
      if (answered) return;
      request_.append(data.data(), data.size());
      const bool too_long = request_.size() > kHttpRequestMax;
      if (!too_long && !is_whole(request_)) return;
      answered = true;
      if (too_long) {
        send({.status = 431, .body = "the request is too long\n"}, true);
      } else {
        answer();
      }
      stream.close_after_flush();
    }
    void on_end(IoStatus status) override {
      if (status == IoStatus::kEnd && !answered) stream.close_after_flush();
    }
    void on_drained() override {}
    void on_closed() override { closed = true; }

    Stream stream;
    const int64_t deadline_ns = monotonic_ns() + kHttpConnectionNs;
    bool answered = false;
    bool closed = false;

   private:
    void answer() {
      const auto line = parse(request_);
      if (line) return send(server_.answer_(line->path), line->method == "GET");
      const bool method = line.error() == 405;
      send({.status = line.error(), .body = method ? "GET or HEAD\n" : "this is no request\n"},
           true);
    }
    void send(const HttpReply& reply, bool with_body) {
      stream.output().append(
          fmt::format("HTTP/1.1 {} {}\r\nContent-Type: {}\r\nContent-Length: "
                      "{}\r\n{}Cache-Control: no-store\r\n"
                      "Connection: close\r\n\r\n",
                      reply.status, reason_of(reply.status), reply.type, reply.body.size(),
                      reply.status == 405 ? "Allow: GET, HEAD\r\n" : ""));
      if (with_body) stream.output().append(reply.body);
    }

    Impl& server_;
    std::string request_;
  };

  void run(std::promise<std::expected<void, std::string>>& opened) {
    // The workers' threads come first.
    ::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), kNice);
    auto loop = KernelMachine(Backend::kEpoll).make_loop();
    if (!loop) return opened.set_value(std::unexpected(std::move(loop.error())));
    loop_ = std::move(*loop);
    doorbell_ = &loop_->doorbell();
    loop_->accept(listener_, *this);
    opened.set_value({});
    while (!ended_) turn();
    rung_.wait(false);  // or the doorbell would be gone before it is let go of
    loop_.reset();
  }

  void turn() {
    if (stopping_.load() && !told_to_end_) {
      told_to_end_ = true;
      loop_->stop(*this);
      for (const auto& each : connections_) each->stream.abort();
    }
    loop_->run_once(timeout_ns());
    const int64_t now_ns = monotonic_ns();
    for (const auto& each : connections_) {
      if (now_ns >= each->deadline_ns) each->stream.abort();
    }
    std::erase_if(connections_, [](const auto& each) { return each->closed; });
    ended_ = told_to_end_ && !in_flight() && connections_.empty();
  }

  // The oldest is the first.
  int64_t timeout_ns() const {
    if (connections_.empty()) return -1;
    return std::max<int64_t>(connections_.front()->deadline_ns - monotonic_ns(), 0);
  }

  // Of accepting.
  void complete(const Event& event) override {
    if (event.status == IoStatus::kOk) admit(event.value);
    if (!event.more && !stopping_.load()) loop_->accept(listener_, *this);
  }

  void admit(int fd) {
    if (connections_.size() >= kHttpConnectionsMax) give_way();
    connections_.push_back(std::make_unique<Connection>(*this, fd));
    connections_.back()->stream.start();
  }

  void give_way() {
    const auto idle = std::ranges::find_if(
        connections_, [](const auto& each) { return !each->stream.closing(); });
    if (idle != connections_.end()) return (*idle)->stream.abort();
    // All are being sent their answers, which somebody does not read.
    connections_.front()->stream.abort();
  }

  const int listener_;
  const uint16_t port_;
  const Answer answer_;
  std::thread thread_;
  Doorbell* doorbell_ = nullptr;  // set before start() is over
  std::atomic<bool> stopping_{false};
  std::atomic<bool> rung_{false};

  // The thread's own.
  ChunkPool chunks_;
  std::unique_ptr<Loop> loop_;
  std::vector<std::unique_ptr<Connection>> connections_;
  bool told_to_end_ = false;
  bool ended_ = false;
};

HttpServer::HttpServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
HttpServer::~HttpServer() = default;

uint16_t HttpServer::port() const {
  return impl_->port();
}

std::expected<std::unique_ptr<HttpServer>, std::string> HttpServer::open(const std::string& host,
                                                                         uint16_t port,
                                                                         Answer answer) {
  auto listener = listen_on(host, port);
  if (!listener) return std::unexpected(std::move(listener.error()));
  auto impl = std::make_unique<Impl>(*listener, std::move(answer));
  if (auto started = impl->start(); !started) return std::unexpected(std::move(started.error()));
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(impl)));
}

}  // namespace toll::net
