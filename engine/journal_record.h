// What the journal keeps: records, in frames, in segments. engine/journal.md describes the bytes.
//
// A record is one thing that happened to one account, or a line of a snapshot. A frame is what one
// worker committed at once: whole or not at all. A segment is a file of frames behind a header. All
// numbers are little-endian; records and frames begin at multiples of 8 bytes.
//
// Pure functions over bytes; any thread. Readers take any bytes and never read past them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/limits.h"
#include "engine/types.h"

namespace toll::engine {

// A daemon's name for itself: random, made once, kept beside the journal.
using NodeId = std::array<uint8_t, 16>;
// 32 digits.
std::string hexadecimal(const NodeId& node);

// Kept on disk: never renumbered.
enum class RecordKind : uint8_t {
  kCharge = 1,   // amount; `key`: the idempotency key, if any
  kSettle = 2,   // amount: what was really used; `key`: the hold
  kBudget = 3,   // amount: the id's own budget, or kNoBudget, or kDefaultBudget
  kHold = 4,     // amount set aside until `extra`; `key`: the hold
  kCancel = 5,   // `key`: the hold
  kTotal = 6,    // snapshot: amount: the account's total so far
  kKey = 8,      // snapshot: an idempotency key that was used; amount: what was answered
  kApplied = 7,  // what is before `amount` (segment) and `extra` (offset) is in the store
  kLogs = 9,     // `amount` records kLog follow; `sequence` and `key`: how they were sent to the
                 // store, if they were
  kLog = 10      // `id`: a log record
};

// One record. In writing, `id` and `key` are copied; in reading, they point into the frame.
struct JournalRecord {
  RecordKind kind = RecordKind::kCharge;
  uint64_t sequence = 0;  // counts per worker and epoch, from 1, and only up
  int64_t amount = 0;     // nano-dollars
  TimeUs time = 0;        // when it was accepted: decides the month
  int64_t extra = 0;
  std::string_view id = {};   // at most kIdMax bytes; kLogRecordMax of a kLog
  std::string_view key = {};  // at most kJournalKeyMax bytes
};
inline constexpr size_t kJournalKeyMax = 128;

// Where a frame begins.
struct JournalPosition {
  uint64_t segment = 0;  // 0: nowhere
  uint64_t offset = 0;
  auto operator<=>(const JournalPosition&) const = default;
};

// ---- segments ----

struct SegmentHeader {
  uint64_t number = 0;  // 1, 2, 3 ...: never used twice
  uint64_t epoch = 0;   // which start of the daemon wrote it
  NodeId node = {};
  uint64_t salt = 0;  // random: no frame of another segment passes for one of this
  TimeUs created = 0;
  // How many bytes of segment `number` - 1 count, if it is of this epoch: what follows there was
  // never acknowledged and is written again here. 0: it is the epoch's first.
  uint64_t previous_end = 0;
};
inline constexpr size_t kSegmentHeaderBytes = 96;

std::array<char, kSegmentHeaderBytes> encode(const SegmentHeader& header);
// Nullopt: that is no header, a damaged one, or one of another version. Reads only the front.
std::optional<SegmentHeader> decode_segment_header(std::string_view bytes);

// ---- frames ----

struct Frame {
  uint64_t offset = 0;  // in its segment
  uint32_t worker = 0;
  std::string_view records = {};  // to be read with RecordReader
};
inline constexpr size_t kFrameHeaderBytes = 24;
inline constexpr size_t kFrameBytesMax = size_t{1} << 20;  // header included

// Collects records for one frame. Keeps its memory.
class FrameWriter {
 public:
  void clear() { bytes_.clear(); }
  bool empty() const { return bytes_.empty(); }
  // Is there room for one more, even the longest there can be?
  bool has_room() const { return has_room(kIdMax); }
  // ... with an id of so many bytes?
  bool has_room(size_t id_bytes) const;
  // REQUIRES: has_room(); id and key within their bounds.
  void add(const JournalRecord& record);
  // The frame so far, without checksum; good until the next add() or clear(). REQUIRES: not empty.
  std::span<char> bytes() { return bytes_; }
  size_t records() const;

 private:
  std::vector<char> bytes_;
};

// Makes a frame whole: who wrote it, and the checksums over it, its place and its segment's salt.
// May be called again, for another place. REQUIRES: a FrameWriter's bytes(); offset behind the
// segment's header and a multiple of 8.
void seal_frame(std::span<char> frame, uint32_t worker, const SegmentHeader& segment,
                uint64_t offset);

class RecordReader {
 public:
  explicit RecordReader(std::string_view records) : rest_(records) {}
  // False: there is none left, or what is left is no record (of a newer version); see failed().
  bool next(JournalRecord& record);
  bool failed() const { return failed_; }

 private:
  std::string_view rest_;
  bool failed_ = false;
};

// Walks over the frames of one segment, given as bytes.
class FrameReader {
 public:
  // `bytes` begin at `offset` in the segment and outlive the reader. REQUIRES: offset is 0's or
  // another frame's place (kSegmentHeaderBytes is the first).
  FrameReader(std::string_view bytes, const SegmentHeader& segment, uint64_t offset)
      : bytes_(bytes), segment_(segment), base_(offset) {}
  // Nullopt: what stands here is no whole frame of this segment.
  std::optional<Frame> next();
  // Where next() would read.
  uint64_t offset() const { return base_ + at_; }
  // After next() gave none: does a whole frame begin anywhere behind? Then it is the place of the
  // first, and next() reads on there; what lies between is damaged. Reads all that is left.
  std::optional<uint64_t> resynchronize();
  // After next() gave none: are all bytes that are left zero?
  bool rest_is_zero() const;

 private:
  std::string_view bytes_;
  SegmentHeader segment_;
  uint64_t base_;
  size_t at_ = 0;
};

}  // namespace toll::engine
