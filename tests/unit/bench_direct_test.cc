// What a bench sends to Redis itself, and what it reads from Redis' statistics.
#include <gtest/gtest.h>
#include <string>

#include "bench/bench_policy.h"
#include "bench/limits.h"
#include "bench/redis_client.h"
#include "bench/request_script.h"

namespace toll::bench {
namespace {

TEST(BenchLimit, IsACountAndAWindow) {
  const auto limit = parse_limit("1000/5m");
  ASSERT_TRUE(limit) << limit.error();
  EXPECT_EQ(limit->count, 1000);
  EXPECT_EQ(limit->window_us, 300'000'000);
  EXPECT_EQ(limit->text, "1000/5m");
  EXPECT_EQ(parse_limit("1/250ms")->window_us, 250'000);
  EXPECT_EQ(parse_limit("2147483647/366d")->window_us, 366LL * 24 * 3600 * 1'000'000);
  for (const char* text : {"", "5", "5/", "/1s", "0/1s", "-1/1s", "5/0s", "5/s", "5/1", "5/1y",
                           "5/1s ", "2147483648/1s", "5/367d", "5/99999999999999999999s"}) {
    EXPECT_FALSE(parse_limit(text)) << text;
  }
}

// Request by request, the words of a RESP script that follow its key.
std::string key_of(std::string_view request) {
  const size_t begin = request.find("gcra:bench:");
  return std::string(request.substr(begin, request.find('\r', begin) - begin));
}

TEST(DirectScript, AsksForTheSameIdsInTheSameOrderAsTheDaemonIs) {
  ScriptSettings settings;
  settings.policy = "bench";
  settings.mix = {{Verb::kCheck, 100}};
  settings.ids = 50;
  settings.zipf_exponent = 0.99;
  settings.seed = 7;
  const RequestScript daemon = RequestScript::render(settings);
  settings.direct = DirectCall{"sha", "gcra:bench:", "10", "1000000"};
  const RequestScript direct = RequestScript::render(settings);
  EXPECT_EQ(daemon.framing(), Framing::kLine);
  EXPECT_EQ(direct.framing(), Framing::kResp);
  ASSERT_EQ(daemon.size(), direct.size());
  EXPECT_EQ(direct.decisions(0, direct.size()), direct.size());
  for (size_t i = 0; i < direct.size(); ++i) {
    const std::string asked = "CHECK bench " + key_of(direct.slice(i, i + 1)).substr(11) + "\n";
    ASSERT_EQ(daemon.slice(i, i + 1), asked) << i;
  }
  const std::string key = key_of(direct.slice(0, 1));
  ASSERT_EQ(key.size(), 24U);
  EXPECT_EQ(direct.slice(0, 1), "*7\r\n$7\r\nEVALSHA\r\n$3\r\nsha\r\n$1\r\n1\r\n$24\r\n" + key +
                                    "\r\n$2\r\n10\r\n$7\r\n1000000\r\n$1\r\n1\r\n");
}

TEST(LogRecord, IsAnObjectOfThatManyBytes) {
  for (size_t bytes = kRecordBytesMin; bytes <= 300; ++bytes) {
    const std::string record = record_text(id_text(99'999'999), bytes);
    ASSERT_EQ(record.size(), bytes);
    EXPECT_TRUE(record.starts_with(R"({"user":"user-99999999",)") && record.ends_with("\"}"));
  }
}

TEST(LogScript, CountsTheRecordsThatItPushes) {
  ScriptSettings settings;
  settings.mix = {{Verb::kPush, 1}, {Verb::kPop, 1}};
  settings.record_bytes = 8'192;
  const RequestScript daemon = RequestScript::render(settings);
  EXPECT_EQ(daemon.size(), kScriptRecordBytesMax / 8'192) << "bounded by its bytes";
  for (size_t i = 0; i < daemon.size(); ++i) {
    const std::string_view request = daemon.slice(i, i + 1);
    const bool pushes = request.starts_with("LOG PUSH {");
    ASSERT_EQ(daemon.records(i, i + 1), pushes ? 1 : 0);
    ASSERT_TRUE(pushes ? request.size() == 9 + 8'192 + 1 : request == "LOG POP 100\n") << request;
  }
  const RequestScript direct = RequestScript::render_list_pushes(settings, "logs");
  EXPECT_EQ(direct.slice(0, 1), "*2\r\n$3\r\nDEL\r\n$4\r\nlogs\r\n");
  EXPECT_EQ(direct.records(0, 1), 0U);
  EXPECT_TRUE(direct.slice(1, 2).starts_with("*102\r\n$5\r\nRPUSH\r\n$4\r\nlogs\r\n$8192\r\n{"));
  EXPECT_EQ(direct.records(0, direct.size()), (direct.size() - 1) * kRecordsPerCall);
}

TEST(RedisFigures, AreThoseOfEvalshaAlone) {
  const RedisUsage usage = parse_command_stats(
      "# Commandstats\r\ncmdstat_get:calls=9,usec=9,usec_per_call=1.00\r\n"
      "cmdstat_evalsha:calls=1200,usec=4500000,usec_per_call=3.75,rejected_calls=0\r\n"
      "cmdstat_info:calls=1,usec=80,usec_per_call=80.00\r\n");
  EXPECT_EQ(usage.calls, 1200U);
  EXPECT_DOUBLE_EQ(usage.script_s, 4.5);
  EXPECT_EQ(parse_command_stats("# Commandstats\r\n").calls, 0U);
}

}  // namespace
}  // namespace toll::bench
