#include "daemon/framing.h"

#include <gtest/gtest.h>
#include <random>
#include <string>
#include <vector>

#include "tests/fuzz/frame_reader.h"

namespace toll::daemon {
namespace {

using std::string_literals::operator""s;
using Kind = Frame::Kind;
using Strings = std::vector<std::string>;

std::vector<ReadFrame> read_all(std::string_view bytes, size_t request_max = 65'536) {
  FrameReader reader(request_max);
  reader.feed(bytes);
  return reader.frames();
}

// The one frame in `bytes`; an incomplete one if there is none.
ReadFrame read(std::string_view bytes, size_t request_max = 65'536) {
  const std::vector<ReadFrame> frames = read_all(bytes, request_max);
  EXPECT_LE(frames.size(), 1U) << bytes;
  return frames.empty() ? ReadFrame{} : frames[0];
}

Strings words_of(std::string_view bytes) {
  const ReadFrame frame = read(bytes);
  EXPECT_EQ(frame.kind, Kind::kRequest) << bytes << ": " << frame.message;
  EXPECT_EQ(frame.consumed, bytes.size()) << bytes;
  return frame.words;
}

void expect_fault(std::string_view bytes, Kind kind, ErrorCode code, std::string_view message,
                  size_t consumed) {
  const ReadFrame frame = read(bytes);
  EXPECT_EQ(frame.kind, kind) << bytes;
  EXPECT_EQ(frame.code, code) << bytes;
  EXPECT_EQ(frame.message, message) << bytes;
  EXPECT_EQ(frame.consumed, consumed) << bytes;
}

void expect_malformed(std::string_view line, std::string_view message) {
  expect_fault(line, Kind::kMalformed, ErrorCode::kBadRequest, message, line.size());
}

void expect_fatal(std::string_view bytes, std::string_view message, size_t consumed) {
  expect_fault(bytes, Kind::kFatal, ErrorCode::kBadRequest, message, consumed);
}

// ---- lines ----

TEST(LineFraming, WordsAreSeparatedByBlanks) {
  EXPECT_EQ(words_of("CHECK api user:123 1\n"), (Strings{"CHECK", "api", "user:123", "1"}));
  EXPECT_EQ(words_of("  PING\t \t hello  \n"), (Strings{"PING", "hello"}));
  EXPECT_EQ(words_of("a\n"), (Strings{"a"}));
}

TEST(LineFraming, WordsOfEveryLengthEndWhereTheyEnd) {
  for (size_t first = 1; first < 40; ++first) {
    for (size_t second = 1; second < 40; ++second) {
      const std::string a(first, 'a');
      const std::string b(second, 'b');
      std::string line = a;
      EXPECT_EQ(words_of(line.append(" ").append(b).append("\n")), (Strings{a, b}));
      line = a;
      EXPECT_EQ(words_of(line.append("\t").append(b).append("\r\n")), (Strings{a, b}));
    }
  }
}

TEST(LineFraming, OneCarriageReturnBeforeTheEndIsIgnored) {
  EXPECT_EQ(words_of("PING\r\n"), (Strings{"PING"}));
  EXPECT_EQ(words_of("PING\r\r\n"), (Strings{"PING\r"}));
  EXPECT_EQ(words_of("PI\rNG x\n"), (Strings{"PI\rNG", "x"}));
}

TEST(LineFraming, AnEmptyLineIsNothing) {
  for (const std::string_view line : {"\n", "\r\n", "   \n", " \t \r\n"}) {
    const ReadFrame frame = read(line);
    EXPECT_EQ(frame.kind, Kind::kNothing) << line;
    EXPECT_EQ(frame.consumed, line.size());
  }
}

TEST(LineFraming, EveryOtherByteIsPartOfAWord) {
  EXPECT_EQ(words_of("\0\x01\x7f\xff\x0b \x80\n"s), (Strings{"\0\x01\x7f\xff\x0b"s, "\x80"}));
  EXPECT_EQ(words_of("it's a\"b\" \\n\n"), (Strings{"it's", "a\"b\"", "\\n"}));
  EXPECT_EQ(words_of(" *3\n"), (Strings{"*3"}));
}

TEST(LineFraming, QuotedWordsAreUnescaped) {
  EXPECT_EQ(words_of("A \"b c\" d\n"), (Strings{"A", "b c", "d"}));
  EXPECT_EQ(words_of("\"\" \"\"\n"), (Strings{"", ""}));
  EXPECT_EQ(words_of(R"("\"\\\n\r\t\x00\xfF")"s + "\r\n"), (Strings{"\"\\\n\r\t\0\xff"s}));
  EXPECT_EQ(words_of("x \"a\tb\"\ty\n"), (Strings{"x", "a\tb", "y"}));
}

