// The journal's frames: what was written is read again at its place, and nothing else ever is.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <map>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/crc32c.h"
#include "engine/journal_layout.h"
#include "engine/journal_record.h"
#include "engine/limits.h"
#include "tests/unit/journal_segment.h"

namespace toll::engine {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using namespace journal_layout;

TEST(JournalFrame, HoldsAsManyAsThereIsRoomFor) {
  FrameWriter writer;
  EXPECT_TRUE(writer.empty() && writer.has_room());
  const std::string id(kIdMax, 'i');
  const std::string key(kJournalKeyMax, 'k');
  const JournalRecord longest{.sequence = 1, .extra = 1, .id = id, .key = key};
  const JournalRecord shortest{.sequence = 1};
  for (const JournalRecord& record : {longest, shortest}) {
    writer.clear();
    size_t added = 0;
    for (; writer.has_room(); ++added) writer.add(record);
    EXPECT_EQ(writer.records(), added);
    EXPECT_LE(writer.bytes().size(), kFrameBytesMax);
    EXPECT_GT(writer.bytes().size(), kFrameBytesMax - record_bytes_max(kIdMax));
    Segment segment;
    segment.append(writer.bytes(), 2);
    const auto frame = segment.reader().next();
    ASSERT_TRUE(frame);
    EXPECT_EQ(read_records(frame->records), std::vector<std::string>(added, describe(record)));
  }
}

TEST(JournalFrame, AWriterBeginsAnew) {
  FrameWriter writer;
  writer.add({.id = "something long that leaves its bytes behind", .key = "and a key"});
  writer.clear();
  EXPECT_TRUE(writer.empty());
  EXPECT_EQ(writer.records(), 0u);
  writer.add(charge(5));
  Segment segment;
  segment.append(writer.bytes(), 0);
  EXPECT_THAT(read_records(segment.reader().next()->records), ElementsAre(describe(charge(5))));
}

TEST(JournalFrame, ComeOneAfterTheOther) {
  Segment segment;
  const uint64_t first = segment.append(1, {charge(1), charge(2)});
  const uint64_t second = segment.append(2, {charge(1)});
  const uint64_t end = segment.bytes().size();
  segment.append(std::string(64, '\0'));
  EXPECT_EQ(first, kSegmentHeaderBytes);
  FrameReader reader = segment.reader();
  EXPECT_EQ(reader.offset(), first);
  EXPECT_EQ(reader.next()->worker, 1u);
  EXPECT_EQ(reader.offset(), second);
  EXPECT_FALSE(reader.rest_is_zero());
  EXPECT_EQ(reader.next()->worker, 2u);
  EXPECT_EQ(reader.offset(), end);
  EXPECT_FALSE(reader.next());
  EXPECT_FALSE(reader.resynchronize());
  EXPECT_EQ(reader.offset(), end);
  EXPECT_TRUE(reader.rest_is_zero());
  segment.bytes().back() = '\1';
  FrameReader later(std::string_view(segment.bytes()).substr(second), segment.header(), second);
  EXPECT_EQ(later.next()->offset, second);
  EXPECT_FALSE(later.rest_is_zero());
}

TEST(JournalFrame, EveryFlippedBitIsNoticedAndWhatFollowsIsFound) {
  Segment segment;
  const uint64_t first = segment.append(1, {charge(1)});
  const uint64_t second = segment.append(2, {charge(1), charge(2)});
  const uint64_t third = segment.append(1, {charge(2)});
  segment.append(std::string(32, '\0'));
  ASSERT_THAT(segment.all_frames(), ElementsAre(first, second, third));
  for (size_t bit = 8 * second; bit < 8 * third; ++bit) {
    char& byte = segment.bytes()[bit / 8];
    byte = static_cast<char>(byte ^ 1 << bit % 8);
    ASSERT_THAT(segment.frames_in_a_row(), ElementsAre(first)) << "bit " << bit;
    ASSERT_THAT(segment.all_frames(), ElementsAre(first, third)) << "bit " << bit;
    byte = static_cast<char>(byte ^ 1 << bit % 8);
  }
}

TEST(JournalFrame, CutAnywhereItIsNone) {
  Segment segment;
  const uint64_t first = segment.append(1, {charge(1)});
  const uint64_t second = segment.append(2, {charge(1), charge(2)});
  const std::string whole = segment.bytes();
  for (size_t length = second; length < whole.size(); ++length) {
    segment.bytes() = whole.substr(0, length);
    ASSERT_THAT(segment.all_frames(), ElementsAre(first)) << length;
    // The same where the file had been made longer before.
    segment.bytes().resize(whole.size() + 64);
    ASSERT_THAT(segment.all_frames(), ElementsAre(first)) << length;
  }
}

TEST(JournalFrame, CountsOnlyAtItsPlaceInItsSegment) {
  Segment segment;
  segment.append(1, {charge(1)});
  const std::string frame(segment.frames());
  segment.append(frame);  // written twice
  EXPECT_THAT(segment.all_frames(), ElementsAre(kSegmentHeaderBytes));

  Segment moved;
  moved.append(std::string(8, '\0'));
  moved.append(frame);
  EXPECT_THAT(moved.all_frames(), IsEmpty());

  Segment same;
  same.append(frame);
  EXPECT_THAT(same.all_frames(), ElementsAre(kSegmentHeaderBytes));
  for (int bit = 0; bit < 64; ++bit) {
    Segment other(same.header().salt ^ uint64_t{1} << bit);
    other.append(frame);
    EXPECT_THAT(other.all_frames(), IsEmpty()) << bit;
  }
}

TEST(JournalFrame, WhereverTheNextOneBeginsItIsFound) {
  for (size_t words = 1; words < 20; ++words) {
    Segment segment;
    const uint64_t first = segment.append(1, {charge(1)});
    segment.append(std::string(8 * words, '\x55'));
    const uint64_t behind = segment.append(1, {charge(2)});
    EXPECT_THAT(segment.all_frames(), ElementsAre(first, behind)) << words;
  }
}

// The first frame of a segment with another figure, and with checksums that hold all the same:
// those of the bytes that it lays claim to, as far as there are any.
std::string forge(std::string segment_frames, size_t at, auto value, const Segment& segment) {
  const std::span<char> frame(segment_frames);
  store_figure(frame, at, value);
  const auto length = load_figure<uint32_t>(segment_frames, kFrameBytesAt);
  const size_t body = std::max<size_t>(length, kFrameHeaderBytes) - kFrameHeaderBytes;
  store_figure(frame, kRecordsCheckAt,
               crc32c(std::string_view(segment_frames).substr(kFrameHeaderBytes, body)));
  std::string checked(2 * sizeof(uint64_t), '\0');
  store_figure(std::span(checked), 0, segment.header().salt);
  store_figure(std::span(checked), sizeof(uint64_t), uint64_t{kSegmentHeaderBytes});
  store_figure(frame, kFrameCheckAt, crc32c(checked + segment_frames.substr(0, kFrameCheckAt)));
  return segment_frames;
}

TEST(JournalFrame, FiguresAreBoundedWhateverTheChecksumsSay) {
  Segment segment;
  segment.append(1, {charge(1), charge(2)});
  const auto length = static_cast<uint32_t>(segment.frames().size());
  segment.append(std::string(kFrameBytesMax, '\0'));
  const std::string frames(segment.frames());
  const auto passes = [&](size_t at, auto value) {
    Segment forged;
    forged.append(forge(frames, at, value, forged));
    return !forged.frames_in_a_row().empty();
  };
  EXPECT_TRUE(passes(kFrameBytesAt, length));
  EXPECT_TRUE(passes(kFrameBytesAt, uint32_t{kFrameBytesMax}));
  constexpr uint32_t kTwoRecords = kFrameHeaderBytes + 2 * kRecordBytesMin;
  EXPECT_TRUE(passes(kFrameBytesAt, kTwoRecords));
  for (const uint32_t wrong :
       {0u, 8u, 16u, 24u, kTwoRecords - 8, length - 1, length + 4, uint32_t{kFrameBytesMax} + 8,
        static_cast<uint32_t>(frames.size()) + 8, UINT32_MAX - 7, UINT32_MAX}) {
    EXPECT_FALSE(passes(kFrameBytesAt, wrong)) << wrong;
  }
  EXPECT_FALSE(passes(kFrameRecordsAt, uint16_t{0}));
  EXPECT_FALSE(passes(kFrameRecordsAt, uint16_t{4}));
  EXPECT_FALSE(passes(kFrameZerosAt, uint16_t{1}));
  EXPECT_FALSE(passes(kFrameMagicAt, kFrameMagic + 1));

  Segment cut;
  cut.append(forge(frames.substr(0, length), kFrameBytesAt, length + 8, cut));
  EXPECT_THAT(cut.all_frames(), IsEmpty());
}

TEST(JournalFrame, NoneIsInventedBehindDamage) {
  // What a stranger can do: give an id the bytes of a frame, whose segment he cannot know.
  Segment elsewhere(99);
  elsewhere.append(1, {charge(1), charge(2), charge(3)});
  Segment segment;
  const uint64_t at = segment.append(1, {{.sequence = 1, .id = elsewhere.frames()}});
  const uint64_t behind = segment.append(1, {charge(2)});
  segment.bytes()[at] = '\0';
  EXPECT_THAT(segment.all_frames(), ElementsAre(behind));

  std::mt19937_64 random(3);
  Segment noise;
  for (int i = 0; i < 100'000; ++i) {
    const uint64_t length = random() % 64 * 8;
    const uint64_t word = random() % 4 == 0 ? random() : length << 32 | kFrameMagic;
    noise.append(std::string_view(reinterpret_cast<const char*>(&word), sizeof word));
  }
  EXPECT_THAT(noise.all_frames(), IsEmpty());
}

// ---- random segments, damaged at random ----

class RandomSegment {
 public:
  explicit RandomSegment(uint64_t seed) : random_(seed), segment_(random_()) {
    for (uint64_t frames = 1 + below(6); frames > 0; --frames) add_frame();
    if (below(2) == 0) segment_.append(std::string(8 * below(200), '\0'));
  }

