// The journal's segment headers and records: what was written is read again.
#include "engine/journal_record.h"

#include <cstddef>
#include <cstdint>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/crc32c.h"
#include "engine/journal_layout.h"
#include "engine/limits.h"
#include "tests/unit/journal_segment.h"

namespace toll::engine {
namespace {

using testing::ElementsAre;
using namespace journal_layout;

// ---- segment headers ----

const SegmentHeader kHeader{.number = 0x0102'0304'0506'0708,
                            .epoch = 9,
                            .node = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 0xff},
                            .salt = 0xfedc'ba98'7654'3210,
                            .created = -5,
                            .previous_end = 4096};

std::string encoded(const SegmentHeader& header) {
  const auto bytes = encode(header);
  return {bytes.begin(), bytes.end()};
}

TEST(JournalSegmentHeader, IsReadAsItWasWritten) {
  const auto header = decode_segment_header(encoded(kHeader) + "and what follows");
  ASSERT_TRUE(header);
  EXPECT_EQ(header->number, kHeader.number);
  EXPECT_EQ(header->epoch, kHeader.epoch);
  EXPECT_EQ(header->node, kHeader.node);
  EXPECT_EQ(header->salt, kHeader.salt);
  EXPECT_EQ(header->created, kHeader.created);
  EXPECT_EQ(header->previous_end, kHeader.previous_end);
}

TEST(JournalSegmentHeader, AFlippedBitOrAMissingByteIsNoticed) {
  const std::string bytes = encoded(kHeader);
  for (size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
    std::string damaged = bytes;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ 1 << bit % 8);
    EXPECT_FALSE(decode_segment_header(damaged)) << "bit " << bit;
  }
  for (size_t length = 0; length < bytes.size(); ++length) {
    EXPECT_FALSE(decode_segment_header(std::string_view(bytes).substr(0, length))) << length;
  }
  EXPECT_FALSE(decode_segment_header(std::string(kSegmentHeaderBytes, '\0')));
}

TEST(JournalSegmentHeader, AnotherVersionIsNotRead) {
  for (const size_t at : {kVersionAt, kHeaderBytesAt, kSegmentZerosAt, kSegmentCheckAt - 1}) {
    std::string bytes = encoded(kHeader);
    ++bytes[at];
    store_figure(std::span(bytes), kSegmentCheckAt,
                 crc32c(std::string_view(bytes).substr(0, kSegmentCheckAt)));
    EXPECT_FALSE(decode_segment_header(bytes)) << at;
  }
}

// ---- records ----

TEST(JournalRecord, EveryKindComesBack) {
  std::vector<JournalRecord> records;
  for (int kind = 1; kind <= static_cast<int>(RecordKind::kKey); ++kind) {
    records.push_back({.kind = static_cast<RecordKind>(kind),
                       .sequence = static_cast<uint64_t>(kind),
                       .amount = -kind,
                       .time = 1'700'000'000'000'000 + kind,
                       .extra = kind % 2 == 0 ? 0 : kind,
                       .id = std::string_view("identity").substr(0, static_cast<size_t>(kind)),
                       .key = std::string_view("hold-key").substr(static_cast<size_t>(kind))});
  }
  Segment segment;
  segment.append(1, records);
  std::vector<std::string> written;
  for (const JournalRecord& record : records) written.push_back(describe(record));
  const auto frame = segment.reader().next();
  ASSERT_TRUE(frame);
  EXPECT_EQ(frame->worker, 1u);
  EXPECT_EQ(read_records(frame->records), written);
}

TEST(JournalRecord, BoundsComeBack) {
  std::string id(kIdMax, 'i');
  id[5] = '\0';
  const std::string key(kJournalKeyMax, '\xff');
  for (const int64_t number : {INT64_MIN, int64_t{-1}, int64_t{0}, INT64_MAX}) {
    for (const size_t id_length : {size_t{0}, size_t{1}, kIdMax - 1, kIdMax}) {
      for (const size_t key_length : {size_t{0}, size_t{7}, kJournalKeyMax}) {
        const JournalRecord record{.kind = RecordKind::kHold,
                                   .sequence = static_cast<uint64_t>(number),
                                   .amount = number,
                                   .time = number,
                                   .extra = number,
                                   .id = std::string_view(id).substr(0, id_length),
                                   .key = std::string_view(key).substr(0, key_length)};
        Segment alone;
        alone.append(UINT32_MAX, {record});
        const auto frame = alone.reader().next();
        ASSERT_TRUE(frame);
        EXPECT_EQ(frame->worker, UINT32_MAX);
        EXPECT_THAT(read_records(frame->records), ElementsAre(describe(record)));
      }
    }
  }
}

