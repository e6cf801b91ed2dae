#include "daemon/reply_json.h"

#include <gtest/gtest.h>
#include <string>
#include <string_view>

#include "daemon/json_string.h"

namespace toll::daemon {
namespace {

std::string json_of_bytes(std::string_view bytes) {
  ReplyReader reader;
  reader.append(bytes);
  const auto reply = reader.next();
  return reply && *reply ? json_of(**reply) : "no reply";
}

TEST(ReplyJson, ADecisionNamesItsFields) {
  EXPECT_EQ(json_of_bytes("ALLOW 100 99 0 10 local\n"),
            R"({"result":"allow","limit":100,"remaining":99,"retry_ms":0,"reset_ms":10,)"
            R"("source":"local"})");
  EXPECT_EQ(json_of_bytes("DENY 5 0 -1 60000 cache\n"),
            R"({"result":"deny","limit":5,"remaining":0,"retry_ms":-1,"reset_ms":60000,)"
            R"("source":"cache"})");
}

TEST(ReplyJson, APositionAndATicketAreToldApart) {
  EXPECT_EQ(json_of_bytes("DENY 5 0 10 20 local 1\n"),
            R"({"result":"deny","limit":5,"remaining":0,"retry_ms":10,"reset_ms":20,)"
            R"("source":"local","position":1})");
  // A ticket of digits alone is still text: it may not fit a number.
  EXPECT_EQ(json_of_bytes("ALLOW 5 4 0 20 local 1234567812345678\n"),
            R"({"result":"allow","limit":5,"remaining":4,"retry_ms":0,"reset_ms":20,)"
            R"("source":"local","ticket":"1234567812345678"})");
}

TEST(ReplyJson, OkAndListCarryTheirValues) {
  EXPECT_EQ(json_of_bytes("OK\n"), R"({"result":"ok","values":[]})");
  EXPECT_EQ(json_of_bytes("OK 7 pong \"7\" 007\n"),
            R"({"result":"ok","values":[7,"pong","7","007"]})");
  EXPECT_EQ(json_of_bytes("LIST 0\n"), R"({"result":"list","rows":[]})");
  EXPECT_EQ(json_of_bytes("LIST 2\nkeys 7\n\n"), R"({"result":"list","rows":[["keys",7],[]]})");
}

TEST(ReplyJson, AnErrorIsACodeAndAMessage) {
  EXPECT_EQ(json_of_bytes("ERR NOPOLICY no policy \"x\"\n"),
            R"({"result":"error","code":"NOPOLICY","message":"no policy \"x\""})");
  EXPECT_EQ(json_of_bytes("ERR BUSY\n"), R"({"result":"error","code":"BUSY","message":""})");
  EXPECT_EQ(json_of_bytes("ERR\n"), R"({"result":"error","code":"","message":""})");
}

TEST(ReplyJson, AnEventIsAnObjectOfItsFields) {
  EXPECT_EQ(json_of_bytes("EVENT refusals policy=api id=0f units=5 retry=-1\n"),
            R"({"event":"refusals","policy":"api","id":"0f","units":5,"retry":-1})");
  EXPECT_EQ(json_of_bytes("EVENT breaker state=open \"cause=in a row\" x\n"),
            R"({"event":"breaker","state":"open","cause":"in a row","x":""})");
  EXPECT_EQ(json_of_bytes("EVENT budget spent=3 budget=1\n"),
            R"({"event":"budget","spent":"3","budget":"1"})");
  EXPECT_EQ(json_of_bytes("EVENT gap lost=7\n"), R"({"event":"gap","lost":7})");
}

TEST(JsonString, QuotesAndControlBytesAreEscaped) {
  EXPECT_EQ(json_string(std::string_view("a\"b\\c\n\0d\x1f", 9)),
            R"("a\"b\\c\u000a\u0000d\u001f")");
}

TEST(JsonString, ValidUtf8IsKept) {
  const std::string_view text = "\x7f ï € \xf0\x9f\x98\x80 \xf4\x8f\xbf\xbf \xed\x9f\xbf";
  EXPECT_EQ(json_string(text), '"' + std::string(text) + '"');
}

TEST(JsonString, EachByteThatIsNotUtf8IsReplaced) {
  EXPECT_EQ(json_string("\xff"), R"("\ufffd")");
  EXPECT_EQ(json_string("a\x80z"), R"("a\ufffdz")");                  // stray continuation
  EXPECT_EQ(json_string("\xc0\xaf"), R"("\ufffd\ufffd")");            // overlong, 2 bytes
  EXPECT_EQ(json_string("\xe0\x80\xaf"), R"("\ufffd\ufffd\ufffd")");  // overlong, 3 bytes
  EXPECT_EQ(json_string("\xed\xa0\x80"), R"("\ufffd\ufffd\ufffd")");  // a surrogate
  EXPECT_EQ(json_string("\xf4\x90\x80\x80"), R"("\ufffd\ufffd\ufffd\ufffd")");  // too large
  EXPECT_EQ(json_string("\xf0\x8f\xbf\xbf"), R"("\ufffd\ufffd\ufffd\ufffd")");  // overlong, 4
  EXPECT_EQ(json_string("\xe2\x82"), R"("\ufffd\ufffd")");                      // cut off
  EXPECT_EQ(json_string("\xe2\x82z"), R"("\ufffd\ufffdz")");
}

}  // namespace
}  // namespace toll::daemon
