#include "bench/floor_server.h"

#include <algorithm>
#include <fmt/format.h>
#include <memory>
#include <span>
#include <string_view>
#include <unordered_map>

#include "net/listener.h"
#include "net/output_buffer.h"
#include "net/stream.h"

namespace toll::bench {
namespace {

// As long as what a daemon answers to a CHECK of a limit that is far away.
constexpr std::string_view kLineReply = "ALLOW 1000000000 999999999 0 1 local\n";
constexpr std::string_view kRespReply =
    "*6\r\n:1\r\n:1000000000\r\n:999999999\r\n:0\r\n:1\r\n$5\r\nlocal\r\n";
constexpr int64_t kNoTimeout = -1;

class Floor;

class FloorConnection final : public net::StreamHandler {
 public:
  FloorConnection(Floor& floor, net::Loop& loop, int fd, net::ChunkPool& pool)
      : floor_(floor), stream_(loop, fd, pool, *this) {}

  void start() { stream_.start(); }

  void on_data(std::span<char> data) override;
  void on_end(net::IoStatus /*status*/) override { stream_.close_after_flush(); }
  void on_drained() override {}
  void on_closed() override;

 private:
  Floor& floor_;
  net::Stream stream_;
};

class Floor final : public net::Completion {
 public:
  Floor(net::Loop& loop, int listener, Framing framing) : loop_(loop), framing_(framing) {
    loop_.accept(listener, *this);
  }

  void complete(const net::Event& event) override {
    if (event.status != net::IoStatus::kOk) return;
    auto connection = std::make_unique<FloorConnection>(*this, loop_, event.value, pool_);
    FloorConnection* started = connection.get();
    connections_.emplace(started, std::move(connection));
    started->start();
  }

  void remove(FloorConnection* connection) { connections_.erase(connection); }

  // What ends a request of ours in the line framing and begins one in RESP; ids hold neither byte.
  char mark() const { return framing_ == Framing::kLine ? '\n' : '*'; }
  std::string_view reply() const { return framing_ == Framing::kLine ? kLineReply : kRespReply; }

 private:
  net::Loop& loop_;
  Framing framing_;
  net::ChunkPool pool_;
  std::unordered_map<FloorConnection*, std::unique_ptr<FloorConnection>> connections_;
};

void FloorConnection::on_data(std::span<char> data) {
  const std::string_view reply = floor_.reply();
  for (auto requests = std::ranges::count(data, floor_.mark()); requests > 0; --requests) {
    char* room = stream_.output().reserve(reply.size());
    std::ranges::copy(reply, room);
    stream_.output().commit(reply.size());
  }
  stream_.flush();
}

void FloorConnection::on_closed() {
  floor_.remove(this);
}

}  // namespace

std::string run_floor(const FloorSettings& settings) {
  auto listener = net::Listener::open({.path = settings.socket_path, .group = {}});
  if (!listener) return listener.error();
  auto loop = net::Loop::make(settings.backend);
  if (!loop) return loop.error();
  Floor floor(**loop, listener->fd(), settings.framing);
  while (true) (*loop)->run_once(kNoTimeout);
}

}  // namespace toll::bench
