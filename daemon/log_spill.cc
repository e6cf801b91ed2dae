#include "daemon/log_spill.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <utility>

#include "daemon/process.h"
#include "engine/journal_layout.h"

namespace toll::daemon {
namespace {

using engine::JournalPosition;
using engine::JournalRecord;
using engine::RecordKind;

// Of server.memory, what log records may take where there is no Redis.
constexpr uint64_t kQueueShare = 4;

}  // namespace

size_t spilled_bytes(const engine::LogBlock& records) {
  size_t bytes = engine::journal_layout::record_bytes_max(0);
  for (size_t i = 0; i < records.count(); ++i) {
    bytes += engine::journal_layout::record_bytes_max(records.at(i).size());
  }
  return bytes;
}

void write_spilled(engine::FrameWriter& frame, const engine::LogBlock& records, uint64_t number,
                   std::string_view token, engine::TimeUs now) {
  frame.add({.kind = RecordKind::kLogs,
             .sequence = number,
             .amount = static_cast<int64_t>(records.count()),
             .time = now,
             .id = {},
             .key = number == 0 ? std::string_view() : token});
  for (size_t i = 0; i < records.count(); ++i) {
    frame.add({.kind = RecordKind::kLog, .time = now, .id = records.at(i), .key = {}});
  }
}

// Large pieces are written once and read once: zeros ahead of them would only be written twice.
Journal::Settings LogSpill::default_shape() {
  return {.zeroed_ahead_bytes = 1, .with_spare = false};
}

LogSpill::LogSpill(Process& process, std::unique_ptr<net::FileSystem> files,
                   Journal::Settings shape)
    : with_store_(process.redis.enabled),
      desk_(process.workers_count + 1),
      token_(fmt::format("{:016x}", process.machine.random_bits())),
      queue_(static_cast<uint64_t>(process.logs.max),
             static_cast<uint64_t>(process.server.memory_bytes) / kQueueShare) {
  shape.bytes_max = static_cast<uint64_t>(process.logs.spill_bytes_max);
  shape.retain_us = 0;
  journal_ = std::make_unique<Journal>(std::move(files), shape);
}

LogSpill::~LogSpill() {
  stop();
}

std::expected<std::unique_ptr<LogSpill>, std::string> LogSpill::open(
    Process& process, std::unique_ptr<net::FileSystem> files, const std::string& machine_id,
    Journal::Settings shape) {
  std::unique_ptr<LogSpill> spill(new LogSpill(process, std::move(files), shape));
  auto found = spill->journal_->open(machine_id, process.machine.random_bits(),
                                     process.machine.random_bits());
  if (!found) return std::unexpected(std::move(found.error()));
  for (const std::string& damage : found->damages) spdlog::error("spill: {}", damage);
  spill->node_ = engine::hexadecimal(spill->journal_->identity().node);
  if (auto recovered = spill->recover(process.machine.realtime_us()); !recovered) {
    return std::unexpected(std::move(recovered.error()));
  }
  spill->keeper_ = std::make_unique<JournalKeeper>(
      process.machine, process.post, *spill->journal_,
      JournalKeeping{.desk = spill->desk_,
                     .readers = 1,
                     .marks = true,
                     .mark = spill->begin_,
                     .drops_oldest = true,
                     .name = "the spill of log records",
                     .refused = "those that redis does not take are refused"});
  spill->drained.set(spill->begin_);
  return spill;
}

std::expected<void, std::string> LogSpill::recover(engine::TimeUs now) {
  begin_ = journal_->oldest();
  end_at_start_ = journal_->end();
  const auto find_mark = [&](const engine::SegmentHeader&, const engine::Frame& frame) {
    engine::RecordReader reader(frame.records);
    JournalRecord record;
    while (reader.next(record)) {
      if (record.kind != RecordKind::kApplied) continue;
      begin_ = {static_cast<uint64_t>(record.amount), static_cast<uint64_t>(record.extra)};
    }
    return true;
  };
  if (auto done = journal_->visit({}, find_mark); !done) return std::unexpected(done.error().text);
  engine::LogBlock block;
  const auto take = [&](const engine::SegmentHeader& segment, const engine::Frame& frame) {
    if (JournalPosition{segment.number, frame.offset} < begin_) return true;
    engine::RecordReader reader(frame.records);
    JournalRecord record;
    while (reader.next(record)) {
      if (record.kind != RecordKind::kLog) continue;
      ++records_at_start_;
      if (!with_store_) block.add(record.id);
    }
    if (!block.empty()) queue_.push(std::exchange(block, {}), now);
    return true;
  };
  if (auto done = journal_->visit({}, take); !done) return std::unexpected(done.error().text);
  if (records_at_start_ > 0) spdlog::info("spill: {} log records wait", records_at_start_);
  return {};
}

void LogSpill::start() {
  thread_ = std::thread([this] { keeper_->run(); });
}

void LogSpill::stop() {
  if (!thread_.joinable()) return;
  keeper_->stop();
  thread_.join();
}

}  // namespace toll::daemon
