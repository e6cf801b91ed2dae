#include "net/redis_reader.h"

#include <gtest/gtest.h>
#include <random>
#include <string>
#include <vector>

namespace toll::net {
namespace {

using Kind = RedisReply::Kind;
using Next = RedisReader::Next;

// A reply as a person would write it down.
std::string shown(const RedisReply& reply) {
  switch (reply.kind) {
    case Kind::kNil:
      return "nil";
    case Kind::kInteger:
      return std::to_string(reply.integer);
    case Kind::kString:
      return "'" + std::string(reply.text) + "'";
    case Kind::kStatus:
      return "+" + std::string(reply.text);
    case Kind::kError:
      return "-" + std::string(reply.text);
    case Kind::kArray:
      break;
  }
  std::string text = "[";
  for (const RedisReply& element : reply.array()) {
    text += (text.size() > 1 ? " " : "") + shown(element);
  }
  return text + "]";
}

// The replies in `bytes`, which come in pieces of `piece`; a fault is the last one.
std::vector<std::string> read(RedisReader& reader, std::string_view bytes, size_t piece) {
  std::vector<std::string> replies;
  for (; !bytes.empty(); bytes.remove_prefix(std::min(piece, bytes.size()))) {
    reader.feed(bytes.substr(0, piece));
    for (Next next = reader.next(); next != Next::kMore; next = reader.next()) {
      if (next == Next::kFault) {
        replies.push_back("fault: " + std::string(reader.fault()));
        return replies;
      }
      replies.push_back(shown(reader.reply()));
    }
  }
  return replies;
}

std::vector<std::string> read(std::string_view bytes, const RedisReplyLimits& limits = {}) {
  RedisReader reader(limits);
  return read(reader, bytes, bytes.size());
}

bool faulty(std::string_view bytes, std::string_view why, const RedisReplyLimits& limits = {}) {
  const std::vector<std::string> replies = read(bytes, limits);
  if (replies.size() != 1) return false;
  EXPECT_TRUE(replies[0].contains(why)) << replies[0];
  return replies[0].starts_with("fault: ");
}

std::string nested(uint32_t depth) {
  std::string bytes;
  for (uint32_t i = 0; i < depth; ++i) bytes += "*1\r\n";
  return bytes + ":1\r\n";
}

constexpr std::string_view kEveryKind =
    "+OK\r\n"
    ":-42\r\n"
    "$-1\r\n"
    "*-1\r\n"
    "$0\r\n\r\n"
    "$5\r\na\r\nbc\r\n"
    "-NOSCRIPT No matching script.\r\n"
    "*0\r\n"
    "*4\r\n:1\r\n*2\r\n$1\r\nx\r\n$-1\r\n*0\r\n+y\r\n"
    ":9223372036854775807\r\n";

const std::vector<std::string> kEveryKindShown{"+OK",
                                               "-42",
                                               "nil",
                                               "nil",
                                               "''",
                                               "'a\r\nbc'",
                                               "-NOSCRIPT No matching script.",
                                               "[]",
                                               "[1 ['x' nil] [] +y]",
                                               "9223372036854775807"};

TEST(RedisReader, ACutAtAnyByteChangesNoReply) {
  for (size_t piece = 1; piece <= kEveryKind.size(); ++piece) {
    RedisReader reader;
    EXPECT_EQ(read(reader, kEveryKind, piece), kEveryKindShown) << "pieces of " << piece;
  }
}

TEST(RedisReader, ViewsStayWhileTheNextRepliesWaitInTheBuffer) {
  RedisReader reader;
  const std::string big(5000, 'x');
  std::string bytes = "*2\r\n$5000\r\n" + big + "\r\n$5000\r\n" + big + "\r\n";
  bytes += bytes + bytes;
  const std::string expected = "['" + big + "' '" + big + "']";
  EXPECT_EQ(read(reader, bytes, 777), (std::vector<std::string>{expected, expected, expected}));
}

TEST(RedisReader, WhatIsNoReplyIsAFaultThatStays) {
  EXPECT_TRUE(faulty("HTTP/1.1 400 Bad Request\r\n", "Protocol error"));
  EXPECT_TRUE(faulty(":twelve\r\n", ""));
  EXPECT_TRUE(faulty("$-2\r\n", ""));
  EXPECT_TRUE(faulty("*-2\r\n", ""));
  EXPECT_TRUE(faulty("$3\r\nabcd\r\n", "without end"));
  EXPECT_TRUE(faulty("$99999999999999999999\r\n", ""));
  RedisReader reader;
  read(reader, "?", 1);
  reader.feed("+OK\r\n");
  EXPECT_EQ(reader.next(), Next::kFault);
  reader.reset();
  EXPECT_EQ(read(reader, "+OK\r\n", 2), std::vector<std::string>{"+OK"});
}

TEST(RedisReader, TypesOfRespThreeAreFaults) {
  for (const char* bytes : {",1.5\r\n", "#t\r\n", "_\r\n", "(123\r\n", "%1\r\n+a\r\n+b\r\n",
                            "~1\r\n+a\r\n", "=5\r\ntxt:a\r\n", "*2\r\n:1\r\n,1.5\r\n"}) {
    EXPECT_TRUE(faulty(bytes, "")) << bytes;
  }
}

TEST(RedisReader, ArraysAreNestedUpToTheDepthAllowed) {
  EXPECT_EQ(read(nested(7)), std::vector<std::string>{"[[[[[[[1]]]]]]]"});
  EXPECT_TRUE(faulty(nested(8), ""));
  EXPECT_EQ(read(nested(2), {.depth = 2}), std::vector<std::string>{"[[1]]"});
  EXPECT_TRUE(faulty(nested(3), "nested too deeply", {.depth = 2}));
}

TEST(RedisReader, ElementsAreCountedOverTheWholeReply) {
  const RedisReplyLimits four{.elements = 4};
  EXPECT_EQ(read("*2\r\n*2\r\n:1\r\n:2\r\n:3\r\n", four), std::vector<std::string>{"[[1 2] 3]"});
  EXPECT_TRUE(faulty("*2\r\n*3\r\n", "too many elements", four));
  EXPECT_TRUE(faulty("*5\r\n", "too many elements", four));
  EXPECT_TRUE(faulty("*65537\r\n", "too many elements"));
  EXPECT_TRUE(faulty("*2147483647\r\n", ""));
  // Each reply has its own.
  EXPECT_EQ(read("*4\r\n:1\r\n:2\r\n:3\r\n:4\r\n*1\r\n:5\r\n", four).size(), 2u);
}

TEST(RedisReader, AStringIsNotCollectedBeyondItsBound) {
  const RedisReplyLimits small{.string_bytes = 100, .line_bytes = 50, .reply_bytes = 150};
  const std::string full = "$100\r\n" + std::string(100, 'x') + "\r\n";
  EXPECT_EQ(read(full, small).size(), 1u);
  EXPECT_TRUE(
      faulty("$101\r\n" + std::string(101, 'x') + "\r\n", "string that is too long", small));
  EXPECT_TRUE(faulty("$1000000\r\n" + std::string(150, 'x'), "string that is too long", small));
  EXPECT_TRUE(faulty("*2\r\n" + full + full, "too large", small));
  EXPECT_EQ(read("+" + std::string(50, 'x') + "\r\n", small).size(), 1u);
  EXPECT_TRUE(faulty("+" + std::string(51, 'x') + "\r\n", "line that is too long", small));
  EXPECT_TRUE(faulty("-" + std::string(100, 'x'), "line that is too long", small));
  EXPECT_TRUE(faulty(":" + std::string(100, '1'), "line that is too long", small));
}

TEST(RedisReader, TheLargestStringIsRead) {
  RedisReader reader;
  const std::string big(kRedisStringMax, 'x');
  const auto replies = read(reader, "$" + std::to_string(big.size()) + "\r\n" + big + "\r\n", 4096);
  ASSERT_EQ(replies.size(), 1u);
  EXPECT_EQ(replies[0].size(), big.size() + 2);
}

TEST(RedisReader, RandomRepliesSurviveRandomCuts) {
  constexpr uint64_t kSeed = 20'231;
  SCOPED_TRACE(kSeed);
  std::mt19937_64 random(kSeed);
  std::string bytes;
  std::vector<std::string> expected;
  for (int i = 0; i < 2000; ++i) {
    const size_t elements = random() % 20;
    bytes += "*" + std::to_string(elements) + "\r\n";
    std::string text = "[";
    for (size_t element = 0; element < elements; ++element) {
      const std::string word(random() % 400, static_cast<char>('a' + random() % 26));
      bytes += "$" + std::to_string(word.size()) + "\r\n" + word + "\r\n";
      text += (element > 0 ? " '" : "'") + word + "'";
    }
    expected.push_back(text + "]");
  }
  RedisReader reader;
  std::vector<std::string> replies;
  for (std::string_view rest = bytes; !rest.empty();) {
    const size_t piece = std::min<size_t>(1 + random() % 5000, rest.size());
    for (std::string& reply : read(reader, rest.substr(0, piece), piece)) replies.push_back(reply);
    rest.remove_prefix(piece);
  }
  EXPECT_TRUE(replies == expected);
}

TEST(RedisErrorKind, IsToldByTheFirstWord) {
  using enum RedisErrorKind;
  EXPECT_EQ(error_kind("NOSCRIPT No matching script. Please use EVAL."), kNoScript);
  EXPECT_EQ(error_kind("LOADING Redis is loading the dataset in memory"), kLoading);
  EXPECT_EQ(error_kind("READONLY You can't write against a read only replica."), kReadOnly);
  EXPECT_EQ(error_kind("MASTERDOWN Link with MASTER is down"), kReadOnly);
  EXPECT_EQ(error_kind("NOREPLICAS Not enough good replicas to write."), kNoReplicas);
  EXPECT_EQ(error_kind("MISCONF Redis is configured to save RDB snapshots"), kMisconf);
  EXPECT_EQ(error_kind("OOM command not allowed when used memory > 'maxmemory'."), kOutOfMemory);
  EXPECT_EQ(error_kind("BUSY Redis is busy running a script."), kBusy);
  EXPECT_EQ(error_kind("UNKILLABLE Sorry the script already executed write commands"), kBusy);
  EXPECT_EQ(error_kind("NOAUTH Authentication required."), kRefused);
  EXPECT_EQ(error_kind("WRONGPASS invalid username-password pair or user is disabled."), kRefused);
  EXPECT_EQ(error_kind("NOPERM this user has no permissions to run the 'get' command"), kRefused);
  EXPECT_EQ(error_kind("WRONGTYPE Operation against a key holding the wrong kind"), kWrongType);
  EXPECT_EQ(error_kind("MOVED 3999 127.0.0.1:6381"), kMoved);
  EXPECT_EQ(error_kind("ASK 3999 127.0.0.1:6381"), kMoved);
  EXPECT_EQ(error_kind("TRYAGAIN Multiple keys request during rehashing of slot"), kTryAgain);
  EXPECT_EQ(error_kind("CROSSSLOT Keys in request don't hash to the same slot"), kCrossSlot);
  EXPECT_EQ(error_kind("CLUSTERDOWN Hash slot not served"), kClusterDown);
}

TEST(RedisErrorKind, IsToldByWhatStandsBehindErr) {
  using enum RedisErrorKind;
  EXPECT_EQ(error_kind("ERR max number of clients reached"), kTooMany);
  EXPECT_EQ(error_kind("ERR value is not an integer or out of range"), kWrongType);
  EXPECT_EQ(error_kind("ERR hash value is not an integer"), kWrongType);
  EXPECT_EQ(error_kind("ERR The user executing the script can't run this command or subcommand"),
            kRefused);
  EXPECT_EQ(error_kind("ERR Error running script (call to f_1f): @user_script:1: -READONLY You"),
            kReadOnly);
  EXPECT_EQ(error_kind("ERR Error running script (call to f_1f): @user_script:7: "
                       "@user_script: 7: -OOM command not allowed when used memory > 'maxmemory'"),
            kOutOfMemory);
  EXPECT_EQ(error_kind("ERR Error running script (call to f_1f): @user_script:1: WRONGTYPE Op"),
            kWrongType);
}

TEST(RedisErrorKind, AWordThatOnlyBeginsLikeOneIsNone) {
  using enum RedisErrorKind;
  EXPECT_EQ(error_kind(""), kOther);
  EXPECT_EQ(error_kind("ERR unknown command 'FOO'"), kOther);
  EXPECT_EQ(error_kind("BUSYGROUP Consumer Group name already exists"), kOther);
  EXPECT_EQ(error_kind("ASKED"), kOther);
  EXPECT_EQ(error_kind("ERR the OOM score"), kOther);
}

}  // namespace
}  // namespace toll::net
