#include "daemon/reply_writer.h"

#include <functional>
#include <gtest/gtest.h>
#include <hiredis/hiredis.h>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "tests/fuzz/frame_reader.h"

namespace toll::daemon {
namespace {

using std::string_literals::operator""s;
using engine::Answer;
using engine::Source;
using Writing = std::function<void(ReplyWriter&)>;
using Reply = std::unique_ptr<redisReply, decltype(&freeReplyObject)>;

constexpr uint64_t kSeed = 20'240'613;
constexpr Answer kAnswer = {.limit = 100, .remaining = 99, .retry_us = 0, .reset_us = 599'001};

std::string written(Framing framing, const Writing& write) {
  net::ChunkPool pool;
  net::OutputBuffer out(pool);
  ReplyWriter writer(out, framing);
  write(writer);
  std::string bytes;
  while (!out.empty()) {
    bytes.append(out.front().data(), out.front().size());
    out.consume(out.front().size());
  }
  return bytes;
}

std::string line(const Writing& write) {
  return written(Framing::kLine, write);
}

// The one reply that hiredis makes of what is written.
Reply parsed(const std::string& bytes) {
  const std::unique_ptr<redisReader, decltype(&redisReaderFree)> reader(redisReaderCreate(),
                                                                        &redisReaderFree);
  void* reply = nullptr;
  void* more = nullptr;
  EXPECT_EQ(redisReaderFeed(reader.get(), bytes.data(), bytes.size()), REDIS_OK);
  EXPECT_EQ(redisReaderGetReply(reader.get(), &reply), REDIS_OK) << bytes;
  EXPECT_NE(reply, nullptr) << "not a whole reply: " << bytes;
  EXPECT_EQ(redisReaderGetReply(reader.get(), &more), REDIS_OK) << bytes;
  EXPECT_EQ(more, nullptr) << "more than one reply: " << bytes;
  EXPECT_EQ(reader->len, reader->pos) << "left over: " << bytes;
  return {static_cast<redisReply*>(reply), &freeReplyObject};
}

std::string resp(const Writing& write) {
  std::string bytes = written(Framing::kResp, write);
  parsed(bytes);
  return bytes;
}

void expect(const Writing& write, std::string_view as_line, std::string_view as_resp) {
  EXPECT_EQ(line(write), as_line);
  EXPECT_EQ(resp(write), as_resp);
}

TEST(ReplyWriter, OkIsAloneOrWithItsValue) {
  expect([](ReplyWriter& w) { w.ok(); }, "OK\n", "+OK\r\n");
  expect([](ReplyWriter& w) { w.ok(int64_t{7}); }, "OK 7\n", ":7\r\n");
  expect([](ReplyWriter& w) { w.ok(int64_t{-250}); }, "OK -250\n", ":-250\r\n");
  expect([](ReplyWriter& w) { w.ok("pong"); }, "OK pong\n", "+pong\r\n");
  expect([](ReplyWriter& w) { w.ok("tollkeeper 1.2.3"); }, "OK tollkeeper 1.2.3\n",
         "+tollkeeper 1.2.3\r\n");
}

TEST(ReplyWriter, NumbersOfEveryLengthAreWrittenAsTheyAre) {
  std::vector<int64_t> values = {0, INT64_MAX, INT64_MIN, -1, -9, 99'999'999, 100'000'000};
  for (int64_t power = 1; power <= 1'000'000'000'000'000'000 / 10; power *= 10) {
    for (const int64_t value : {power - 1, power, power + 1, 9 * power, -power}) {
      values.push_back(value);
    }
  }
  std::mt19937_64 random(kSeed);
  for (int round = 0; round < 20'000; ++round) {
    values.push_back(static_cast<int64_t>(random() >> random() % 64));
  }
  for (const int64_t value : values) {
    const auto write = [&](ReplyWriter& w) { w.ok(value); };
    ASSERT_EQ(line(write), "OK " + std::to_string(value) + "\n");
    ASSERT_EQ(written(Framing::kResp, write), ":" + std::to_string(value) + "\r\n");
  }
  for (int64_t value = 0; value < 20'000; ++value) {
    ASSERT_EQ(line([&](ReplyWriter& w) { w.ok(value); }), "OK " + std::to_string(value) + "\n");
  }
}

TEST(ReplyWriter, ADecisionSaysItsFourFiguresAndItsSource) {
  expect([](ReplyWriter& w) { w.decision(true, kAnswer, Source::kLocal); },
         "ALLOW 100 99 0 600 local\n", "*6\r\n:1\r\n:100\r\n:99\r\n:0\r\n:600\r\n$5\r\nlocal\r\n");
  const Answer refused = {.limit = 100, .remaining = 0, .retry_us = 1, .reset_us = 60'000'000};
  expect([&](ReplyWriter& w) { w.decision(false, refused, Source::kRedis); },
         "DENY 100 0 1 60000 redis\n", "*6\r\n:0\r\n:100\r\n:0\r\n:1\r\n:60000\r\n$5\r\nredis\r\n");
  const Answer never = {.limit = 5, .remaining = 5, .retry_us = engine::kNever, .reset_us = 0};
  expect([&](ReplyWriter& w) { w.decision(false, never, Source::kClosed); },
         "DENY 5 5 -1 0 closed\n", "*6\r\n:0\r\n:5\r\n:5\r\n:-1\r\n:0\r\n$6\r\nclosed\r\n");
}

TEST(ReplyWriter, EverySourceHasItsName) {
  for (const Source source : {Source::kRedis, Source::kLease, Source::kCache, Source::kLocal,
                              Source::kOpen, Source::kClosed}) {
    const std::string name(engine::to_string(source));
    const auto write = [&](ReplyWriter& w) { w.peek(kAnswer, source); };
    expect(write, "OK 100 99 600 " + name + "\n",
           "*4\r\n:100\r\n:99\r\n:600\r\n$" + std::to_string(name.size()) + "\r\n" + name + "\r\n");
  }
}

TEST(ReplyWriter, ADecisionOfSeveralSaysItsPositionAndATicketComesLast) {
  expect([](ReplyWriter& w) { w.decision(true, kAnswer, Source::kLocal, {.position = 0}); },
         "ALLOW 100 99 0 600 local 0\n",
         "*7\r\n:1\r\n:100\r\n:99\r\n:0\r\n:600\r\n$5\r\nlocal\r\n:0\r\n");
  expect([](ReplyWriter& w) { w.decision(true, kAnswer, Source::kLease, {.ticket = 0xabc}); },
         "ALLOW 100 99 0 600 lease 0000000000000abc\n",
         "*7\r\n:1\r\n:100\r\n:99\r\n:0\r\n:600\r\n$5\r\nlease\r\n$16\r\n0000000000000abc\r\n");
  EXPECT_EQ(line([](ReplyWriter& w) {
              w.decision(true, kAnswer, Source::kOpen, {.position = 15, .ticket = UINT64_MAX});
            }),
            "ALLOW 100 99 0 600 open 15 ffffffffffffffff\n");
}

TEST(ReplyWriter, TheLongestDecisionFits) {
  constexpr int64_t kLongUs = INT64_MAX / 2;
  const Answer answer = {
      .limit = INT64_MIN, .remaining = INT64_MIN, .retry_us = kLongUs, .reset_us = kLongUs};
  const auto write = [&](ReplyWriter& w) {
    w.decision(false, answer, Source::kClosed, {.position = INT32_MAX, .ticket = UINT64_MAX});
  };
  EXPECT_TRUE(line(write).ends_with(" closed 2147483647 ffffffffffffffff\n"));
  EXPECT_TRUE(resp(write).starts_with("*8\r\n:0\r\n:-9223372036854775808\r\n"));
}

TEST(ReplyWriter, APeekOfSeveralIsAListOfRows) {
  expect(
      [](ReplyWriter& w) {
        w.list(2);
        w.peek_row(kAnswer, Source::kLocal);
        w.peek_row({.limit = 5, .remaining = -3, .retry_us = 0, .reset_us = 0}, Source::kCache);
      },
      "LIST 2\n100 99 600 local\n5 -3 0 cache\n",
      "*2\r\n*4\r\n:100\r\n:99\r\n:600\r\n$5\r\nlocal\r\n*4\r\n:5\r\n:-3\r\n:0\r\n$5\r\ncache\r\n");
}

TEST(ReplyWriter, ThrottleAnswersAsRedisCellDoes) {
  const Answer admitted = {.limit = 16, .remaining = 15, .retry_us = 0, .reset_us = 2'000'000};
  expect([&](ReplyWriter& w) { w.throttle(true, admitted); }, "OK 0 16 15 -1 2\n",
         "*5\r\n:0\r\n:16\r\n:15\r\n:-1\r\n:2\r\n");
  const Answer limited = {
      .limit = 16, .remaining = 0, .retry_us = 1'001'000, .reset_us = 2'999'000};
  expect([&](ReplyWriter& w) { w.throttle(false, limited); }, "OK 1 16 0 2 3\n",
         "*5\r\n:1\r\n:16\r\n:0\r\n:2\r\n:3\r\n");
}

TEST(ReplyWriter, ThrottleRoundsWholeMillisecondsUpToSeconds) {
  const auto reply = [](int64_t retry_us, int64_t reset_us) {
    const Answer answer = {.limit = 1, .remaining = -4, .retry_us = retry_us, .reset_us = reset_us};
    return line([&](ReplyWriter& w) { w.throttle(false, answer); });
  };
  EXPECT_EQ(reply(0, 999), "OK 1 1 0 0 0\n");
  EXPECT_EQ(reply(1'000, 1'000'000), "OK 1 1 0 1 1\n");
  EXPECT_EQ(reply(1'000'999, 1'001'000), "OK 1 1 0 1 2\n");
  EXPECT_EQ(reply(engine::kNever, 60'000'000), "OK 1 1 0 -1 60\n");
}

TEST(ReplyWriter, RowsOfOneFieldAreVerbatimAndOfSeveralAreWords) {
  expect(
      [](ReplyWriter& w) {
        w.list(4);
        w.row("CHECK policy id [units]");
        w.row({"api", "100/1s, 5000/1h", "", "local"});
        w.row("requests", UINT64_MAX);
        w.row("");
      },
      "LIST 4\nCHECK policy id [units]\napi \"100/1s, 5000/1h\" \"\" local\n"
      "requests 9223372036854775807\n\n",
      "*4\r\n$23\r\nCHECK policy id [units]\r\n"
      "*4\r\n$3\r\napi\r\n$15\r\n100/1s, 5000/1h\r\n$0\r\n\r\n$5\r\nlocal\r\n"
      "*2\r\n$8\r\nrequests\r\n:9223372036854775807\r\n$0\r\n\r\n");
  expect([](ReplyWriter& w) { w.list(0); }, "LIST 0\n", "*0\r\n");
}

TEST(ReplyWriter, AListOfRecordsHasOneLineForEach) {
  expect(
      [](ReplyWriter& w) {
        w.list(4);
        w.row("{\n  \"a\": \"b\\n\",\r\n\t\"c\": [\r]\r}\n");
        w.row("\r\n\n\r");
        w.row("\0\x1b\" \xff"s);
        w.row("");
      },
      "LIST 4\n{   \"a\": \"b\\n\",  \t\"c\": [ ] } \n    \n\0\x1b\" \xff\n\n"s,
      "*4\r\n$29\r\n{\n  \"a\": \"b\\n\",\r\n\t\"c\": [\r]\r}\n\r\n$4\r\n\r\n\n\r\r\n"
      "$5\r\n\0\x1b\" \xff\r\n$0\r\n\r\n"s);
}

TEST(ReplyWriter, RecordsLongerThanAChunkAreWrittenWhole) {
  std::mt19937_64 random(kSeed);
  for (const size_t size : {net::kOutputPieceMax, net::kOutputChunkBytes - 1,
                            net::kOutputChunkBytes, size_t{32} << 10, size_t{1} << 20}) {
    std::string record(size, 'x');
    for (size_t breaks = random() % 100; breaks > 0; --breaks) {
      record[random() % size] = random() % 2 == 0 ? '\r' : '\n';
    }
    std::string one_line = record;
    for (char& byte : one_line) byte = byte == 'x' ? 'x' : ' ';
    const auto write = [&](ReplyWriter& w) {
      w.list(3);
      for (int row = 0; row < 3; ++row) w.row(record);
    };
    std::string lines = "LIST 3\n";
    for (int row = 0; row < 3; ++row) lines += one_line + '\n';
    EXPECT_TRUE(line(write) == lines) << size << ", seed " << kSeed;
    const Reply reply = parsed(written(Framing::kResp, write));
    ASSERT_EQ(reply->elements, 3U);
    for (size_t row = 0; row < 3; ++row) {
      const redisReply& element = *reply->element[row];
      EXPECT_TRUE(std::string_view(element.str, element.len) == record) << size << ", row " << row;
    }
  }
}

TEST(ReplyWriter, ErrorsAreOneLine) {
  expect([](ReplyWriter& w) { w.error(ErrorCode::kNoPolicy, "no policy 'x'"); },
         "ERR NOPOLICY no policy 'x'\n", "-NOPOLICY no policy 'x'\r\n");
  expect([](ReplyWriter& w) { w.error(ErrorCode::kBadRequest, "a\r\nb\n"); }, "ERR BADREQ a  b \n",
         "-BADREQ a  b \r\n");
  expect([](ReplyWriter& w) { w.redis_error("NOPROTO unsupported protocol version"); },
         "ERR NOPROTO unsupported protocol version\n", "-NOPROTO unsupported protocol version\r\n");
  expect([](ReplyWriter& w) { w.row("a\r\nb"); }, "a  b\n", "$4\r\na\r\nb\r\n");
}

TEST(ReplyWriter, ABulkIsQuotedInALineIfItHasToBe) {
  expect([](ReplyWriter& w) { w.ok_bulk("plain"); }, "OK plain\n", "$5\r\nplain\r\n");
  expect([](ReplyWriter& w) { w.ok_bulk(""); }, "OK \"\"\n", "$0\r\n\r\n");
  expect([](ReplyWriter& w) { w.ok_bulk("a b"); }, "OK \"a b\"\n", "$3\r\na b\r\n");
  expect([](ReplyWriter& w) { w.ok_bulk("\"\\\n\r\t\0\x1b\x7f\xff"s); },
         "OK \"\\\"\\\\\\n\\r\\t\\x00\\x1b\\x7f\xff\"\n", "$9\r\n\"\\\n\r\t\0\x1b\x7f\xff\r\n"s);
  EXPECT_EQ(line([](ReplyWriter& w) { w.ok_bulk("back\\slash\xc3\xa9"); }),
            "OK back\\slash\xc3\xa9\n");
}

TEST(ReplyWriter, ABulkIsReadBackAsItWasWritten) {
  static constexpr std::string_view kSpecial = " \t\r\n\"\\*$x0\0\x7f\xff";
  std::mt19937_64 random(kSeed);
  for (int round = 0; round < 2000; ++round) {
    std::string text(random() % 4 == 0 ? random() % 60'000 : random() % 12, 'a');
    for (char& byte : text) {
      if (random() % 3 == 0) byte = kSpecial[random() % kSpecial.size()];
      if (random() % 3 == 0) byte = static_cast<char>(random());
    }
    if (text.size() > 1000 && round % 50 != 0) continue;
    const auto write = [&](ReplyWriter& w) { w.ok_bulk(text); };
    FrameReader reader(1 << 20);
    reader.feed(line(write));
    ASSERT_EQ(reader.frames().size(), 1U) << "seed " << kSeed << " round " << round;
    ASSERT_EQ(reader.frames()[0].words, (std::vector<std::string>{"OK", text}));
    const Reply reply = parsed(written(Framing::kResp, write));
    ASSERT_EQ(reply->type, REDIS_REPLY_STRING);
    ASSERT_EQ(std::string(reply->str, reply->len), text);
  }
}

TEST(Ticket, IsSixteenHexadecimalDigits) {
  const auto format = [](uint64_t ticket) {
    std::string text(kTicketDigits, ' ');
    format_ticket(ticket, std::span<char, kTicketDigits>(text));
    return text;
  };
  EXPECT_EQ(format(1), "0000000000000001");
  EXPECT_EQ(format(0x0123456789abcdef), "0123456789abcdef");
  EXPECT_EQ(parse_ticket("0123456789abcdef"), 0x0123456789abcdef);
  EXPECT_EQ(parse_ticket("0123456789ABCDEF"), 0x0123456789abcdef);
  EXPECT_EQ(parse_ticket(format(UINT64_MAX)), UINT64_MAX);
}

TEST(Ticket, AnythingElseIsNone) {
  for (const std::string_view text :
       {"", "1", "0000000000000000", "00000000000000001", "000000000000001", "000000000000000g",
        "-000000000000001", "+000000000000001", "0x00000000000001", " 000000000000001"}) {
    EXPECT_EQ(parse_ticket(text), 0U) << text;
  }
}

}  // namespace
}  // namespace toll::daemon
