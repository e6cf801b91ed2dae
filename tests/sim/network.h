// The simulated network: stream sockets between places, each a machine of its own.
//
// Bytes arrive in order, later, in pieces cut anywhere; nothing is doubled or lost while the
// connection lives, as TCP has it. What it lacks of a real one is only time-outs of its own: what
// is sent into a partition arrives when it heals, or never if the connection dies before.
#pragma once

#include <cstdint>
#include <deque>
#include <expected>
#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "net/io_status.h"
#include "tests/sim/random.h"
#include "tests/sim/scheduler.h"

namespace toll::sim {

using net::IoStatus;

// Who owns sockets and is told of them. Called from the scheduler, never from inside a call.
class SocketOwner {
 public:
  virtual void on_readable(int socket) = 0;  // bytes, an end or an error: receive() tells
  virtual void on_writable(int socket) = 0;  // there is room again, or an error: send() tells
  virtual void on_connected(int socket, IoStatus status) = 0;
  virtual void on_accepted(int listener, int socket) = 0;

 protected:
  ~SocketOwner() = default;
};

// What bytes meet on their way between two places.
struct Weather {
  int64_t least_delay_ns = 5 * kNsPerUs;
  int64_t most_delay_ns = 50 * kNsPerUs;
  uint64_t cut_percent = 10;      // of all pieces: cut in two at any byte
  uint64_t refuse_percent = 0;    // of all connects
  uint64_t reset_per_myriad = 0;  // of all pieces: the connection breaks there, at any byte
};

struct NetworkCounts {
  uint64_t connections = 0;
  uint64_t bytes = 0;
  uint64_t cuts = 0;
  uint64_t resets = 0;
};

class Network {
 public:
  Network(Scheduler& scheduler, Random random) : scheduler_(scheduler), random_(random) {}

  // A listener's or a socket's number, which no other ever has and no kernel either.
  int listen(const std::string& address, int place, SocketOwner& owner);
  int open(int place, SocketOwner& owner);
  void hand_over(int socket, SocketOwner& owner) { at(socket).owner = &owner; }
  void connect(int socket, const std::string& address);

  // How many were taken, 0 if there is no room now: on_writable() follows.
  std::expected<size_t, IoStatus> send(int socket, std::string_view bytes);
  // How many came, 0 if there is nothing yet: on_readable() follows. kEnd is the peer's end.
  std::expected<size_t, IoStatus> receive(int socket, std::span<char> into);
  bool readable(int socket) const;
  // Whether its other end was closed: what comes was sent by one who waits for nothing any more.
  bool abandoned(int socket) const;
  // The first byte that receive() would give, or -1.
  int peek(int socket) const;
  // What was sent to it and not received yet, on its way too.
  std::string unread(int socket) const;
  void shut_down(int socket);
  void close(int socket);  // a listener's too

  // ---- what can befall it ----
  void set_weather(int a, int b, const Weather& weather) { weather_[pair_of(a, b)] = weather; }
  // Nothing passes between the two, and nobody is told.
  void part(int a, int b) { parted_.insert(pair_of(a, b)); }
  void heal(int a, int b);
  // All connections between the two break.
  void break_connections(int a, int b);
  // All of a place's sockets are gone, as when its process is killed; its peers are told, unless
  // they are parted from it.
  void crash(int place);

  const NetworkCounts& counts() const { return counts_; }

 private:
  struct Piece {
    int64_t when_ns;
    std::string bytes;
    bool end;    // the peer's end, after these bytes
    bool reset;  // the connection breaks instead
  };
  // One end of a connection, and what is on its way to it.
  struct Socket {
    int place = 0;
    SocketOwner* owner = nullptr;  // null: closed
    bool listener = false;
    std::string address;  // of a listener
    int peer = -1;
    bool connecting = false;
    std::deque<Piece> coming;
    size_t coming_bytes = 0;
    bool due = false;  // arrive() is scheduled
    std::string inbox;
    size_t read = 0;  // of inbox
    bool ended = false;
    bool reset = false;
    bool shut = false;        // by us: no more sending
    bool wants_room = false;  // the peer of this one waits to send more to us
    size_t capacity = 0;      // of what is on the way and unread
  };

  static std::pair<int, int> pair_of(int a, int b) { return {std::min(a, b), std::max(a, b)}; }
  Socket& at(int socket);
  const Socket& at(int socket) const;
  const Weather& weather(int a, int b);
  bool parted(int a, int b) const { return parted_.contains(pair_of(a, b)); }
  int make(int place, SocketOwner& owner);
  void arrange(int socket, const std::string& address);
  void push(int to, std::string bytes, bool end, bool reset);
  void schedule_arrival(int socket);
  void arrive(int socket);
  void break_both(int socket);
  void tell_readable(int socket);
  void give_room(int socket);

  static constexpr int kFirst = 1 << 20;

  Scheduler& scheduler_;
  Random random_;
  std::deque<Socket> sockets_;
  std::map<std::string, int> listeners_;
  std::map<std::pair<int, int>, Weather> weather_;
  std::set<std::pair<int, int>> parted_;
  Weather fair_;
  NetworkCounts counts_;
};

}  // namespace toll::sim