TEST(LineFraming, ABadQuoteIsSaidAndTheNextLineIsRead) {
  expect_malformed("A \"b\n", "unterminated quote");
  expect_malformed("A \"b\\\"\n", "unterminated quote");
  expect_malformed("A \"b\\\r\n", "unterminated quote");
  expect_malformed("\"\n", "unterminated quote");
  expect_malformed("A \"b\"c\n", "a blank must follow a closing quote");
  expect_malformed("A \"\"\"\"\n", "a blank must follow a closing quote");
  expect_malformed("A \"\\q\"\n", "unknown escape in a quoted word");
  expect_malformed("A \"\\x4\"\n", "unknown escape in a quoted word");
  expect_malformed("A \"\\x4g\"\n", "unknown escape in a quoted word");
  expect_malformed("A \"\\x4\n", "unknown escape in a quoted word");

  const std::vector<ReadFrame> frames = read_all("A \"b\nPING\n");
  ASSERT_EQ(frames.size(), 2U);
  EXPECT_EQ(frames[1].words, (Strings{"PING"}));
}

TEST(LineFraming, ALogRecordIsTheRestOfItsLine) {
  EXPECT_EQ(words_of("LOG PUSH {\"a\": \"b c\\n\"}\n"),
            (Strings{"LOG", "PUSH", "{\"a\": \"b c\\n\"}"}));
  EXPECT_EQ(words_of("  log\t Push \"a\r\n"), (Strings{"log", "Push", "\"a"}));
  EXPECT_EQ(words_of("LOG PUSH\tx\r\r\n"), (Strings{"LOG", "PUSH", "x\r"}));
  EXPECT_EQ(words_of("LOG PUSH a\0b \n"s), (Strings{"LOG", "PUSH", "a\0b "s}));
  std::string many;
  for (size_t word = 0; word < 2 * kWordsMax; ++word) many += "w ";
  EXPECT_EQ(words_of("LOG PUSH " + many + "\n"), (Strings{"LOG", "PUSH", many}));
}

TEST(LineFraming, OneBlankIsBetweenPushAndItsRecord) {
  EXPECT_EQ(words_of("LOG PUSH  \tx \n"), (Strings{"LOG", "PUSH", " \tx "}));
  EXPECT_EQ(words_of("LOG PUSH  \n"), (Strings{"LOG", "PUSH", " "}));
  EXPECT_EQ(words_of("LOG PUSH \r\n"), (Strings{"LOG", "PUSH"}));
  EXPECT_EQ(words_of("LOG PUSH \n"), (Strings{"LOG", "PUSH"}));
  EXPECT_EQ(words_of("LOG PUSH\n"), (Strings{"LOG", "PUSH"}));
}

TEST(LineFraming, OtherRequestsThatLookLikeALogRecordAreWords) {
  EXPECT_EQ(words_of("LOG\n"), (Strings{"LOG"}));
  EXPECT_EQ(words_of("L\n"), (Strings{"L"}));
  EXPECT_EQ(words_of("LOG PUS \"a b\"\n"), (Strings{"LOG", "PUS", "a b"}));
  EXPECT_EQ(words_of("LOG POP  7\n"), (Strings{"LOG", "POP", "7"}));
  EXPECT_EQ(words_of("LOG PUSHED \"a b\"\n"), (Strings{"LOG", "PUSHED", "a b"}));
  EXPECT_EQ(words_of("LOGPUSH \"a b\"\n"), (Strings{"LOGPUSH", "a b"}));
  EXPECT_EQ(words_of("LOGS PUSH \"a b\"\n"), (Strings{"LOGS", "PUSH", "a b"}));
  EXPECT_EQ(words_of("ECHO LOG PUSH \"a b\"\n"), (Strings{"ECHO", "LOG", "PUSH", "a b"}));
  EXPECT_EQ(words_of("\"LOG\" PUSH \"a b\"\n"), (Strings{"LOG", "PUSH", "a b"}));
  EXPECT_EQ(words_of("LOG \"PUSH\" \"a b\"\n"), (Strings{"LOG", "PUSH", "a b"}));
}

TEST(LineFraming, MoreThanTheMostWordsAreRefused) {
  std::string most;
  for (size_t word = 0; word < kWordsMax; ++word) most += "w ";
  EXPECT_EQ(words_of(most + "\n").size(), kWordsMax);
  expect_malformed(most + "w\n", "too many words");
  expect_malformed(most + "\"\"\n", "too many words");
}