// Held against the page that describes them: whoever changes these bytes changes the version.
TEST(JournalRecord, TheBytesAreThese) {
  FrameWriter writer;
  writer.add({.kind = RecordKind::kHold,
              .sequence = 0x11,
              .amount = -2,
              .time = 0x2233,
              .extra = 0x44,
              .id = "abc",
              .key = "xy"});
  seal_frame(writer.bytes(), 0x0708'0506, {.number = 1, .salt = 0x77}, 96);
  const std::string_view bytes(writer.bytes().data(), writer.bytes().size());
  const std::string_view record{
      "\x04\x02\x03\x00\x01\x00\x00\x00"
      "\x11\x00\x00\x00\x00\x00\x00\x00"
      "\xfe\xff\xff\xff\xff\xff\xff\xff"
      "\x33\x22\x00\x00\x00\x00\x00\x00"
      "\x44\x00\x00\x00\x00\x00\x00\x00"
      "abcxy\x00\x00\x00",
      48};
  EXPECT_EQ(bytes.substr(kFrameHeaderBytes), record);
  std::string header("TOLK\x48\x00\x00\x00\x06\x05\x08\x07\x01\x00\x00\x00", 16);
  const uint32_t check_of_records = crc32c(record);
  header.append(reinterpret_cast<const char*>(&check_of_records), sizeof check_of_records);
  const std::string_view place{"\x77\0\0\0\0\0\0\0\x60\0\0\0\0\0\0\0", 16};
  const uint32_t check = crc32c(std::string(place) + header);
  header.append(reinterpret_cast<const char*>(&check), sizeof check);
  EXPECT_EQ(bytes.substr(0, kFrameHeaderBytes), header);
}

TEST(JournalRecord, APlainChargeIsSmall) {
  FrameWriter writer;
  writer.add({.sequence = 1, .amount = 5, .time = 6, .id = "sixteen bytes id"});
  EXPECT_EQ(writer.bytes().size(), kFrameHeaderBytes + 48);
}

// The bytes of two charges, to be changed in the second.
struct TwoCharges {
  TwoCharges() {
    FrameWriter writer;
    writer.add(charge(1));
    const size_t second = writer.bytes().size();
    writer.add({.sequence = 2, .extra = 5, .id = "customer", .key = "k"});
    bytes.assign(writer.bytes().begin() + kFrameHeaderBytes, writer.bytes().end());
    second_record = std::span(bytes).subspan(second - kFrameHeaderBytes);
  }
  std::string bytes;
  std::span<char> second_record;
};

TEST(JournalRecord, OneOfANewerKindEndsTheFrameButNotTheRecordsBefore) {
  const auto change = [](size_t at, auto value) {
    TwoCharges charges;
    store_figure(charges.second_record, at, value);
    return read_records(charges.bytes);
  };
  const auto only_the_first = ElementsAre(describe(charge(1)), "failed");
  EXPECT_EQ(change(kKindAt, uint8_t{1}).size(), 2u);  // as it was
  EXPECT_THAT(change(kKindAt, uint8_t{0}), only_the_first);
  EXPECT_THAT(change(kKindAt, uint8_t{11}), only_the_first);
  EXPECT_THAT(change(kKindAt, uint8_t{255}), only_the_first);
  EXPECT_THAT(change(kFlagsAt, uint32_t{3}), only_the_first);
  EXPECT_THAT(change(kFlagsAt + 3, uint8_t{1}), only_the_first);
  EXPECT_THAT(change(kKeyLengthAt, uint8_t{kJournalKeyMax + 1}), only_the_first);
  EXPECT_THAT(change(kIdLengthAt, uint16_t{kIdMax + 1}), only_the_first);
  EXPECT_THAT(change(kIdLengthAt, uint16_t{16}), only_the_first);  // past the end
  EXPECT_THAT(change(kExtraAt, int64_t{0}), only_the_first);       // there for nothing
  for (size_t at = 49; at < 56; ++at) EXPECT_THAT(change(at, uint8_t{1}), only_the_first) << at;
}

TEST(JournalRecord, FiguresAreBoundedEvenWhereThereIsRoomForMore) {
  const std::string id(kIdMax, 'i');
  const std::string key(kJournalKeyMax, 'k');
  FrameWriter writer;
  writer.add({.id = id, .key = key});
  const auto change = [&](size_t at, auto value, size_t zeros) {
    std::string bytes(writer.bytes().begin() + kFrameHeaderBytes, writer.bytes().end());
    bytes.append(zeros, '\0');
    store_figure(std::span(bytes), at, value);
    return read_records(bytes);
  };
  EXPECT_EQ(change(kKeyLengthAt, uint8_t{kJournalKeyMax}, 0).size(), 1u);
  EXPECT_THAT(change(kKeyLengthAt, uint8_t{kJournalKeyMax + 1}, 8), ElementsAre("failed"));
  EXPECT_THAT(change(kIdLengthAt, uint16_t{kIdMax + 1}, 8), ElementsAre("failed"));
  EXPECT_THAT(change(kFlagsAt, uint32_t{2}, 0), ElementsAre("failed"));
}

TEST(JournalRecord, ACutOneIsNone) {
  const TwoCharges charges;
  const size_t second = charges.bytes.size() - charges.second_record.size();
  for (size_t length = 0; length < charges.bytes.size(); ++length) {
    const auto found = read_records(std::string_view(charges.bytes).substr(0, length));
    const size_t whole = length < second ? 0 : 1;
    const bool at_an_edge = length == 0 || length == second;
    EXPECT_EQ(found.size(), whole + (at_an_edge ? 0 : 1)) << length;
  }
}

}  // namespace
}  // namespace toll::engine
