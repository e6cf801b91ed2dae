#include "daemon/request_line.h"

#include <gtest/gtest.h>
#include <string>
#include <vector>

#include "daemon/completion.h"
#include "daemon/reply_reader.h"

namespace toll::daemon {
namespace {

using Strings = std::vector<std::string>;

TEST(RequestLine, PlainWordsStayAsTheyAre) {
  EXPECT_EQ(request_of_words(Strings{"CHECK", "api", "alice", "3"}), "CHECK api alice 3\n");
  EXPECT_EQ(request_of_words(Strings{"CHECK", "api", "\xc3\xaf"}), "CHECK api \xc3\xaf\n");
}

TEST(RequestLine, AnyWordsSurvive) {
  const Strings words = {"CHECK", "", "a b", "\"", "back\\slash", "q\"\\", "\t\r\n\x01\x7f", "*3"};
  std::string request = request_of_words(words).value();
  ASSERT_EQ(request.find('\n'), request.size() - 1);
  request.pop_back();
  Strings read;
  for (const Word& word : split_words(request)) read.push_back(word.text);
  EXPECT_EQ(read, words);
}

TEST(RequestLine, ALogRecordIsSentAsItIs) {
  EXPECT_EQ(request_of_words(Strings{"LOG", "PUSH", R"({"a": "b\n"})"}),
            "LOG PUSH {\"a\": \"b\\n\"}\n");
  EXPECT_EQ(request_of_words(Strings{"log", "Push", " a\t", "\"", ""}), "log Push  a\t \" \n");
  EXPECT_EQ(request_of_words(Strings{"LOG", "PUSH", "a\r"}), "LOG PUSH a\r\r\n");
  EXPECT_EQ(request_of_words(Strings{"LOG", "PUSH"}), "LOG PUSH\n");
  EXPECT_EQ(request_of_words(Strings{"LOG", "POP", "a b"}), "LOG POP \"a b\"\n");
  EXPECT_FALSE(request_of_words(Strings{"LOG", "PUSH", "{\n}"}));
  EXPECT_FALSE(request_of_words(Strings{"log", "push", "a", "b\n"}));
}

TEST(RequestLine, NoWordBeginsTheOtherFraming) {
  EXPECT_EQ(request_of_words(Strings{"*3"}), "\"*3\"\n");
  std::string request;
  EXPECT_TRUE(append_request_of_line("*3", request));
  EXPECT_EQ(request, " *3\n");
}

TEST(RequestLine, BlankLinesAndCommentsAreNoRequests) {
  std::string request;
  for (const char* line : {"", "  \t", "\r", "# CHECK api alice", "  #"}) {
    EXPECT_FALSE(append_request_of_line(line, request)) << line;
  }
  EXPECT_EQ(request, "");
  EXPECT_TRUE(append_request_of_line("CHECK api #1", request));
  EXPECT_EQ(request, "CHECK api #1\n");
}

TEST(Completion, AVerbThenAPolicyThenNothing) {
  EXPECT_EQ(expected_after(""), Expected::kVerb);
  EXPECT_EQ(expected_after("  "), Expected::kVerb);
  EXPECT_EQ(expected_after("peek "), Expected::kPolicy);
  EXPECT_EQ(expected_after("PEEK api "), Expected::kNothing);
  EXPECT_EQ(expected_after("PING "), Expected::kNothing);
  EXPECT_EQ(expected_after("nonsense "), Expected::kNothing);
  EXPECT_EQ(expected_after("help "), Expected::kVerb);
}

TEST(Completion, ACheckOfSeveralNamesAPolicyEachTime) {
  EXPECT_EQ(expected_after("CHECK "), Expected::kPolicy);
  EXPECT_EQ(expected_after("CHECK api alice "), Expected::kNothing);
  EXPECT_EQ(expected_after("CHECK api alice 1 "), Expected::kPolicy);
}

TEST(Completion, MatchesInAnyCase) {
  EXPECT_EQ(matching({"CHECK", "CHARGE", "PING"}, "ch"), (Strings{"CHECK", "CHARGE"}));
  EXPECT_EQ(matching({"CHECK"}, "checked"), Strings{});
}

}  // namespace
}  // namespace toll::daemon