TEST(LineFraming, ALineOverTheBoundIsFatalAsSoonAsItIs) {
  EXPECT_EQ(read("1234567\n", 8).kind, Kind::kRequest);
  EXPECT_EQ(read("1234567", 8).kind, Kind::kIncomplete);
  for (const std::string_view line : {"12345678", "12345678\n", "12345678 and more"}) {
    const ReadFrame frame = read(line, 8);
    EXPECT_EQ(frame.kind, Kind::kFatal);
    EXPECT_EQ(frame.code, ErrorCode::kTooLong);
    EXPECT_EQ(frame.consumed, 8U);
  }
}

// ---- RESP ----

TEST(RespFraming, AnArrayOfBulkStringsIsARequest) {
  EXPECT_EQ(words_of("*1\r\n$4\r\nPING\r\n"), (Strings{"PING"}));
  EXPECT_EQ(words_of("*3\r\n$4\r\nPEEK\r\n$0\r\n\r\n$7\r\na\r\n\0*$1\r\n"s),
            (Strings{"PEEK", "", "a\r\n\0*$1"s}));
}

TEST(RespFraming, AnEmptyArrayIsNothing) {
  const ReadFrame frame = read("*0\r\n");
  EXPECT_EQ(frame.kind, Kind::kNothing);
  EXPECT_EQ(frame.consumed, 4U);
}

TEST(RespFraming, TheFirstWrongByteIsFatal) {
  const std::string_view array = "bad length of an array";
  expect_fatal("*-1\r\n", array, 2);
  expect_fatal("*\r\n", array, 2);
  expect_fatal("*+1", array, 2);
  expect_fatal("* 1", array, 2);
  expect_fatal("*1x", array, 3);
  expect_fatal("*01", array, 3);
  expect_fatal("*1\n", array, 3);
  expect_fatal("*1\rx", array, 4);
  const std::string_view type = "expected a bulk string";
  expect_fatal("*1\r\n:", type, 5);
  expect_fatal("*1\r\n*", type, 5);
  expect_fatal("*2\r\n$1\r\na\r\n+", type, 12);
  const std::string_view bulk = "bad length of a bulk string";
  expect_fatal("*1\r\n$-", bulk, 6);
  expect_fatal("*1\r\n$\r", bulk, 6);
  expect_fatal("*1\r\n$00", bulk, 7);
  expect_fatal("*1\r\n$1\n", bulk, 7);
  expect_fatal("*1\r\n$1\r\r", bulk, 8);
  const std::string_view longer = "a bulk string is longer than its length says";
  expect_fatal("*1\r\n$1\r\nab", longer, 10);
  expect_fatal("*1\r\n$1\r\na\rb", longer, 11);
}

TEST(RespFraming, MoreThanTheMostWordsAreRefusedBeforeTheyCome) {
  expect_fatal("*1025", "too many words", 5);
  expect_fatal("*2147483648\r\n", "too many words", 5);
  expect_fatal("*99999999999999999999999\r\n", "too many words", 5);
  EXPECT_EQ(read("*1024\r\n").kind, Kind::kIncomplete);
}

