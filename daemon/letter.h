// What travels between a session, the shards and back: questions, owned by the worker that asks.
//
// An Ask is one operation on one key and has its place in its session's queue of replies. A
// Together is a CHECK of several limits, split into one part per shard it concerns. Both go to the
// owner of the key as letters (net/post_office.h); the answer is written into them where they lie.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "daemon/framing.h"
#include "daemon/limits.h"
#include "engine/shard.h"
#include "net/spsc_ring.h"

namespace toll::daemon {

class Session;
struct Together;

enum class LetterKind : uint8_t {
  kAsk,        // one operation
  kPart,       // several operations, all or nothing
  kUndo,       // a part that was admitted is given back, because another part was not
  kConnection  // a new connection for the worker it is sent to
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
  kControl     // OK or an error, from the control thread
};

// Laid out by who touches what: the other worker reads the first cache line and writes the second.
struct alignas(net::kCacheLineBytes) Ask : Letter {
  Ask() : Letter(LetterKind::kAsk) {}

  Framing framing = Framing::kLine;
  Form form = Form::kDecision;
  uint8_t position = 0;         // kTogether: of the limit described
  engine::Operation operation;  // kListHead: `units` is the number of rows
  bool ready = false;
  Session* session = nullptr;
  Ask* next = nullptr;     // in the session's queue, or in the pool
  engine::Limit throttle;  // kThrottle
};
static_assert(offsetof(engine::Operation, answer) == net::kCacheLineBytes - sizeof(uint64_t));
static_assert(sizeof(Ask) == 3 * net::kCacheLineBytes);

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
  std::array<engine::Operation, kChecksMax> operations;
  std::array<Part, kChecksMax> parts;
};

// A new connection on its way to its worker.
struct Connection : Letter {
  Connection() : Letter(LetterKind::kConnection) {}

  int fd = -1;
  Connection* next = nullptr;
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
    slabs_.push_back(std::make_unique<std::array<T, kSlab>>());
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