  void damage() {
    std::string& bytes = segment_.bytes();
    const size_t at = kSegmentHeaderBytes + below(bytes.size() - kSegmentHeaderBytes);
    switch (below(4)) {
      case 0:
        bytes[at] = static_cast<char>(bytes[at] ^ 1 << below(8));
        break;
      case 1:
        bytes.resize(at);
        break;
      case 2:  // a piece that was never written
        std::fill_n(bytes.begin() + static_cast<ptrdiff_t>(at),
                    std::min(8 * below(64), bytes.size() - at), '\0');
        break;
      default: {  // pieces in another order
        const size_t middle = kSegmentHeaderBytes + segment_.frames().size() / 16 * 8;
        bytes = bytes.substr(0, kSegmentHeaderBytes) + bytes.substr(middle) +
                bytes.substr(kSegmentHeaderBytes, middle - kSegmentHeaderBytes);
      }
    }
    bytes.resize(std::max(bytes.size(), kSegmentHeaderBytes + 1));
  }

  // Every frame that is read was written, there. Returns how many were.
  size_t check() const {
    size_t found = 0;
    FrameReader reader = segment_.reader();
    do {
      for (auto frame = reader.next(); frame; frame = reader.next(), ++found) {
        const auto written = written_.find(frame->offset);
        EXPECT_NE(written, written_.end()) << frame->offset;
        if (written == written_.end()) return found;
        EXPECT_EQ(read_records(frame->records), written->second);
      }
    } while (reader.resynchronize());
    return found;
  }
  size_t written() const { return written_.size(); }

