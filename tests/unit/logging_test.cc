// The daemon's log: how its lines look, which of them are held back, and that nobody waits for who
// reads them.
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <spdlog/details/log_msg.h>
#include <string>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

#include "daemon/logging_format.h"
#include "daemon/logging_repeats.h"
#include "daemon/logging_sink.h"

namespace toll::daemon {
namespace {

using config::LogFormat;
using spdlog::details::log_msg;
using spdlog::level::level_enum;

std::string formatted(LogFormat format, std::string_view text,
                      level_enum level = spdlog::level::info) {
  spdlog::memory_buf_t line;
  make_log_formatter(format)->format(
      log_msg("t", level, spdlog::string_view_t(text.data(), text.size())), line);
  return {line.data(), line.size()};
}

TEST(LogFormat, ALineOfTheJournalBeginsWithItsPriority) {
  EXPECT_EQ(formatted(LogFormat::kJournal, "well", spdlog::level::debug), "<7>well\n");
  EXPECT_EQ(formatted(LogFormat::kJournal, "well"), "<6>well\n");
  EXPECT_EQ(formatted(LogFormat::kJournal, "well", spdlog::level::warn), "<4>well\n");
  EXPECT_EQ(formatted(LogFormat::kJournal, "well", spdlog::level::err), "<3>well\n");
  EXPECT_EQ(formatted(LogFormat::kJournal, "well", spdlog::level::critical), "<2>well\n");
}

TEST(LogFormat, NoMessageBeginsALineOfItsOwn) {
  EXPECT_EQ(formatted(LogFormat::kJournal, "a\n<0>forged\r\x1b[2Jb\x7f"),
            "<6>a\\x0a<0>forged\\x0d\\x1b[2Jb\\x7f\n");
  // What is no UTF-8, a control character of Latin 1, and what ends a line for some.
  EXPECT_EQ(formatted(LogFormat::kJournal, "\xff\xc2\x85 \u2028\u2029 \u00fc"),
            "<6>\\xff\\xc2\\x85 \\u2028\\u2029 \u00fc\n");
}

TEST(LogFormat, JsonStaysJsonWhateverIsSaid) {
  const std::string line = formatted(LogFormat::kJson, "\"a\\\"\n\xff \u00fc\u2028");
  EXPECT_TRUE(line.ends_with(
      "\"level\":\"info\",\"message\":\"\\\"a\\\\\\\"\\u000a\\ufffd \u00fc\\u2028\"}\n"))
      << line;
}

TEST(LogFormat, ALongMessageIsCut) {
  const std::string line = formatted(LogFormat::kJournal, std::string(100'000, 'x'));
  EXPECT_EQ(line, "<6>" + std::string(kLogMessageMax, 'x') + "...\n");
}

TEST(RepeatedLines, TheFirstAreToldAndTheRestCounted) {
  RepeatedLines lines;
  for (uint32_t i = 0; i < RepeatedLines::kToldInARow; ++i) {
    EXPECT_TRUE(lines.passes(spdlog::level::warn, "lost after " + std::to_string(i) + " ms", i));
  }
  for (int64_t i = 0; i < 7; ++i) {
    EXPECT_FALSE(lines.passes(spdlog::level::warn, "lost after 99 ms", 20 + i));
  }
  EXPECT_TRUE(lines.passes(spdlog::level::warn, "something else", 30));
  EXPECT_TRUE(lines.passes(spdlog::level::err, "lost after 99 ms", 30)) << "graver";
  EXPECT_FALSE(lines.take_due(100));
  EXPECT_EQ(lines.next_due_ns(), RepeatedLines::kWhileNs);
  const auto due = lines.take_due(lines.next_due_ns());
  ASSERT_TRUE(due);
  EXPECT_EQ(due->count, 7u);
  EXPECT_EQ(due->text, "lost after 99 ms");
  EXPECT_EQ(due->level, spdlog::level::warn);
  EXPECT_EQ(lines.next_due_ns(), INT64_MAX);
  EXPECT_TRUE(lines.passes(spdlog::level::warn, "lost after 1 ms", RepeatedLines::kWhileNs));
}

TEST(RepeatedLines, WhatComesNowAndThenIsAlwaysTold) {
  RepeatedLines lines;
  for (int64_t at = 0; at < 1000; ++at) {
    EXPECT_TRUE(lines.passes(spdlog::level::info, "now and then",
                             at * RepeatedLines::kWhileNs / RepeatedLines::kToldInARow));
  }
}

TEST(RepeatedLines, MoreKindsThanItHasRoomForLoseNothing) {
  RepeatedLines lines;
  uint64_t told = 0;
  uint64_t held_back = 0;
  for (size_t kind = 0; kind < 3 * kLogKindsMax; ++kind) {
    for (int i = 0; i < 20; ++i) {
      told += lines.passes(spdlog::level::info, std::string(kind + 1, 'k'), 0) ? 1 : 0;
    }
  }
  while (auto due = lines.take_due(INT64_MAX)) held_back += due->count;
  EXPECT_EQ(told + held_back, 3 * kLogKindsMax * 20);
  EXPECT_GE(held_back, kLogKindsMax * 10);
}

class LoggingSinkTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_EQ(pipe2(ends_.data(), O_CLOEXEC), 0); }
  void TearDown() override {
    for (const int end : ends_) {
      if (end >= 0) close(end);
    }
  }

  static void say(LoggingSink& sink, std::string_view text, level_enum level) {
    sink.log(log_msg("t", level, spdlog::string_view_t(text.data(), text.size())));
  }
  // A line that is like no other and, at this level, never held back.
  void say_numbered(LoggingSink& sink, uint64_t number) {
    say(sink, std::to_string(number) + filling_, spdlog::level::debug);
  }

  std::string read_all() {
    std::string text;
    std::array<char, 65536> bytes;
    ssize_t got = 0;
    while ((got = ::read(ends_[0], bytes.data(), bytes.size())) > 0) {
      text.append(bytes.data(), static_cast<size_t>(got));
    }
    return text;
  }
  void close_end(int end) {
    close(ends_[static_cast<size_t>(end)]);
    ends_[static_cast<size_t>(end)] = -1;
  }

  std::array<int, 2> ends_{-1, -1};
  const std::string filling_ = " " + std::string(100, '.');
};

TEST_F(LoggingSinkTest, AllThatWasSaidIsWrittenInOrderAtTheEnd) {
  std::string heard;
  std::thread reader([&] { heard = read_all(); });
  std::string wanted;
  {
    LoggingSink sink(ends_[1], make_log_formatter(LogFormat::kJournal));
    for (uint64_t i = 0; i < 2000; ++i) {
      say_numbered(sink, i);
      wanted += "<7>" + std::to_string(i) + filling_ + "\n";
    }
    EXPECT_EQ(sink.dropped(), 0u);
  }
  close_end(1);
  reader.join();
  EXPECT_EQ(heard, wanted);
}

TEST_F(LoggingSinkTest, WhatNobodyReadsIsDroppedCountedAndToldInItsPlace) {
  std::string heard;
  uint64_t dropped = 0;
  constexpr uint64_t kLines = 10'000;
  {
    LoggingSink sink(ends_[1], make_log_formatter(LogFormat::kJournal));
    for (uint64_t i = 0; i < kLines; ++i) say_numbered(sink, i);
    dropped = sink.dropped();
    std::thread reader([&] { heard = read_all(); });
    sink.finish();
    close_end(1);
    reader.join();
  }
  EXPECT_GT(dropped, 0u);
  // In one place, or in more if the writer made some room meanwhile.
  uint64_t told = 0;
  uint64_t places = 0;
  constexpr std::string_view kTold = " lines of this log dropped";
  for (size_t at = heard.find(kTold); at != heard.npos; at = heard.find(kTold, at + 1)) {
    told += std::stoull(heard.substr(heard.rfind('>', at) + 1));
    ++places;
  }
  EXPECT_EQ(told, dropped) << heard.substr(heard.size() - 500);
  EXPECT_LE(places, 3u);
  EXPECT_EQ(static_cast<uint64_t>(std::ranges::count(heard, '\n')), kLines - dropped + places);
}

TEST_F(LoggingSinkTest, TheEndDoesNotWaitForWhoNeverReads) {
  LoggingSink sink(ends_[1], make_log_formatter(LogFormat::kText));
  for (uint64_t i = 0; i < 5000; ++i) say_numbered(sink, i);
  const auto before = std::chrono::steady_clock::now();
  sink.finish();
  EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::seconds(10));
}

TEST_F(LoggingSinkTest, HeldBackLinesAreToldAtTheEnd) {
  {
    LoggingSink sink(ends_[1], make_log_formatter(LogFormat::kJournal));
    for (int i = 0; i < 15; ++i) say(sink, "again", spdlog::level::warn);
  }
  close_end(1);
  std::string wanted;
  for (int i = 0; i < 10; ++i) wanted += "<4>again\n";
  EXPECT_EQ(read_all(), wanted + "<4>5 more like it: again\n");
}

TEST_F(LoggingSinkTest, AReaderWhoLeftIsNotMinded) {
  std::array<int, 2> sockets{};
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets.data()), 0);
  LoggingSink sink(sockets[0], make_log_formatter(LogFormat::kJournal));
  say(sink, "heard", spdlog::level::info);
  std::array<char, 64> bytes;
  EXPECT_EQ(::read(sockets[1], bytes.data(), bytes.size()), 9);
  close(sockets[1]);
  for (uint64_t i = 0; i < 10'000; ++i) say_numbered(sink, i);
  sink.finish();
  close(sockets[0]);
}

}  // namespace
}  // namespace toll::daemon
