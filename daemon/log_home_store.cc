// Taking log records with Redis: the calls, and what becomes of records on their way.
#include <algorithm>
#include <spdlog/spdlog.h>
#include <utility>

#include "daemon/log_home.h"
#include "daemon/report.h"
#include "daemon/store.h"
#include "daemon/store_link.h"
#include "daemon/worker.h"
#include "engine/flaws.h"

namespace toll::daemon {
namespace {

using Kind = net::RedisReply::Kind;

// What one call takes at most.
constexpr size_t kCallBytesMax = size_t{1} << 20;
constexpr size_t kCallRecordsMax = 1000;
// A call takes as many as there were last, and some more: others push too.
constexpr size_t kBeyondLength = 16;
// How long the connection of those who wait blocks at a time.
constexpr int64_t kBlockNs = 1'000'000'000;
constexpr std::string_view kBlockSeconds = "1";

}  // namespace

void LogHome::say(std::string_view problem) {
  worker_.counters().logs_errors.add();
  retry_ns_ = worker_.turn_ns() + kStoreRetryNs;
  if (said_ns_ != 0 && worker_.turn_ns() - said_ns_ < kSayEveryNs) return;
  said_ns_ = worker_.turn_ns();
  spdlog::warn("redis answered a call about log records with an error: {}", problem);
}

void LogHome::link_ready() {
  retry_ns_ = 0;
  orphans_ns_ = 0;
}

void LogHome::link_away() {
  finish_all(pops_, LogResult::kNoStore);
  finish_all(questions_, LogResult::kNoStore);
}

// ---- POP, and WAIT while there are records ----

LogHome::Take* LogHome::free_take() {
  const auto free = std::find_if(takes_.begin(), takes_.end(),
                                 [](const Take& take) { return take.state == TakeState::kFree; });
  return free == takes_.end() ? nullptr : &*free;
}

void LogHome::name(Take& take) {
  take.key = keys_->taken + std::to_string(named_++);
}

void LogHome::pop() {
  if (pops_.empty() || pop_take_ != nullptr) return;
  pop_take_ = free_take();
  if (pop_take_ == nullptr) return answer_begun();
  const size_t room = std::clamp(kCallBytesMax / std::max<size_t>(record_bytes_, 1), size_t{1},
                                 std::min<size_t>(length_ + kBeyondLength, kCallRecordsMax));
  pop_asked_ = 0;
  while (!pops_.empty() && pop_asked_ < room) {
    LogRequest& request = *pops_.pop();
    pop_asked_ += request.wanted - request.records.count();
    popping_.push(request);
  }
  pop_asked_ = std::min(pop_asked_, room);
  pop_take_->state = TakeState::kTaking;
  link_->begin(pop_call_, 1);
  link_->word("MULTI");
  link_->also(3);
  link_->word("SADD");
  link_->word(keys_->takers);
  link_->word(pop_take_->key);
  for (size_t i = 0; i < pop_asked_; ++i) {
    link_->also(5);
    link_->word("LMOVE");
    link_->word(keys_->queue);
    link_->word(pop_take_->key);
    link_->word("LEFT");
    link_->word("RIGHT");
  }
  link_->also(2);
  link_->word("LLEN");
  link_->word(keys_->queue);
  link_->also(1);
  link_->word("EXEC");
  link_->end(worker_.turn_ns());
  link_->flush();
  worker_.counters().logs_calls.add();
}

// There is no list for more until a reply is delivered. Who has something gets that, for the lists
// may all be theirs. The others wait no longer than they should: what was delivered to them later
// may be what those replies wait for, or their clients do not read.
void LogHome::answer_begun() {
  const int64_t now_ns = worker_.turn_ns();
  LogRequests kept;
  while (LogRequest* request = pops_.pop()) {
    if (!request->records.empty()) {
      finish(*request);
    } else if (request->deadline_ns <= now_ns) {
      finish(*request, LogResult::kBusy);
    } else {
      first_wait_ns_ = std::min(first_wait_ns_, request->deadline_ns);
      kept.push(*request);
    }
  }
  pops_ = kept;
}

void LogHome::popped(const net::RedisReply& reply) {
  Take& take = *std::exchange(pop_take_, nullptr);
  const size_t asked = pop_asked_;
  const bool good = reply.kind == Kind::kArray && reply.count == asked + 2 &&
                    reply.elements[1].kind != Kind::kError;
  if (!good) {
    take.state = TakeState::kUnsure;
    finish_all(popping_, LogResult::kNoStore);
    return say(reply.kind == Kind::kArray && reply.count > 1 ? reply.elements[1].text : reply.text);
  }
  std::span<const net::RedisReply> records = reply.array().subspan(1, asked);
  size_t count = 0;
  size_t bytes = 0;
  while (count < asked && records[count].kind == Kind::kString) {
    bytes += records[count].text.size();
    ++count;
  }
  const net::RedisReply& length = reply.elements[asked + 1];
  length_ = length.kind == Kind::kInteger ? static_cast<uint64_t>(length.integer) : 0;
  if (count > 0) record_bytes_ = bytes / count + 1;
  take.state = TakeState::kHeld;
  take.owed = 1;  // this call's own, until all are dealt
  const auto bit = static_cast<uint32_t>(1U << (&take - takes_.data()));
  size_t next = 0;
  LogRequests again;
  while (LogRequest* request = popping_.pop()) {
    const size_t before = next;
    while (next < count && request->records.count() < request->wanted) {
      request->records.add(records[next++].text);
    }
    if (next > before) {
      request->takes |= bit;
      ++take.owed;
    }
    const bool more = request->records.count() < request->wanted && length_ > 0 &&
                      request->records.bytes() < kCallBytesMax;
    if (more) {
      again.push(*request);
    } else if (!request->records.empty() || request->kind == LogRequestKind::kPop ||
               request->deadline_ns <= worker_.turn_ns()) {
      finish(*request);
    } else {
      let_wait(*request);
    }
  }
  // Those who did not get all they wanted come first again.
  while (LogRequest* request = pops_.pop()) again.push(*request);
  pops_ = again;
  const bool too_soon = engine::flawed(engine::Flaw::kRemovesTaken);
  if (--take.owed == 0 || too_soon) take.delivered = true;
}

void LogHome::pop_lost() {
  const bool forgets = engine::flawed(engine::Flaw::kForgetsLostTake);
  pop_take_->doubtful = true;
  std::exchange(pop_take_, nullptr)->state = forgets ? TakeState::kFree : TakeState::kUnsure;
  worker_.counters().logs_lost.add();
  // Whoever has something already keeps it; the rest comes again.
  while (LogRequest* request = popping_.pop()) {
    finish(*request, request->records.empty() ? LogResult::kNoStore : LogResult::kDone);
  }
}

// ---- PEEK, SIZE, CLEAR, STATS ----

void LogHome::question() {
  if (questioning_ != nullptr || questions_.empty()) return;
  questioning_ = questions_.pop();
  switch (questioning_->kind) {
    case LogRequestKind::kPeek: {
      const size_t room = std::max<size_t>(kCallBytesMax / std::max<size_t>(record_bytes_, 1), 1);
      const size_t count = std::min({questioning_->wanted, room, kCallRecordsMax});
      link_->begin(question_call_, 4);
      link_->word("LRANGE");
      link_->word(keys_->queue);
      link_->word(int64_t{0});
      link_->word(static_cast<int64_t>(count) - 1);
      break;
    }
    case LogRequestKind::kClear:
      link_->begin(question_call_, 1);
      link_->word("MULTI");
      link_->also(2);
      link_->word("LLEN");
      link_->word(keys_->queue);
      link_->also(2);
      link_->word("DEL");
      link_->word(keys_->queue);
      link_->also(1);
      link_->word("EXEC");
      break;
    default:
      link_->begin(question_call_, 2);
      link_->word("LLEN");
      link_->word(keys_->queue);
      break;
  }
  link_->end(worker_.turn_ns());
  link_->flush();
}

void LogHome::questioned(const net::RedisReply& reply) {
  LogRequest& request = *std::exchange(questioning_, nullptr);
  const net::RedisReply* length = &reply;
  if (request.kind == LogRequestKind::kClear && reply.kind == Kind::kArray && reply.count == 2) {
    length = &reply.elements[0];
  }
  const Kind wanted = request.kind == LogRequestKind::kPeek ? Kind::kArray : Kind::kInteger;
  if (length->kind != wanted) {
    finish(request, LogResult::kNoStore);
    return say(length->text);
  }
  if (request.kind == LogRequestKind::kPeek) {
    for (const net::RedisReply& record : reply.array()) request.records.add(record.text);
    return finish(request);
  }
  request.number = static_cast<uint64_t>(length->integer);
  if (request.kind == LogRequestKind::kClear) {
    worker_.counters().logs_dropped.add(request.number);
    return finish(request);
  }
  request.number += logs_in_spill(worker_.process());
  if (const auto oldest = drain_->oldest()) {
    request.oldest_ms = std::max<int64_t>(0, (worker_.now() - *oldest) / 1'000);
  }
  finish(request);
}

void LogHome::question_lost() {
  finish(*std::exchange(questioning_, nullptr), LogResult::kNoStore);
}

// ---- WAIT ----

void LogHome::on_ready() {}

void LogHome::on_away(std::string_view, bool) {}

void LogHome::block() {
  if (waiters_.empty() || blocking_) return;
  if (wait_link_ == nullptr) {
    const Process& process = worker_.process();
    net::RedisLinkSettings settings =
        link_settings(process.redis, process.redis_address, "tollkeeper-wait");
    settings.database = process.redis.database;
    settings.call_timeout_ns += kBlockNs;
    wait_link_ =
        std::make_unique<net::RedisLink>(worker_.loop(), worker_.chunks(), std::move(settings),
                                         *this, worker_.process().machine.random_bits());
    wait_link_->start(worker_.turn_ns());
    wait_link_->tick(worker_.turn_ns());
  }
  if (!wait_link_->ready()) return;
  block_take_ = free_take();
  if (block_take_ == nullptr) return;
  blocking_ = true;
  block_take_->state = TakeState::kTaking;
  wait_link_->begin(block_call_, 3);
  wait_link_->word("SADD");
  wait_link_->word(keys_->takers);
  wait_link_->word(block_take_->key);
  wait_link_->also(6);
  wait_link_->word("BLMOVE");
  wait_link_->word(keys_->queue);
  wait_link_->word(block_take_->key);
  wait_link_->word("LEFT");
  wait_link_->word("RIGHT");
  wait_link_->word(kBlockSeconds);
  wait_link_->end(worker_.turn_ns());
  wait_link_->flush();
}

// One record has come: it is the first waiter's, and the others ask whether there are more.
void LogHome::blocked(const net::RedisReply& reply) {
  blocking_ = false;
  Take& take = *std::exchange(block_take_, nullptr);
  if (reply.kind != Kind::kString) {
    take.state = reply.kind == Kind::kNil ? TakeState::kFree : TakeState::kUnsure;
    if (reply.kind == Kind::kError) say(reply.text);
    return;
  }
  LogRequest* const waiter = next_waiter();
  if (waiter == nullptr) {
    take.state = TakeState::kUnsure;
    return;
  }
  LogRequest& first = *waiter;
  first.records.add(reply.text);
  first.takes |= static_cast<uint32_t>(1U << (&take - takes_.data()));
  take.state = TakeState::kHeld;
  take.owed = 1;
  LogRequests all;
  if (first.wanted == 1) {
    finish(first);
  } else {
    all.push(first);
  }
  while (LogRequest* request = next_waiter()) all.push(*request);
  while (LogRequest* request = pops_.pop()) all.push(*request);
  pops_ = all;
}

void LogHome::block_lost() {
  blocking_ = false;
  block_take_->doubtful = true;
  std::exchange(block_take_, nullptr)->state = TakeState::kUnsure;
}

// ---- records on their way ----

void LogHome::settle_takes() {
  for (Take& take : takes_) {
    if (take.state == TakeState::kUnsure) give_back(take);
    if (take.state == TakeState::kHeld && take.delivered) remove(take);
  }
}

void LogHome::give_back(Take& take) {
  take.state = TakeState::kReturning;
  take.after_loss = TakeState::kUnsure;
  send_return(take, take.key, !take.doubtful);
}

void LogHome::remove(Take& take) {
  take.state = TakeState::kReturning;
  take.after_loss = TakeState::kHeld;  // and still delivered: it is removed again
  link_->begin(take, 2);
  link_->word("DEL");
  link_->word(take.key);
  link_->end(worker_.turn_ns());
  link_->flush();
}

void LogHome::settled(Take& take, const net::RedisReply& reply) {
  if (reply.kind == Kind::kError) {
    take.state = take.after_loss;
    if (net::error_kind(reply.text) == net::RedisErrorKind::kNoScript) {
      return link_->load_scripts(worker_.turn_ns());
    }
    return say(reply.text);
  }
  take.state = TakeState::kFree;
  take.delivered = false;
  if (!std::exchange(take.doubtful, false)) return;
  retired_.emplace(take.key, worker_.turn_ns());
  name(take);
}

// What a client did not get, as the oldest again.
void LogHome::give_back_next() {
  if (returning_ != nullptr || returned_.empty()) return;
  returning_ = returned_.pop();
  const engine::LogBlock& records = returning_->records;
  link_->begin(give_back_call_, 2 + records.count());
  link_->word("LPUSH");
  link_->word(keys_->queue);
  for (size_t i = records.count(); i > 0; --i) link_->word(records.at(i - 1));
  link_->end(worker_.turn_ns());
  link_->flush();
}

void LogHome::gave_back(const net::RedisReply& reply) {
  LogRequest& request = *std::exchange(returning_, nullptr);
  if (reply.kind == Kind::kError) {
    returned_.push(request);
    return say(reply.text);
  }
  request.records.clear();
  settle(request);
}

// Perhaps they are there: then they come twice, and are not lost.
void LogHome::give_back_lost() {
  returned_.push(*std::exchange(returning_, nullptr));
}

}  // namespace toll::daemon
