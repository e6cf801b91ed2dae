// [redis]: where it is, who may say what, which word wins, and that the password shows nowhere.
#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <gtest/gtest.h>
#include <initializer_list>
#include <string>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

#include "config/limits.h"
#include "config/password.h"
#include "config/redis_url.h"
#include "engine/key_name.h"
#include "tests/unit/config_support.h"

namespace toll::config {
namespace {

namespace fs = std::filesystem;

// What `text` says of Redis, with these variables.
RedisSettings redis(std::string_view text, Environment environment = {}) {
  const auto loaded = load_t(text, sources(std::move(environment)));
  EXPECT_TRUE(loaded) << faults(loaded);
  return loaded ? loaded->settings.redis : RedisSettings{};
}

RedisSettings redis_of(Environment environment) {
  return redis("", std::move(environment));
}

// All that an operator or a log may see of it.
std::string shown_of(const Result& result) {
  std::string all = faults(result);
  if (!result) return all;
  all += print(*result);
  for (const std::string& warning : result->warnings) all += warning;
  return all;
}

TEST(RedisUrl, SaysWhereWhoAndWhichDatabase) {
  struct Example {
    const char* text;
    RedisUrl url;
  };
  for (const auto& [text, url] : std::initializer_list<Example>{
           {"redis://h", {.host = "h", .path = "", .username = "", .password = ""}},
           {"redis://h/", {.host = "h", .path = "", .username = "", .password = ""}},
           {"REDIS://u@h:7000/2",
            {.host = "h",
             .port = 7000,
             .path = "",
             .database = 2,
             .username = "u",
             .password = ""}},
           {"redis://:p@10.0.0.1",
            {.host = "10.0.0.1", .path = "", .username = "", .password = "p"}},
           {"redis://a%40b:%2F%3a%25@h",
            {.host = "h", .path = "", .username = "a@b", .password = "/:%"}},
           {"redis://u:p@ss:w@h", {.host = "h", .path = "", .username = "u", .password = "p@ss:w"}},
           {"redis://[::1]:7000/15",
            {.host = "::1",
             .port = 7000,
             .path = "",
             .database = 15,
             .username = "",
             .password = ""}},
           {"redis://[fe80::1%25eth0]",
            {.host = "fe80::1%eth0", .path = "", .username = "", .password = ""}},
           {"unix:///run/r.sock",
            {.host = "", .path = "/run/r.sock", .username = "", .password = ""}},
           {"unix://u:p@/a%3Fb?db=3",
            {.host = "", .path = "/a?b", .database = 3, .username = "u", .password = "p"}}}) {
    const auto parsed = parse_redis_url(text);
    ASSERT_TRUE(parsed) << text << ": " << parsed.error();
    EXPECT_TRUE(*parsed == url) << text << " is " << print_redis_url(*parsed);
    // And what is printed is the same place, without its secrets.
    RedisUrl place = url;
    place.username = place.password = "";
    const auto again = parse_redis_url(print_redis_url(*parsed));
    ASSERT_TRUE(again) << print_redis_url(*parsed);
    EXPECT_TRUE(*again == place) << print_redis_url(*parsed);
  }
}

TEST(RedisUrl, WhatIsNoneIsRefusedAndNotRepeated) {
  for (const auto& [text, expected] : std::initializer_list<std::pair<std::string, std::string>>{
           {"", "redis://["},
           {"localhost:6379", "redis://["},
           {"http://h", "redis://["},
           {"rediss://u:hush@h", "TLS comes in a later version"},
           {"redis-sentinel://u:hush@h", "Sentinel comes in a later version"},
           {"redis://", "the name or address of a host"},
           {"redis:///0", "the name or address of a host"},
           {"redis://a b", "the name or address of a host"},
           {"redis://::1", "the name or address of a host"},
           {"redis://[::1", "the name or address of a host"},
           {"redis://[h]", "the name or address of a host"},
           {"redis://[::1]7000", "the name or address of a host"},
           {"redis://[fe80::1%25]", "the name or address of a host"},
           {"redis://[::1%00%0a]", "the name or address of a host"},
           {"redis://[::1%00%25eth0]", "the name or address of a host"},
           {"redis://a,b", "the name or address of a host"},
           {"redis://h?db=1", "the name or address of a host"},
           {"redis://" + std::string(kHostMax + 1, 'h'), "the name or address of a host"},
           {"redis://h:0", "a port from 1 to 65535"},
           {"redis://h:65536", "a port from 1 to 65535"},
           {"redis://h:", "a port from 1 to 65535"},
           {"redis://u:hu/sh@h", "a port from 1 to 65535"},
           {"redis://h/x", "a database from 0 to 65535"},
           {"redis://h/0/1", "a database from 0 to 65535"},
           {"redis://h/65536", "a database from 0 to 65535"},
           {"redis://u:%g0@h", "two hexadecimal digits"},
           {"redis://u:%1@h", "two hexadecimal digits"},
           {"redis://%0a@h", "a user name"},
           {"redis://" + std::string(kUsernameMax + 1, 'u') + "@h", "a user name"},
           {"redis://:" + std::string(kPasswordMax + 1, 'p') + "@h", "a password of at most"},
           {"redis://" + std::string(kUrlMax, 'h'), "redis://["},
           {"unix://run/r.sock", "an absolute path"},
           {"unix:///a%0ab", "an absolute path"},
           {"unix:///" + std::string(kRedisSocketPathMax, 'p'), "an absolute path"},
           {"unix:///r?password=hush", "redis://["},
           {"unix:///r?db=", "a database from 0 to 65535"}}) {
    const auto parsed = parse_redis_url(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_NE(parsed.error().find(expected), std::string::npos) << text << ": " << parsed.error();
    if (text.empty()) continue;  // in the file it is "none"
    const std::string told = faults_with({{"REDIS_URL", text}});
    EXPECT_TRUE(
        told.starts_with("environment: REDIS_URL: found a text that is not repeated here, "
                         "expected "))
        << told;
    EXPECT_EQ(told.find("hush"), std::string::npos) << told;
  }
}

TEST(Redis, IsOffUntilAnAddressIsNamedAndOffWhenSaidSo) {
  EXPECT_FALSE(redis("").enabled);
  EXPECT_FALSE(redis("[redis]\nprefix = \"p:\"\nurl = \"\"").enabled);
  EXPECT_TRUE(redis("[redis]\nurl = \"redis://h\"").enabled);
  EXPECT_FALSE(redis("[redis]\nurl = \"redis://h\"\nenabled = false").enabled);
  EXPECT_TRUE(redis_of({{"REDIS_URL", "unix:///r"}}).enabled);
  EXPECT_TRUE(redis_of({{"REDIS_ADDRESS", "h:1"}}).enabled);
  EXPECT_TRUE(redis_of({{"REDIS_HOST", "h"}}).enabled);
  EXPECT_FALSE(redis_of({{"REDIS_PORT", "1"}, {"REDIS_DB", "2"}}).enabled);
  EXPECT_TRUE(redis_of({{"REDIS_ENABLED", "Yes"}, {"REDIS_HOST", "h"}}).enabled);
  EXPECT_FALSE(redis("[redis]\nurl = \"redis://h\"", {{"REDIS_ENABLED", "0"}}).enabled);
  EXPECT_TRUE(redis("[redis]\nurl = \"redis://h\"",
                    {{"REDIS_ENABLED", "0"}, {"TOLLKEEPER_REDIS_ENABLED", "1"}})
                  .enabled);
  EXPECT_EQ(faults_of("[redis]\nenabled = true"),
            "t.toml:2:11: redis.enabled: found true without an address, expected redis.url or the "
            "variable REDIS_URL too\n");
  EXPECT_EQ(faults_with({{"REDIS_ENABLED", "maybe"}}),
            "environment: REDIS_ENABLED: found the text \"maybe\", expected true or false, such as "
            "enabled = true\n");
}

TEST(Redis, SwitchedOffByAVariableTheOtherVariablesAreNotLookedAt) {
  const Environment off = {{"REDIS_ENABLED", "false"},
                           {"REDIS_URL", "rediss://h"},
                           {"REDIS_TLS", "true"},
                           {"REDIS_SENTINELS", "a:1"}};
  const auto loaded = load_embedded(sources(off));
  ASSERT_TRUE(loaded) << faults(loaded);
  EXPECT_TRUE(loaded->settings.redis == RedisSettings{});
  EXPECT_TRUE(loaded->warnings.empty());
}

TEST(Redis, EachPartIsTheStrongestsThatNamesIt) {
  constexpr std::string_view kFile =
      "[redis]\nurl = \"redis://file:hush@f:1000/1\"\nprefix = \"f:\"\n";
  const auto url = [&](Environment environment) { return redis(kFile, environment).url; };
  EXPECT_EQ(url({}), "redis://f:1000/1");
  EXPECT_EQ(url({{"REDIS_URL", "redis://v"}}), "redis://v:6379/0") << "all of it";
  EXPECT_EQ(url({{"REDIS_ADDRESS", "[::1]:2000"}}), "redis://[::1]:2000/1");
  EXPECT_EQ(url({{"REDIS_HOST", "v"}}), "redis://v:1000/1");
  EXPECT_EQ(url({{"REDIS_HOST", "::1"}, {"REDIS_PORT", "2"}, {"REDIS_DB", "3"}}),
            "redis://[::1]:2/3");
  EXPECT_EQ(url({{"REDIS_URL", "unix:///r"}, {"REDIS_PORT", "2"}}), "unix:///r");
  EXPECT_EQ(url({{"REDIS_URL", "unix:///r"}, {"REDIS_HOST", "v"}}), "redis://v:6379/0");
  EXPECT_EQ(url({{"REDIS_PORT", "tcp://10.0.0.1:6379"}}), "redis://f:1000/1")
      << "that is a cluster's own variable";
  EXPECT_EQ(url({{"TOLLKEEPER_REDIS_URL", "redis://own"}, {"REDIS_HOST", "v"}, {"REDIS_DB", "3"}}),
            "redis://own:6379/0");
  EXPECT_EQ(url({{"TOLLKEEPER_REDIS_URL", ""}}), "");

  const RedisSettings file = redis(kFile);
  EXPECT_EQ(file.username, "file");
  EXPECT_EQ(file.password, "hush");
  EXPECT_EQ(redis(kFile, {{"REDIS_URL", "redis://v"}}).password, "") << "meant for another Redis";
  EXPECT_EQ(redis(kFile, {{"REDIS_USERNAME", "v"}}).username, "v");
  EXPECT_EQ(redis(kFile, {{"REDIS_PASSWORD", "word"}}).password, "word");
  EXPECT_EQ(redis(kFile, {{"REDIS_PASSWORD", "a"}, {"TOLLKEEPER_REDIS_PASSWORD", "b"}}).password,
            "b");
  EXPECT_EQ(redis(kFile, {{"REDIS_KEY_PREFIX", "v:"}}).prefix, "v:");
  const RedisSettings own = redis(
      kFile, {{"REDIS_KEY_PREFIX", "v:"}, {"TOLLKEEPER_REDIS_PREFIX", ""}, {"REDIS_USERNAME", ""}});
  EXPECT_EQ(own.prefix, "");
  EXPECT_EQ(own.username, "file") << "an empty variable says nothing";
}

TEST(Redis, TheFileSaysTheRest) {
  const RedisSettings said = redis(
      "[redis]\nurl = \"redis://h\"\nusername = \"me\"\nlinks = 16\ndial_timeout = \"2s\"\n"
      "call_timeout = \"1ms\"\nhealth_interval = \"1m\"\n[redis.breaker]\nfailures = 1\n"
      "failure_rate = 1\nslow_call = \"7ms\"\nslow_rate = 0.25\nopen = \"3s\"\nopen_max = "
      "\"3s\"\n");
  EXPECT_EQ(said.username, "me");
  EXPECT_EQ(said.links, 16U);
  EXPECT_EQ(said.dial_timeout_us, 2'000'000);
  EXPECT_EQ(said.call_timeout_us, 1'000);
  EXPECT_EQ(said.health_interval_us, 60'000'000);
  const engine::BreakerSettings breaker = {.failures = 1,
                                           .failure_rate = 1,
                                           .slow_call_us = 7'000,
                                           .slow_rate = 0.25,
                                           .open_us = 3'000'000,
                                           .open_max_us = 3'000'000};
  EXPECT_TRUE(said.breaker == breaker);
  EXPECT_TRUE(redis("[redis.breaker]").breaker == engine::BreakerSettings{});
  EXPECT_EQ(redis_of({{"TOLLKEEPER_REDIS_BREAKER_SLOW_RATE", "0.5"}}).breaker.slow_rate, 0.5);
}

TEST(Redis, TimeoutsOfExistingDeploymentsAreMilliseconds) {
  EXPECT_EQ(redis_of({{"REDIS_DIAL_TIMEOUT", "700"}}).dial_timeout_us, 700'000);
  EXPECT_EQ(redis_of({{"REDIS_TIMEOUT", "300"}}).call_timeout_us, 300'000);
  EXPECT_EQ(redis_of({{"REDIS_WRITE_TIMEOUT", "2s"}}).call_timeout_us, 2'000'000);
  const Environment three = {
      {"REDIS_TIMEOUT", "300"}, {"REDIS_READ_TIMEOUT", "3s"}, {"REDIS_WRITE_TIMEOUT", "2000"}};
  const auto loaded = load_embedded(sources(three));
  ASSERT_TRUE(loaded) << faults(loaded);
  EXPECT_EQ(loaded->settings.redis.call_timeout_us, 3'000'000) << "none is cut short";
  EXPECT_EQ(origin(loaded, "redis.call_timeout"), "environment REDIS_READ_TIMEOUT");
  EXPECT_EQ(faults_with({{"REDIS_TIMEOUT", "0"}}),
            "environment: REDIS_TIMEOUT: found the text \"0ms\", expected a duration from 1ms to "
            "1m, such as call_timeout = \"250ms\"\n");
  EXPECT_EQ(
      faults_with({{"REDIS_READ_TIMEOUT", "soon"}}),
      "environment: REDIS_READ_TIMEOUT: found the text \"soon\", expected a duration as 250ms "
      "or 5s, or a whole number of milliseconds\n");
}

TEST(Redis, ALargePoolIsTakenAsTheMostLinksThereAre) {
  EXPECT_EQ(redis_of({{"REDIS_POOL_SIZE", "4"}}).links, 4U);
  const auto loaded = load_embedded(sources({{"REDIS_POOL_SIZE", "100"}}));
  ASSERT_TRUE(loaded) << faults(loaded);
  EXPECT_EQ(loaded->settings.redis.links, 16U);
  ASSERT_EQ(loaded->warnings.size(), 1U);
  EXPECT_TRUE(loaded->warnings[0].starts_with("REDIS_POOL_SIZE is 100: 16 links"));
}

TEST(Redis, WhatCannotBeIsAFaultWithItsPlace) {
  for (const auto& [text, fault] : std::initializer_list<std::pair<std::string, std::string>>{
           {"tls = true", "2:1: redis.tls: TLS comes in a later version"},
           {"sentinels = [\"a:1\"]", "2:1: redis.sentinels: Sentinel comes in a later version"},
           {"cluster = true", "2:1: redis.cluster: Redis Cluster comes in a later version"},
           {"password = \"hush\"", "2:1: redis.password: a password has no place among"},
           {"url = 5", "2:7: redis.url: found the whole number 5, expected redis://"},
           {"url = \"redis://:hush@h:x\"",
            "2:7: redis.url: found a text that is not repeated here, expected a port from 1 to "
            "65535, such as url = \"redis://localhost:6379/0\""},
           {"password_file = \"hush\"",
            "2:17: redis.password_file: found a text that is not repeated here, expected an "
            "absolute path"},
           {"enabled = \"yes\"", "2:11: redis.enabled: found the text \"yes\", expected true or"},
           {"links = 0", "2:9: redis.links: found the whole number 0, expected a whole number"},
           {"links = 17", "2:9: redis.links: found the whole number 17"},
           {"dial_timeout = \"999us\"", "2:16: redis.dial_timeout: found the text \"999us\""},
           {"call_timeout = \"61s\"", "2:16: redis.call_timeout: found the text \"61s\""},
           {"prefix = \"a\\nb\"", "2:10: redis.prefix: found the text \"a?b\""},
           {"breaker = 5",
            "2:11: redis.breaker: found the whole number 5, expected a table, such as "
            "[redis.breaker]"},
           {"breaker.failure_rate = 1.5", "2:24: redis.breaker.failure_rate: found a number with"},
           {"breaker.failure_rate = nan", "2:24: redis.breaker.failure_rate: found a number with"},
           {"breaker.slow_rate = -1", "2:21: redis.breaker.slow_rate: found the whole number -1"},
           {"breaker.failures = 0", "2:20: redis.breaker.failures: found the whole number 0"},
           {"breaker.fail = 0", "2:9: redis.breaker.fail: unknown key"},
           {"breakers = {}", "2:1: redis.breakers: unknown table, did you mean \"breaker\"?"},
           {"breaker.open = \"11s\"",
            "2:16: redis.breaker.open: found open = 11s and open_max = 10s, expected open_max to "
            "be no less"}}) {
    const std::string told = faults_of("[redis]\n" + text);
    EXPECT_TRUE(told.starts_with("t.toml:" + fault)) << told;
    EXPECT_EQ(told.find("hush"), std::string::npos) << told;
  }
  EXPECT_TRUE(faults_of("[redis]\nprefix = \"" + std::string(engine::kKeyPrefixMax + 1, 'p') + "\"")
                  .starts_with("t.toml:2:10: redis.prefix: "));
  EXPECT_TRUE(faults_of("redis = \"redis://:hush@h\"").find("hush") == std::string::npos);
  EXPECT_TRUE(faults_of("[\"redis.breaker\"]").starts_with("t.toml:1:2: redis.breaker: unknown"));
}

TEST(Redis, VariablesThatCannotBeAreFaults) {
  for (const auto& [variable, value, fault] :
       std::initializer_list<std::tuple<std::string, std::string, std::string>>{
           {"REDIS_TLS", "true", "TLS comes in a later version"},
           {"REDIS_TLS", "perhaps", "found the text \"perhaps\", expected true or false"},
           {"REDIS_ADDRESS", "redis://:hush@h", "found a text that is not repeated here"},
           {"REDIS_ADDRESS", "::1:7000", "found a text that is not repeated here"},
           {"REDIS_HOST", "h:6379", "found a text that is not repeated here, expected the name"},
           {"REDIS_PORT", "0", "found the text \"0\", expected a whole number from 1 to 65535"},
           {"REDIS_DB", "-1", "found the text \"-1\", expected a whole number from 0 to 65535"},
           {"REDIS_POOL_SIZE", "0", "found the text \"0\", expected a whole number from 1"},
           {"TOLLKEEPER_REDIS_TLS", "1", "TLS comes in a later version"},
           {"TOLLKEEPER_REDIS_SENTINELS", "a:1", "Sentinel comes in a later version"},
           {"REDIS_PASSWORD", std::string(kPasswordMax + 1, 'p'), "found over 4096 bytes"}}) {
    const std::string told = faults_with({{variable, value}});
    EXPECT_TRUE(told.starts_with("environment: " + variable + ": " + fault)) << told;
    EXPECT_EQ(told.find("hush"), std::string::npos) << told;
  }
  EXPECT_EQ(faults_with({{"REDIS_TLS", "false"}, {"REDIS_HOST", "h"}}), "no fault");
  const auto loaded = load_embedded(sources({{"REDIS_SENTINELS", "a:1"}, {"REDIS_HOST", ""}}));
  ASSERT_TRUE(loaded) << faults(loaded);
  EXPECT_EQ(loaded->warnings,
            std::vector<std::string>{
                "REDIS_SENTINELS is set but has no effect: Sentinel comes in a later version."});
}

TEST(Redis, WhereEachPartCameFromIsPrintedAndThePasswordIsNot) {
  const auto loaded = load_t("[redis]\nurl = \"redis://me:hush@f/1\"\n",
                             sources({{"REDIS_PORT", "7000"}, {"REDIS_PASSWORD", "hush2"}}));
  ASSERT_TRUE(loaded) << faults(loaded);
  EXPECT_EQ(origin(loaded, "redis.enabled"), "environment REDIS_PORT");
  EXPECT_EQ(origin(loaded, "redis.url"), "environment REDIS_PORT");
  EXPECT_EQ(origin(loaded, "redis.password"), "environment REDIS_PASSWORD");
  EXPECT_EQ(origin(loaded, "redis.prefix"), "default");
  EXPECT_EQ(origin(loaded, "redis.username"), "t.toml:2");
  const std::string text = print(*loaded);
  EXPECT_NE(text.find("\n[redis]\nenabled = true "), std::string::npos) << text;
  EXPECT_NE(text.find("\nurl = \"redis://f:7000/1\" "), std::string::npos) << text;
  EXPECT_NE(text.find("\n# password = \"***\" "), std::string::npos) << text;
  EXPECT_NE(text.find("\n[redis.breaker]\nfailures = 5 "), std::string::npos) << text;
  EXPECT_EQ(shown_of(loaded).find("hush"), std::string::npos) << text;

  const auto by_url = load_t("[redis]\nurl = \"redis://me:hush@f\"\n");
  ASSERT_TRUE(by_url) << faults(by_url);
  EXPECT_EQ(origin(by_url, "redis.password"), "t.toml:2");
  EXPECT_EQ(origin(by_url, "redis.username"), "t.toml:2");
  EXPECT_EQ(shown_of(by_url).find("hush"), std::string::npos);
  EXPECT_EQ(origin(load_t("[redis]\nurl = \"redis://me@f\"\n"), "redis.password"), "not printed");
}

class RedisPassword : public testing::Test {
 protected:
  RedisPassword() {
    std::string name = (fs::temp_directory_path() / "toll-password-XXXXXX").string();
    directory_ = mkdtemp(name.data());
  }
  ~RedisPassword() override { fs::remove_all(directory_); }

  std::string write(const std::string& name, const std::string& text, mode_t mode = 0600) {
    const fs::path path = directory_ / name;
    std::ofstream(path, std::ios::binary) << text;
    chmod(path.c_str(), mode);
    return path;
  }

  Result load_with(const std::string& password_file, Environment environment = {}) {
    return load_t(fmt::format("[redis]\nurl = \"redis://:url@h\"\npassword_file = \"{}\"\n"
                              "[policies.a]\nlimits = [\"1/1s\"]\n",
                              password_file),
                  sources(std::move(environment)));
  }

  fs::path directory_;
};

TEST_F(RedisPassword, IsTheFilesWithoutItsNewline) {
  for (const auto& [text, password] :
       std::initializer_list<std::pair<const char*, const char*>>{{"hush", "hush"},
                                                                  {"hush\n", "hush"},
                                                                  {"hush\r\n", "hush"},
                                                                  {" hush \n\n", " hush \n"}}) {
    const auto loaded = load_with(write("p", text));
    ASSERT_TRUE(loaded) << faults(loaded);
    EXPECT_EQ(loaded->settings.redis.password, password);
    EXPECT_EQ(origin(loaded, "redis.password"), "file " + (directory_ / "p").string());
    EXPECT_EQ(shown_of(loaded).find("hush"), std::string::npos);
    EXPECT_TRUE(loaded->warnings.empty());
  }
  const std::string longest(kPasswordMax, 'p');
  EXPECT_EQ(load_with(write("p", longest + "\n"))->settings.redis.password, longest);
}

TEST_F(RedisPassword, AFileThatHoldsNoneIsAFaultThatNamesIt) {
  const std::string path = directory_ / "p";
  const std::string place = "t.toml:3:17: redis.password_file: " + path;
  const std::string remedy = "; write the password into it, as its only line\n";
  EXPECT_EQ(faults(load_with(path)), place + " cannot be read: No such file or directory" + remedy);
  for (const char* text : {"", "\n", "\r\n"}) {
    EXPECT_EQ(faults(load_with(write("p", text))), place + " is empty" + remedy);
  }
  for (const char* end : {"", "\n", "pp"}) {
    write("p", std::string(kPasswordMax + 1, 'p') + end);
    EXPECT_EQ(faults(load_with(path)), place + " is over 4096 bytes" + remedy);
  }
  fs::remove(path);
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  EXPECT_EQ(faults(load_with(path)), place + " is no regular file" + remedy);
}

TEST_F(RedisPassword, AFileThatEveryoneReadsIsWarnedOf) {
  const std::string path = write("p", "hush\n", 0604);
  const auto loaded = load_with(path);
  ASSERT_TRUE(loaded) << faults(loaded);
  EXPECT_EQ(loaded->warnings,
            std::vector<std::string>{path + " holds Redis' password and everyone on this host can "
                                            "read it: chmod o-r."});
}

TEST_F(RedisPassword, OfAVariableGoesBeforeTheFileAndTheFileBeforeTheCredential) {
  write("redis-password", "credential\n");
  const Environment systemd = {{"CREDENTIALS_DIRECTORY", directory_}};
  const std::string path = write("p", "file\n");
  const auto with = [&](Environment more, const std::string& file) {
    more.merge(Environment(systemd));
    return load_with(file, more);
  };
  EXPECT_EQ(with({{"REDIS_PASSWORD", "variable"}}, path)->settings.redis.password, "variable");
  EXPECT_EQ(with({{"REDIS_PASSWORD", "variable"}}, path)->settings.redis.password_path, "");
  EXPECT_EQ(with({}, path)->settings.redis.password, "file");
  const auto credential = with({}, "");
  ASSERT_TRUE(credential) << faults(credential);
  EXPECT_EQ(credential->settings.redis.password, "credential");
  EXPECT_EQ(origin(credential, "redis.password"), "credential redis-password");
  fs::remove(directory_ / "redis-password");
  EXPECT_EQ(with({}, "")->settings.redis.password, "url");
  write("redis-password", "");
  EXPECT_TRUE(faults(with({}, "")).starts_with("environment: CREDENTIALS_DIRECTORY: "))
      << faults(with({}, ""));
}

TEST_F(RedisPassword, ThatChangedIsReadAgain) {
  const auto from_file = load_with(write("p", "old\n"));
  ASSERT_TRUE(from_file) << faults(from_file);
  write("p", "new\n");
  EXPECT_EQ(read_password(from_file->settings.redis), "new");
  fs::remove(directory_ / "p");
  const auto gone = read_password(from_file->settings.redis);
  ASSERT_FALSE(gone);
  EXPECT_NE(gone.error().find("cannot be read"), std::string::npos) << gone.error();
  const auto from_url = load_with("");
  ASSERT_TRUE(from_url) << faults(from_url);
  EXPECT_EQ(read_password(from_url->settings.redis), "url");
}

TEST_F(RedisPassword, IsNotAskedForWhereRedisIsOff) {
  const auto loaded = load_with(directory_ / "missing", {{"REDIS_ENABLED", "false"}});
  ASSERT_TRUE(loaded) << faults(loaded);
  EXPECT_EQ(loaded->settings.redis.password, "");
}

}  // namespace
}  // namespace toll::config
