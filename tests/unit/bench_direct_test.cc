// What a bench sends to Redis itself, and what it reads from Redis' statistics.
#include <gtest/gtest.h>
#include <set>
#include <string>
#include <string_view>

#include "bench/bench_policy.h"
#include "bench/figure.h"
#include "bench/limits.h"
#include "bench/questions.h"
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
  settings.direct = {
      {Verb::kCheck, {"EVALSHA", "sha", "1", "gcra:bench:{id}", "10", "1000000", "1"}}};
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
  ASSERT_EQ(key.size(), 27U);
  EXPECT_EQ(direct.slice(0, 1), "*7\r\n$7\r\nEVALSHA\r\n$3\r\nsha\r\n$1\r\n1\r\n$27\r\n" + key +
                                    "\r\n$2\r\n10\r\n$7\r\n1000000\r\n$1\r\n1\r\n");
}

TEST(LogRecord, IsAnObjectOfThatManyBytes) {
  for (size_t bytes = kRecordBytesMin; bytes <= 300; ++bytes) {
    const std::string record = record_text(id_text(99'999'999), bytes);
    ASSERT_EQ(record.size(), bytes);
    EXPECT_TRUE(record.starts_with(R"({"user":"user-00099999999",)") && record.ends_with("\"}"));
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
  const RequestScript direct = RequestScript::render_list_calls(settings, "logs");
  EXPECT_EQ(direct.slice(0, 1), "*2\r\n$3\r\nDEL\r\n$4\r\nlogs\r\n");
  EXPECT_EQ(direct.records(0, 1), 0U);
  EXPECT_TRUE(direct.slice(1, 2).starts_with("*102\r\n$5\r\nRPUSH\r\n$4\r\nlogs\r\n$8192\r\n{"));
  EXPECT_EQ(direct.slice(2, 3), "*3\r\n$4\r\nLPOP\r\n$4\r\nlogs\r\n$3\r\n100\r\n");
  EXPECT_EQ(direct.records(0, direct.size()), (direct.size() - 1) / 2 * kRecordsPerCall);
  settings.mix = {{Verb::kPush, 1}};
  const RequestScript pushes = RequestScript::render_list_calls(settings, "logs");
  EXPECT_EQ(pushes.records(0, pushes.size()), (pushes.size() - 1) * kRecordsPerCall);
}

TEST(HotSet, GetsItsPartOfTheRequests) {
  const auto hot = parse_hot_set("0.9:10");
  ASSERT_TRUE(hot) << hot.error();
  ScriptSettings settings;
  settings.policy = "bench";
  settings.mix = {{Verb::kCheck, 1}};
  settings.ids = 5'000;
  settings.hot = *hot;
  const RequestScript script = RequestScript::render(settings);
  size_t hot_requests = 0;
  std::set<std::string_view> hot_ids;
  std::set<std::string_view> others;
  for (size_t i = 0; i < script.size(); ++i) {
    const std::string_view request = script.slice(i, i + 1);
    const bool is_hot = request < "CHECK bench " + id_text(10);
    hot_requests += is_hot ? 1 : 0;
    (is_hot ? hot_ids : others).insert(request);
    ASSERT_LT(request, "CHECK bench " + id_text(5'000));
  }
  EXPECT_EQ(hot_ids.size(), 10U);
  EXPECT_GT(others.size(), 1'000U);
  EXPECT_NEAR(static_cast<double>(hot_requests) / static_cast<double>(script.size()), 0.9, 0.01);
  for (const char* text : {"", "0.9", "0.9:", ":10", "1:10", "0:10", "0.9:0", "0.9:10x", "-1:5"}) {
    EXPECT_FALSE(parse_hot_set(text)) << text;
  }
}

TEST(Figure, IsMetOrNotAndSaysSo) {
  const Figure slow{"throughput", Unit::kPercent, at_least(0.6), 0.59};
  EXPECT_FALSE(slow.met());
  EXPECT_EQ(slow.wanted_text(), "at least 60 %");
  EXPECT_EQ(slow.json(), R"({"name":"throughput","measured":0.59,"text":"59 %",)"
                         R"("at_least":0.6,"met":false})");
  const Figure light{"memory", Unit::kBytes, at_most(48), 48};
  EXPECT_TRUE(light.met());
  const Figure known{"rate", Unit::kRate, kAsItIs, 1'500'000};
  EXPECT_TRUE(known.met());
  EXPECT_EQ(known.json(), R"({"name":"rate","measured":1.5e+06,"text":"1.50 M/s"})");
}

// Each name is a part of the answers, or the comparison would end in the middle.
TEST(Comparison, AsksForFiguresOfItsOwnTargetsAlone) {
  std::set<std::string> titles;
  for (const Question& question : comparison({.policy = {}, .mix = {}})) {
    EXPECT_TRUE(titles.insert(question.title).second) << question.title;
    Answers answers;
    for (const TargetSpec& spec : question.targets) {
      answers[spec.name].filled.emplace();
      EXPECT_GT(spec.script.ids, 0U);
    }
    EXPECT_EQ(answers.size(), question.targets.size()) << question.title;
    EXPECT_TRUE(answers.contains(question.against)) << question.title;
    for (const FigureSpec& figure : question.figures) {
      EXPECT_NO_THROW(static_cast<void>(figure.value(answers))) << figure.name;
    }
  }
  EXPECT_GT(titles.size(), 15U);
}

TEST(RedisFigures, AreThoseOfScriptsAndLists) {
  const RedisUsage usage = parse_command_stats(
      "# Commandstats\r\ncmdstat_get:calls=9,usec=9,usec_per_call=1.00\r\n"
      "cmdstat_evalsha:calls=1200,usec=4500000,usec_per_call=3.75,rejected_calls=0\r\n"
      "cmdstat_rpush:calls=3,usec=500000,usec_per_call=9.00,rejected_calls=0\r\n"
      "cmdstat_info:calls=1,usec=80,usec_per_call=80.00\r\n");
  EXPECT_EQ(usage.calls, 1203U);
  EXPECT_DOUBLE_EQ(usage.call_s, 5.0);
  EXPECT_EQ(parse_command_stats("# Commandstats\r\n").calls, 0U);
}

}  // namespace
}  // namespace toll::bench
