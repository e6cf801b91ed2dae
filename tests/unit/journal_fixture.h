// A journal on a disk in memory, with segments of a few kilobytes so that rare turns are common,
// and a ledger of what was handed to it. Each frame has one record, whose sequence is its number
// here.
#pragma once

#include <algorithm>
#include <gtest/gtest.h>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "daemon/journal.h"
#include "engine/limits.h"
#include "tests/unit/memory_files.h"
#include "tests/unit/times.h"

namespace toll::test {

using daemon::Journal;
using daemon::JournalFrame;
using engine::JournalPosition;

inline const std::string kMachine = "c0ffee";

inline Journal::Settings small_journal() {
  Journal::Settings settings;
  settings.bytes_max = 256 << 10;
  settings.retain_us = kSecond;
  settings.segment_bytes = 8 << 10;
  settings.zeroed_ahead_bytes = 2 << 10;
  return settings;
}

// A frame of one record and about `bytes` bytes.
inline engine::FrameWriter frame_of(uint64_t number, size_t bytes = 200) {
  engine::FrameWriter writer;
  const std::string id(std::min<size_t>(bytes, engine::kIdMax), 'i');
  do {
    writer.add({.kind = engine::RecordKind::kCharge,
                .sequence = number,
                .amount = static_cast<int64_t>(number) * 1'000,
                .time = kNoon,
                .extra = 0,
                .id = id,
                .key = {}});
  } while (writer.bytes().size() < bytes && writer.has_room());
  return writer;
}

inline uint64_t number_of(const engine::Frame& frame) {
  engine::RecordReader records(frame.records);
  engine::JournalRecord record;
  return records.next(record) ? record.sequence : 0;
}

// All that a reader gets from `from` on, once by visit().
inline std::vector<uint64_t> visited(Journal& journal, JournalPosition from = {}) {
  std::vector<uint64_t> numbers;
  const auto done = journal.visit(from, [&](const engine::SegmentHeader&, const auto& frame) {
    numbers.push_back(number_of(frame));
    return true;
  });
  EXPECT_TRUE(done) << done.error().text;
  return numbers;
}

// And once by read().
inline std::vector<uint64_t> read_all(Journal& journal, JournalPosition from = {}) {
  std::vector<uint64_t> numbers;
  std::vector<char> into(engine::kFrameBytesMax);
  while (true) {
    const auto chunk = journal.read(from, into);
    EXPECT_TRUE(chunk) << chunk.error().text;
    if (!chunk || chunk->next == from) return numbers;
    engine::FrameReader frames({into.data(), chunk->bytes}, chunk->segment, chunk->offset);
    while (const auto frame = frames.next()) numbers.push_back(number_of(*frame));
    EXPECT_EQ(frames.offset(), chunk->offset + chunk->bytes);
    EXPECT_GT(chunk->next, from);
    from = chunk->next;
  }
}

struct Entry {
  uint64_t number = 0;
  uint64_t epoch = 0;
  bool committed = false;
  JournalPosition position;
};

// What was handed to any journal on one disk, and what must come back.
struct Ledger {
  std::vector<Entry> entries;  // entry i has number i + 1
  JournalPosition released;

  // "" or what is wrong.
  std::string check(const std::vector<uint64_t>& numbers) const {
    std::vector<bool> seen(entries.size() + 1, false);
    uint64_t last = 0;
    for (const uint64_t number : numbers) {
      if (number == 0 || number > entries.size()) return "never written: " + name(number);
      if (number <= last) return "out of order or twice: " + name(number);
      last = number;
      seen[number] = true;
    }
    uint64_t committed_epoch = 0;  // of the next committed one
    for (auto entry = entries.rbegin(); entry != entries.rend(); ++entry) {
      const bool here = seen[entry->number];
      if (entry->committed && !here && entry->position >= released) {
        return "lost: " + name(entry->number);
      }
      if (!entry->committed && here && entry->epoch == committed_epoch) {
        return "was refused, and others committed after it: " + name(entry->number);
      }
      if (entry->committed) committed_epoch = entry->epoch;
    }
    return "";
  }

  std::vector<uint64_t> committed() const {
    std::vector<uint64_t> numbers;
    for (const Entry& entry : entries) {
      if (entry.committed) numbers.push_back(entry.number);
    }
    return numbers;
  }

 private:
  static std::string name(uint64_t number) { return "frame " + std::to_string(number); }
};

// One start of a daemon.
struct Start {
  Start(MemoryDisk& disk, Ledger& of_disk, Journal::Settings settings = small_journal(),
        const std::string& machine = kMachine)
      : ledger(of_disk), journal(disk.mount(), settings) {
    auto opened = journal.open(machine, 11 + disk.operations(), 22);
    if (opened) {
      found = std::move(*opened);
    } else {
      error = opened.error();
    }
  }

  // A commit of one frame for each size.
  bool commit(const std::vector<size_t>& sizes) {
    std::vector<engine::FrameWriter> writers;
    for (const size_t size : sizes) {
      writers.push_back(frame_of(ledger.entries.size() + 1, size));
      ledger.entries.push_back({.number = ledger.entries.size() + 1,
                                .epoch = journal.identity().epoch,
                                .committed = false,
                                .position = {}});
    }
    std::vector<JournalFrame> frames;
    for (engine::FrameWriter& writer : writers) {
      frames.push_back({.bytes = writer.bytes(),
                        .worker = static_cast<uint32_t>(frames.size()),
                        .position = {}});
    }
    now += kSecond / 10;
    const auto done = journal.commit(frames, now, 0x5a17'0000 + ledger.entries.size());
    error = done ? "" : done.error().text;
    for (size_t i = 0; i < frames.size() && done; ++i) {
      Entry& entry = ledger.entries[ledger.entries.size() - frames.size() + i];
      entry.committed = true;
      entry.position = frames[i].position;
    }
    return done.has_value();
  }

  // Until there is nothing more to do; whether that comes.
  bool tend() {
    for (int i = 0; i < 100; ++i) {
      if (!journal.tend(now)) return true;
    }
    return false;
  }

  // Everything committed so far is needed by nobody.
  void release_all() {
    if (!ledger.entries.empty() && ledger.entries.back().committed) {
      ledger.released = std::max(ledger.released, ledger.entries.back().position);
      journal.release(ledger.released);
    }
  }

  Ledger& ledger;
  Journal journal;
  Journal::Found found;
  std::string error;
  engine::TimeUs now = kNoon;
};

inline std::string all_of(const std::vector<std::string>& sentences) {
  std::string text;
  for (const std::string& sentence : sentences) text += sentence + "\n";
  return text;
}

}  // namespace toll::test