TEST(RespFraming, ABulkStringOverTheBoundIsFatalBeforeItComes) {
  const auto too_long = [](std::string_view bytes, size_t request_max, size_t consumed) {
    const ReadFrame frame = read(bytes, request_max);
    EXPECT_EQ(frame.kind, Kind::kFatal) << bytes;
    EXPECT_EQ(frame.code, ErrorCode::kTooLong) << bytes;
    EXPECT_EQ(frame.consumed, consumed) << bytes;
  };
  EXPECT_EQ(read("*1\r\n$1\r\na\r\n", 11).kind, Kind::kRequest);
  too_long("*1\r\n$1\r\na\r\n", 10, 8);
  too_long("*1\r\n$65537", 65'536, 10);
  too_long("*1\r\n$9999999999999999999999", 65'536, 10);
  too_long("*1\r\n$9999999999999999999999", UINT32_MAX, 15);
  too_long("*2\r\n$1\r\na\r\n$", 12, 12);
}

TEST(RespFraming, RequestsMayTakeTurnsWithLines) {
  const std::vector<ReadFrame> frames = read_all("PING\n*1\r\n$4\r\nPING\r\n\nPING\r\n");
  ASSERT_EQ(frames.size(), 4U);
  EXPECT_EQ(frames[0].framing, Framing::kLine);
  EXPECT_EQ(frames[1].framing, Framing::kResp);
  EXPECT_EQ(frames[2].kind, Kind::kNothing);
  EXPECT_EQ(frames[3].words, (Strings{"PING"}));
}

// ---- in pieces ----

TEST(Framing, NoBytesAreNoRequest) {
  size_t scanned = 0;
  Words words;
  EXPECT_EQ(read_frame({}, 1024, scanned, words).kind, Kind::kIncomplete);
  EXPECT_EQ(scanned, 0U);
}

TEST(Framing, AnySplitGivesTheSameFrames) {
  const std::vector<std::string> streams = {
      "CHECK api user:123 1\nPEEK api \"a \\x41\\\"b\" c\r\n\n\r\n  \n",
      "A \"b\nB \"\\q\" \nC \"d\"e\nPING\n",
      "LOG PUSH {\"a\": \"b\"}\r\nlog push  x\nLOG PUSH\nLOG PUSH \nPING\n",
      "*3\r\n$5\r\nCHECK\r\n$3\r\napi\r\n$12\r\nuser\r\n*1\r\nxx\r\n*0\r\nPING\r\n*1\r\n$0\r\n\r\n",
      "*2\r\n$1\r\na\r\n$1\r\nabc\r\n",
      "*2\r\n$1\r\na\r\n$40\r\nPING\n",
      "*1\r\n$1\r\na\r\n*x",
      "*1\r\n$1\r\na\r\n*1025\r\n",
      "short\nthis line has more than forty-eight bytes, more than it may\nPING\n",
  };
  for (const std::string& stream : streams) {
    const std::vector<ReadFrame> whole = read_all(stream, 48);
    ASSERT_FALSE(whole.empty());
    FrameReader bytewise(48);
    for (const char& byte : stream) bytewise.feed({&byte, 1});
    EXPECT_EQ(bytewise.frames(), whole) << stream;
    for (size_t cut = 0; cut <= stream.size(); ++cut) {
      FrameReader reader(48);
      reader.feed(std::string_view(stream).substr(0, cut));
      reader.feed(std::string_view(stream).substr(cut));
      EXPECT_EQ(reader.frames(), whole) << stream << " cut at " << cut;
    }
  }
}

TEST(LineFraming, ALineThatComesByteByByteIsLookedAtOnce) {
  std::string line(65'536, 'x');
  line.back() = '\n';
  size_t scanned = 0;
  size_t looked_at = 0;
  Words words;
  for (size_t size = 1; size < line.size(); ++size) {
    looked_at += size - scanned;
    ASSERT_EQ(read_frame(std::span(line).first(size), 65'536, scanned, words).kind,
              Kind::kIncomplete);
    ASSERT_EQ(scanned, size);
    // What an earlier call has seen, no later one looks at.
    line[size - 1] = '\n';
    if (size > 1) line[size - 2] = 'x';
  }
  looked_at += line.size() - scanned;
  EXPECT_EQ(looked_at, line.size());
  line[line.size() - 2] = 'x';
  const Frame frame = read_frame(line, 65'536, scanned, words);
  EXPECT_EQ(frame.kind, Kind::kRequest);
  EXPECT_EQ(frame.consumed, line.size());
  EXPECT_EQ(scanned, 0U);
}

TEST(RespFraming, AnArrayThatComesByteByByteIsReadOnFromItsLastElement) {
  std::string request = "*1024\r\n";
  const size_t header = request.size();
  const std::string element = "$2\r\nab\r\n";
  for (size_t word = 0; word < kWordsMax; ++word) request += element;
  std::string damaged = request;
  size_t scanned = 0;
  Words words;
  for (size_t size = 1; size < request.size(); ++size) {
    ASSERT_EQ(read_frame(std::span(damaged).first(size), 65'536, scanned, words).kind,
              Kind::kIncomplete);
    // Elements an earlier call has read, no later one looks at until the request is whole.
    const size_t elements = size < header ? 0 : (size - header) / element.size();
    if (elements != 0) damaged[header + (elements - 1) * element.size()] = '?';
  }
  const Frame frame = read_frame(request, 65'536, scanned, words);
  EXPECT_EQ(frame.kind, Kind::kRequest);
  EXPECT_EQ(frame.consumed, request.size());
  ASSERT_EQ(words.count, kWordsMax);
  for (size_t word = 0; word < kWordsMax; ++word) {
    ASSERT_EQ(words[word].data(), request.data() + header + word * element.size() + 4);
  }
}

// ---- random ----

class RandomFraming : public testing::Test {
 protected:
  static constexpr uint64_t kSeed = 20'240'611;

  RandomFraming() { RecordProperty("seed", std::to_string(kSeed)); }

  size_t below(size_t bound) {
    return std::uniform_int_distribution<size_t>(0, bound - 1)(random_);
  }

  // Bytes that mean something to a framing are as frequent as all others together.
  std::string random_bytes(size_t size) {
    static constexpr std::string_view kSpecial = " \t\r\n\"\\*$:x0123456789aF\0\x7f\xff";
    std::string bytes;
    while (bytes.size() < size) {
      bytes += below(2) == 0 ? kSpecial[below(kSpecial.size())] : static_cast<char>(below(256));
    }
    return bytes;
  }

  // A slow, obviously right writer of lines: a word is quoted unless it may stand as it is, and
  // often even then; a byte is escaped if it must be, and sometimes even then.
  std::string write_word(const std::string& word, bool first) {
    static constexpr char kHex[] = "0123456789abcdefABCDEF";
    const bool bare = word.find_first_of(" \t\n\r") == std::string::npos && !word.empty() &&
                      word[0] != '"' && !(first && word[0] == '*');
    if (bare && below(2) == 0) return word;
    std::string text = "\"";
    for (const char byte : word) {
      const auto value = static_cast<unsigned char>(byte);
      if (byte == '"' || byte == '\\') {
        text += '\\';
        text += byte;
      } else if (byte == '\n' || below(8) == 0) {
        const size_t high = value / 16;
        text += "\\x";
        text += kHex[high >= 10 && below(2) == 0 ? high + 6 : high];
        text += kHex[value % 16];
      } else {
        text += byte;
      }
    }
    return text + '"';
  }

  std::string write_line(const Strings& words) {
    std::string line;
    for (const std::string& word : words) {
      line += std::string(line.empty() ? below(2) : 1 + below(2), below(2) == 0 ? ' ' : '\t');
      line += write_word(word, line.empty());
    }
    return line + (below(2) == 0 ? "\n" : " \r\n");
  }

  static std::string write_resp(const Strings& words) {
    std::string bytes = "*" + std::to_string(words.size()) + "\r\n";
    for (const std::string& word : words) {
      bytes += "$" + std::to_string(word.size()) + "\r\n" + word + "\r\n";
    }
    return bytes;
  }

  std::mt19937_64 random_{kSeed};
};

TEST_F(RandomFraming, WordsAreReadBackAsTheyWereWritten) {
  for (int round = 0; round < 3000; ++round) {
    std::string stream;
    std::vector<Strings> written;
    for (size_t request = below(4) + 1; request > 0; --request) {
      Strings words(below(6) + 1);
      for (std::string& word : words) word = random_bytes(below(20));
      stream += below(2) == 0 ? write_line(words) : write_resp(words);
      written.push_back(words);
    }
    FrameReader reader;
    while (!stream.empty()) {
      const size_t piece = below(stream.size()) + 1;
      reader.feed(stream.substr(0, piece));
      stream.erase(0, piece);
    }
    ASSERT_EQ(reader.frames().size(), written.size()) << "seed " << kSeed << " round " << round;
    for (size_t request = 0; request < written.size(); ++request) {
      ASSERT_EQ(reader.frames()[request].words, written[request])
          << "seed " << kSeed << " round " << round;
    }
  }
}

TEST_F(RandomFraming, GarbageKeepsEveryPromiseAndEverySplitAgrees) {
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes = random_bytes(below(64) + 1);
    if (below(2) == 0) bytes.insert(0, write_resp({bytes, "x"}).substr(0, below(80)));
    const std::vector<ReadFrame> whole = read_all(bytes, 32);
    const size_t cut = below(bytes.size() + 1);
    FrameReader reader(32);
    reader.feed(bytes.substr(0, cut));
    reader.feed(bytes.substr(cut));
    ASSERT_EQ(reader.frames(), whole) << "seed " << kSeed << " round " << round;
  }
}

TEST(Framing, CodesHaveTheirNames) {
  EXPECT_EQ(to_string(ErrorCode::kBadRequest), "BADREQ");
  EXPECT_EQ(to_string(ErrorCode::kUnknown), "UNKNOWN");
  EXPECT_EQ(to_string(ErrorCode::kNoPolicy), "NOPOLICY");
  EXPECT_EQ(to_string(ErrorCode::kNoHold), "NOHOLD");
  EXPECT_EQ(to_string(ErrorCode::kTooLong), "TOOLONG");
  EXPECT_EQ(to_string(ErrorCode::kNoPermission), "NOPERM");
  EXPECT_EQ(to_string(ErrorCode::kBusy), "BUSY");
  EXPECT_EQ(to_string(ErrorCode::kUnavailable), "UNAVAILABLE");
}

}  // namespace
}  // namespace toll::daemon
