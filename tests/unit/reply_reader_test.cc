#include "daemon/reply_reader.h"

#include <gtest/gtest.h>
#include <string>
#include <string_view>
#include <vector>

namespace toll::daemon {
namespace {

// A reply that outlives its reader.
struct Kept {
  ReplyKind kind;
  std::string line;
  std::vector<std::string> rows;

  bool operator==(const Kept&) const = default;
};

void PrintTo(const Kept& reply, std::ostream* out) {
  *out << reply.line << " with " << reply.rows.size() << " rows";
}

// Everything that `bytes` holds, handed to the reader in pieces of that size.
std::vector<Kept> read_all(std::string_view bytes, size_t piece) {
  ReplyReader reader;
  std::vector<Kept> replies;
  while (!bytes.empty()) {
    reader.append(bytes.substr(0, piece));
    bytes.remove_prefix(std::min(piece, bytes.size()));
    while (true) {
      const auto reply = reader.next();
      EXPECT_TRUE(reply.has_value());
      if (!reply || !*reply) break;
      replies.push_back({(*reply)->kind,
                         std::string((*reply)->line),
                         {(*reply)->rows.begin(), (*reply)->rows.end()}});
    }
  }
  return replies;
}

std::string error_of(std::string_view bytes) {
  ReplyReader reader;
  reader.append(bytes);
  const auto reply = reader.next();
  return reply ? "" : reply.error();
}

TEST(ReplyReader, RepliesAreTheSameHoweverTheyAreCut) {
  const std::string_view bytes =
      "OK pong\nALLOW 10 9 0 100 local\r\nLIST 3\nkeys 7\n\nOK \"a b\"\nDENY 10 0 5 100 cache\n"
      "LIST 0\nERR NOPOLICY no policy 'x'\nOK\n";
  const std::vector<Kept> expected = {
      {ReplyKind::kOk, "OK pong", {}},
      {ReplyKind::kAllow, "ALLOW 10 9 0 100 local", {}},
      {ReplyKind::kList, "LIST 3", {"keys 7", "", "OK \"a b\""}},
      {ReplyKind::kDeny, "DENY 10 0 5 100 cache", {}},
      {ReplyKind::kList, "LIST 0", {}},
      {ReplyKind::kError, "ERR NOPOLICY no policy 'x'", {}},
      {ReplyKind::kOk, "OK", {}},
  };
  for (size_t piece = 1; piece <= bytes.size(); ++piece) {
    EXPECT_EQ(read_all(bytes, piece), expected) << "in pieces of " << piece;
  }
}

TEST(ReplyReader, AListIsNotThereBeforeItsLastRow) {
  ReplyReader reader;
  reader.append("LIST 2\nfirst\nsecond");
  EXPECT_FALSE(reader.next().value().has_value());
  reader.append("\n");
  EXPECT_EQ(reader.next().value().value().rows.size(), 2U);
  EXPECT_FALSE(reader.next().value().has_value());
}

TEST(ReplyReader, WhatIsNoReplyIsAnError) {
  for (const std::string_view bytes :
       {"HTTP/1.1 400 Bad Request\r\n", "\n", " OK\n", "ok\n", "OKAY\n", "+OK\r\n"}) {
    EXPECT_NE(error_of(bytes), "") << bytes;
  }
}

TEST(ReplyReader, AnErrorShowsNoControlBytes) {
  EXPECT_EQ(error_of("\x1b[2Jnoise\xff\n"), "'?[2Jnoise?' is not a reply of a tollkeeperd");
}

TEST(ReplyReader, AnAbsurdNumberOfRowsIsAnError) {
  for (const std::string_view bytes : {"LIST\n", "LIST x\n", "LIST -1\n", "LIST 1 2\n",
                                       "LIST 1000001\n", "LIST 99999999999999999999\n"}) {
    EXPECT_NE(error_of(bytes), "") << bytes;
  }
}

TEST(ReplyReader, AnEndlessLineIsAnErrorAndNotEndlessMemory) {
  ReplyReader reader;
  const std::string piece(size_t{1} << 20, 'x');
  size_t pieces = 0;
  while (reader.next().has_value()) {
    reader.append(piece);
    ASSERT_LE(++pieces, (kReplyLineMax >> 20) + 1);
  }
}

TEST(ReplyReader, AnEndlessListIsAnErrorAndNotEndlessMemory) {
  ReplyReader reader;
  reader.append("LIST 1000\n");
  const std::string row = std::string(size_t{1} << 20, 'x') + "\n";
  size_t rows = 0;
  while (reader.next().has_value()) {
    reader.append(row);
    ASSERT_LE(++rows, (kReplyBytesMax >> 20) + 1);
  }
}

using Words = std::vector<Word>;

TEST(SplitWords, BlanksSeparateAndQuotesHoldTogether) {
  EXPECT_EQ(split_words("  OK \t 7  "), (Words{{"OK"}, {"7"}}));
  EXPECT_EQ(split_words(R"(OK "a \"b\\ \x41\n\r\t" "" c"d)"),
            (Words{{"OK"}, {"a \"b\\ A\n\r\t", true}, {"", true}, {"c\"d"}}));
  EXPECT_EQ(split_words(""), Words{});
}

TEST(SplitWords, WhatIsNotProperlyQuotedIsTakenAsItStands) {
  EXPECT_EQ(split_words(R"("open b)"), (Words{{"\"open"}, {"b"}}));
  EXPECT_EQ(split_words(R"("a"b c)"), (Words{{"\"a\"b"}, {"c"}}));
  EXPECT_EQ(split_words(R"("bad \q escape")"), (Words{{"\"bad"}, {"\\q"}, {"escape\""}}));
  EXPECT_EQ(split_words(R"("\x4)"), (Words{{R"("\x4)"}}));
  EXPECT_EQ(split_words(R"("\)"), (Words{{R"("\)"}}));
  EXPECT_EQ(split_words("\""), (Words{{"\""}}));
}

}  // namespace
}  // namespace toll::daemon
