// What travels between a session, the shards and back: questions, owned by the worker that asks.
//
// An Ask is one operation on one key and has its place in its session's queue of replies. A
// Together is a CHECK of several limits: it goes to the store as one, by the owner of its first
// key, or is split into one part per shard it concerns. All go to the owner of a key as letters
// (net/post_office.h); the answer is written into them where they lie.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

#include "daemon/framing.h"
#include "daemon/happening.h"
#include "daemon/limits.h"
#include "engine/limits.h"
#include "engine/shard.h"
#include "engine/store_request.h"
#include "net/spsc_ring.h"

namespace toll::daemon {

class Session;
struct CostRequest;
struct LogRequest;
struct Together;

enum class LetterKind : uint8_t {
  kAsk,            // one operation
  kPart,           // several operations, all or nothing
  kUndo,           // a part that was admitted is given back, because another part was not
  kNote,           // a part of what the store admitted is counted by the shard too
  kWhole,          // a Together for the store, by way of the owner of its first key
  kRepayment,      // the store's own: a charge for what was used without it
  kLease,          // likewise: a slice is asked for, or what is left of one given back
  kCost,           // about an account (daemon/cost_letters.h)
  kJournalCommit,  // to the journal: to be made durable
  kJournalRead,    // to the journal: to be read back
  kLogBatch,       // log records, to worker 0 (daemon/log_letters.h)
  kLogRequest,     // of a consumer of log records, to worker 0
  kSpill,          // log records, to the spill
  kSpillRead,      // ... to be read back
  kConnection      // a new connection for the worker it is sent to
};

struct Letter {
  explicit Letter(LetterKind letter_kind) : kind(letter_kind) {}
  LetterKind kind;
};

// How an answer is put into words.
enum class Form : uint8_t {
  kDecision,   // ALLOW/DENY limit remaining retry reset source
  kTicket,     // ... and the ticket
  kTogether,   // ... and the position
  kRemaining,  // OK remaining
  kPeek,       // OK limit remaining reset source
  kPeekRow,    // the same as a row of a list
  kListHead,   // LIST n: no question, only its place in the queue
  kDone,       // OK
  kThrottle,   // CL.THROTTLE's five integers
  kCost,       // what daemon/cost_requests.cc says
  kPushed,     // LOG PUSH: OK source, or why not
  kLogs,       // what daemon/log_requests.cc says
  kControl     // OK or an error, from the control thread
};

// What became of a log record.
enum class LogFate : uint8_t { kRedis, kSpill, kLocal, kTooMany, kNoDisk };

// An id too long for its Ask.
struct LongId {
  std::array<char, engine::kIdMax> bytes;
  LongId* next = nullptr;
};

// Laid out by who touches what: the other worker reads the first cache line and writes the second;
// the last two are for the store alone.
struct alignas(net::kCacheLineBytes) Ask : Letter {
  Ask() : Letter(LetterKind::kAsk) {}

  static constexpr size_t kShortIdMax = 36;

  Framing framing = Framing::kLine;
  Form form = Form::kDecision;
  uint8_t position = 0;  // kTogether: of the limit described
  bool by_store = false;
  engine::Source source = engine::Source::kLocal;  // who decided
  LogFate fate = LogFate::kLocal;                  // kPushed
  engine::Operation operation;                     // kListHead: `units` is the number of rows
  bool ready = false;
  bool keeps_id = false;                              // `id` is there
  AdminRequest administration = AdminRequest::kNone;  // what is to be told of when it is answered
  uint32_t received_us = 0;  // when its turn began: the lowest bits of the monotonic clock
  Session* session = nullptr;
  Ask* next = nullptr;     // in the session's queue, or in the pool
  engine::Limit throttle;  // kThrottle

  engine::StoreRequest store;   // by_store only
  std::string_view id;          // keeps_id only: in short_id or long_id
  LongId* long_id = nullptr;    // likewise: of the asking worker's pool
  CostRequest* cost = nullptr;  // kCost: of the asking worker's pool
  LogRequest* log = nullptr;    // kLogs: likewise
  uint32_t from = 0;            // the asking worker; the owner's note
  std::array<char, kShortIdMax> short_id;
};
static_assert(offsetof(engine::Operation, answer) == net::kCacheLineBytes - sizeof(uint64_t));
static_assert(sizeof(Ask) == 5 * net::kCacheLineBytes);

// The operations of a CHECK that one shard decides.
struct Part : Letter {
  Part() : Letter(LetterKind::kPart) {}

  Together* together = nullptr;
  uint32_t owner = 0;
  uint8_t count = 0;
  std::array<uint8_t, kChecksMax> index{};  // into Together::operations
  bool admitted = false;
  engine::TimeUs decided_at = 0;
};

struct Together {
  Ask* ask = nullptr;  // the place in the session's queue
  Together* next = nullptr;
  uint8_t operation_count = 0;
  uint8_t part_count = 0;
  uint8_t parts_out = 0;  // not yet answered
  engine::Source source = engine::Source::kLocal;
  std::array<engine::Operation, kChecksMax> operations;
  std::array<Part, kChecksMax> parts;

  bool keeps_ids = false;  // `ids` are there: for the store, or to tell of a refusal

  // For the store only.
  Part whole;
  engine::StoreRequest store;
  uint32_t from = 0;  // the asking worker; the owner's note
  std::array<std::string_view, kChecksMax> ids;
  std::array<std::array<char, engine::kIdMax>, kChecksMax> id_bytes;

  void keep_id(size_t index, std::string_view id) {
    std::memcpy(id_bytes[index].data(), id.data(), id.size());
    ids[index] = {id_bytes[index].data(), id.size()};
  }
};

// A new connection on its way to its worker.
struct Connection : Letter {
  Connection() : Letter(LetterKind::kConnection) {}

  int fd = -1;
  Connection* next = nullptr;
};

// Letters that wait, first in, first out.
template <class T>
struct LetterList {
  T* first = nullptr;
  T* last = nullptr;

  bool empty() const { return first == nullptr; }
  void push(T& item) {
    item.next = nullptr;
    (first == nullptr ? first : last->next) = &item;
    last = &item;
  }
  T* pop() {
    T* item = first;
    if (item != nullptr) first = item->next;
    return item;
  }
};

// Letters of one kind for one worker: grown in slabs up to a bound, then reused for ever.
template <class T>
class LetterPool {
 public:
  explicit LetterPool(size_t most) : most_(most) {}

  size_t room() const { return most_ - in_use_; }

  // REQUIRES: room() > 0. As it was given back: the caller sets what it needs.
  T* take() {
    if (free_ == nullptr) grow();
    T* item = free_;
    free_ = item->next;
    ++in_use_;
    return item;
  }

  void give(T* item) {
    item->next = free_;
    free_ = item;
    --in_use_;
  }

 private:
  static constexpr size_t kSlab = 128;

  void grow() {
    slabs_.push_back(std::make_unique_for_overwrite<std::array<T, kSlab>>());
    for (T& item : *slabs_.back()) {
      item.next = free_;
      free_ = &item;
    }
  }

  size_t most_;
  size_t in_use_ = 0;
  T* free_ = nullptr;
  std::vector<std::unique_ptr<std::array<T, kSlab>>> slabs_;
};

}  // namespace toll::daemon
