#include "daemon/worker.h"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <unistd.h>
#include <utility>

#include "daemon/acceptor.h"
#include "daemon/costs.h"
#include "daemon/fleet.h"
#include "daemon/json_check.h"
#include "daemon/log_home.h"
#include "daemon/log_spill.h"
#include "daemon/logs.h"
#include "daemon/session.h"
#include "daemon/store.h"
#include "daemon/treasury.h"

namespace toll::daemon {
namespace {

constexpr int64_t kNsPerMs = 1'000'000;
constexpr int64_t kTickNs = 1'000 * kNsPerMs;
constexpr int64_t kDrainTurnNs = 5 * kNsPerMs;
constexpr int64_t kForeverNs = -1;

// Waking a worker costs more than deciding a hundred requests. While there is more to do, what is
// for a sleeper collects for so long, so that one ring serves more.
constexpr int64_t kRingWithinNs = 20'000;

// A turn that takes longer has kept everybody else waiting who came meanwhile.
constexpr int64_t kLongTurnNs = 10 * kNsPerMs;

// What is hot is what was hot in about the last so many seconds.
constexpr uint32_t kHotAgeTicks = 8;

constexpr size_t kSweepKeysPerTick = 8192;  // well under a millisecond

}  // namespace

Worker::Worker(Process& process, uint32_t index)
    : process_(process),
      index_(index),
      counters_(*process.counters[index]),
      happenings_(*process.happenings[index]) {}

Worker::~Worker() = default;

std::expected<void, std::string> Worker::open(std::shared_ptr<const engine::PolicyTable> table) {
  auto loop = process_.machine.make_loop();
  if (!loop) return std::unexpected(std::move(loop.error()));
  loop_ = std::move(*loop);
  shard_ = std::make_unique<engine::Shard>(engine::Shard::Settings{
      .memory_bytes = process_.server.memory_bytes / process_.workers_count});
  if (process_.redis.enabled) {
    store_ = std::make_unique<Store>(*this, process_.redis, process_.machine.random_bits());
    if (index_ == 0) {
      fleet_ = std::make_unique<Fleet>(*this, process_.redis, process_.node,
                                       process_.machine.random_bits());
    }
  }
  if (process_.treasury != nullptr) {
    costs_ = std::make_unique<Costs>(*this, *process_.treasury,
                                     store_ == nullptr ? nullptr : &store_->first_link());
  }
  if (process_.spill != nullptr) {
    net::RedisLink* const link = store_ == nullptr ? nullptr : &store_->first_link();
    logs_ = std::make_unique<Logs>(*this, *process_.spill, link);
    if (index_ == 0) log_home_ = std::make_unique<LogHome>(*this, *process_.spill, link);
    json_ = std::make_unique<JsonChecker>(static_cast<size_t>(process_.logs.record_bytes_max));
  }
  adopt(std::move(table));
  ticket_salt_ = process_.machine.random_bits();
  counters_.hot_keys.seed(ticket_salt_);
  next_tick_ns_ = process_.machine.monotonic_ns() + kTickNs;
  process_.post.open(index_, loop_->doorbell());
  return {};
}

void Worker::listen(int listener) {
  acceptor_ = std::make_unique<Acceptor>(*this, listener);
}

void Worker::run() {
  start();
  while (!ended_) {
    if (const auto timeout_ns = turn()) wait(*timeout_ns);
  }
}

void Worker::start() {
  if (acceptor_ != nullptr) acceptor_->start();
  if (store_ != nullptr) store_->start();
  if (fleet_ != nullptr) fleet_->start();
}

std::optional<int64_t> Worker::turn() {
  if (!running_ && part_by_ns_ == 0) begin_to_part();
  turn_ns();  // the turn has begun, if no handler's work was its beginning
  collect_mail();
  run_tasks();
  for (Session* session : waiting_for_room_) touch(*session);
  waiting_for_room_.clear();
  if (draining_ || !running_) {
    for (const auto& session : sessions_) touch(*session);
  }
  decide_batch();
  if (store_ != nullptr) {
    store_->pump();
    if (fleet_ != nullptr && running_) fleet_->pump(turn_ns());
    decide_batch();  // what the store could not answer
  }
  if (costs_ != nullptr) costs_->pump();
  if (logs_ != nullptr) logs_->pump();
  if (log_home_ != nullptr) log_home_->pump();
  turn_ns_ = process_.machine.monotonic_ns();  // what is answered has taken until now
  if (watchers_.pending()) watchers_.tell();
  settle_sessions();
  if (turn_ns_ >= next_tick_ns_) tick();
  publish_counters();
  happenings_.publish();
  const bool owed = process_.post.owes_rings(index_);
  process_.post.deliver(index_);
  const int64_t end_ns = process_.machine.monotonic_ns();
  if (!owed && process_.post.owes_rings(index_)) ring_by_ns_ = end_ns + kRingWithinNs;
  count_turn(end_ns);
  ended_ = parted();
  if (ended_) return std::nullopt;
  return prepare_to_sleep(end_ns);
}

void Worker::count_turn(int64_t end_ns) {
  counters_.turn_since_ns.set(0);
  const int64_t took_ns = end_ns - turn_began_ns_;
  if (took_ns < kLongTurnNs) return;
  counters_.long_turns.add();
  counters_.long_turns_us.add(static_cast<uint64_t>(took_ns / 1'000));
}

// Those for whom there is mail are woken first, after one more look for events. Only a worker that
// finds nothing more to do rings at once; a busy one lets what is for them collect.
std::optional<int64_t> Worker::prepare_to_sleep(int64_t now_ns) {
  const int64_t timeout_ns = sleep_ns(now_ns);
  bool more_to_do = timeout_ns == 0;
  if (process_.post.owes_rings(index_)) {
    if (!more_to_do) {
      const uint64_t events = loop_->stats().events;
      run_loop(0);
      more_to_do = loop_->stats().events != events || process_.post.has_mail(index_);
    }
    if (!more_to_do || process_.machine.monotonic_ns() >= ring_by_ns_) {
      counters_.doorbells.add(process_.post.ring(index_));
    }
    if (more_to_do && timeout_ns != 0) return std::nullopt;
  }
  if (timeout_ns != 0 && (!process_.post.may_sleep(index_) || tasks_pending_.load())) return 0;
  return timeout_ns;
}

// The turn's one entry into the kernel; one more if others had to be woken.
void Worker::wait(int64_t timeout_ns) {
  run_loop(timeout_ns);
  process_.post.awake(index_);
}

// The handlers run at a time of their own: that of before the sleep is long past.
void Worker::run_loop(int64_t timeout_ns) {
  now_us_ = 0;
  turn_ns_ = 0;
  loop_->run_once(timeout_ns);
}

engine::TimeUs Worker::now() {
  if (now_us_ == 0) now_us_ = process_.clock.now_us();
  return now_us_;
}

int64_t Worker::turn_ns() {
  if (turn_ns_ == 0) {
    turn_ns_ = turn_began_ns_ = process_.machine.monotonic_ns();
    counters_.turn_since_ns.set(static_cast<uint64_t>(turn_began_ns_));
  }
  return turn_ns_;
}

int64_t Worker::sleep_ns(int64_t now_ns) const {
  if (batch_size_ > 0 || !touched_.empty() || !waiting_for_room_.empty()) return 0;
  if (watchers_.pending()) return 0;
  if (!running_) return kNsPerMs;
  if (draining_) return kDrainTurnNs;
  // Nothing to look after: no reason to wake before something comes.
  const bool idle = counters_.keys.get() == 0 && counters_.requests.get() == requests_at_tick_;
  int64_t due_ns = idle ? INT64_MAX : next_tick_ns_;
  if (store_ != nullptr) due_ns = std::min(due_ns, store_->next_due_ns());
  if (fleet_ != nullptr) due_ns = std::min(due_ns, fleet_->next_due_ns());
  if (costs_ != nullptr) due_ns = std::min(due_ns, costs_->next_due_ns());
  if (logs_ != nullptr) due_ns = std::min(due_ns, logs_->next_due_ns());
  if (log_home_ != nullptr) due_ns = std::min(due_ns, log_home_->next_due_ns());
  if (due_ns == INT64_MAX) return kForeverNs;
  return std::max<int64_t>(due_ns - now_ns, 0);
}

void Worker::tick() {
  next_tick_ns_ = process_.machine.monotonic_ns() + kTickNs;
  requests_at_tick_ = counters_.requests.get();
  if (++ticks_ % kHotAgeTicks == 0) counters_.hot_keys.age();
  if (index_ == 0) {
    process_.clock.adjust();
    now_us_ = 0;
  }
  shard_->sweep(now(), kSweepKeysPerTick);
}

void Worker::adopt(std::shared_ptr<const engine::PolicyTable> table) {
  decide_batch();
  counters_.decisions.cover(table->policies().size());
  shard_->adopt(table, hosts_);
  if (store_ != nullptr) store_->adopt(table);
  policies_ = std::move(table);
}

void Worker::share_with(uint32_t hosts) {
  if (hosts == hosts_) return;
  decide_batch();
  hosts_ = hosts;
  shard_->adopt(policies_, hosts_);
  if (store_ != nullptr) store_->share_with(hosts_);
}

void Worker::set_redis(const net::RedisAddress& address, const std::string& password) {
  store_->set_address(address);
  store_->set_password(password);
  if (log_home_ != nullptr) {
    log_home_->set_address(address);
    log_home_->set_password(password);
  }
  if (fleet_ == nullptr) return;
  fleet_->set_address(address);
  fleet_->set_password(password);
}

void Worker::for_all_workers(const std::function<void(Worker&)>& task) {
  for (Worker* worker : process_.workers) worker->post(task);
}

// ---- questions ----

bool Worker::has_room() const {
  if (asks_.room() < kWordsMax) return false;
  for (uint32_t other = 0; other < process_.workers_count; ++other) {
    const bool own = other == index_;
    if (!own && process_.post.room(index_, other) < kWordsMax + kOwnLettersMax) return false;
  }
  return true;
}

Ask* Worker::new_ask(Session& session, Framing framing, Form form) {
  Ask* ask = asks_.take();
  ask->operation = engine::Operation{};
  ask->session = &session;
  ask->next = nullptr;
  ask->framing = framing;
  ask->form = form;
  ask->ready = false;
  ask->by_store = false;
  ask->keeps_id = false;
  ask->administration = AdminRequest::kNone;
  ask->cost = nullptr;
  ask->log = nullptr;
  ask->source = engine::Source::kLocal;
  ask->received_us = turn_us();
  return ask;
}

void Worker::release(Ask* ask) {
  if (ask->keeps_id && ask->long_id != nullptr) long_ids_.give(ask->long_id);
  if (ask->cost != nullptr) costs_pool_.give(ask->cost);
  if (ask->log != nullptr) release(*ask->log);
  asks_.give(ask);
}

bool Worker::by_store(const engine::Policy* policy) const {
  return store_ != nullptr && (policy == nullptr || policy->spec.mode != engine::Mode::kLocal);
}

bool Worker::same_lane(const engine::KeyHash& a, const engine::KeyHash& b) const {
  return a.owner(process_.workers_count) == b.owner(process_.workers_count) &&
         store_->lane_of(a) == store_->lane_of(b);
}

void Worker::send_by_store(Ask& ask, std::string_view id, int64_t deadline_us) {
  ask.by_store = true;
  keep_id(ask, id);
  ask.store.deadline_ns = turn_ns() + deadline_us * 1'000;
}

void Worker::keep_id(Ask& ask, std::string_view id) {
  ask.keeps_id = true;
  ask.long_id = id.size() <= Ask::kShortIdMax ? nullptr : long_ids_.take();
  char* bytes = ask.long_id == nullptr ? ask.short_id.data() : ask.long_id->bytes.data();
  std::memcpy(bytes, id.data(), id.size());
  ask.id = {bytes, id.size()};
}

void Worker::ask(Ask* ask) {
  const uint32_t owner = ask->operation.key.owner(process_.workers_count);
  if (owner != index_) {
    counters_.forwarded.add();
    process_.post.send(index_, owner, ask);
    return;
  }
  if (ask->by_store) {
    ask->from = index_;
    return store_->ask(*ask);
  }
  collect(*ask, index_);
}

void Worker::collect(Ask& ask, uint32_t from) {
  if (batch_size_ == kBatchMax) decide_batch();
  batch_[batch_size_] = {&ask, from};
  ++batch_size_;
}

void Worker::decide_here(Ask& ask) {
  collect(ask, ask.from);
}

void Worker::answer(Ask& ask) {
  if (ask.from == index_) {
    ask.session->answered(ask);
  } else {
    process_.post.reply(index_, ask.from, &ask);
  }
}

void Worker::decide_for_store(std::span<engine::Operation> notes) {
  if (!notes.empty()) shard_->decide(notes, now());
}

void Worker::decide_batch() {
  if (batch_size_ == 0) return;
  const size_t size = std::exchange(batch_size_, 0);
  for (size_t i = 0; i < size; ++i) operations_[i] = &batch_[i].ask->operation;
  shard_->decide(std::span<engine::Operation* const>(operations_.data(), size), now());
  for (size_t i = 0; i < size; ++i) {
    const Collected& collected = batch_[i];
    if (collected.ask->by_store) store_->decided_here(*collected.ask);
    if (collected.from == index_) {
      collected.ask->session->answered(*collected.ask);
    } else {
      process_.post.reply(index_, collected.from, collected.ask);
    }
  }
}

uint64_t Worker::new_ticket() {
  uint64_t ticket = 0;
  while (ticket == 0) {
    // The same hash that keys go through: unique per counter in practice, and not to be guessed.
    const uint64_t number[2] = {ticket_salt_, ++tickets_};
    ticket = process_
                 .hasher(engine::kThrottlePolicy,
                         {reinterpret_cast<const char*>(number), sizeof(number)})
                 .rest;
  }
  return ticket;
}

// ---- sessions ----

void Worker::add_session(int fd) {
  counters_.connections_opened.add();
  // Unique over the workers: they take turns.
  const uint64_t id = counters_.connections_opened.get() * process_.workers_count + index_;
  auto session = std::make_unique<Session>(*this, fd, id);
  session->slot = sessions_.size();
  session->start();
  if (draining_) touch(*session);
  sessions_.push_back(std::move(session));
}

bool Worker::hand_over(int fd, uint32_t target) {
  if (target == index_) {
    add_session(fd);
    return true;
  }
  if (connections_.room() == 0 || process_.post.room(index_, target) == 0) return false;
  Connection* connection = connections_.take();
  connection->fd = fd;
  process_.post.send(index_, target, connection);
  return true;
}

void Worker::touch(Session& session) {
  if (session.touched) return;
  session.touched = true;
  touched_.push_back(&session);
}

void Worker::settle_sessions() {
  settling_.swap(touched_);
  for (Session* session : settling_) {
    session->touched = false;
    if (session->settle()) remove(*session);
  }
  settling_.clear();
}

void Worker::remove(Session& session) {
  counters_.connections_closed.add();
  std::erase(waiting_for_room_, &session);
  std::erase(touched_, &session);
  const size_t slot = session.slot;
  std::swap(sessions_[slot], sessions_.back());
  sessions_[slot]->slot = slot;
  sessions_.pop_back();
}

void Worker::publish_counters() {
  const engine::ShardStats& shard = shard_->stats();
  counters_.keys.set(shard.keys);
  counters_.key_bytes.set(shard.bytes);
  counters_.key_slots.set(shard.slots);
  counters_.expired.set(shard.expired);
  counters_.evicted.set(shard.evicted);
  counters_.full.set(shard.full);
  const net::LoopStats& loop = loop_->stats();
  counters_.turns.set(loop.turns);
  counters_.starved.set(loop.starved);
  counters_.overflows.set(loop.overflows);
}

}  // namespace toll::daemon
