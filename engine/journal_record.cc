// Segment headers and records; frames are in journal_frame.cc.
#include "engine/journal_record.h"

#include <algorithm>
#include <cassert>

#include "engine/crc32c.h"
#include "engine/journal_layout.h"

namespace toll::engine {

using namespace journal_layout;

namespace {

size_t id_max(uint8_t kind) {
  return kind == static_cast<uint8_t>(RecordKind::kLog) ? kLogRecordMax : kIdMax;
}

}  // namespace

std::array<char, kSegmentHeaderBytes> encode(const SegmentHeader& header) {
  std::array<char, kSegmentHeaderBytes> bytes = {};
  std::ranges::copy(kSegmentMagic, bytes.begin());
  store_figure(bytes, kVersionAt, kVersion);
  store_figure(bytes, kHeaderBytesAt, uint32_t{kSegmentHeaderBytes});
  store_figure(bytes, kNumberAt, header.number);
  store_figure(bytes, kEpochAt, header.epoch);
  std::memcpy(bytes.data() + kNodeAt, header.node.data(), header.node.size());
  store_figure(bytes, kSaltAt, header.salt);
  store_figure(bytes, kCreatedAt, header.created);
  store_figure(bytes, kPreviousEndAt, header.previous_end);
  store_figure(bytes, kSegmentCheckAt, crc32c({bytes.data(), kSegmentCheckAt}));
  return bytes;
}

std::optional<SegmentHeader> decode_segment_header(std::string_view bytes) {
  if (bytes.size() < kSegmentHeaderBytes || !bytes.starts_with(kSegmentMagic)) return std::nullopt;
  const uint32_t check = crc32c(bytes.substr(0, kSegmentCheckAt));
  if (load_figure<uint32_t>(bytes, kSegmentCheckAt) != check) return std::nullopt;
  if (load_figure<uint32_t>(bytes, kVersionAt) != kVersion) return std::nullopt;
  if (load_figure<uint32_t>(bytes, kHeaderBytesAt) != kSegmentHeaderBytes) return std::nullopt;
  if (!all_zero(bytes.substr(kSegmentZerosAt, kSegmentCheckAt - kSegmentZerosAt))) {
    return std::nullopt;
  }
  SegmentHeader header;
  header.number = load_figure<uint64_t>(bytes, kNumberAt);
  header.epoch = load_figure<uint64_t>(bytes, kEpochAt);
  std::memcpy(header.node.data(), bytes.data() + kNodeAt, header.node.size());
  header.salt = load_figure<uint64_t>(bytes, kSaltAt);
  header.created = load_figure<TimeUs>(bytes, kCreatedAt);
  header.previous_end = load_figure<uint64_t>(bytes, kPreviousEndAt);
  return header;
}

bool FrameWriter::has_room(size_t id_bytes) const {
  const size_t used = empty() ? kFrameHeaderBytes : bytes_.size();
  return used + record_bytes_max(id_bytes) <= kFrameBytesMax;
}

size_t FrameWriter::records() const {
  return empty() ? 0 : load_figure<uint16_t>({bytes_.data(), bytes_.size()}, kFrameRecordsAt);
}

void FrameWriter::add(const JournalRecord& record) {
  assert(has_room(record.id.size()));
  assert(record.id.size() <= id_max(static_cast<uint8_t>(record.kind)));
  assert(record.key.size() <= kJournalKeyMax);
  const size_t records_before = records();
  const size_t at = empty() ? kFrameHeaderBytes : bytes_.size();
  const bool has_extra = record.extra != 0;
  const size_t texts_at = has_extra ? kExtraAt + sizeof record.extra : kExtraAt;
  bytes_.resize(at + padded(texts_at + record.id.size() + record.key.size()));  // new ones: zero

  const std::span<char> into = std::span(bytes_).subspan(at);
  store_figure(into, kKindAt, static_cast<uint8_t>(record.kind));
  store_figure(into, kKeyLengthAt, static_cast<uint8_t>(record.key.size()));
  store_figure(into, kIdLengthAt, static_cast<uint16_t>(record.id.size()));
  store_figure(into, kFlagsAt, has_extra ? kHasExtra : 0);
  store_figure(into, kSequenceAt, record.sequence);
  store_figure(into, kAmountAt, record.amount);
  store_figure(into, kTimeAt, record.time);
  if (has_extra) store_figure(into, kExtraAt, record.extra);
  std::ranges::copy(record.id, into.subspan(texts_at).begin());
  std::ranges::copy(record.key, into.subspan(texts_at + record.id.size()).begin());

  store_figure(std::span(bytes_), kFrameBytesAt, static_cast<uint32_t>(bytes_.size()));
  store_figure(std::span(bytes_), kFrameRecordsAt, static_cast<uint16_t>(records_before + 1));
}

namespace {

bool is_known(uint8_t kind) {
  return kind >= static_cast<uint8_t>(RecordKind::kCharge) &&
         kind <= static_cast<uint8_t>(RecordKind::kLog);
}

// The record at the front of `bytes`, and how many of them it takes; 0: there is none.
size_t decode_record(std::string_view bytes, JournalRecord& record) {
  if (bytes.size() < kRecordBytesMin) return 0;
  const auto kind = load_figure<uint8_t>(bytes, kKindAt);
  const auto flags = load_figure<uint32_t>(bytes, kFlagsAt);
  const size_t key_length = load_figure<uint8_t>(bytes, kKeyLengthAt);
  const size_t id_length = load_figure<uint16_t>(bytes, kIdLengthAt);
  if (!is_known(kind) || (flags & ~kHasExtra) != 0) return 0;
  if (key_length > kJournalKeyMax || id_length > id_max(kind)) return 0;
  const size_t texts_at = flags == kHasExtra ? kExtraAt + sizeof record.extra : kExtraAt;
  const size_t used = texts_at + id_length + key_length;
  if (bytes.size() < padded(used)) return 0;
  if (!all_zero(bytes.substr(used, padded(used) - used))) return 0;
  const int64_t extra = flags == kHasExtra ? load_figure<int64_t>(bytes, kExtraAt) : 0;
  if ((extra != 0) != (flags == kHasExtra)) return 0;

  record = {.kind = static_cast<RecordKind>(kind),
            .sequence = load_figure<uint64_t>(bytes, kSequenceAt),
            .amount = load_figure<int64_t>(bytes, kAmountAt),
            .time = load_figure<TimeUs>(bytes, kTimeAt),
            .extra = extra,
            .id = bytes.substr(texts_at, id_length),
            .key = bytes.substr(texts_at + id_length, key_length)};
  return padded(used);
}

}  // namespace

std::string hexadecimal(const NodeId& node) {
  std::string text;
  for (const uint8_t byte : node) {
    text.push_back("0123456789abcdef"[byte >> 4]);
    text.push_back("0123456789abcdef"[byte & 15]);
  }
  return text;
}

bool RecordReader::next(JournalRecord& record) {
  if (rest_.empty()) return false;
  const size_t taken = decode_record(rest_, record);
  if (taken == 0) {
    failed_ = true;
    rest_ = {};
    return false;
  }
  rest_.remove_prefix(taken);
  return true;
}

}  // namespace toll::engine
