// What the journal says and does about what it did not write like that: damaged, missing, foreign.
#include <cerrno>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/journal_fixture.h"

namespace toll::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

std::string name(uint64_t number) {
  const std::string digits = std::to_string(number);
  return std::string(20 - digits.size(), '0') + digits + ".journal";
}

// Three segments of four frames each, in one epoch; frame i is number i + 1.
struct JournalDamage : ::testing::Test {
  JournalDamage() {
    Start start(disk, ledger);
    for (int i = 0; i < 12; ++i) EXPECT_TRUE(start.commit({1500}));
    EXPECT_EQ(ledger.entries[11].position.segment, 3U);
  }

  std::vector<uint64_t> all_but(std::initializer_list<uint64_t> lost) const {
    std::vector<uint64_t> numbers = ledger.committed();
    std::erase_if(numbers, [&](uint64_t n) { return std::ranges::find(lost, n) != lost.end(); });
    return numbers;
  }
  const JournalPosition& place(uint64_t number) const {
    return ledger.entries[number - 1].position;
  }
  void corrupt(uint64_t number, uint64_t into_it) {
    disk.corrupt(name(place(number).segment), place(number).offset + into_it);
  }

  MemoryDisk disk{1};
  Ledger ledger;
};

TEST_F(JournalDamage, OfADamagedMiddleNothingElseIsLostAndItIsReportedWithItsPlace) {
  for (const uint64_t number : {1, 3, 4, 6, 8, 9, 10}) {
    for (const uint64_t byte : {0, 5, 9, 17, 21, 100, 1500}) {
      SCOPED_TRACE(::testing::Message() << "frame " << number << ", byte " << byte);
      corrupt(number, byte);
      {
        Start start(disk, ledger);
        EXPECT_EQ(start.error, "");
        ASSERT_THAT(start.found.damages, SizeIs(1));
        EXPECT_THAT(start.found.damages[0], HasSubstr(name(place(number).segment)));
        EXPECT_THAT(start.found.damages[0],
                    HasSubstr("from " + std::to_string(place(number).offset) + " on are damaged"));
        EXPECT_EQ(start.found.torn_bytes, 0U);
        EXPECT_EQ(visited(start.journal), all_but({number}));
        EXPECT_EQ(read_all(start.journal), all_but({number}));
        EXPECT_EQ(read_all(start.journal, place(number)), visited(start.journal, place(number)));
      }
      corrupt(number, byte);
    }
  }
}

// Elsewhere a damaged last record stopped reading for good.
TEST_F(JournalDamage, ADamagedLastFrameIsCutOffAndBlocksNothing) {
  corrupt(12, 50);
  for (int i = 0; i < 3; ++i) {
    Start start(disk, ledger);
    EXPECT_EQ(start.error, "");
    EXPECT_THAT(start.found.damages, IsEmpty());
    // The start that met it wrote the segment anew, without it.
    EXPECT_EQ(start.found.torn_bytes > 1000, i == 0) << start.found.torn_bytes;
    EXPECT_EQ(visited(start.journal), all_but({12}));
    ASSERT_TRUE(start.commit({100}));
    EXPECT_EQ(visited(start.journal), all_but({12}));
    EXPECT_EQ(read_all(start.journal), all_but({12}));
  }
}

TEST_F(JournalDamage, MetOnlyLaterItIsPassedOverWithAWord) {
  Start start(disk, ledger);
  EXPECT_EQ(start.journal.trouble(), "");
  corrupt(6, 40);
  EXPECT_EQ(read_all(start.journal), all_but({6}));
  EXPECT_THAT(start.journal.trouble(), HasSubstr(name(place(6).segment)));
  EXPECT_THAT(start.journal.trouble(), HasSubstr("damaged, and skipped"));
}

