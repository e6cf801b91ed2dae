#include "tests/sim/redis_node.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

namespace toll::sim {
namespace {

constexpr size_t kNodeReadMost = 16'384;
// What a command costs Redis' core, about.
constexpr int64_t kServiceLeastNs = 5 * kNsPerUs;
constexpr int64_t kServicePerByteNs = 20;

constexpr size_t kSnapshots = 4;

}  // namespace

RedisNode::RedisNode(Scheduler& scheduler, Network& network, History& history, Random random,
                     int place, std::string address, int64_t epoch_us)
    : scheduler_(scheduler),
      network_(network),
      history_(history),
      random_(random),
      place_(place),
      address_(std::move(address)),
      clock_us_(epoch_us) {
  listener_ = network_.listen(address_, place_, *this);
  remember();
}

void RedisNode::remember() {
  snapshots_.push_back(server_.snapshot());
  if (snapshots_.size() > kSnapshots) snapshots_.pop_front();
  scheduler_.after(kNsPerS, [this] { remember(); });
}

// ---- clients ----

void RedisNode::on_accepted(int, int socket) {
  sessions_[socket] = {};
  server_.connected(static_cast<uint64_t>(socket));
  on_readable(socket);
}

void RedisNode::on_readable(int socket) {
  const auto found = sessions_.find(socket);
  if (found == sessions_.end() || found->second.waiting) return;
  found->second.waiting = true;
  in_line_.push_back(socket);
  serve_soon();
}

void RedisNode::serve_soon() {
  if (serving_ || in_line_.empty()) return;
  serving_ = true;
  scheduler_.at(std::max(scheduler_.now_ns() + kServiceLeastNs, free_at_ns_), [this] {
    serving_ = false;
    if (free_at_ns_ <= scheduler_.now_ns()) serve();
    serve_soon();
  });
}

void RedisNode::serve() {
  while (!in_line_.empty()) {
    const int socket = in_line_.front();
    in_line_.pop_front();
    const auto found = sessions_.find(socket);
    if (found == sessions_.end()) continue;
    found->second.waiting = false;
    std::array<char, kNodeReadMost> bytes;
    const auto got = network_.receive(socket, bytes);
    if (!got) {
      drop(socket);
      continue;
    }
    if (*got == 0) continue;
    free_at_ns_ =
        scheduler_.now_ns() + kServiceLeastNs + static_cast<int64_t>(*got) * kServicePerByteNs;
    if (network_.abandoned(socket)) heard_late_ns_ = scheduler_.now_ns();
    server_.received(static_cast<uint64_t>(socket), {bytes.data(), *got}, now_us());
    pass_in_time();
    if (network_.readable(socket)) on_readable(socket);
    return;
  }
}

// What waits ends in time, by Redis' own clock, and not while it stalls.
void RedisNode::pass_in_time() {
  const int64_t due_us = server_.next_due_us();
  if (due_us == INT64_MAX || passing_) return;
  passing_ = true;
  const int64_t left_ns = std::max<int64_t>(due_us - now_us(), 0) * kNsPerUs;
  scheduler_.at(std::max(scheduler_.now_ns() + left_ns, free_at_ns_), [this] {
    passing_ = false;
    if (free_at_ns_ <= scheduler_.now_ns()) server_.pass(now_us());
    pass_in_time();
  });
}

void RedisNode::to_client(uint64_t session, std::string_view bytes) {
  const int socket = static_cast<int>(session);
  const auto found = sessions_.find(socket);
  if (found == sessions_.end() || found->second.ending) return;
  found->second.output += bytes;
  send(socket);
}

void RedisNode::end_client(uint64_t session) {
  const int socket = static_cast<int>(session);
  const auto found = sessions_.find(socket);
  if (found == sessions_.end()) return;
  found->second.ending = true;
  // Not from in here: the server is in the midst of it.
  scheduler_.after(0, [this, socket] { send(socket); });
}

void RedisNode::on_writable(int socket) {
  send(socket);
}

void RedisNode::send(int socket) {
  const auto found = sessions_.find(socket);
  if (found == sessions_.end()) return;
  Session& session = found->second;
  while (!session.output.empty()) {
    const auto sent = network_.send(socket, session.output);
    if (!sent) {
      session.output.clear();
      break;
    }
    if (*sent == 0) return;
    session.output.erase(0, *sent);
  }
  if (session.ending) drop(socket);
}

void RedisNode::drop(int socket) {
  sessions_.erase(socket);
  server_.disconnected(static_cast<uint64_t>(socket));
  network_.close(socket);
}

// ---- what can befall it ----

bool RedisNode::come_back(int64_t for_ns, Memory memory, const std::string& address) {
  if (listener_ < 0) return false;
  static constexpr const char* kMemories[] = {"its memory kept", "an old memory", "nothing"};
  history_.tell("Redis is killed, to be back at {} after {} ms with {}", address, for_ns / kNsPerMs,
                kMemories[static_cast<size_t>(memory)]);
  address_ = address;
  network_.crash(place_);
  listener_ = -1;
  sessions_.clear();
  in_line_.clear();
  Snapshot keys = memory == Memory::kKept ? server_.snapshot() : Snapshot{};
  if (memory == Memory::kOld) keys = snapshots_[random_.below(snapshots_.size())];
  if (memory != Memory::kKept) {
    break_off();
    forgot_ns_ = scheduler_.now_ns();
  }
  server_.restart(keys);
  scheduler_.after(for_ns, [this] {
    listener_ = network_.listen(address_, place_, *this);
    history_.tell("Redis is back");
  });
  return true;
}

void RedisNode::stall(int64_t for_ns) {
  history_.tell("Redis stalls for {} ms", for_ns / kNsPerMs);
  free_at_ns_ = std::max(free_at_ns_, scheduler_.now_ns() + for_ns);
}

void RedisNode::trouble(Trouble trouble, int64_t for_ns) {
  history_.tell("Redis is in trouble {} for {} ms", static_cast<int>(trouble), for_ns / kNsPerMs);
  server_.set_trouble(trouble);
  const uint64_t number = ++troubles_;
  scheduler_.after(for_ns, [this, number] {
    if (number != troubles_) return;
    server_.set_trouble(Trouble::kNone);
    history_.tell("Redis is out of trouble");
  });
}

}  // namespace toll::sim