 private:
  uint64_t below(uint64_t bound) { return random_() % bound; }

  std::string random_text(uint64_t length_max) {
    std::string text(below(8) == 0 ? length_max : below(1 + length_max / 8), '\0');
    for (char& byte : text) byte = static_cast<char>(below(3) == 0 ? 0 : random_());
    return text;
  }

  void add_frame() {
    FrameWriter writer;
    std::vector<std::string> records;
    for (uint64_t left = 1 + below(20); left > 0; --left) {
      const std::string id = random_text(kIdMax);
      const std::string key = random_text(kJournalKeyMax);
      const JournalRecord record{.kind = static_cast<RecordKind>(1 + below(8)),
                                 .sequence = random_() >> below(64),
                                 .amount = static_cast<int64_t>(random_() >> below(64)),
                                 .time = static_cast<int64_t>(random_() >> below(64)),
                                 .extra = below(2) == 0 ? 0 : static_cast<int64_t>(random_()),
                                 .id = id,
                                 .key = key};
      writer.add(record);
      records.push_back(describe(record));
    }
    written_[segment_.append(writer.bytes(), static_cast<uint32_t>(random_()))] = records;
  }

  std::mt19937_64 random_;
  Segment segment_;
  std::map<uint64_t, std::vector<std::string>> written_;
};

TEST(JournalProperty, WhatWasWrittenAndNothingElseIsRead) {
  size_t lost = 0;
  for (uint64_t seed = 0; seed < 1'000; ++seed) {
    SCOPED_TRACE(seed);
    RandomSegment segment(seed);
    ASSERT_EQ(segment.check(), segment.written());
    for (int i = 0; i < 6; ++i) segment.damage();
    lost += segment.written() - segment.check();
    ASSERT_FALSE(testing::Test::HasFailure());
  }
  EXPECT_GT(lost, 500u);
}

}  // namespace
}  // namespace toll::engine