TEST_F(JournalDamage, ASegmentThatIsTooShortIsReported) {
  disk.put(name(2), disk.contents(name(2)).substr(0, place(7).offset + 10));
  Start start(disk, ledger);
  EXPECT_EQ(visited(start.journal), all_but({7, 8}));
  ASSERT_THAT(start.found.damages, SizeIs(2)) << all_of(start.found.damages);
  EXPECT_THAT(start.found.damages[0], HasSubstr(name(2)));
}

TEST_F(JournalDamage, ZerosWhereFramesWereAcknowledgedAreDamage) {
  std::string bytes = disk.contents(name(2));
  std::fill(bytes.begin() + static_cast<std::ptrdiff_t>(place(7).offset), bytes.end(), '\0');
  disk.put(name(2), bytes);
  Start start(disk, ledger);
  EXPECT_EQ(visited(start.journal), all_but({7, 8}));
  ASSERT_THAT(start.found.damages, SizeIs(1));
  EXPECT_THAT(start.found.damages[0], HasSubstr("from " + std::to_string(place(7).offset)));
}

TEST_F(JournalDamage, ASegmentWithADamagedHeaderIsLeftAloneAndItsNumberNotUsed) {
  disk.corrupt(name(3), 30);
  const std::string bytes = disk.contents(name(3));
  Start start(disk, ledger);
  EXPECT_EQ(visited(start.journal), all_but({9, 10, 11, 12}));
  ASSERT_THAT(start.found.damages, SizeIs(1));
  EXPECT_THAT(start.found.damages[0], HasSubstr(name(3) + ": its header is damaged"));
  ASSERT_TRUE(start.commit({100}));
  EXPECT_EQ(ledger.entries.back().position.segment, 4U);
  start.release_all();
  start.now += 100 * kSecond;
  EXPECT_TRUE(start.tend());
  EXPECT_EQ(disk.contents(name(3)), bytes);
}

TEST_F(JournalDamage, ASegmentUnderAWrongNumberIsNotRead) {
  disk.put(name(7), disk.contents(name(2)));
  Start start(disk, ledger);
  EXPECT_EQ(visited(start.journal), ledger.committed());
  EXPECT_THAT(all_of(start.found.damages), HasSubstr(name(7)));
}

TEST_F(JournalDamage, MissingSegmentsAreReported) {
  disk.remove(name(2));
  Start start(disk, ledger);
  EXPECT_EQ(visited(start.journal), all_but({5, 6, 7, 8}));
  EXPECT_EQ(read_all(start.journal), all_but({5, 6, 7, 8}));
  ASSERT_THAT(start.found.damages, SizeIs(1));
  EXPECT_THAT(start.found.damages[0], HasSubstr("1 segment(s) between " + name(1)));
}

TEST_F(JournalDamage, WhatHasNoNumberOfOursIsNoSegment) {
  disk.put("18446744073709551615.journal", "x");
  disk.put("99999999999999999999.journal", "x");
  disk.put("1.journal", "x");
  disk.put("0000000000000000000a.journal", "x");
  disk.put("notes", "x");
  Start start(disk, ledger);
  EXPECT_EQ(start.error, "");
  ASSERT_THAT(start.found.damages, SizeIs(1));
  EXPECT_THAT(start.found.damages[0], HasSubstr("18446744073709551615.journal"));
  ASSERT_TRUE(start.commit({100}));
  EXPECT_EQ(ledger.entries.back().position.segment, 4U);
  EXPECT_EQ(visited(start.journal), ledger.committed());
}

TEST_F(JournalDamage, BytesThatCannotBeReadAreReportedAndTheRestIsRead) {
  // All reads but those of less than a whole segment.
  disk.fail_reads_over(4096, EIO);
  Start start(disk, ledger);
  EXPECT_EQ(start.error, "");
  EXPECT_EQ(visited(start.journal), ledger.committed());
  disk.heal();
  disk.fail_each(FileOperation::kRead, EIO);
  std::vector<char> into(engine::kFrameBytesMax);
  EXPECT_FALSE(start.journal.read({}, into)) << "a disk that is gone is not an empty journal";
  Start blind(disk, ledger);
  EXPECT_THAT(blind.error, HasSubstr("cannot read"));
}

