#include "bench/reply_counter.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <initializer_list>
#include <string_view>

namespace toll::bench {
namespace {

constexpr std::string_view kLines =
    "ALLOW 10 9 0 100 local\nDENY 10 0 5 100 cache\r\nOK 7\nERR NOPOLICY no such policy\nOK pong\n";
constexpr std::string_view kRespReplies =
    "*6\r\n:1\r\n:10\r\n:9\r\n:0\r\n:100\r\n$5\r\nlocal\r\n"
    "*6\r\n:0\r\n:10\r\n:-3\r\n:5\r\n:100\r\n$5\r\nca*\r\n\r\n"
    "*4\r\n:10\r\n:9\r\n:100\r\n$5\r\nlocal\r\n"
    ":7\r\n+PONG\r\n$-1\r\n$0\r\n\r\n*0\r\n-NOPOLICY no such policy\r\n";

ReplyCounts count_in_pieces(Framing framing, std::string_view bytes, size_t piece) {
  ReplyCounter counter(framing);
  ReplyCounts counts;
  uint32_t replies = 0;
  while (!bytes.empty()) {
    const std::string_view part = bytes.substr(0, piece);
    replies += counter.count({part.data(), part.size()}, counts);
    bytes.remove_prefix(part.size());
  }
  EXPECT_EQ(replies, counts.total());
  return counts;
}

template <class Counts>
Counts counted(const auto& known, std::initializer_list<std::string_view> words) {
  Counts counts = {};
  for (const std::string_view word : words) {
    ++counts[static_cast<size_t>(std::ranges::find(known, word) - known.begin())];
  }
  return counts;
}
decltype(ReplyCounts::sources) sources(std::initializer_list<std::string_view> words) {
  return counted<decltype(ReplyCounts::sources)>(kReplySources, words);
}
decltype(ReplyCounts::codes) codes(std::initializer_list<std::string_view> words) {
  return counted<decltype(ReplyCounts::codes)>(kErrorCodes, words);
}

ReplyCounts count_all(Framing framing, std::string_view bytes) {
  return count_in_pieces(framing, bytes, bytes.size());
}

TEST(ReplyCounter, TheSourceIsFoundBeforeAPositionATicketOrAHold) {
  const auto counts = count_all(Framing::kLine,
                                "ALLOW 10 9 0 100 lease 1\nALLOW 10 9 0 100 redis beef\n"
                                "OK 10 9 100 open\nOK 0.001 journal\nOK spill\nOK pong\nOK\n"
                                "DENY 1 1 0 0 closed 3f2a\n");
  EXPECT_EQ(counts.sources, sources({"lease", "redis", "open", "journal", "spill", "closed"}));
  const auto resp = count_all(Framing::kResp,
                              "*7\r\n:1\r\n:10\r\n:9\r\n:0\r\n:100\r\n$5\r\nlease\r\n"
                              "$5\r\nredis\r\n+journal\r\n+PONG\r\n*2\r\n$5\r\n0.001\r\n"
                              "$5\r\nredis\r\n");
  EXPECT_EQ(resp.sources, sources({"lease", "journal", "redis"})) << "one a reply, the first";
}

TEST(ReplyCounter, RowsOfAListAreRecordsHoweverTheyAreCut) {
  constexpr std::string_view kLineLists = "LIST 2\n{\"a\":1}\nALLOW 1 local\nLIST 0\nOK local\n";
  constexpr std::string_view kRespLists =
      "*5\r\n$7\r\n{\"a\":1}\r\n$2\r\n{}\r\n$2\r\n{}\r\n$2\r\n{}\r\n$2\r\n{}\r\n*0\r\n+local\r\n";
  for (size_t piece = 1; piece <= kRespLists.size(); ++piece) {
    const auto line = count_in_pieces(Framing::kLine, kLineLists, piece);
    EXPECT_EQ(line.ok, 3U) << piece;
    EXPECT_EQ(line.allow, 0U) << "a row is not a reply";
    EXPECT_EQ(line.records, 2U);
    EXPECT_EQ(line.record_bytes, 20U);
    EXPECT_EQ(line.sources, sources({"local"}));
    const auto resp = count_in_pieces(Framing::kResp, kRespLists, piece);
    EXPECT_EQ(resp.ok, 3U) << "five strings are no decision";
    EXPECT_EQ(resp.records, 5U) << piece;
    EXPECT_EQ(resp.record_bytes, 15U);
  }
}

TEST(ReplyCounter, ErrorsAreCountedByTheirCodes) {
  const auto expected = codes({"BUSY", "BADREQ", "BUSY", "other", "other"});
  const auto line = count_all(
      Framing::kLine, "ERR BUSY later\nERR BADREQ x\nERR BUSY\nERR WRONGTYPE x\nERR\nOK 1\n");
  EXPECT_EQ(line.codes, expected);
  EXPECT_EQ(line.error, 5U);
  EXPECT_EQ(
      count_all(Framing::kResp, "-BUSY later\r\n-BADREQ x\r\n-BUSY\r\n-WRONGTYPE x\r\n-\r\n:1\r\n")
          .codes,
      expected);
}

TEST(ReplyCounter, LinesAreCountedByKindHoweverTheyAreCut) {
  const ReplyCounts expected{.allow = 1,
                             .deny = 1,
                             .ok = 2,
                             .error = 1,
                             .unknown = 0,
                             .records = 0,
                             .record_bytes = 0,
                             .sources = sources({"local", "cache"}),
                             .codes = codes({"NOPOLICY"})};
  for (size_t piece = 1; piece <= kLines.size(); ++piece) {
    EXPECT_EQ(count_in_pieces(Framing::kLine, kLines, piece), expected) << piece;
  }
}

TEST(ReplyCounter, RespIsCountedByKindHoweverItIsCut) {
  const ReplyCounts expected{.allow = 1,
                             .deny = 1,
                             .ok = 6,
                             .error = 1,
                             .unknown = 0,
                             .records = 0,
                             .record_bytes = 0,
                             .sources = sources({"local", "local"}),
                             .codes = codes({"NOPOLICY"})};
  for (size_t piece = 1; piece <= kRespReplies.size(); ++piece) {
    EXPECT_EQ(count_in_pieces(Framing::kResp, kRespReplies, piece), expected) << piece;
  }
}

TEST(ReplyCounter, AReplyThatIsNotWholeDoesNotCount) {
  for (const Framing framing : {Framing::kLine, Framing::kResp}) {
    ReplyCounter counter(framing);
    ReplyCounts counts;
    const std::string_view part = framing == Framing::kLine ? "ALLOW 10" : "*2\r\n:1\r\n$3\r\nab";
    EXPECT_EQ(counter.count({part.data(), part.size()}, counts), 0U);
  }
}

TEST(ReplyCounter, NoiseIsUnknown) {
  ReplyCounter counter(Framing::kLine);
  ReplyCounts counts;
  const std::string_view noise = "HTTP/1.1 400 Bad Request\n\n";
  EXPECT_EQ(counter.count({noise.data(), noise.size()}, counts), 2U);
  EXPECT_EQ(counts.unknown, 2U);
  EXPECT_EQ(counts.codes, codes({}));
  EXPECT_EQ(counter.first_error(), "HTTP/1.1 400 Bad Request");
}

TEST(ReplyCounter, TheFirstErrorIsKept) {
  for (const Framing framing : {Framing::kLine, Framing::kResp}) {
    ReplyCounter counter(framing);
    ReplyCounts counts;
    const std::string_view text = framing == Framing::kLine ? "OK\nERR BUSY later\nERR BADREQ x\n"
                                                            : "+OK\r\n-BUSY later\r\n-BADREQ x\r\n";
    counter.count({text.data(), text.size()}, counts);
    EXPECT_EQ(counts.error, 2U);
    EXPECT_EQ(counter.first_error(), framing == Framing::kLine ? "ERR BUSY later" : "-BUSY later");
  }
}

}  // namespace
}  // namespace toll::bench
