#include "daemon/json_check.h"

#include <gtest/gtest.h>
#include <string>

#include "daemon/input_buffer.h"
#include "daemon/limits.h"
#include "net/limits.h"

namespace toll::daemon {
namespace {

using std::string_literals::operator""s;

constexpr size_t kRecordMax = 16 * 1024;
constexpr std::string_view kEndsInside = "the record ends inside the object";

class JsonCheck : public testing::Test {
 protected:
  // With slack that would finish many a record that is cut off.
  std::optional<JsonFault> check(const std::string& record) {
    const std::string padded = record + std::string(net::kReadSlackBytes, '}');
    return checker_.check(std::string_view(padded).substr(0, record.size()));
  }

  void expect_valid(const std::string& record) {
    const auto fault = check(record);
    EXPECT_FALSE(fault) << record << ": " << fault->reason << " at " << fault->offset;
  }

  void expect_fault(const std::string& record, size_t offset, std::string_view reason) {
    const auto fault = check(record);
    ASSERT_TRUE(fault) << record;
    EXPECT_EQ(fault->offset, offset) << record;
    EXPECT_EQ(fault->reason, reason) << record;
  }

  JsonChecker checker_{kRecordMax};
};

// `inner` in so many arrays in an object.
std::string nested(size_t depth, const std::string& inner) {
  return R"({"a":)" + std::string(depth - 1, '[') + inner + std::string(depth - 1, ']') + "}";
}

TEST_F(JsonCheck, OneObjectIsValid) {
  expect_valid("{}");
  expect_valid(" \t\r\n{ \"a\" : [ 1 , -2.5e+3 , true , false , null , \"\" , {} , [ ] ] } \n");
  expect_valid(R"({"":{"a":{"b":[[],[{}]]}},"c":0,"d":-0,"e":0.10,"f":1E9,"g":2e-0})");
  expect_valid(
      "{\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x92\xb0\x7f\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\"}");
}

TEST_F(JsonCheck, ANameMayComeTwice) {
  expect_valid(R"({"a":1,"a":2})");
}

TEST_F(JsonCheck, ANumberMayBeOfAnySize) {
  expect_valid(R"({"a":18446744073709551615,"b":-9223372036854775808})");
  expect_valid(R"({"a":18446744073709551616})");
  expect_valid(R"({"a":99999999999999999999})");
  expect_valid(R"({"a":[-9223372036854775809,123456789012345678901234567890]})");
  expect_valid(R"({"a":1e999,"b":-1e999,"c":1e-999})");
  expect_valid(R"({"a":)" + std::string(5000, '7') + "}");
  expect_fault(R"({"a":1e999,"b":01})", 16, "a number has no leading zeros");
}

TEST_F(JsonCheck, AnythingButAnObjectIsRefused) {
  for (const std::string record : {"", "  ", "1", "\"a\"", "[]", "null", "\xef\xbb\xbf{}", "a{}"}) {
    expect_fault(record, record.find_first_not_of(' ') == 0 ? 0 : record.size(),
                 "an object must come first");
  }
  expect_fault(" [{}]", 1, "an object must come first");
  expect_fault("{}{}", 2, "something follows the object");
  expect_fault("{} \n,", 4, "something follows the object");
  expect_fault("{}}", 2, "something follows the object");
  expect_fault("{}\0"s, 2, "something follows the object");
}

TEST_F(JsonCheck, AnObjectThatEndsTooEarlyIsRefused) {
  const std::string record = R"({"a":[1,{"b":"c\u00e9\n"},true,-2.5e+3],"d":{}})";
  expect_valid(record);
  for (size_t end = 1; end < record.size(); ++end) {
    expect_fault(record.substr(0, end), end, kEndsInside);
  }
}

TEST_F(JsonCheck, TheStructureIsChecked) {
  expect_fault("{a:1}", 1, "a name or } must follow");
  expect_fault("{,}", 1, "a name or } must follow");
  expect_fault("{1:2}", 1, "a name or } must follow");
  expect_fault(R"({"a":1,})", 7, "a name must follow");
  expect_fault(R"({"a":1,2})", 7, "a name must follow");
  expect_fault(R"({"a"})", 4, "a colon must follow");
  expect_fault(R"({"a","b"})", 4, "a colon must follow");
  expect_fault(R"({"a":})", 5, "a value must follow");
  expect_fault(R"({"a"::1})", 5, "a value must follow");
  expect_fault(R"({"a":+1})", 5, "a value must follow");
  expect_fault(R"({"a":.5})", 5, "a value must follow");
  expect_fault(R"({"a":NaN})", 5, "a value must follow");
  expect_fault(R"({"a":'b'})", 5, "a value must follow");
  expect_fault("{\"a\":\0}"s, 5, "a value must follow");
  expect_fault(R"({"a":1 "b":2})", 7, "a comma or } must follow");
  expect_fault(R"({"a":1])", 6, "a comma or } must follow");
  expect_fault("{\"a\":1\0}"s, 6, "a comma or } must follow");
  expect_fault("{\"a\":1\f}"s, 6, "a comma or } must follow");
  expect_fault("{\"a\":1\xc2\xa0}", 6, "a comma or } must follow");
  expect_fault(R"({"a":1/**/})", 6, "a comma or } must follow");
  expect_fault(R"({"a":[1 2]})", 8, "a comma or ] must follow");
  expect_fault(R"({"a":[1}})", 7, "a comma or ] must follow");
  expect_fault(R"({"a":[1,]})", 8, "a value must follow");
  expect_fault(R"({"a":[,1]})", 6, "a value must follow");
}

TEST_F(JsonCheck, WordsAndNumbersAreChecked) {
  expect_fault(R"({"a":tru})", 8, "a word is true, false or null");
  expect_fault(R"({"a":falze})", 8, "a word is true, false or null");
  expect_fault(R"({"a":nULL})", 6, "a word is true, false or null");
  expect_fault(R"({"a":truer})", 9, "a comma or } must follow");
  expect_fault(R"({"a":01})", 6, "a number has no leading zeros");
  expect_fault(R"({"a":-00})", 7, "a number has no leading zeros");
  expect_fault(R"({"a":-})", 6, "a digit must follow");
  expect_fault(R"({"a":1.})", 7, "a digit must follow");
  expect_fault(R"({"a":1e})", 7, "a digit must follow");
  expect_fault(R"({"a":1e+-1})", 8, "a digit must follow");
  expect_fault(R"({"a":0x1})", 6, "a comma or } must follow");
  expect_fault(R"({"a":1.2.3})", 8, "a comma or } must follow");
}

TEST_F(JsonCheck, StringsAreChecked) {
  expect_fault("{\"a\":\"b\nc\"}", 7, "a control character must be escaped");
  expect_fault("{\"a\":\"b\0\"}"s, 7, "a control character must be escaped");
  expect_fault("{\"a\x1f\":1}", 3, "a control character must be escaped");
  expect_fault(R"({"a":"\x41"})", 7, "no such escape");
  expect_fault(R"({"a":"\'"})", 7, "no such escape");
  expect_fault("{\"a\":\"\\\0\"}"s, 7, "no such escape");
  expect_fault(R"({"a":"\u12g4"})", 10, "four hexadecimal digits must follow \\u");
  expect_fault(R"({"a":"\u12"})", 10, "four hexadecimal digits must follow \\u");
}

TEST_F(JsonCheck, HalfOfASurrogatePairIsRefused) {
  expect_valid(R"({"a":"\ud83d\udcb0"})");
  constexpr std::string_view kAlone = "half of a surrogate pair";
  expect_fault(R"({"a":"b\ud83d"})", 7, kAlone);
  expect_fault(R"({"a":"b\udcb0"})", 7, kAlone);
  expect_fault(R"({"a":"b\ud83dc"})", 7, kAlone);
  expect_fault(R"({"a":"b\ud83d\n"})", 7, kAlone);
  expect_fault(R"({"a":"b\ud83d\ud83d"})", 7, kAlone);
  expect_fault(R"({"a":"\ud83d\u00zz"})", 16, "four hexadecimal digits must follow \\u");
}

TEST_F(JsonCheck, WhatIsNotUtf8IsRefused) {
  for (const std::string_view bytes :
       {"\x80", "\xc0\x80", "\xc3", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xff"}) {
    expect_fault("{\"a\":\"b" + std::string(bytes) + "\"}", 7, "not UTF-8");
  }
}

TEST_F(JsonCheck, TheDepthIsBounded) {
  expect_valid(nested(kJsonDepthMax, "1"));
  expect_valid(nested(kJsonDepthMax, "{},[]"));
  expect_fault(nested(kJsonDepthMax + 1, "1"), 5 + kJsonDepthMax - 1, "nested deeper than 64");
  expect_fault(nested(kJsonDepthMax, R"({"a":1})"), 5 + kJsonDepthMax - 1, "nested deeper than 64");
  expect_fault(nested(5000, ""), 5 + kJsonDepthMax - 1, "nested deeper than 64");
}

TEST_F(JsonCheck, ARecordIsNoLongerThanItMayBe) {
  const std::string head = R"({"a":")";
  const std::string longest = head + std::string(kRecordMax - head.size() - 2, 'x') + "\"}";
  expect_valid(longest);
  expect_fault(longest + " ", kRecordMax, "longer than a record may be");
  // What takes the most room: a value for every other byte, a string for every third.
  std::string numbers = R"({"a":[1)";
  while (numbers.size() + 4 <= kRecordMax) numbers += ",1";
  expect_valid(numbers + "]}");
  std::string strings = R"({"a":[1)";
  while (strings.size() + 5 <= kRecordMax) strings += ",\"\"";
  expect_valid(strings + "]}");
}

// The sanitizers see a read behind the slack, and a record's last string is read in whole blocks.
TEST_F(JsonCheck, ARecordMayEndAFullBuffer) {
  const std::string record = R"({"a":"b\n"})";
  InputPool pool;
  InputBuffer buffer(pool);
  buffer.append(std::string(InputPool::kBufferBytes - record.size(), 'x'));
  buffer.append(record);
  const std::span<char> bytes = buffer.bytes();
  ASSERT_EQ(bytes.size(), InputPool::kBufferBytes);
  const std::span<char> last = bytes.last(record.size());
  EXPECT_FALSE(checker_.check({last.data(), last.size()}));
  EXPECT_TRUE(checker_.passes({last.data(), last.size()}));
  EXPECT_TRUE(checker_.check({last.data(), last.size() - 1}));
  EXPECT_EQ(std::string(last.begin(), last.end()), record);
}

}  // namespace
}  // namespace toll::daemon
