// What travels for costs: requests, from a session to the worker that owns the account and back,
// and what the owners send to the journal.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/letter.h"
#include "engine/cost_call.h"
#include "engine/journal_record.h"
#include "engine/ledger.h"
#include "engine/money.h"
#include "net/file_system.h"

namespace toll::daemon {

enum class CostRequestKind : uint8_t {
  kAdd,
  kGet,
  kCheck,
  kHold,
  kSettle,
  kCancel,
  kBudgetSet,
  kBudgetGet,
  kBudgetClear
};

enum class CostResult : uint8_t {
  kDone,
  kAdmitted,
  kRefused,
  kTooMuch,      // the total would not fit
  kFull,         // no memory for another account or key
  kNoJournal,    // the disk is full or fails
  kNoStore,      // Redis is needed and is away
  kUnsafeStore,  // Redis evicts any key
  kFenced,       // another daemon has our name
  kPoisoned      // Redis holds something else under the account's key
};

// The longest idempotency key, and the longest name of a hold: "<nano-dollars>:<16 digits>".
inline constexpr size_t kChargeKeyMax = 64;
static_assert(kChargeKeyMax <= engine::kJournalKeyMax);
inline constexpr size_t kHoldNameMax = 36;

// A request about one account. Belongs to the worker that asks; the owner's while it is there.
struct CostRequest : Letter {
  CostRequest() : Letter(LetterKind::kCost) {}

  CostRequest* next = nullptr;  // in the pool, or in one of the owner's lists
  Ask* ask = nullptr;           // the place in the session's queue
  CostRequestKind kind = CostRequestKind::kGet;
  uint32_t from = 0;  // the asking worker
  engine::KeyHash key;
  std::string_view id;
  engine::Month month = 0;
  engine::NanoDollars amount = 0;
  int64_t ttl_us = 0;
  std::string_view text;  // the idempotency key; or the name of the hold
  int64_t deadline_ns = 0;

  // The owner's.
  engine::Account* account = nullptr;
  engine::KeyHash charge_key;  // of `text`, where it is remembered
  uint64_t sequence = 0;       // of the charge
  bool charged = false;        // to be taken back if it cannot be kept
  bool repeated = false;       // charged before: answered as then
  engine::CostQuestion question;

  // The answer.
  CostResult result = CostResult::kDone;
  bool by_store = false;  // else by the journal
  engine::NanoDollars spent = 0;
  engine::NanoDollars held = 0;
  engine::NanoDollars budget = engine::kNoBudget;

  std::array<char, engine::kIdMax> id_bytes;
  std::array<char, kChargeKeyMax> text_bytes;

  void keep(std::string_view id_given, std::string_view text_given) {
    std::memcpy(id_bytes.data(), id_given.data(), id_given.size());
    std::memcpy(text_bytes.data(), text_given.data(), text_given.size());
    id = {id_bytes.data(), id_given.size()};
    text = {text_bytes.data(), text_given.size()};
  }
};

using CostRequests = LetterList<CostRequest>;

// "I need nothing that is in the journal."
inline constexpr engine::JournalPosition kNeedsNothing = {UINT64_MAX, 0};

// One worker's records of one turn, on their way to the journal.
struct JournalCommit : Letter {
  explicit JournalCommit(LetterKind letter_kind = LetterKind::kJournalCommit)
      : Letter(letter_kind) {}

  engine::FrameWriter frame;  // may be empty: then it tells what is needed, no more
  engine::JournalPosition needs = kNeedsNothing;  // the first frame the worker still needs
  CostRequests waiting;                           // answered when it is durable
  bool has_charges = false;

  // The journal's answer.
  bool durable = false;
  engine::JournalPosition position;
};

// A piece of the journal, on its way back to a worker.
struct JournalRead : Letter {
  explicit JournalRead(LetterKind letter_kind = LetterKind::kJournalRead) : Letter(letter_kind) {}

  engine::JournalPosition from;  // nowhere: the oldest there is
  std::vector<char> bytes;

  engine::SegmentHeader segment;
  uint64_t offset = 0;
  size_t size = 0;
  engine::JournalPosition next;
  bool failed = false;
};

}  // namespace toll::daemon
