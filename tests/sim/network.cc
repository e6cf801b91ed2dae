#include "tests/sim/network.h"

#include <algorithm>
#include <cassert>
#include <cstring>

namespace toll::sim {
namespace {

// A connect into a partition is given up by the kernel some time.
constexpr int64_t kConnectTimeoutNs = 20 * kNsPerS;

constexpr int64_t kLeastCapacity = 2'048;
constexpr int64_t kMostCapacity = 212'992;  // what Linux gives a socket by default

}  // namespace

Network::Socket& Network::at(int socket) {
  assert(socket >= kFirst && socket < kFirst + static_cast<int>(sockets_.size()));
  return sockets_[static_cast<size_t>(socket - kFirst)];
}

const Network::Socket& Network::at(int socket) const {
  return sockets_[static_cast<size_t>(socket - kFirst)];
}

const Weather& Network::weather(int a, int b) {
  const auto found = weather_.find(pair_of(a, b));
  return found == weather_.end() ? fair_ : found->second;
}

int Network::make(int place, SocketOwner& owner) {
  Socket& socket = sockets_.emplace_back();
  socket.place = place;
  socket.owner = &owner;
  socket.capacity = static_cast<size_t>(random_.between(kLeastCapacity, kMostCapacity));
  return kFirst + static_cast<int>(sockets_.size()) - 1;
}

int Network::listen(const std::string& address, int place, SocketOwner& owner) {
  const int listener = make(place, owner);
  at(listener).listener = true;
  at(listener).address = address;
  listeners_[address] = listener;
  return listener;
}

int Network::open(int place, SocketOwner& owner) {
  return make(place, owner);
}

void Network::connect(int socket, const std::string& address) {
  at(socket).connecting = true;
  const auto listener = listeners_.find(address);
  const int64_t most_ns = listener == listeners_.end()
                              ? fair_.most_delay_ns
                              : weather(at(socket).place, at(listener->second).place).most_delay_ns;
  scheduler_.after(random_.between(kNsPerUs, most_ns),
                   [this, socket, address] { arrange(socket, address); });
}

// The connection is made, refused, or never heard of.
void Network::arrange(int socket, const std::string& address) {
  Socket& from = at(socket);
  if (from.owner == nullptr || !from.connecting) return;
  const auto found = listeners_.find(address);
  const int place = found == listeners_.end() ? -1 : at(found->second).place;
  if (place >= 0 && parted(from.place, place)) {
    scheduler_.after(kConnectTimeoutNs, [this, socket] {
      Socket& waiting = at(socket);
      if (waiting.owner == nullptr || !waiting.connecting) return;
      waiting.connecting = false;
      waiting.owner->on_connected(socket, IoStatus::kTimedOut);
    });
    return;
  }
  from.connecting = false;
  if (place < 0 || random_.chance(weather(from.place, place).refuse_percent)) {
    from.owner->on_connected(socket, IoStatus::kRefused);
    return;
  }
  ++counts_.connections;
  const int listener = found->second;
  const int other = make(place, *at(listener).owner);
  at(other).peer = socket;
  at(socket).peer = other;
  at(socket).owner->on_connected(socket, IoStatus::kOk);
  at(listener).owner->on_accepted(listener, other);
}

std::expected<size_t, IoStatus> Network::send(int socket, std::string_view bytes) {
  Socket& from = at(socket);
  if (from.reset || from.shut || from.peer < 0) return std::unexpected(IoStatus::kPeerGone);
  Socket& to = at(from.peer);
  if (to.owner == nullptr && !parted(from.place, to.place)) {
    from.reset = true;
    return std::unexpected(IoStatus::kPeerGone);
  }
  const size_t used = to.coming_bytes + to.inbox.size() - to.read;
  if (used >= to.capacity) {
    to.wants_room = true;
    return size_t{0};
  }
  const size_t count = std::min(bytes.size(), to.capacity - used);
  counts_.bytes += count;
  const Weather& way = weather(from.place, to.place);
  std::string piece(bytes.substr(0, count));
  if (random_.below(10'000) < way.reset_per_myriad) {
    ++counts_.resets;
    push(from.peer, piece.substr(0, random_.below(count + 1)), false, true);
    from.reset = true;
    tell_readable(socket);
    return count;
  }
  if (count > 1 && random_.chance(way.cut_percent)) {
    ++counts_.cuts;
    const auto cut = static_cast<size_t>(random_.between(1, static_cast<int64_t>(count) - 1));
    push(from.peer, piece.substr(0, cut), false, false);
    piece.erase(0, cut);
  }
  push(from.peer, std::move(piece), false, false);
  return count;
}

void Network::push(int to, std::string bytes, bool end, bool reset) {
  Socket& socket = at(to);
  const Socket& from = at(socket.peer);
  const Weather& way = weather(socket.place, from.place);
  int64_t when_ns =
      scheduler_.now_ns() +
      random_.skewed(way.least_delay_ns, std::max(way.least_delay_ns + 1, way.most_delay_ns));
  if (!socket.coming.empty()) when_ns = std::max(when_ns, socket.coming.back().when_ns);
  socket.coming_bytes += bytes.size();
  socket.coming.push_back({when_ns, std::move(bytes), end, reset});
  schedule_arrival(to);
}

void Network::schedule_arrival(int socket) {
  Socket& to = at(socket);
  if (to.due || to.coming.empty()) return;
  to.due = true;
  scheduler_.at(to.coming.front().when_ns, [this, socket] {
    at(socket).due = false;
    arrive(socket);
  });
}

void Network::arrive(int socket) {
  Socket& to = at(socket);
  if (to.peer >= 0 && parted(to.place, at(to.peer).place)) return;  // heal() goes on with it
  bool news = false;
  while (!to.coming.empty() && to.coming.front().when_ns <= scheduler_.now_ns()) {
    Piece piece = std::move(to.coming.front());
    to.coming.pop_front();
    to.coming_bytes -= piece.bytes.size();
    if (to.owner == nullptr || to.reset) continue;
    to.inbox += piece.bytes;
    to.ended = to.ended || piece.end;
    to.reset = to.reset || piece.reset;
    news = true;
  }
  schedule_arrival(socket);
  if (!news || to.owner == nullptr) return;
  to.owner->on_readable(socket);
  if (at(socket).reset && at(socket).owner != nullptr) at(socket).owner->on_writable(socket);
}

std::expected<size_t, IoStatus> Network::receive(int socket, std::span<char> into) {
  Socket& to = at(socket);
  const size_t count = std::min(into.size(), to.inbox.size() - to.read);
  if (count == 0) {
    if (to.reset) return std::unexpected(IoStatus::kPeerGone);
    if (to.ended || to.shut) return std::unexpected(IoStatus::kEnd);
    return size_t{0};
  }
  std::memcpy(into.data(), to.inbox.data() + to.read, count);
  to.read += count;
  if (to.read == to.inbox.size()) {
    to.inbox.clear();
    to.read = 0;
  }
  give_room(socket);
  return count;
}

bool Network::readable(int socket) const {
  const Socket& to = at(socket);
  return to.read < to.inbox.size() || to.ended || to.reset || to.shut;
}

bool Network::abandoned(int socket) const {
  const int peer = at(socket).peer;
  return peer < 0 || at(peer).owner == nullptr;
}

int Network::peek(int socket) const {
  const Socket& to = at(socket);
  return to.read < to.inbox.size() ? static_cast<unsigned char>(to.inbox[to.read]) : -1;
}

std::string Network::unread(int socket) const {
  const Socket& to = at(socket);
  std::string bytes = to.inbox.substr(to.read);
  for (const Piece& piece : to.coming) bytes += piece.bytes;
  return bytes;
}

void Network::give_room(int socket) {
  Socket& to = at(socket);
  if (!to.wants_room || to.peer < 0) return;
  to.wants_room = false;
  scheduler_.after(random_.between(kNsPerUs, 20 * kNsPerUs), [this, peer = to.peer] {
    if (at(peer).owner != nullptr) at(peer).owner->on_writable(peer);
  });
}

void Network::tell_readable(int socket) {
  scheduler_.after(random_.between(kNsPerUs, 20 * kNsPerUs), [this, socket] {
    if (at(socket).owner == nullptr) return;
    at(socket).owner->on_readable(socket);
    if (at(socket).owner != nullptr) at(socket).owner->on_writable(socket);
  });
}

void Network::shut_down(int socket) {
  Socket& from = at(socket);
  if (from.shut) return;
  from.shut = true;
  if (from.peer >= 0 && !from.reset) push(from.peer, "", true, false);
  tell_readable(socket);
}

// Who closes without having read all that came, breaks the connection: the peer loses what it has
// not read yet.
void Network::close(int socket) {
  Socket& from = at(socket);
  if (from.listener) {
    const auto found = listeners_.find(from.address);
    if (found != listeners_.end() && found->second == socket) listeners_.erase(found);
  } else if (from.peer >= 0 && !from.reset && at(from.peer).owner != nullptr) {
    const bool unread = from.read < from.inbox.size() || !from.coming.empty();
    push(from.peer, "", !unread, unread);
  }
  from.owner = nullptr;
  from.connecting = false;
  from.inbox.clear();
  from.inbox.shrink_to_fit();
  from.read = 0;
  if (from.wants_room) give_room(socket);
}

void Network::heal(int a, int b) {
  parted_.erase(pair_of(a, b));
  for (size_t i = 0; i < sockets_.size(); ++i) {
    const Socket& socket = sockets_[i];
    if (socket.peer < 0 || pair_of(socket.place, at(socket.peer).place) != pair_of(a, b)) continue;
    schedule_arrival(kFirst + static_cast<int>(i));
    // Whose peer has gone meanwhile finds out when what it sent is answered.
    if (socket.owner != nullptr && at(socket.peer).owner == nullptr && !socket.reset) {
      sockets_[i].reset = true;
      tell_readable(kFirst + static_cast<int>(i));
    }
  }
}

void Network::break_both(int socket) {
  for (const int end : {socket, at(socket).peer}) {
    at(end).reset = true;
    at(end).coming.clear();
    at(end).coming_bytes = 0;
    tell_readable(end);
  }
}

void Network::break_connections(int a, int b) {
  for (size_t i = 0; i < sockets_.size(); ++i) {
    const Socket& socket = sockets_[i];
    if (socket.owner == nullptr || socket.peer < 0 || socket.reset || socket.place != a) continue;
    if (at(socket.peer).place != b) continue;
    ++counts_.resets;
    break_both(kFirst + static_cast<int>(i));
  }
}

void Network::crash(int place) {
  for (size_t i = 0; i < sockets_.size(); ++i) {
    const Socket& socket = sockets_[i];
    if (socket.owner != nullptr && socket.place == place) close(kFirst + static_cast<int>(i));
  }
}

}  // namespace toll::sim
