// The lines of the audit log and the names in it: what is written can be read, and what is read was
// written so.
#include "daemon/audit_chain.h"

#include <gtest/gtest.h>
#include <string>

#include "daemon/happening.h"
#include "daemon/pseudonyms.h"

namespace toll::daemon {
namespace {

constexpr engine::TimeUs kAuditTime = 1'795'312'630'123'456;

std::string first_line() {
  return audit_line({}, kAuditTime, "refusal", R"(,"policy":"a\"b","units":7)", "0123abcd");
}

TEST(AuditChain, ALineIsOfThisForm) {
  EXPECT_EQ(first_line(),
            R"({"number":1,"time":"2026-11-22T01:57:10.123456Z","kind":"refusal",)"
            R"("policy":"a\"b","units":7,"key":"0123abcd",)"
            R"("prev":"0000000000000000000000000000000000000000000000000000000000000000"})");
}

TEST(AuditChain, WhatTheChainNeedsIsReadBack) {
  const AuditLink last{.number = 41, .hash = sha256_hex("before")};
  const std::string line = audit_line(last, kAuditTime, "gap", ",\"lost\":12", "0123abcd");
  const auto record = parse_audit_line(line);
  ASSERT_TRUE(record);
  EXPECT_EQ(record->number, 42u);
  EXPECT_EQ(record->time, "2026-11-22T01:57:10.123456Z");
  EXPECT_EQ(record->kind, "gap");
  EXPECT_EQ(record->key_id, "0123abcd");
  EXPECT_EQ(record->prev, last.hash);
  EXPECT_EQ(record->lost, 12u);
}

TEST(AuditChain, WhatIsCutOffAnywhereIsNoRecord) {
  const std::string line = first_line();
  for (size_t i = 0; i < line.size(); ++i) {
    EXPECT_FALSE(parse_audit_line(line.substr(0, i))) << i;
    EXPECT_FALSE(parse_audit_line(line.substr(i + 1))) << i;
  }
}

TEST(AuditChain, OtherLinesAreNoRecords) {
  EXPECT_FALSE(parse_audit_line("Nov 22 01:57:10 host sshd[1]: hello"));
  EXPECT_FALSE(parse_audit_line(R"({"number":1})"));
  std::string line = first_line();
  EXPECT_FALSE(parse_audit_line(line.replace(line.find(":1,"), 3, ":0,")));
  line = audit_line({}, kAuditTime, "gap", ",\"lots\":12", "0123abcd");
  EXPECT_FALSE(parse_audit_line(line)) << "a gap says how many are lost";
  line = audit_line({}, kAuditTime, "stop", "", "0123abcX");
  EXPECT_FALSE(parse_audit_line(line));
}

TEST(AuditChain, HashesAreSha256) {
  // FIPS 180-2, appendix B.1.
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Pseudonym, IsTheHmacSha256OfTheId) {
  // RFC 4231, test cases 1 and 2.
  EXPECT_EQ(Pseudonyms(std::string(20, '\x0b')).of("Hi There"),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  EXPECT_EQ(Pseudonyms("Jefe").of("what do ya want for nothing?"),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

TEST(Pseudonym, TheKeysNameIsNoPartOfTheKey) {
  const Pseudonyms pseudonyms("abc");
  EXPECT_EQ(pseudonyms.key_id(), "ba7816bf");
}

TEST(HappeningText, AnIdIsHashedAndTextsAreEscaped) {
  const Pseudonyms pseudonyms("a key of sixteen");
  Happening refusal;
  refusal.kind = HappeningKind::kRefusal;
  refusal.policy.set("api");
  refusal.id.set("alice");
  refusal.units = 3;
  refusal.retry_ms = -1;
  refusal.source = "redis";
  const auto fields = fields_of(refusal, pseudonyms);
  const std::string hashed = pseudonyms.of("alice");
  EXPECT_EQ(json_fields(fields), ",\"policy\":\"api\",\"id\":\"" + hashed +
                                     "\",\"units\":3,\"retry\":-1,\"source\":\"redis\"");
  EXPECT_EQ(event_text(Topic::kRefusals, fields, Framing::kLine),
            "EVENT refusals policy=api id=" + hashed + " units=3 retry=-1 source=redis\n");

  Happening change;
  change.kind = HappeningKind::kConfig;
  change.what = "reload";
  change.outcome = "refused";
  change.reason.set("t.toml:1: \"x\"\n");
  const auto told = fields_of(change, pseudonyms);
  EXPECT_EQ(event_text(Topic::kConfig, told, Framing::kLine),
            "EVENT config change=reload outcome=refused \"reason=t.toml:1: \\\"x\\\"\\n\"\n");
  EXPECT_EQ(json_fields(told),
            R"(,"change":"reload","outcome":"refused","reason":"t.toml:1: \"x\"\u000a")");
  EXPECT_EQ(gap_text(7, Framing::kResp), "*3\r\n$5\r\nEVENT\r\n$3\r\ngap\r\n$6\r\nlost=7\r\n");
}

TEST(HappeningText, ATextTooLongIsCutOff) {
  BoundedText<4> text;
  text.set("abcdefg");
  EXPECT_EQ(text.view(), "abcd");
}

}  // namespace
}  // namespace toll::daemon
