// A run of the journal with everything in it, ended or disturbed at every single operation on the
// disk: whatever commit() promised is there afterwards, once and in order, and nothing else.
#include <cerrno>
#include <gtest/gtest.h>
#include <random>

#include "tests/unit/journal_fixture.h"

namespace toll::test {
namespace {

// Several segments with rotation, the spare, release and removal. Stops where the power is gone.
void script(Start& start, const MemoryDisk& disk, int rounds = 14) {
  for (int round = 0; round < rounds && !disk.power_is_cut(); ++round) {
    switch (round % 4) {
      case 0:
        start.commit({1500, 200});
        break;
      case 1:
        start.commit({100, 700, 2400});
        break;
      case 2:
        start.commit({3000});
        break;
      default:
        start.commit({40, 40, 40, 40, 900});
    }
    if (round == 6) start.release_all();
    if (round == 9) start.now += 2 * kSecond;
    if (round % 2 == 1) start.tend();
  }
}

// A start that must go well and find everything; goes on a little.
// `holes`: a directory that could not be synced may have kept an older segment and lost the removal
// of a newer one, and that is told.
void start_and_check(MemoryDisk& disk, Ledger& ledger, bool holes = false) {
  uint64_t epoch_before = 0;
  for (const Entry& entry : ledger.entries) {
    if (entry.committed) epoch_before = std::max(epoch_before, entry.epoch);
  }
  Start start(disk, ledger);
  ASSERT_EQ(start.error, "");
  const auto numbers = visited(start.journal);
  EXPECT_EQ(ledger.check(numbers), "") << all_of(start.found.damages);
  EXPECT_EQ(read_all(start.journal), numbers);
  EXPECT_EQ(start.found.frames, numbers.size());
  EXPECT_GT(start.journal.identity().epoch, epoch_before);
  EXPECT_TRUE(holes || all_of(start.found.damages).find("missing") == std::string::npos);
  EXPECT_EQ(all_of(start.found.damages).find("header"), std::string::npos);
  EXPECT_EQ(all_of(start.found.damages).find("identity"), std::string::npos);
  EXPECT_TRUE(start.commit({300, 3000})) << start.error;
  EXPECT_TRUE(start.commit({5000})) << start.error;
  EXPECT_EQ(start.journal.state(), daemon::JournalState::kReady);
  EXPECT_TRUE(start.tend());
  EXPECT_EQ(ledger.check(visited(start.journal)), "");
  EXPECT_EQ(read_all(start.journal), visited(start.journal));
}

uint64_t operations_of_the_script() {
  MemoryDisk disk(0);
  Ledger ledger;
  Start start(disk, ledger);
  script(start, disk);
  return disk.operations();
}

TEST(JournalCrash, WhatWasCommittedOutlivesAPowerCutAtEveryOperationAndAnotherInTheRestart) {
  const uint64_t operations = operations_of_the_script();
  ASSERT_GT(operations, 60U);
  for (uint64_t n = 1; n <= operations + 1; ++n) {
    for (uint64_t seed = 0; seed < 8; ++seed) {
      SCOPED_TRACE(::testing::Message() << "cut at " << n << ", seed " << seed);
      MemoryDisk disk(seed * 1000 + n);
      Ledger ledger;
      disk.cut_power_at(n);
      {
        Start start(disk, ledger);
        if (start.error.empty()) script(start, disk);
      }
      EXPECT_EQ(disk.power_is_cut(), n <= operations);
      disk.power_back();
      disk.cut_power_at(1 + (n * 7 + seed * 5) % 40);
      {
        Start again(disk, ledger);
        if (again.error.empty()) script(again, disk, 6);
      }
      disk.power_back();
      start_and_check(disk, ledger);
      // And as found by the next, which crashes no disk.
      start_and_check(disk, ledger);
      if (HasFailure()) return;
    }
  }
}

TEST(JournalCrash, AKilledProcessLosesNothingAndLeavesNoDamage) {
  const uint64_t operations = operations_of_the_script();
  for (uint64_t n = 1; n <= operations; ++n) {
    SCOPED_TRACE(::testing::Message() << "killed at " << n);
    MemoryDisk disk(n);
    Ledger ledger;
    disk.cut_power_at(n);
    {
      Start start(disk, ledger);
      if (start.error.empty()) script(start, disk);
    }
    disk.kill_process();
    {
      Start again(disk, ledger);
      EXPECT_EQ(all_of(again.found.damages), "");
    }
    start_and_check(disk, ledger);
    // What a start has seen, it does not lose by a power cut after it.
    const size_t before = [&] {
      Start seeing(disk, ledger);
      return visited(seeing.journal).size();
    }();
    disk.cut_power_at(1);
    disk.power_back();
    Start last(disk, ledger);
    EXPECT_EQ(visited(last.journal).size(), before);
    if (HasFailure()) return;
  }
}

TEST(JournalCrash, AnErrorAtEveryOperationCostsNothingThatWasCommitted) {
  const uint64_t operations = operations_of_the_script();
  for (uint64_t n = 1; n <= operations; ++n) {
    for (const int error : {EIO, ENOSPC}) {
      SCOPED_TRACE(::testing::Message() << "error " << error << " at " << n);
      MemoryDisk disk(n);
      Ledger ledger;
      disk.fail_at(n, error);
      {
        Start start(disk, ledger);
        if (start.error.empty()) script(start, disk);
        EXPECT_TRUE(disk.failed());
        if (!start.error.empty()) {
          EXPECT_TRUE(ledger.entries.empty());
        } else {
          // One error is no reason to refuse more than the first commit.
          EXPECT_LE(ledger.entries.size() - ledger.committed().size(), 2U);
          EXPECT_EQ(ledger.check(visited(start.journal)), "");
        }
      }
      EXPECT_EQ(disk.touched_after_failed_sync(), 0U);
      if (n % 2 == 0) {
        disk.cut_power_at(1);
        disk.power_back();
      }
      start_and_check(disk, ledger);
      if (HasFailure()) return;
    }
  }
}

TEST(JournalCrash, AnErrorAtEveryOperationOfAStartHidesNothing) {
  for (uint64_t n = 1;; ++n) {
    SCOPED_TRACE(::testing::Message() << "error at " << n);
    MemoryDisk disk(n);
    Ledger ledger;
    {
      Start start(disk, ledger);
      script(start, disk);
    }
    disk.fail_at(n, EIO);
    Start again(disk, ledger);
    if (disk.failed() && again.error.empty()) {
      const auto numbers = visited(again.journal);
      EXPECT_EQ(ledger.check(numbers), "");
      EXPECT_EQ(again.found.frames, numbers.size());
      EXPECT_EQ(all_of(again.found.damages).find("left alone"), std::string::npos);
    }
    if (!disk.failed()) break;
    disk.heal();
    start_and_check(disk, ledger);
    ASSERT_LT(n, 1000U);
  }
}

TEST(JournalCrash, TwoErrorsInARowAndThenAPowerCutCostNothingThatWasCommitted) {
  const uint64_t operations = operations_of_the_script();
  for (uint64_t n = 1; n <= operations; ++n) {
    for (uint64_t apart = 1; apart <= 12; ++apart) {
      SCOPED_TRACE(::testing::Message() << "errors at " << n << " and " << apart << " later");
      MemoryDisk disk(n * 100 + apart);
      Ledger ledger;
      disk.fail_at(n, EIO);
      disk.fail_again_after(apart);
      disk.cut_power_at(n + apart + (n + apart) % 23);
      {
        Start start(disk, ledger);
        if (start.error.empty()) script(start, disk);
      }
      EXPECT_EQ(disk.touched_after_failed_sync(), 0U);
      disk.power_back();
      start_and_check(disk, ledger);
      if (HasFailure()) return;
    }
  }
}

TEST(JournalCrash, ADiskThatRunsFullAtAnyByteCostsNothingThatWasCommitted) {
  for (uint64_t bytes = 0; bytes < 60'000; bytes += bytes < 3'000 ? 37 : 331) {
    SCOPED_TRACE(::testing::Message() << "room for " << bytes);
    MemoryDisk disk(bytes);
    Ledger ledger;
    disk.fill(bytes);
    {
      Start start(disk, ledger);
      ASSERT_EQ(start.error, "");
      script(start, disk);
      const bool all = ledger.committed().size() == ledger.entries.size();
      EXPECT_TRUE(all || start.journal.state() == daemon::JournalState::kFull ||
                  !ledger.committed().empty());
      EXPECT_EQ(ledger.check(visited(start.journal)), "");
      disk.fill(std::nullopt);
      EXPECT_TRUE(start.commit({100})) << "room again: " << start.error;
      EXPECT_EQ(start.journal.state(), daemon::JournalState::kReady);
      EXPECT_EQ(ledger.check(visited(start.journal)), "");
    }
    EXPECT_EQ(disk.touched_after_failed_sync(), 0U);
    if (bytes % 2 == 0) {
      disk.cut_power_at(1);
      disk.power_back();
    }
    start_and_check(disk, ledger);
    if (HasFailure()) return;
  }
}

TEST(JournalCrash, AnyMixOfFaultsOverSeveralStartsCostsNothingThatWasCommitted) {
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE(::testing::Message() << "seed " << seed);
    std::mt19937_64 random(seed);
    MemoryDisk disk(seed);
    Ledger ledger;
    for (int starts = 0; starts < 5; ++starts) {
      if (random() % 3 == 0) disk.fail_at(1 + random() % 80, random() % 2 == 0 ? EIO : ENOSPC);
      if (random() % 3 == 0) disk.fail_again_after(1 + random() % 20);
      if (random() % 3 == 0) disk.cut_power_at(1 + random() % 120);
      if (random() % 4 == 0) disk.fill(random() % 60'000);
      {
        Start start(disk, ledger);
        if (start.error.empty()) script(start, disk, static_cast<int>(random() % 16));
      }
      EXPECT_EQ(disk.touched_after_failed_sync(), 0U);
      disk.fill(std::nullopt);
      if (disk.power_is_cut() || random() % 2 == 0) {
        disk.power_back();
      } else {
        disk.kill_process();
      }
    }
    start_and_check(disk, ledger, true);
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace toll::test
