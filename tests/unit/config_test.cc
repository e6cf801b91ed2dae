// The loader: every fault with its exact words, which layer wins, and that what is printed is in
// force.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <string>

#include "config/keys.h"
#include "config/limits.h"
#include "engine/key_name.h"
#include "tests/unit/config_support.h"

namespace toll::config {
namespace {

namespace fs = std::filesystem;
using engine::Algorithm;
using engine::Mode;

void expect_same(const Settings& a, const Settings& b) {
  EXPECT_EQ(a.server, b.server);
  EXPECT_TRUE(a.redis == b.redis);
  EXPECT_EQ(format_listen(a.metrics), format_listen(b.metrics));
  EXPECT_EQ(a.log, b.log);
  EXPECT_EQ(a.policies, b.policies);
}

struct Case {
  const char* text;
  const char* fault;
};

class Faults : public testing::TestWithParam<Case> {};

TEST_P(Faults, AreToldWithPlaceKeyAndWhatIsExpected) {
  EXPECT_EQ(faults_of(GetParam().text), std::string(GetParam().fault) + "\n");
}

INSTANTIATE_TEST_SUITE_P(
    Server, Faults,
    testing::Values(
        Case{"[server]\nworkers = 65",
             "t.toml:2:11: server.workers: found the whole number 65, expected a whole number from "
             "0 (one per core) to 64, such as workers = 2"},
        Case{"[server]\nworkers = 9223372036854775807",
             "t.toml:2:11: server.workers: found the whole number 9223372036854775807, expected a "
             "whole number from 0 (one per core) to 64, such as workers = 2"},
        Case{"server.max_clients = 1.5",
             "t.toml:1:22: server.max_clients: found a number with a fraction, expected a whole "
             "number from 1 to 1000000, such as max_clients = 10000"},
        Case{"[server]\n  max_line = 65536",
             "t.toml:2:14: server.max_line: found the whole number 65536, expected a size from "
             "1KiB to 1MiB, such as max_line = \"64KiB\""},
        Case{"[server]\nmax_line = \"512B\"",
             "t.toml:2:12: server.max_line: found the text \"512B\", expected a size from 1KiB to "
             "1MiB, such as max_line = \"64KiB\""},
        Case{"[server]\nmax_output = \"8 MiB\"",
             "t.toml:2:14: server.max_output: found the text \"8 MiB\", expected a size: a whole "
             "number and one of B, KB, MB, GB, KiB, MiB, GiB, such as max_output = \"8MiB\""},
        Case{"[server]\nmemory = \"99999999999999999999GiB\"",
             "t.toml:2:10: server.memory: found the text \"99999999999999999999GiB\", expected a "
             "size that fits in 63 bits of bytes, such as memory = \"1GiB\""},
        Case{"[server]\nsocket_mode = \"0999\"",
             "t.toml:2:15: server.socket_mode: found the text \"0999\", expected octal digits from "
             "\"0\" to \"0777\", such as socket_mode = \"0660\""},
        Case{"[server]\nsocket_mode = \"1777\"",
             "t.toml:2:15: server.socket_mode: found the text \"1777\", expected octal digits from "
             "\"0\" to \"0777\", such as socket_mode = \"0660\""},
        Case{"[server]\nsocket_mode = 0o660",
             "t.toml:2:15: server.socket_mode: found the whole number 432, expected octal digits "
             "from \"0\" to \"0777\", such as socket_mode = \"0660\""},
        Case{"[server]\nbackend = \"kqueue\"",
             "t.toml:2:11: server.backend: found the text \"kqueue\", expected one of \"auto\", "
             "\"io_uring\", \"epoll\", such as backend = \"auto\""},
        Case{"[server]\nsocket_group = \"no-such-group-here\"",
             "t.toml:2:16: server.socket_group: found the text \"no-such-group-here\", expected a "
             "group that exists on this host, or \"\" for none, such as socket_group = "
             "\"tollkeeper\""},
        Case{"[server]\nsocket = \"\"",
             "t.toml:2:10: server.socket: found the text \"\", expected a path of 1 to 96 bytes, "
             "such as socket = \"/run/tollkeeper/tollkeeper.sock\""},
        Case{"[server]\nsocket = \"/a\\u0000b\"",
             "t.toml:2:10: server.socket: found the text \"/a?b\", expected a path of 1 to 96 "
             "bytes, such as socket = \"/run/tollkeeper/tollkeeper.sock\""},
        Case{"[server]\nstate_dir = \"var\"",
             "t.toml:2:13: server.state_dir: found the text \"var\", expected an absolute path, "
             "such as state_dir = \"/var/lib/tollkeeper\""},
        Case{"[server]\nworkers = {}",
             "t.toml:2:11: server.workers: found a table, expected a whole number from 0 (one per "
             "core) to 64, such as workers = 2"}));

INSTANTIATE_TEST_SUITE_P(
    Names, Faults,
    testing::Values(
        Case{"[server]\nsockett = 1",
             "t.toml:2:1: server.sockett: unknown key, did you mean \"socket\"?"},
        Case{"[server]\nlevel = \"info\"",
             "t.toml:2:1: server.level: unknown key, did you mean \"log.level\"?"},
        Case{"workers = 2", "t.toml:1:1: workers: unknown key, did you mean \"server.workers\"?"},
        Case{"[server]\nfrobnicate = 1", "t.toml:2:1: server.frobnicate: unknown key"},
        Case{"[Server]", "t.toml:1:2: Server: unknown table, did you mean \"server\"?"},
        Case{"\"\\n\\u001b[31m\" = 1", "t.toml:1:1: ??[31m: unknown key"},
        Case{"server = 5",
             "t.toml:1:10: server: found the whole number 5, expected a table, such as [server]"},
        Case{"[[log]]", "t.toml:1:1: log: found a list, expected a table, such as [log]"},
        Case{"policies = []",
             "t.toml:1:12: policies: found an empty list, expected a table, such as [policies]"},
        Case{"[policies]\napi = true",
             "t.toml:2:7: policies.api: found true, expected a table, such as [policies.api]"},
        Case{"log = \"redis://:secret@h\"",
             "t.toml:1:7: log: found a text that is not repeated here, expected a table, such as "
             "[log]"}));

INSTANTIATE_TEST_SUITE_P(
    Policies, Faults,
    testing::Values(
        Case{
            "[policies.a]\nlimits = [\"1/1s\",\n  \"0/1s\"]",
            "t.toml:3:3: policies.a.limits: found the text \"0/1s\", expected a limit with a count "
            "from 1 to 2147483647, such as limits = [\"100/1s\", \"5000/1h\"]"},
        Case{"[policies.a]\nlimits = [5]",
             "t.toml:2:11: policies.a.limits: found the whole number 5, expected a list of limits "
             "as count/window, such as limits = [\"100/1s\", \"5000/1h\"]"},
        Case{"[policies.a]\nmode = \"local\"",
             "t.toml:1:11: policies.a: found no limit, for the algorithm gcra expected "
             "count/window, such as limits = [\"100/1s\"]"},
        Case{"[policies.a]\nlimit = 20",
             "t.toml:2:9: policies.a.limit: found a count without a window, for the algorithm gcra "
             "expected count/window, such as limits = [\"100/1s\"]"},
        Case{"[policies.a]\nlimit = \"1/1s\"\nlimits = [\"2/1s\"]",
             "t.toml:2:9: policies.a.limit: given together with limits, expected one of the two"},
        Case{"[policies.a]\nlimits = [\"1/1s\", \"2/1m\"]\nburst = 5",
             "t.toml:3:9: policies.a.burst: given with 2 limits, expected exactly one limit with "
             "it"},
        Case{"[policies.a]\nalgorithm = \"sliding_log\"\nlimits = [\"1/1s\"]\nburst = 5",
             "t.toml:4:9: policies.a.burst: found in a policy whose algorithm is sliding_log, "
             "expected gcra or token_bucket"},
        Case{"[policies.a]\nlimits = [\"1/1s\"]\nttl = \"2m\"",
             "t.toml:3:7: policies.a.ttl: found in a policy whose algorithm is gcra, expected "
             "concurrency"},
        Case{"[policies.a]\nalgorithm = \"concurrency\"\nlimits = [\"1/1s\"]",
             "t.toml:3:10: policies.a.limits: found counts with a window, for the algorithm "
             "concurrency expected a number of requests in flight, without a window, such as limit "
             "= 20"},
        Case{"[policies.a]\nalgorithm = \"concurrency\"\nlimit = 70000",
             "t.toml:3:9: policies.a.limit: found the whole number 70000, expected a limit as "
             "count/window, or for concurrency 1 to 65536, such as limit = \"100/1s\""},
        Case{"[policies.a]\nlimits = [\"5/1s\", \"9/day\"]",
             "t.toml:2:19: policies.a.limits: a calendar window needs fixed_window or "
             "sliding_window"},
        Case{
            "[policies.\"a b\"]\nlimits = [\"1/1s\"]",
            "t.toml:1:11: policies.a b: the name has other characters than letters, digits and _ . "
            ": -"},
        Case{
            "[policies.a]\nlimits = [\"1/1s\"]\nkey = 5",
            "t.toml:3:7: policies.a.key: found the whole number 5, expected a key with {id} in it, "
            "at most 256 bytes, such as key = \"ratelimit:{id}\""},
        Case{"[policies.a]\nlimits = [\"1/1s\"]\ndeadline = \"2m\"",
             "t.toml:3:12: policies.a.deadline: found the text \"2m\", expected a duration from "
             "100us to 1m, such as deadline = \"50ms\""}));

// Its words are the engine's; where it is told is ours.
TEST(Config, AKeyThatTheAlgorithmCannotUseIsTold) {
  for (const char* key : {"x:{policy}", "{id}{user}", "ratelimit:"}) {
    const std::string text = fmt::format("[policies.a]\nlimits = [\"1/1s\"]\nkey = \"{}\"", key);
    const std::string_view fault = engine::key_template_fault(Algorithm::kGcra, key);
    ASSERT_FALSE(fault.empty()) << key;
    EXPECT_EQ(faults_of(text), fmt::format("t.toml:3:7: policies.a.key: {}\n", fault));
  }
}

TEST(Config, EveryFaultIsToldInTheOrderOfTheFile) {
  const std::string told = faults_of(
      "[policies.b]\nlimits = [\"x\"]\nburst = 0\n"
      "[policies.\"?\"]\nalgorithm = \"x\"\nlimits = [\"1/1s\"]\n"
      "[log]\nlevel = \"loud\"\n[server]\nworkers = -1\nmax_lines = 1\n");
  const char* places[] = {"t.toml:2:11: policies.b.limits: ", "t.toml:3:9: policies.b.burst: ",
                          "t.toml:4:11: policies.?: ",        "t.toml:5:13: policies.?.algorithm: ",
                          "t.toml:8:9: log.level: ",          "t.toml:10:11: server.workers: ",
                          "t.toml:11:1: server.max_lines: "};
  size_t at = 0;
  for (const char* place : places) {
    const size_t found = told.find(place, at);
    ASSERT_NE(found, std::string::npos) << place << "\n" << told;
    at = found + 1;
  }
  EXPECT_EQ(std::ranges::count(told, '\n'), std::ssize(places)) << told;
}

// The parser's words are its own and change with its version; the place is ours to keep.
TEST(Config, ATextThatIsNoTomlIsToldWithItsPlace) {
  for (const auto& [text, place] : std::initializer_list<std::pair<std::string, std::string>>{
           {"[server\n", "t.toml:1:"},
           {"[server]\nworkers = \n", "t.toml:2:"},
           {"[server]\nworkers = 99999999999999999999\n", "t.toml:2:"},
           {"[log]\n[log]\n", "t.toml:2:"},
           {"[server]\nworkers = 1\nworkers = 2\n", "t.toml:3:"},
           {"a = \"\xff\"\n", "t.toml:1:"},
           {"a = \"\n", "t.toml:1:"},
           {"a = " + std::string(10'000, '['), "t.toml:1:"}}) {
    const std::string told = faults_of(text);
    EXPECT_TRUE(told.starts_with(place)) << text.substr(0, 80) << " told as " << told;
    EXPECT_EQ(std::ranges::count(told, '\n'), 1) << told;
    EXPECT_LT(told.size(), 400U);
  }
}

TEST(Config, WhatTheParserWouldNotSurviveIsAFault) {
  std::string deep = "a";
  for (int i = 0; i < 1'000'000; ++i) deep += ".a";
  EXPECT_EQ(faults_of("\n" + deep + " = 1\n"),
            "t.toml:2:1: found 1000000 dots on one line, expected at most 64\n");
  EXPECT_TRUE(load_t("# " + std::string(1'000, '.') + "\n"));
  for (const std::string text :
       {"\n[=]\n", "\n[[[a]]]\n", "\n[&", "\n[.a]", "\na = 2$\xc9\xab", "\n\xcc\xaa"}) {
    EXPECT_TRUE(faults_of(text).starts_with("t.toml:2:")) << faults_of(text);
  }
  EXPECT_TRUE(faults_of(std::string("[\0a]", 4)).starts_with("t.toml:1:"));
  EXPECT_EQ(faults_of("a = \"\"\"\\\n\xc2\xa7\"\"\"\n"), "t.toml:1:1: a: unknown key\n");
}

TEST(Config, CrlfAByteOrderMarkAndNothingAtAllAreFiles) {
  const auto crlf =
      load_t("\xef\xbb\xbf[server]\r\nworkers = 3\r\n\r\n[log]\r\nlevel = \"warn\"\r\n");
  ASSERT_TRUE(crlf) << faults(crlf);
  EXPECT_EQ(crlf->settings.server.workers, 3U);
  EXPECT_EQ(crlf->settings.log.level, LogLevel::kWarn);
  EXPECT_EQ(faults_of("[server]\r\nworkers = 99\r\n").substr(0, 12), "t.toml:2:11:");
  const auto empty = load_t("");
  ASSERT_TRUE(empty) << faults(empty);
  EXPECT_TRUE(empty->settings.policies.empty());
  EXPECT_EQ(empty->warnings,
            std::vector<std::string>{"t.toml has no [policies.*], so there is no policy at all: a "
                                     "file replaces the shipped ones."});
}

TEST(Config, PoliciesTakeTheDefaultsUnlessTheySayOtherwise) {
  const auto loaded = load_t(
      "[policies.a]\nlimits = [\"1/1s\"]\n[policies.b]\nlimit = \"2/1m\"\nburst = 7\n"
      "algorithm = \"gcra\"\nmode = \"exact\"\non_outage = \"allow\"\ndeadline = \"250us\"\n"
      "key = \"{policy}:{id}\"\n[policies.c]\nalgorithm = \"concurrency\"\nlimit = 20\n"
      "[defaults]\nalgorithm = \"token_bucket\"\nmode = \"local\"\non_outage = \"deny\"\n"
      "deadline = \"20ms\"\n");
  ASSERT_TRUE(loaded) << faults(loaded);
  const auto& a = policy(loaded, "a");
  EXPECT_EQ(a.algorithm, Algorithm::kTokenBucket);
  EXPECT_EQ(a.mode, Mode::kLocal);
  EXPECT_EQ(a.on_outage, engine::OnOutage::kDeny);
  EXPECT_EQ(a.deadline_us, 20'000);
  const auto& b = policy(loaded, "b");
  EXPECT_EQ(b.mode, Mode::kExact);
  EXPECT_EQ(b.deadline_us, 250);
  EXPECT_EQ(b.key_template, "{policy}:{id}");
  EXPECT_EQ(b.limits, std::vector{engine::make_limit(2, 7, 60'000'000)});
  EXPECT_EQ(policy(loaded, "c").limits,
            std::vector{engine::make_limit(20, 0, kTicketLifeDefaultUs)});
  EXPECT_EQ(loaded->settings.policies[0].name, "a") << "in the order of the file";
}

TEST(Config, TheShippedFileIsExactlyTheDefaults) {
  const fs::path root = fs::path(__FILE__).parent_path().parent_path().parent_path();
  Sources from = sources();
  const auto embedded = load_embedded(from);
  ASSERT_TRUE(embedded) << faults(embedded);
  EXPECT_EQ(embedded->settings.policies.size(), 12U);
  EXPECT_EQ(embedded->file, "");
  from.file = root / "config/tollkeeper.toml";
  const auto shipped = load(from);
  ASSERT_TRUE(shipped) << faults(shipped);
  EXPECT_TRUE(shipped->warnings.empty());
  expect_same(shipped->settings, embedded->settings);

  // And its comments show every key there is, as it prints.
  std::ifstream file(*from.file);
  const std::string text(std::istreambuf_iterator<char>(file), {});
  for (const Key<Draft>& key : keys()) {
    EXPECT_NE(text.find("\n# " + std::string(key.name) + " = "), std::string::npos) << key.name;
  }
  for (const char* example : {"api-gateway.toml", "llm-gateway.toml", "redis.toml"}) {
    from.file = root / "config/examples" / example;
    const auto loaded = load(from);
    EXPECT_TRUE(loaded) << faults(loaded);
  }
}

TEST(Config, WhatIsPrintedLoadsBackTheSame) {
  Sources from = sources({{"RATE_LIMIT_X_Y", "7,9"}, {"TOLLKEEPER_DEFAULTS_DEADLINE", "1500us"}});
  from.socket = "/tmp/with \"quotes\" and \\ \xc3\xa9.sock";
  for (const auto& loaded :
       {load_embedded(from),
        load_t("[policies.\"a.b:c\"]\nlimits = [\"9/90s\", \"99/1m\"]\nkey = \"k:{id}\"\n"
               "[policies.d]\nalgorithm = \"concurrency\"\nlimit = 3\nttl = \"90s\"\n"
               "[policies.e]\nlimits = [\"1/1h\"]\nburst = 9\n"
               "[policies.f]\nalgorithm = \"fixed_window\"\nlimits = [\"5/day\", \"50/1mo\"]\n"
               "[server]\nsocket_mode = \"7\"\nmemory = \"2000001B\"\nmax_line = \"1025B\"\n",
               from),
        load_t("[server]\nmemory = \"2MB\"\nsocket_group = \"root\"\n", from),
        load_t("[redis]\nurl = \"redis://me@[::1]:7000/3\"\nprefix = \"p:\"\nlinks = 2\n"
               "call_timeout = \"1500us\"\nbreaker = {failure_rate = 0.25, open_max = \"1m\"}\n"),
        load_t("redis = {url = \"unix:///a%3Fb%25.sock?db=2\", enabled = false}\n")}) {
    ASSERT_TRUE(loaded) << faults(loaded);
    const auto again = load_text(print(*loaded), "printed", sources());
    ASSERT_TRUE(again) << faults(again) << print(*loaded);
    expect_same(again->settings, loaded->settings);
  }
}

TEST(Config, EveryValueIsPrintedWithItsOrigin) {
  Sources from = sources({{"TOLLKEEPER_SERVER_WORKERS", "2"},
                          {"TOLLKEEPER_SERVER_SOCKET", "/e.sock"},
                          {"TOLLKEEPER_POLICIES_API_MODE", "local"},
                          {"RATE_LIMIT_MODE", "memory"}});
  from.socket = "/c.sock";
  const auto loaded = load_t(
      "[server]\nworkers = 1\nmax_clients = 5\nsocket = \"/f.sock\"\n"
      "[policies.api]\nlimits = [\"1/1s\"]\n",
      from);
  ASSERT_TRUE(loaded) << faults(loaded);
  EXPECT_EQ(loaded->settings.server.socket, "/c.sock");
  EXPECT_EQ(loaded->settings.server.workers, 2U);
  EXPECT_EQ(origin(loaded, "server.socket"), "command line");
  EXPECT_EQ(origin(loaded, "server.workers"), "environment TOLLKEEPER_SERVER_WORKERS");
  EXPECT_EQ(origin(loaded, "server.max_clients"), "t.toml:3");
  EXPECT_EQ(origin(loaded, "server.memory"), "default");
  EXPECT_EQ(origin(loaded, "defaults.mode"), "environment RATE_LIMIT_MODE");
  EXPECT_EQ(origin(loaded, "policies.api.limits"), "t.toml:6");
  EXPECT_EQ(origin(loaded, "policies.api.mode"), "environment TOLLKEEPER_POLICIES_API_MODE");
  EXPECT_EQ(origin(loaded, "policies.api.burst"), "default");
  EXPECT_EQ(origin(loaded, "policies.api.ttl"), "not printed");
  const std::string text = print(*loaded);
  EXPECT_NE(text.find("\n[policies.api]\n"), std::string::npos) << text;
  EXPECT_NE(text.find("\nmax_clients = 5 "), std::string::npos) << text;
  EXPECT_NE(text.find("  # t.toml:3\n"), std::string::npos) << text;
}

TEST(Config, OnlyWhatARestartChangesIsNamedByAReload) {
  const auto running = load_t("[policies.a]\nlimits = [\"1/1s\"]\n");
  const auto wanted = load_t("[server]\nworkers = 2\nmemory = \"2GiB\"\n[log]\nlevel = \"warn\"\n");
  ASSERT_TRUE(running && wanted);
  EXPECT_EQ(fixed_differences(running->settings, wanted->settings),
            (std::vector<std::string>{"server.workers", "server.memory"}));
  EXPECT_TRUE(fixed_differences(running->settings, running->settings).empty());
}

TEST(Config, LevelsAreReadAsTheyArePrinted) {
  using enum LogLevel;
  for (const LogLevel level : {kTrace, kDebug, kInfo, kWarn, kError, kOff}) {
    EXPECT_EQ(parse_level(to_string(level)), level);
  }
  EXPECT_EQ(parse_level("loud"), std::nullopt);
  EXPECT_EQ(parse_level(""), std::nullopt);
}

}  // namespace
}  // namespace toll::config
