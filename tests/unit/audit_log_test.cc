// The audit log over a disk that fails: the chain stays whole, and what is missing is counted.
#include "daemon/audit_log.h"

#include <cerrno>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tests/unit/memory_files.h"
#include "tests/unit/seed.h"

namespace toll::daemon {
namespace {

constexpr engine::TimeUs kNoon = 1'795'348'800'000'000;

class AuditLogTest : public testing::Test {
 protected:
  std::unique_ptr<AuditLog> opened() {
    auto log = AuditLog::open(disk_.mount(), settings_, kNoon);
    EXPECT_TRUE(log.has_value()) << log.error();
    return log ? std::move(*log) : nullptr;
  }
  std::string refused_to_open() {
    auto log = AuditLog::open(disk_.mount(), settings_, kNoon);
    return log ? "" : log.error();
  }

  // The chain over all files, oldest first; a break is a failure.
  std::vector<AuditRecord> chain() {
    text_.clear();
    for (uint32_t number = settings_.keep; number > 0; --number) {
      const std::string name = fmt::format("audit.log.{}", number);
      if (disk_.has(name)) text_ += disk_.contents(name);
    }
    if (disk_.has("audit.log")) text_ += disk_.contents("audit.log");
    std::vector<AuditRecord> records;
    std::string_view rest = text_;
    AuditLink last;
    while (!rest.empty()) {
      const size_t end = rest.find('\n');
      if (end == rest.npos) {
        ADD_FAILURE() << "torn: " << rest;
        break;
      }
      const std::string_view line = rest.substr(0, end);
      const auto record = parse_audit_line(line);
      if (!record) {
        ADD_FAILURE() << "no record: " << line;
        break;
      }
      if (!records.empty() || record->number == 1) {
        EXPECT_EQ(record->number, last.number + 1);
        EXPECT_EQ(record->prev, last.hash);
      }
      last = {.number = record->number, .hash = sha256_hex(line)};
      records.push_back(*record);
      rest.remove_prefix(end + 1);
    }
    return records;
  }
  std::vector<std::string> kinds() {
    std::vector<std::string> names;
    for (const AuditRecord& record : chain()) names.emplace_back(record.kind);
    return names;
  }

  static void write(AuditLog& log, std::string_view kind) {
    log.add(kNoon, kind);
    log.flush(kNoon);
  }