TEST_F(JournalDamage, AReadThatFailsOnceSkipsNothing) {
  Start start(disk, ledger);
  std::vector<char> into(engine::kFrameBytesMax);
  for (uint64_t number = 1; number <= 12; ++number) {
    disk.fail_at(1, EIO);
    auto chunk = start.journal.read(place(number), into);
    if (!chunk) chunk = start.journal.read(place(number), into);
    ASSERT_TRUE(chunk) << chunk.error().text;
    EXPECT_TRUE(disk.failed());
    engine::FrameReader frames({into.data(), chunk->bytes}, chunk->segment, chunk->offset);
    const auto frame = frames.next();
    ASSERT_TRUE(frame);
    EXPECT_EQ(number_of(*frame), number);
  }
}

TEST_F(JournalDamage, TwoErrorsInARowDuringAStartSkipNothing) {
  for (uint64_t n = 1; n <= 40; ++n) {
    SCOPED_TRACE(n);
    disk.fail_at(n, EIO);
    disk.fail_again_after(1);
    Start start(disk, ledger);
    disk.heal();
    if (!start.error.empty()) continue;
    EXPECT_THAT(start.found.damages, IsEmpty());
    EXPECT_EQ(visited(start.journal), ledger.committed());
  }
}

TEST_F(JournalDamage, ADirectoryOfAnotherMachineIsRefusedAndToldHowToGoOn) {
  {
    Start start(disk, ledger, small_journal(), "another");
    EXPECT_THAT(start.error, HasSubstr("copied from another machine"));
    EXPECT_THAT(start.error, HasSubstr("two daemons must not write as one"));
    EXPECT_THAT(start.error, HasSubstr("remove the file 'identity'"));
  }
  disk.remove("identity");
  const std::string bytes = disk.contents(name(3));
  Start start(disk, ledger, small_journal(), "another");
  EXPECT_EQ(start.error, "");
  EXPECT_THAT(visited(start.journal), IsEmpty());
  ASSERT_THAT(start.found.damages, SizeIs(1));
  EXPECT_THAT(start.found.damages[0], HasSubstr("3 segment(s) of another node"));
  EXPECT_EQ(start.journal.identity().epoch, 1U);
  EXPECT_EQ(start.journal.bytes(), 0U);
  ASSERT_TRUE(start.commit({5000}));
  ASSERT_TRUE(start.commit({5000}));
  EXPECT_EQ(ledger.entries.back().position.segment, 5U);
  start.release_all();
  start.now += 100 * kSecond;
  EXPECT_TRUE(start.tend());
  EXPECT_EQ(disk.contents(name(3)), bytes);
  EXPECT_THAT(visited(start.journal), ElementsAre(14));
}

TEST_F(JournalDamage, ADamagedIdentityIsTakenFromTheNewestSegment) {
  for (const std::string text :
       {"", "node 12\n", "node zz\nmachine c0ffee\nepoch 1\n", "epoch 4\n", "\n\n\n"}) {
    SCOPED_TRACE(text);
    disk.put("identity", text);
    Start start(disk, ledger);
    EXPECT_EQ(start.error, "");
    ASSERT_THAT(start.found.damages, SizeIs(1));
    EXPECT_THAT(start.found.damages[0], HasSubstr("'identity' is damaged"));
    EXPECT_EQ(visited(start.journal), ledger.committed());
    EXPECT_GT(start.journal.identity().epoch, ledger.entries.back().epoch);
    ASSERT_TRUE(start.commit({100}));
    Start again(disk, ledger);
    EXPECT_THAT(again.found.damages, IsEmpty());
    EXPECT_EQ(again.journal.identity().node, start.journal.identity().node);
  }
}

}  // namespace
}  // namespace toll::test
