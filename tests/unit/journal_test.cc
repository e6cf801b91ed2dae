// The journal's files: what is written when, and what becomes of segments.
#include "daemon/journal.h"

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/journal_fixture.h"

namespace toll::test {
namespace {

using daemon::JournalState;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

struct JournalTest : ::testing::Test {
  MemoryDisk disk{1};
  Ledger ledger;

  std::vector<std::string> segments() const {
    std::vector<std::string> names;
    for (const std::string& name : disk.names()) {
      if (name.ends_with(".journal")) names.push_back(name);
    }
    return names;
  }
  static std::string name(uint64_t number) {
    const std::string digits = std::to_string(number);
    return std::string(20 - digits.size(), '0') + digits + ".journal";
  }
};

TEST_F(JournalTest, ADaemonThatNeverChargesWritesNothing) {
  Start start(disk, ledger);
  EXPECT_EQ(start.error, "");
  EXPECT_EQ(start.journal.identity().epoch, 1U);
  EXPECT_FALSE(start.journal.tend(kNoon));
  EXPECT_THAT(visited(start.journal), IsEmpty());
  EXPECT_EQ(start.journal.oldest(), JournalPosition{});
  EXPECT_EQ(start.journal.end(), JournalPosition{});
  EXPECT_EQ(start.journal.bytes(), 0U);
  EXPECT_EQ(disk.count(FileOperation::kCreate), 0U);
  EXPECT_THAT(disk.names(), IsEmpty());
}

TEST_F(JournalTest, TheEpochIsOnTheDiskBeforeTheFirstFrameAndRisesWithEveryStart) {
  engine::NodeId node = {};
  for (uint64_t epoch = 1; epoch <= 3; ++epoch) {
    Start start(disk, ledger);
    if (epoch == 1) node = start.journal.identity().node;
    EXPECT_EQ(start.journal.identity().epoch, epoch);
    EXPECT_EQ(start.journal.identity().node, node);
    ASSERT_TRUE(start.commit({100}));
    EXPECT_THAT(disk.contents("identity"), HasSubstr("epoch " + std::to_string(epoch) + "\n"));
    // A lower figure in the file is no way back: the segments say better.
    if (epoch == 2) {
      std::string text = disk.contents("identity");
      text.replace(text.find("epoch 2"), 7, "epoch 1");
      disk.put("identity", text);
    }
  }
}

TEST_F(JournalTest, TheEpochRisesAlsoWhereAllSegmentsAreGone) {
  for (uint64_t epoch = 1; epoch <= 3; ++epoch) {
    Start start(disk, ledger);
    EXPECT_EQ(start.journal.identity().epoch, epoch);
    ASSERT_TRUE(start.commit({100}));
    for (const std::string& segment : segments()) disk.remove(segment);
  }
}

// A long journal is no reason to be taken for one that hangs.
TEST_F(JournalTest, WhileItIsReadItSaysForEachSegmentThatItGoesOn) {
  {
    Start start(disk, ledger);
    for (int i = 0; i < 40; ++i) ASSERT_TRUE(start.commit({1500}));
  }
  const size_t there = segments().size();
  ASSERT_GT(there, 4u);
  size_t told = 0;
  Journal::Settings settings = small_journal();
  settings.progress = [&told] { ++told; };
  Start again(disk, ledger, settings);
  EXPECT_EQ(told, there);
  visited(again.journal);
  EXPECT_EQ(told, 2 * there);
}

TEST_F(JournalTest, FramesLieWhereCommitSaid) {
  Start start(disk, ledger);
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(start.commit({300, 1500, 40}));
  std::vector<JournalPosition> places;
  ASSERT_TRUE(start.journal.visit({}, [&](const auto& segment, const auto& frame) {
    places.push_back({.segment = segment.number, .offset = frame.offset});
    EXPECT_EQ(frame.worker, (number_of(frame) - 1) % 3);
    EXPECT_EQ(ledger.entries[number_of(frame) - 1].position, places.back());
    return true;
  }));
  EXPECT_EQ(places.size(), 30U);
  EXPECT_EQ(start.journal.oldest(), places.front());
  EXPECT_GT(start.journal.end(), places.back());
  // From any frame on, both ways of reading give the rest.
  for (size_t i = 0; i < places.size(); ++i) {
    EXPECT_EQ(visited(start.journal, places[i]).size(), 30 - i);
    EXPECT_EQ(read_all(start.journal, places[i]), visited(start.journal, places[i]));
  }
}

TEST_F(JournalTest, ACommitIsOneWriteAndOneSyncAndSeldomMakesTheFileLonger) {
  Start start(disk, ledger);
  ASSERT_TRUE(start.commit({100}));
  const uint64_t writes = disk.count(FileOperation::kWrite);
  const uint64_t syncs = disk.count(FileOperation::kSync);
  const uint64_t operations = disk.operations();
  uint64_t longer = 0;
  for (int i = 0; i < 20; ++i) {
    const uint64_t size = disk.contents(name(1)).size();
    ASSERT_TRUE(start.commit({100, 60}));
    if (disk.contents(name(1)).size() > size) longer += 1;
  }
  EXPECT_EQ(disk.count(FileOperation::kWrite), writes + 20);
  EXPECT_EQ(disk.count(FileOperation::kSync), syncs + 20);
  EXPECT_EQ(disk.operations(), operations + 40);
  EXPECT_GE(longer, 1U);
  EXPECT_LE(longer, 4U);
}

TEST_F(JournalTest, ACommitLargerThanASegmentIsKeptWholeInOne) {
  Start start(disk, ledger);
  ASSERT_TRUE(start.commit({100}));
  ASSERT_TRUE(start.commit({6000, 6000, 9000}));
  ASSERT_TRUE(start.commit({100}));
  EXPECT_EQ(ledger.entries[1].position.segment, 2U);
  EXPECT_EQ(ledger.entries[3].position.segment, 2U);
  EXPECT_EQ(ledger.entries[4].position.segment, 3U);
  Start again(disk, ledger);
  EXPECT_EQ(visited(again.journal), ledger.committed());
  EXPECT_THAT(again.found.damages, IsEmpty());
}

TEST_F(JournalTest, AFrameThatIsTooLongIsRefusedAndHarmsNothing) {
  Start start(disk, ledger);
  ASSERT_TRUE(start.commit({100}));
  std::vector<char> bytes(engine::kFrameBytesMax + 8);
  JournalFrame frame{.bytes = bytes, .worker = 0, .position = {}};
  const auto done = start.journal.commit({&frame, 1}, kNoon, 1);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, EMSGSIZE);
  EXPECT_EQ(start.journal.state(), JournalState::kReady);
  ASSERT_TRUE(start.commit({100}));
  EXPECT_EQ(visited(start.journal), ledger.committed());
}

TEST_F(JournalTest, WithTheSettingsOfProductionSegmentsAreSixteenMegabytes) {
  Start start(disk, ledger, Journal::Settings{});
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(start.commit({engine::kFrameBytesMax - 1024}));
  EXPECT_TRUE(start.tend());
  EXPECT_EQ(disk.contents("spare").size(), 16U << 20);
  EXPECT_EQ(disk.contents(name(1)).size(), 16U << 20);
  EXPECT_EQ(ledger.entries.back().position.segment, 2U);
  EXPECT_EQ(read_all(start.journal), ledger.committed());
  Start again(disk, ledger, Journal::Settings{});
  EXPECT_EQ(again.found.frames, 20U);
  EXPECT_EQ(again.found.segments, 2U);
  EXPECT_EQ(again.found.torn_bytes, 0U);
}

TEST_F(JournalTest, NumbersAndEpochsBeyondThirtyTwoBitsGoOn) {
  uint64_t high = (uint64_t{1} << 52) - 1;
  {
    Start start(disk, ledger);
    ASSERT_TRUE(start.commit({100}));
  }
  engine::SegmentHeader header;
  const std::string old = disk.contents(name(1));
  header = *engine::decode_segment_header(old);
  header.number = (uint64_t{1} << 61) + 5;
  header.epoch = high;
  disk.remove(name(1));
  disk.put(name(header.number),
           std::string(engine::encode(header).data(), engine::kSegmentHeaderBytes) +
               old.substr(engine::kSegmentHeaderBytes));
  Start start(disk, ledger);
  EXPECT_EQ(start.error, "");
  EXPECT_EQ(visited(start.journal), ledger.committed());
  EXPECT_EQ(start.journal.identity().epoch, high + 1);
  ASSERT_TRUE(start.commit({100}));
  EXPECT_EQ(ledger.entries.back().position.segment, header.number + 1);
  Start again(disk, ledger);
  EXPECT_EQ(again.journal.identity().epoch, high + 2);
  EXPECT_EQ(visited(again.journal), ledger.committed());
}

TEST_F(JournalTest, NoNumberIsUsedTwiceWhateverWasRemoved) {
  {
    Start start(disk, ledger);
    for (int i = 0; i < 6; ++i) ASSERT_TRUE(start.commit({5000}));
  }
  Start start(disk, ledger);
  start.journal.release({.segment = 1'000, .offset = 0});
  ledger.released = {.segment = 1'000, .offset = 0};
  start.now += 100 * kSecond;
  EXPECT_TRUE(start.tend());
  start.now += 100 * kSecond;
  EXPECT_TRUE(start.tend());
  EXPECT_THAT(segments(), ElementsAre(name(6)));  // the newest stays
  Start again(disk, ledger);
  ASSERT_TRUE(again.commit({5000}));
  EXPECT_EQ(ledger.entries.back().position.segment, 7U);
}

TEST_F(JournalTest, ReleasedSegmentsGoOldestFirstOnceTheirTimeHasCome) {
  Start start(disk, ledger);
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(start.commit({5000}));
  EXPECT_TRUE(start.tend());
  EXPECT_THAT(segments(), ElementsAre(name(1), name(2), name(3), name(4)));
  start.journal.release(ledger.entries[2].position);  // the first of segment 3
  EXPECT_TRUE(start.tend());
  EXPECT_EQ(segments().size(), 4U) << "not old enough";
  start.now += kSecond;
  EXPECT_TRUE(start.tend());
  EXPECT_THAT(segments(), ElementsAre(name(3), name(4)));
  EXPECT_EQ(start.journal.oldest(), ledger.entries[2].position);
  EXPECT_THAT(read_all(start.journal), ElementsAre(3, 4));
}

TEST_F(JournalTest, AClockThatWasAheadKeepsNoSegmentForEver) {
  Start start(disk, ledger);
  start.now += 1'000'000 * kSecond;
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(start.commit({5000}));
  start.release_all();
  start.now = kNoon;
  EXPECT_TRUE(start.tend());
  EXPECT_EQ(segments().size(), 3U);
  start.now += kSecond;
  EXPECT_TRUE(start.tend());
  EXPECT_EQ(segments().size(), 1U);
}

// The newest segment stays though nobody needs it, and after a restart what comes needs another.
TEST_F(JournalTest, ASmallCommitFindsRoomWhereTheNewestSegmentAloneFillsIt) {
  Journal::Settings settings = small_journal();
  settings.bytes_max = settings.segment_bytes;
  {
    Start start(disk, ledger, settings);
    ASSERT_TRUE(start.commit({7500}));
  }
  Start start(disk, ledger, settings);
  EXPECT_FALSE(start.commit({1000})) << "it is needed yet";
  EXPECT_EQ(start.journal.state(), JournalState::kFull);
  start.journal.release(start.journal.end());
  EXPECT_FALSE(start.commit({4000})) << "more than a mark";
  ASSERT_TRUE(start.commit({500})) << start.error;
  start.now += 2 * kSecond;
  EXPECT_TRUE(start.tend());
  EXPECT_EQ(segments().size(), 1U);
  EXPECT_LT(start.journal.bytes(), 1024U);
  EXPECT_TRUE(start.commit({4000}));
}

TEST_F(JournalTest, ARemovalThatFailsIsTroubleAndIsTriedAgainLater) {
  Start start(disk, ledger);
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(start.commit({5000}));
  start.release_all();
  start.now += kSecond;
  disk.fail_each(FileOperation::kRemove, EACCES);
  EXPECT_TRUE(start.tend());
  EXPECT_THAT(start.journal.trouble(), HasSubstr("cannot remove " + name(1)));
  EXPECT_EQ(start.journal.state(), JournalState::kReady);
  disk.heal();
  ASSERT_TRUE(start.commit({100}));
  start.now += 10 * kSecond;
  EXPECT_TRUE(start.tend());
  EXPECT_EQ(segments().size(), 1U);
  EXPECT_EQ(start.journal.trouble(), "");
}

// Elsewhere a file was removed before what pointed to it: no start went well after that.
TEST_F(JournalTest, SegmentsRemovedJustBeforeAPowerCutDoNotKeepTheNextStartFromReading) {
  Start start(disk, ledger);
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(start.commit({5000}));
  start.release_all();
  start.now += kSecond;
  EXPECT_TRUE(start.tend());
  disk.cut_power_at(1);
  disk.power_back();
  Start again(disk, ledger);
  EXPECT_EQ(again.error, "");
  EXPECT_THAT(again.found.damages, IsEmpty());
  EXPECT_THAT(visited(again.journal), ElementsAre(4));
  EXPECT_EQ(again.found.oldest, ledger.entries[3].position);
}

// Elsewhere a pointer that was ahead of the data, or behind it, stopped the reader for good.
TEST_F(JournalTest, APositionThatIsGoneOrNotYetThereIsReadFromTheNextThatIs) {
  Start start(disk, ledger);
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(start.commit({5000}));
  start.journal.release(ledger.entries[2].position);
  start.now += kSecond;
  EXPECT_TRUE(start.tend());
  EXPECT_THAT(read_all(start.journal, ledger.entries[0].position), ElementsAre(3, 4));
  EXPECT_THAT(visited(start.journal, ledger.entries[0].position), ElementsAre(3, 4));
  const JournalPosition ahead{.segment = 4, .offset = 1 << 20};
  EXPECT_THAT(read_all(start.journal, ahead), IsEmpty());
  EXPECT_THAT(visited(start.journal, ahead), IsEmpty());
  EXPECT_THAT(read_all(start.journal, start.journal.end()), IsEmpty());
  const JournalPosition far{.segment = 900, .offset = 8};
  EXPECT_THAT(read_all(start.journal, far), IsEmpty());
  start.journal.release(far);  // what a former, longer journal said: the newest stays all the same
  ASSERT_TRUE(start.commit({5000}));
  EXPECT_TRUE(start.tend());
  EXPECT_EQ(ledger.entries.back().position.segment, 5U);
  EXPECT_THAT(visited(start.journal), ::testing::Contains(5));
}

TEST_F(JournalTest, AFailedSyncIsNotTriedAgainOnThatFileAndTheFramesAreWrittenAnew) {
  Start start(disk, ledger);
  ASSERT_TRUE(start.commit({100}));
  disk.fail_at(2, EIO);  // write, sync
  ASSERT_TRUE(start.commit({200, 300}));
  EXPECT_THAT(start.journal.trouble(), HasSubstr(name(1) + " was given up"));
  EXPECT_EQ(ledger.entries[1].position.segment, 2U);
  ASSERT_TRUE(start.commit({400}));
  EXPECT_EQ(start.journal.trouble(), "");
  EXPECT_EQ(disk.touched_after_failed_sync(), 0U);
  EXPECT_EQ(visited(start.journal), ledger.committed());
  Start again(disk, ledger);
  EXPECT_EQ(visited(again.journal), ledger.committed()) << "once, though two segments have them";
  EXPECT_THAT(again.found.damages, IsEmpty());
}

TEST_F(JournalTest, ADiskThatSyncsNothingRefusesEachCommitUntilItDoes) {
  Start start(disk, ledger);
  ASSERT_TRUE(start.commit({100}));
  disk.fail_each(FileOperation::kSync, EIO);
  for (int i = 0; i < 3; ++i) {
    EXPECT_FALSE(start.commit({100}));
    EXPECT_EQ(start.journal.state(), JournalState::kFailed);
    EXPECT_THAT(start.journal.trouble(), StartsWith("cannot sync next"));
  }
  EXPECT_EQ(disk.touched_after_failed_sync(), 0U);
  disk.heal();
  EXPECT_TRUE(start.commit({100}));
  EXPECT_EQ(start.journal.state(), JournalState::kReady);
  EXPECT_EQ(ledger.entries.back().position.segment, 2U);
  EXPECT_EQ(visited(start.journal), ledger.committed());
  Start again(disk, ledger);
  EXPECT_EQ(visited(again.journal), ledger.committed());
}

// A segment that may or may not lie there says where the one before it ends: had the smaller commit
// gone into that one, it would be lost.
TEST_F(JournalTest, NothingIsAddedToASegmentThatAnUncertainOneMayFollow) {
  Start start(disk, ledger);
  ASSERT_TRUE(start.commit({5000}));
  disk.fail_each(FileOperation::kSyncDirectory, EIO);
  EXPECT_FALSE(start.commit({5000}));
  disk.heal();
  ASSERT_TRUE(start.commit({100}));
  EXPECT_EQ(ledger.entries.back().position.segment, 2U);
  Start again(disk, ledger);
  EXPECT_EQ(visited(again.journal), ledger.committed());
}

TEST_F(JournalTest, TheSpareIsTheReserveOfAFullDisk) {
  Start start(disk, ledger);
  ASSERT_TRUE(start.commit({5000}));
  EXPECT_TRUE(start.tend());
  EXPECT_EQ(disk.contents("spare").size(), small_journal().segment_bytes);
  EXPECT_EQ(start.journal.bytes(), disk.bytes_used() - disk.contents("identity").size());
  disk.fill(disk.bytes_used());
  EXPECT_TRUE(start.commit({5000}));
  EXPECT_TRUE(start.commit({1000}));
  EXPECT_FALSE(disk.has("spare"));
  EXPECT_FALSE(start.commit({5000}));
  EXPECT_EQ(start.journal.state(), JournalState::kFull);
  EXPECT_TRUE(start.tend()) << "no spare is tried while nothing can be written";
  disk.fill(std::nullopt);
  EXPECT_TRUE(start.commit({5000}));
  EXPECT_EQ(start.journal.state(), JournalState::kReady);
  EXPECT_EQ(start.journal.trouble(), "");
  EXPECT_EQ(visited(start.journal), ledger.committed());
}

TEST_F(JournalTest, ASpareThatCannotBeMadeIsTroubleAndIsTriedAgainLater) {
  Start start(disk, ledger);
  ASSERT_TRUE(start.commit({100}));
  disk.fail_each(FileOperation::kCreate, EMFILE);
  const uint64_t tries = disk.count(FileOperation::kCreate);
  for (int i = 0; i < 5; ++i) EXPECT_FALSE(start.journal.tend(start.now));
  EXPECT_EQ(disk.count(FileOperation::kCreate), tries + 1);
  EXPECT_THAT(start.journal.trouble(), HasSubstr("cannot create spare"));
  EXPECT_EQ(start.journal.state(), JournalState::kReady);
  disk.heal();
  start.now += 10 * kSecond;
  EXPECT_TRUE(start.tend());
  EXPECT_TRUE(disk.has("spare"));
  EXPECT_EQ(start.journal.trouble(), "");
}

TEST_F(JournalTest, BytesMaxIsNotPassedAndRoomComesBackWithRemoval) {
  auto settings = small_journal();
  settings.bytes_max = 40 << 10;
  Start start(disk, ledger, settings);
  while (start.commit({3000})) {
    EXPECT_LE(start.journal.bytes(), settings.bytes_max);
    start.tend();
    ASSERT_LT(ledger.entries.size(), 100U);
  }
  EXPECT_EQ(start.journal.state(), JournalState::kFull);
  EXPECT_THAT(start.journal.trouble(), HasSubstr("it has reached its 40960 bytes"));
  EXPECT_LE(disk.bytes_used(), settings.bytes_max + 200);
  ledger.released = ledger.entries[ledger.entries.size() - 2].position;
  start.journal.release(ledger.released);
  start.now += kSecond;
  EXPECT_TRUE(start.tend());
  EXPECT_TRUE(start.commit({3000})) << start.error;
}

// Elsewhere what a crash left behind was counted for ever, and the buffer was full from then on.
TEST_F(JournalTest, WhatACrashLeftBehindTakesNoRoomFromTheNextStart) {
  auto settings = small_journal();
  settings.bytes_max = 24 << 10;
  {
    Start start(disk, ledger, settings);
    ASSERT_TRUE(start.commit({5000}));
    EXPECT_TRUE(start.tend());
    EXPECT_TRUE(disk.has("spare"));
    disk.put("next", std::string(8 << 10, 'x'));
    disk.put("identity.new", "half");
  }
  for (int i = 0; i < 6; ++i) {
    disk.kill_process();
    Start start(disk, ledger, settings);
    EXPECT_LE(start.journal.bytes(), settings.bytes_max);
    ASSERT_TRUE(start.commit({1000})) << start.error;
    EXPECT_FALSE(disk.has("next") || disk.has("identity.new") || disk.has("spare"));
    start.release_all();
    start.now += kSecond;
    EXPECT_TRUE(start.tend());
    start.now += kSecond;
    EXPECT_TRUE(start.tend());
  }
}

// Elsewhere the half of it took what was left of the disk, and the start failed.
TEST_F(JournalTest, ACopyOfTheLastSegmentThatFindsNoRoomLeavesItToOthers) {
  {
    Start start(disk, ledger);
    ASSERT_TRUE(start.commit({5000}));
  }
  disk.kill_process();
  disk.fill(disk.bytes_used() + 2000);
  Start start(disk, ledger);
  EXPECT_EQ(start.error, "");
  EXPECT_TRUE(start.journal.claim());
  EXPECT_FALSE(disk.has("next"));
  EXPECT_EQ(visited(start.journal), ledger.committed());
}

TEST_F(JournalTest, OnTheKernelsFilesItIsTheSame) {
  std::string pattern = std::filesystem::temp_directory_path() / "toll-journal-XXXXXX";
  const std::string path = ::mkdtemp(pattern.data());
  uint64_t number = 0;
  for (uint64_t epoch = 1; epoch <= 3; ++epoch) {
    auto files = net::open_directory(path + "/journal");
    ASSERT_TRUE(files) << files.error().text;
    Journal journal(std::move(*files), small_journal());
    const auto found = journal.open(kMachine, 1, 2);
    ASSERT_TRUE(found) << found.error();
    EXPECT_EQ(found->frames, number);
    EXPECT_THAT(found->damages, IsEmpty());
    EXPECT_EQ(journal.identity().epoch, epoch);
    for (int i = 0; i < 20; ++i) {
      engine::FrameWriter writer = frame_of(++number, 1000);
      JournalFrame frame{.bytes = writer.bytes(), .worker = 0, .position = {}};
      const auto done = journal.commit({&frame, 1}, kNoon, number);
      ASSERT_TRUE(done) << done.error().text;
      journal.tend(kNoon);
    }
    EXPECT_EQ(visited(journal).size(), number);
    EXPECT_EQ(read_all(journal), visited(journal));
  }
  std::filesystem::remove_all(path);
}

}  // namespace
}  // namespace toll::test