  test::MemoryDisk disk_{7};
  AuditLog::Settings settings_{
      .name = "audit.log", .bytes_max = 100'000, .keep = 3, .key_id = "0123abcd"};
  std::string text_;
};

TEST_F(AuditLogTest, TheChainGoesOnOverRestarts) {
  for (int start = 0; start < 3; ++start) {
    auto log = opened();
    write(*log, "start");
    write(*log, "stop");
  }
  EXPECT_EQ(kinds(), (std::vector<std::string>{"start", "stop", "start", "stop", "start", "stop"}));
  EXPECT_EQ(chain().back().number, 6u);
}

TEST_F(AuditLogTest, WhatACrashToreOffIsCutOffAndToldOf) {
  {
    auto log = opened();
    write(*log, "start");
    write(*log, "admin");
  }
  const std::string whole = disk_.contents("audit.log");
  const size_t line = whole.find('\n') + 1;
  for (size_t size = line + 1; size < whole.size(); ++size) {
    disk_.put("audit.log", whole.substr(0, size));
    auto log = opened();
    write(*log, "start");
    EXPECT_EQ(kinds(), (std::vector<std::string>{"start", "torn", "start"})) << size;
    EXPECT_NE(text_.find(fmt::format(",\"bytes\":{},", size - line)), text_.npos);
  }
}

TEST_F(AuditLogTest, AlsoWhereItIsAllThereIs) {
  {
    auto log = opened();
    write(*log, "start");
  }
  disk_.put("audit.log", disk_.contents("audit.log").substr(0, 5));
  auto log = opened();
  log->flush(kNoon);
  EXPECT_EQ(kinds(), std::vector<std::string>{"torn"});
  EXPECT_EQ(chain().front().number, 1u);
}

TEST_F(AuditLogTest, WhatIsNoAuditLogIsLeftAlone) {
  for (const std::string text : {"127.0.0.1 localhost\n", "no line end", "{\"a\":1}\n"}) {
    disk_.put("audit.log", text);
    EXPECT_NE(refused_to_open().find("something else"), std::string::npos) << text;
    EXPECT_EQ(disk_.contents("audit.log"), text);
  }
}

TEST_F(AuditLogTest, RotationKeepsTheNumbersAndSoManyFiles) {
  settings_.bytes_max = 1'000;
  auto log = opened();
  for (int i = 0; i < 40; ++i) write(*log, "refusal");
  EXPECT_EQ(disk_.names(),
            (std::vector<std::string>{"audit.log", "audit.log.1", "audit.log.2", "audit.log.3"}));
  const auto records = chain();
  EXPECT_EQ(records.back().number, 40u);
  EXPECT_GT(records.front().number, 1u) << "the oldest have gone";
  for (const std::string& name : disk_.names()) EXPECT_LE(disk_.contents(name).size(), 1'000u);
  EXPECT_EQ(log->figures().records.get(), 40u);
}

TEST_F(AuditLogTest, AStartBehindARotationFindsTheChain) {
  {
    auto log = opened();
    write(*log, "start");
    write(*log, "stop");
  }
  disk_.put("audit.log.1", disk_.contents("audit.log"));
  disk_.remove("audit.log");
  auto log = opened();
  write(*log, "start");
  EXPECT_EQ(chain().back().number, 3u);
}

TEST_F(AuditLogTest, AFileMovedAwayIsFollowedByANewOne) {
  auto log = opened();
  write(*log, "start");
  disk_.put("audit.log.1", disk_.contents("audit.log"));
  disk_.remove("audit.log");
  log->add(kNoon, "refusal");
  log->reopen(kNoon);  // what was added before still goes to the old file, which has lost its name
  write(*log, "config");
  const std::string text = disk_.contents("audit.log");
  const auto record = parse_audit_line(std::string_view(text).substr(0, text.find('\n')));
  ASSERT_TRUE(record);
  EXPECT_EQ(record->number, 3u);
  EXPECT_EQ(record->kind, "config");
}

TEST_F(AuditLogTest, AFullDiskIsACountedGap) {
  auto log = opened();
  write(*log, "start");
  disk_.fill(disk_.bytes_used() + 100);  // half a record
  for (int i = 0; i < 5; ++i) write(*log, "refusal");
  EXPECT_TRUE(log->failing());
  EXPECT_EQ(log->figures().lost.get(), 5u);
  EXPECT_EQ(log->figures().errors.get(), 5u);
  EXPECT_EQ(kinds(), std::vector<std::string>{"start"}) << "no half of a record is left";
  disk_.fill(std::nullopt);
  log->flush(kNoon);
  EXPECT_TRUE(log->failing()) << "it may be by chance";
  log->flush(kNoon + 1'000'000);
  EXPECT_FALSE(log->failing());
  write(*log, "refusal");
  EXPECT_EQ(kinds(), (std::vector<std::string>{"start", "gap", "refusal"}));
  EXPECT_EQ(chain()[1].lost, 5u);
}

TEST_F(AuditLogTest, WhatFoundNoRoomInAQueueIsAGapToo) {
  auto log = opened();
  log->lose(12);
  write(*log, "refusal");
  EXPECT_EQ(kinds(), (std::vector<std::string>{"gap", "refusal"}));
  EXPECT_EQ(chain()[0].lost, 12u);
}

// Whatever fails whenever, the chain on the disk is whole, and with the gaps nothing is missing.
TEST_F(AuditLogTest, NoFailureBreaksTheChain) {
  settings_.bytes_max = 1'500;
  settings_.keep = 1'000;
  for (uint64_t at = 1; at < 120; ++at) {
    disk_.heal();
    for (const std::string& name : disk_.names()) disk_.remove(name);
    auto log = opened();
    disk_.fail_at(at, at % 2 == 0 ? EIO : ENOSPC);
    disk_.fail_again_after(at % 5 + 1);
    for (int i = 0; i < 30; ++i) write(*log, "refusal");
    disk_.heal();
    log->flush(kNoon);
    uint64_t told = 0;
    for (const AuditRecord& record : chain()) told += record.kind == "gap" ? record.lost : 1;
    EXPECT_EQ(told, 30u) << "failed at operation " << at;
  }
}

TEST_F(AuditLogTest, NoKillBreaksTheChain) {
  settings_.bytes_max = 1'500;
  settings_.keep = 1'000;
  for (uint64_t at = 1; at < 80; ++at) {
    disk_.kill_process();
    for (const std::string& name : disk_.names()) disk_.remove(name);
    auto log = opened();
    disk_.fail_at(at, EIO);  // in the middle of a write, say
    for (int i = 0; i < 20 && !disk_.failed(); ++i) write(*log, "refusal");
    disk_.kill_process();
    auto again = opened();
    ASSERT_NE(again, nullptr);
    write(*again, "start");
    EXPECT_EQ(chain().back().kind, "start") << "killed at operation " << at;
  }
}

}  // namespace
}  // namespace toll::daemon
