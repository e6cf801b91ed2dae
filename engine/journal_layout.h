// Where each figure of the journal lies (engine/journal.md), and how it is put there and taken.
// For the journal's own files, and for tests that damage one figure of many.
#pragma once

#include <bit>
#include <cassert>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

#include "engine/journal_record.h"
#include "engine/limits.h"

namespace toll::engine::journal_layout {

// Figures are copied as they lie in memory.
static_assert(std::endian::native == std::endian::little);

inline constexpr size_t kAlignment = 8;

// Of a segment's header; what is not named is zero.
inline constexpr std::string_view kSegmentMagic = "TollJrnl";
inline constexpr uint32_t kVersion = 1;
inline constexpr size_t kVersionAt = 8;
inline constexpr size_t kHeaderBytesAt = 12;
inline constexpr size_t kNumberAt = 16;
inline constexpr size_t kEpochAt = 24;
inline constexpr size_t kNodeAt = 32;
inline constexpr size_t kSaltAt = 48;
inline constexpr size_t kCreatedAt = 56;
inline constexpr size_t kPreviousEndAt = 64;
inline constexpr size_t kSegmentZerosAt = 72;
inline constexpr size_t kSegmentCheckAt = 92;
static_assert(kSegmentCheckAt + sizeof(uint32_t) == kSegmentHeaderBytes);

// Of a frame's header. Magic and length share a word that no write tears.
inline constexpr uint32_t kFrameMagic = 0x4b4c'4f54;  // "TOLK"
inline constexpr size_t kFrameMagicAt = 0;
inline constexpr size_t kFrameBytesAt = 4;
inline constexpr size_t kFrameWorkerAt = 8;
inline constexpr size_t kFrameRecordsAt = 12;  // 16 bits
inline constexpr size_t kFrameZerosAt = 14;    // 16 bits
inline constexpr size_t kRecordsCheckAt = 16;
inline constexpr size_t kFrameCheckAt = 20;
static_assert(kFrameCheckAt + sizeof(uint32_t) == kFrameHeaderBytes);

// Of a record.
inline constexpr size_t kKindAt = 0;
inline constexpr size_t kKeyLengthAt = 1;
inline constexpr size_t kIdLengthAt = 2;
inline constexpr size_t kFlagsAt = 4;
inline constexpr size_t kSequenceAt = 8;
inline constexpr size_t kAmountAt = 16;
inline constexpr size_t kTimeAt = 24;
inline constexpr size_t kExtraAt = 32;  // where the flag says so
inline constexpr uint32_t kHasExtra = 1;
inline constexpr size_t kRecordBytesMin = kExtraAt;

constexpr size_t padded(size_t bytes) {
  return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

// The longest that a record with such an id can be.
constexpr size_t record_bytes_max(size_t id_bytes) {
  return padded(kExtraAt + sizeof(int64_t) + id_bytes + kJournalKeyMax);
}

static_assert(kJournalKeyMax <= UINT8_MAX && kIdMax <= UINT16_MAX && kLogRecordMax <= UINT16_MAX);
static_assert(kFrameHeaderBytes + record_bytes_max(kLogRecordMax) <= kFrameBytesMax);
static_assert((kFrameBytesMax - kFrameHeaderBytes) / kRecordBytesMin <= UINT16_MAX);
static_assert(kFrameHeaderBytes % kAlignment == 0 && kSegmentHeaderBytes % kAlignment == 0);
static_assert(kFrameBytesMax % kAlignment == 0 && kFrameBytesMax <= UINT32_MAX);

// REQUIRES: the figure lies within.
template <std::integral Integer>
Integer load_figure(std::string_view bytes, size_t at) {
  assert(at + sizeof(Integer) <= bytes.size());
  Integer value = 0;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

template <std::integral Integer>
void store_figure(std::span<char> bytes, size_t at, Integer value) {
  assert(at + sizeof(Integer) <= bytes.size());
  std::memcpy(bytes.data() + at, &value, sizeof value);
}

inline bool all_zero(std::string_view bytes) {
  while (bytes.size() >= sizeof(uint64_t)) {
    if (load_figure<uint64_t>(bytes, 0) != 0) return false;
    bytes.remove_prefix(sizeof(uint64_t));
  }
  return bytes.find_first_not_of('\0') == std::string_view::npos;
}

}  // namespace toll::engine::journal_layout
