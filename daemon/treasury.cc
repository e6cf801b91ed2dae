#include "daemon/treasury.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <utility>

#include "daemon/process.h"
#include "engine/limits.h"
#include "engine/money.h"

namespace toll::daemon {
namespace {

using engine::Account;
using engine::JournalRecord;
using engine::Ledger;
using engine::RecordKind;

// Their part of server.memory, and about what one of them takes.
constexpr size_t kMemoryShare = 4;
constexpr size_t kAccountBytes = 384;
constexpr size_t kKeyBytes = 256;

// The month of the account that a record is about; 0: the id itself.
engine::Month month_of(const JournalRecord& record) {
  switch (record.kind) {
    case RecordKind::kCharge:
    case RecordKind::kHold:
      return engine::month_at(record.time);
    case RecordKind::kSettle:
    case RecordKind::kCancel:
    case RecordKind::kTotal:
      return static_cast<engine::Month>(record.extra);
    default:
      return 0;
  }
}

constexpr size_t kChargeKeyHead = 3;
using ChargeKeyBytes = std::array<char, kChargeKeyHead + engine::kIdMax + engine::kJournalKeyMax>;

// Two bytes for the length of the id, one for what it is of, the id, the text: ids and texts are
// any bytes, so that nothing between them would tell where one ends.
std::string_view encode(const ChargeKeyParts& parts, ChargeKeyBytes& bytes) {
  bytes[0] = static_cast<char>(parts.id.size() >> 8);
  bytes[1] = static_cast<char>(parts.id.size() & 255);
  bytes[2] = parts.settles ? '\1' : '\0';
  char* const id = bytes.data() + kChargeKeyHead;
  std::memcpy(id, parts.id.data(), parts.id.size());
  std::memcpy(id + parts.id.size(), parts.text.data(), parts.text.size());
  return {bytes.data(), kChargeKeyHead + parts.id.size() + parts.text.size()};
}

}  // namespace

engine::KeyHash account_key(const engine::KeyHasher& hasher, std::string_view id) {
  return hasher(engine::kAccountKeys, id);
}

std::string text_of(const ChargeKeyParts& parts) {
  ChargeKeyBytes bytes;
  return std::string(encode(parts, bytes));
}

ChargeKeyParts parts_of(std::string_view text) {
  const size_t id_bytes =
      size_t{static_cast<unsigned char>(text[0])} << 8 | static_cast<unsigned char>(text[1]);
  return {.id = text.substr(kChargeKeyHead, id_bytes),
          .settles = text[2] != '\0',
          .text = text.substr(kChargeKeyHead + id_bytes)};
}

engine::KeyHash charge_key(const engine::KeyHasher& hasher, std::string_view id, bool settles,
                           std::string_view text) {
  ChargeKeyBytes bytes;
  return hasher(engine::kChargeKeys, encode({id, settles, text}, bytes));
}

Treasury::Treasury(const Process& process, const config::CostsSettings& settings,
                   std::unique_ptr<net::FileSystem> files, Journal::Settings shape)
    : settings_(settings),
      with_store_(process.redis.enabled),
      token_(fmt::format("{:016x}", process.machine.random_bits())) {
  shape.bytes_max = static_cast<uint64_t>(settings.journal_max_bytes);
  shape.retain_us = with_store_ ? settings.journal_retain_us : engine::kChargeKeyLifeUs;
  journal_ = std::make_unique<Journal>(std::move(files), shape);
  const size_t bytes = process.server.memory_bytes / process.workers_count / kMemoryShare;
  for (uint32_t i = 0; i < process.workers_count; ++i) {
    books_.push_back(std::make_unique<CostBook>(std::max<size_t>(bytes / 2 / kAccountBytes, 64),
                                                std::max<size_t>(bytes / 2 / kKeyBytes, 64)));
  }
}

Treasury::~Treasury() {
  stop();
}

std::expected<std::unique_ptr<Treasury>, std::string> Treasury::open(
    Process& process, const config::CostsSettings& settings, std::unique_ptr<net::FileSystem> files,
    const std::string& machine_id, Journal::Settings shape) {
  std::unique_ptr<Treasury> treasury(new Treasury(process, settings, std::move(files), shape));
  auto found = treasury->journal_->open(machine_id, process.machine.random_bits(),
                                        process.machine.random_bits());
  if (!found) return std::unexpected(std::move(found.error()));
  for (const std::string& damage : found->damages) spdlog::error("journal: {}", damage);
  if (found->segments > 0) {
    spdlog::info(
        "journal: {} segments, {} frames{}", found->segments, found->frames,
        found->torn_bytes == 0
            ? ""
            : fmt::format(", {} bytes at the end that were never acknowledged", found->torn_bytes));
  }
  // Charges of before are sent to the store at once, which is told of this start's epoch then.
  if (treasury->with_store_ && found->segments > 0) {
    if (auto claimed = treasury->journal_->claim(); !claimed) {
      return std::unexpected(std::move(claimed.error().text));
    }
  }
  treasury->end_at_start_ = treasury->journal_->end();
  if (auto recovered = treasury->recover(process); !recovered) {
    return std::unexpected(std::move(recovered.error()));
  }
  treasury->keeper_ =
      std::make_unique<JournalKeeper>(process.machine, process.post, *treasury->journal_,
                                      JournalKeeping{.desk = treasury->desk(),
                                                     .readers = process.workers_count,
                                                     .marks = treasury->with_store_,
                                                     .mark = treasury->journal_->oldest()});
  return treasury;
}

// ---- what the journal remembers ----

std::expected<void, std::string> Treasury::recover(const Process& process) {
  engine::JournalPosition mark;
  bool has_snapshots = false;
  const auto look = [&](const engine::SegmentHeader&, const engine::Frame& frame) {
    engine::RecordReader reader(frame.records);
    JournalRecord record;
    while (reader.next(record)) {
      if (record.kind == RecordKind::kTotal) has_snapshots = true;
      if (record.kind != RecordKind::kApplied) continue;
      mark = {static_cast<uint64_t>(record.amount), static_cast<uint64_t>(record.extra)};
    }
    return true;
  };
  if (with_store_) {
    if (auto done = journal_->visit({}, look); !done) return std::unexpected(done.error().text);
    if (has_snapshots) {
      return std::unexpected(
          "the journal in server.state_dir holds totals that were kept without Redis, and Redis "
          "would not learn of them: start without Redis, or move the directory journal away");
    }
  }
  for (const auto& book : books_) book->counted_until = {mark, 0};
  const engine::TimeUs now = process.machine.realtime_us();
  const auto take_frame = [&](const engine::SegmentHeader& segment, const engine::Frame& frame) {
    engine::RecordReader reader(frame.records);
    JournalRecord record;
    const bool counts =
        !with_store_ || mark <= engine::JournalPosition{segment.number, frame.offset};
    while (reader.next(record)) {
      if (record.id.empty()) continue;
      const engine::KeyHash key = account_key(process.hasher, record.id);
      take(*books_[key.owner(process.workers_count)], key, record, counts, process.hasher, now);
    }
    return true;
  };
  auto done = journal_->visit({}, take_frame);
  if (!done) return std::unexpected(done.error().text);
  return {};
}

// Of a charge whose sum does not fit nothing can be told any more; it was refused when it came.
void Treasury::take(CostBook& book, const engine::KeyHash& key, const JournalRecord& record,
                    bool counts, const engine::KeyHasher& hasher, engine::TimeUs now) {
  const bool charges = record.kind == RecordKind::kCharge || record.kind == RecordKind::kSettle;
  if (charges && !record.key.empty()) {
    const bool settles = record.kind == RecordKind::kSettle;
    if (record.time + engine::kChargeKeyLifeUs > now) {
      book.keys.add(charge_key(hasher, record.id, settles, record.key), settles ? 0 : record.extra,
                    record.time, true,
                    with_store_ ? std::string() : text_of({record.id, settles, record.key}));
    }
  }
  if (charges && !counts) return;
  if (!charges && with_store_) return;
  if (record.kind == RecordKind::kKey) {
    const bool settles = record.extra != 0;
    book.keys.add(charge_key(hasher, record.id, settles, record.key), record.amount, record.time,
                  true, text_of({record.id, settles, record.key}));
    return;
  }
  Account& account = book.ledger.must_find_or_add(key, record.id, month_of(record));
  const std::string name(record.key);
  switch (record.kind) {
    case RecordKind::kSettle:
      Ledger::release(account, name);
      [[fallthrough]];
    case RecordKind::kCharge:
      (void)Ledger::accept(account, record.amount);
      if (book.oldest_unapplied == 0) book.oldest_unapplied = record.time;
      return;
    case RecordKind::kTotal:
      account.total = record.amount;
      account.accepted = 0;
      return;
    case RecordKind::kBudget:
      account.budget = record.amount;
      return;
    case RecordKind::kHold:
      if (record.extra > now) book.ledger.hold(account, name, record.amount, record.extra);
      return;
    case RecordKind::kCancel:
      Ledger::release(account, name);
      return;
    case RecordKind::kKey:
    case RecordKind::kApplied:
    case RecordKind::kLogs:
    case RecordKind::kLog:
      return;
  }
}

// ---- the journal's thread ----

void Treasury::start() {
  thread_ = std::thread([this] { keeper_->run(); });
}

void Treasury::stop() {
  if (!thread_.joinable()) return;
  keeper_->stop();
  thread_.join();
}

}  // namespace toll::daemon
