// A journal's segment in memory, for tests that write, damage and read it.
#pragma once

#include <cstdint>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/journal_record.h"

namespace toll::engine {

inline std::string describe(const JournalRecord& record) {
  return fmt::format("{} #{} {} at {} ({}) '{}' '{}'", static_cast<int>(record.kind),
                     record.sequence, record.amount, record.time, record.extra, record.id,
                     record.key);
}

inline JournalRecord charge(uint64_t sequence) {
  return {.sequence = sequence, .amount = 250'000, .time = 1'700'000'000, .id = "customer"};
}

// Everything a reader hands out of these records; "failed" at the end if it did.
inline std::vector<std::string> read_records(std::string_view bytes) {
  std::vector<std::string> found;
  RecordReader reader(bytes);
  JournalRecord record;
  while (reader.next(record)) found.push_back(describe(record));
  EXPECT_FALSE(reader.next(record));
  if (reader.failed()) found.emplace_back("failed");
  return found;
}

// A segment in memory, and what is put behind it frame by frame.
class Segment {
 public:
  explicit Segment(uint64_t salt = 0x5a17) : header_{.number = 7, .epoch = 3, .salt = salt} {
    const auto bytes = encode(header_);
    bytes_.assign(bytes.begin(), bytes.end());
  }

  // Returns where it begins.
  uint64_t append(uint32_t worker, const std::vector<JournalRecord>& records) {
    FrameWriter writer;
    for (const JournalRecord& record : records) writer.add(record);
    EXPECT_EQ(writer.records(), records.size());
    return append(writer.bytes(), worker);
  }
  uint64_t append(std::span<char> frame, uint32_t worker) {
    const uint64_t offset = bytes_.size();
    seal_frame(frame, worker, header_, offset);
    bytes_.append(frame.data(), frame.size());
    return offset;
  }
  void append(std::string_view bytes) { bytes_ += bytes; }

  const SegmentHeader& header() const { return header_; }
  std::string& bytes() { return bytes_; }
  std::string_view frames() const { return std::string_view(bytes_).substr(kSegmentHeaderBytes); }
  FrameReader reader() const { return {frames(), header_, kSegmentHeaderBytes}; }

  // The places of the frames that a reader finds without and with looking behind damage.
  std::vector<uint64_t> frames_in_a_row() const {
    std::vector<uint64_t> found;
    FrameReader frames = reader();
    while (const auto frame = frames.next()) found.push_back(frame->offset);
    return found;
  }
  std::vector<uint64_t> all_frames() const {
    std::vector<uint64_t> found;
    FrameReader frames = reader();
    do {
      while (const auto frame = frames.next()) found.push_back(frame->offset);
    } while (frames.resynchronize());
    return found;
  }

 private:
  SegmentHeader header_;
  std::string bytes_;
};

}  // namespace toll::engine
