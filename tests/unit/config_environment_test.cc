// What the environment, the command line and the file system bring to the configuration.
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/limits.h"
#include "tests/unit/config_support.h"

namespace toll::config {
namespace {

namespace fs = std::filesystem;
using engine::Algorithm;
using engine::Mode;

TEST(Environment, EveryKeyHasAVariable) {
  for (const Key<Draft>& key : keys()) {
    std::string variable = "TOLLKEEPER_" + to_upper(key.section) + "_" + to_upper(key.name);
    std::ranges::replace(variable, '.', '_');
    EXPECT_EQ(faults_with({{variable, "\x01"}}).substr(0, 14 + variable.size()),
              "environment: " + variable + ":");
  }
}

TEST(Environment, GoesBeforeTheFileAndBehindTheCommandLine) {
  Sources from = sources({{"TOLLKEEPER_SERVER_SOCKET", "/e.sock"},
                          {"TOLLKEEPER_SERVER_MAX_LINE", "2KiB"},
                          {"TOLLKEEPER_LOG_LEVEL", "debug"}});
  constexpr std::string_view kFile =
      "[server]\nsocket = \"/f.sock\"\nmax_line = \"4KiB\"\nmax_clients = 7\n";
  const auto two = load_t(kFile, from);
  ASSERT_TRUE(two) << faults(two);
  EXPECT_EQ(two->settings.server.socket, "/e.sock");
  EXPECT_EQ(two->settings.server.max_line_bytes, 2048U);
  EXPECT_EQ(two->settings.server.max_clients, 7U);
  EXPECT_EQ(two->settings.log.level, LogLevel::kDebug);
  from.socket = "/c.sock";
  EXPECT_EQ(load_t(kFile, from)->settings.server.socket, "/c.sock");
}

TEST(Environment, ChangesTheKeysOfKnownPolicies) {
  const auto loaded = load_text(
      "[policies.a-b]\nlimits = [\"1/1s\"]\nburst = 4\n[policies.\"C.d\"]\nalgorithm = "
      "\"concurrency\"\nlimit = 3\n",
      "t.toml",
      sources({{"TOLLKEEPER_POLICIES_A_B_LIMITS", "5/1s , 6/1m"},
               {"TOLLKEEPER_POLICIES_A_B_ALGORITHM", "fixed_window"},
               {"TOLLKEEPER_POLICIES_A_B_ON_OUTAGE", "allow"},
               {"TOLLKEEPER_POLICIES_C_D_LIMIT", "9"},
               {"TOLLKEEPER_POLICIES_C_D_TTL", "3s"}}));
  EXPECT_EQ(faults(loaded),
            "t.toml:3:9: policies.a-b.burst: found in a policy whose algorithm is fixed_window, "
            "expected gcra or token_bucket\n");
  const auto good = load_text(
      "[policies.a-b]\nlimit = \"1/1s\"\n[policies.\"C.d\"]\nalgorithm = \"concurrency\"\nlimit = "
      "3\n",
      "t.toml",
      sources({{"TOLLKEEPER_POLICIES_A_B_LIMITS", "5/1s , 6/1m"},
               {"TOLLKEEPER_POLICIES_C_D_LIMIT", "9"},
               {"TOLLKEEPER_POLICIES_C_D_TTL", "3s"}}));
  ASSERT_TRUE(good) << faults(good);
  EXPECT_EQ(limits(good, "a-b"), "5/1s,6/1m") << "in place of the file's `limit`";
  EXPECT_EQ(policy(good, "C.d").limits, std::vector{engine::make_limit(9, 0, 3'000'000)});
}

TEST(Environment, RateLimitsOfExistingDeploymentsSetLimits) {
  const auto loaded = load_embedded(sources({{"RATE_LIMIT_GENERAL", "7,30"},
                                             {"RATE_LIMIT_NEW_ONE", " 8 , 3600 "},
                                             {"RATE_LIMIT_EMPTY", ""},
                                             {"RATE_LIMIT_API", "1,1"},
                                             {"TOLLKEEPER_POLICIES_API_LIMITS", "2/2s"},
                                             {"TOLLKEEPER_POLICIES_NEW_ONE_BURST", "4"},
                                             {"RATE_LIMIT_MODE", "memory"}}));
  ASSERT_TRUE(loaded) << faults(loaded);
  EXPECT_EQ(limits(loaded, "general"), "7/30s");
  EXPECT_EQ(policy(loaded, "general").algorithm, Algorithm::kSlidingWindow) << "as it was";
  EXPECT_EQ(limits(loaded, "api"), "2/2s") << "Tollkeeper's own name wins";
  EXPECT_EQ(policy(loaded, "new_one").limits, std::vector{engine::make_limit(8, 4, 3'600'000'000)});
  EXPECT_EQ(policy(loaded, "new_one").algorithm, Algorithm::kGcra) << "as the defaults say";
  EXPECT_EQ(policy(loaded, "auth").mode, Mode::kLocal);
  EXPECT_EQ(loaded->settings.policies.size(), 13U);
  EXPECT_TRUE(loaded->warnings.empty());
}

TEST(Environment, AModeOfRedisIsExactAndWarnsWhereThereIsNone) {
  const auto loaded = load_embedded(
      sources({{"RATE_LIMIT_MODE", "redis"}, {"TOLLKEEPER_POLICIES_S1_MODE", "leased"}}));
  ASSERT_TRUE(loaded) << faults(loaded);
  EXPECT_EQ(policy(loaded, "api").mode, Mode::kExact);
  EXPECT_EQ(policy(loaded, "s1").mode, Mode::kLeased);
  ASSERT_EQ(loaded->warnings.size(), 1U);
  EXPECT_TRUE(loaded->warnings[0].starts_with("RATE_LIMIT_MODE is redis, but "));
  const auto with =
      load_embedded(sources({{"RATE_LIMIT_MODE", "redis"}, {"REDIS_URL", "redis://h"}}));
  ASSERT_TRUE(with) << faults(with);
  EXPECT_TRUE(with->warnings.empty());
}

TEST(Environment, WhatLeadsClientsToTheSocketIsNotForTheDaemon) {
  EXPECT_TRUE(load_embedded(sources({{"TOLLKEEPER_SOCKET", "/x"}})).has_value());
}

TEST(Environment, FaultsNameTheVariableAndTheNearestKnownOne) {
  EXPECT_EQ(faults_with({{"TOLLKEEPER_SERVER_WORKERS", "many"}}),
            "environment: TOLLKEEPER_SERVER_WORKERS: found the text \"many\", expected a whole "
            "number from 0 (one per core) to 64, such as workers = 2\n");
  EXPECT_EQ(faults_with({{"TOLLKEEPER_SERVER_WORKER", "1"}}),
            "environment: TOLLKEEPER_SERVER_WORKER: unknown variable, did you mean "
            "\"TOLLKEEPER_SERVER_WORKERS\"?\n");
  EXPECT_EQ(faults_with({{"TOLLKEEPER_WORKERS", "2"}}),
            "environment: TOLLKEEPER_WORKERS: unknown variable, did you mean "
            "\"TOLLKEEPER_SERVER_WORKERS\"?\n");
  EXPECT_EQ(faults_with({{"TOLLKEEPER_", "1"}}), "environment: TOLLKEEPER_: unknown variable\n");
  EXPECT_EQ(faults_with({{"TOLLKEEPER_POLICIES_APPI_BURST", "1"}}),
            "environment: TOLLKEEPER_POLICIES_APPI_BURST: there is no policy \"appi\", did you "
            "mean \"api\"?\n");
  EXPECT_EQ(faults_with({{"TOLLKEEPER_POLICIES_S1_BURTS", "1"}}),
            "environment: TOLLKEEPER_POLICIES_S1_BURTS: unknown variable, did you mean "
            "\"TOLLKEEPER_POLICIES_S1_BURST\"?\n");
  EXPECT_EQ(faults_with({{"TOLLKEEPER_POLICIES_S1_LIMITS", ""}}),
            "environment: TOLLKEEPER_POLICIES_S1_LIMITS: found an empty list, expected a list of "
            "limits as count/window, such as limits = [\"100/1s\", \"5000/1h\"]\n");
  EXPECT_EQ(faults_with({{"RATE_LIMIT_MODE", "both"}}),
            "environment: RATE_LIMIT_MODE: found the text \"both\", expected redis or memory\n");
  for (const char* value : {"120", "120,60,1", "120,", "x,60", "-1,60", "1.5,60", "120;60"}) {
    EXPECT_EQ(faults_with({{"RATE_LIMIT_API", value}}),
              "environment: RATE_LIMIT_API: found the text \"" + std::string(value) +
                  "\", expected count,seconds such as 120,60\n");
  }
  EXPECT_TRUE(faults_with({{"RATE_LIMIT_API", "0,60"}})
                  .starts_with("environment: RATE_LIMIT_API: found the text \"0/60s\", expected a "
                               "limit with a count from 1"));
  EXPECT_TRUE(faults_with({{"RATE_LIMIT_", "1,1"}})
                  .starts_with("environment: RATE_LIMIT_: the name is empty"));
}

TEST(Environment, AFaultIsOneLineOfTextWhateverTheVariableIsCalled) {
  EXPECT_EQ(faults_with({{"TOLLKEEPER_A\nB\xff\x1b", "1"}}),
            "environment: TOLLKEEPER_A?B??: unknown variable\n");
  EXPECT_NE(faults_with({{"TOLLKEEPER_POLICIES_GENERAL_LIMIT", "x"}})
                .find("TOLLKEEPER_POLICIES_GENERAL_LIMIT: "),
            std::string::npos);
  const std::string endless = "RATE_LIMIT_" + std::string(5'000, 'A');
  EXPECT_LT(faults_with({{endless, "x"}}).size(), 500U);
}

TEST(Environment, AVariableThatFitsTwoPoliciesIsAFault) {
  constexpr std::string_view kBoth =
      "[policies.a-b]\nlimits = [\"1/1s\"]\n[policies.\"a.b\"]\nlimits = [\"1/1s\"]\n";
  const Sources from = sources({{"TOLLKEEPER_POLICIES_A_B_MODE", "local"}});
  EXPECT_EQ(faults(load_t(kBoth, from)),
            "environment: TOLLKEEPER_POLICIES_A_B_MODE: fits both policy \"a-b\" and policy "
            "\"a.b\", expected to fit one only\n");
  const auto exact = load_t(std::string(kBoth) + "[policies.a_b]\nlimits = [\"1/1s\"]\n", from);
  ASSERT_TRUE(exact) << faults(exact);
  EXPECT_EQ(policy(exact, "a_b").mode, Mode::kLocal);
  EXPECT_EQ(policy(exact, "a-b").mode, Mode::kExact);
}

TEST(Environment, TextThatCouldNotBePrintedIsRefused) {
  for (const char* path :
       {"/a\nb", "/\xff", "/\xed\xa0\x80", "/\xc0\xaf", "/\xf4\x90\x80\x80", "/cut\xe2\x82"}) {
    EXPECT_NE(faults_with({{"TOLLKEEPER_SERVER_SOCKET", path}}), "no fault") << path;
  }
  EXPECT_EQ(faults_with({{"TOLLKEEPER_SERVER_SOCKET", "/\xe2\x82\xac/\xf0\x9f\x98\x80"}}),
            "no fault");
}

TEST(CommandLine, ASocketPathThatDoesNotFitIsAFault) {
  Sources from = sources();
  from.socket = "/" + std::string(kSocketPathMax - 1, 's');
  EXPECT_TRUE(load_embedded(from));
  from.socket->push_back('s');
  EXPECT_TRUE(faults(load_embedded(from)).starts_with("command line: --socket: found the text \""));
  from.socket = "";
  EXPECT_TRUE(faults(load_embedded(from)).starts_with("command line: --socket: found the text \""));
}

TEST(Host, TheSocketGoesWhereTheHostSays) {
  EXPECT_EQ(
      default_socket({{"RUNTIME_DIRECTORY", "/run/a:/run/b"}, {"XDG_RUNTIME_DIR", "/x"}}).path,
      "/run/a/tollkeeper.sock");
  EXPECT_EQ(default_socket({{"RUNTIME_DIRECTORY", ""}, {"XDG_RUNTIME_DIR", "/x"}}).path,
            "/x/tollkeeper/tollkeeper.sock");
  EXPECT_EQ(default_socket({{"XDG_RUNTIME_DIR", ""}}).path,
            "/tmp/tollkeeper-" + std::to_string(getuid()) + "/tollkeeper.sock");
  EXPECT_EQ(default_state_dir({{"STATE_DIRECTORY", "/a:/b"}}).path, "/a");
  EXPECT_EQ(default_state_dir({}).path, "/var/lib/tollkeeper");
}

TEST(Host, ADirectoryTooLongForASocketIsAFaultOnlyWhereItIsUsed) {
  Sources from = sources({{"RUNTIME_DIRECTORY", "/" + std::string(100, 'r')}});
  EXPECT_TRUE(
      faults(load_embedded(from)).starts_with("environment: RUNTIME_DIRECTORY: found the text"));
  from.socket = "/c.sock";
  EXPECT_TRUE(load_embedded(from));
}

TEST(Host, AGroupThatIsNotThereIsNoDefault) {
  EXPECT_EQ(group_id("root"), gid_t{0});
  EXPECT_FALSE(group_id("no-such-group-here").has_value());
  EXPECT_EQ(default_group("root"), "root");
  EXPECT_EQ(default_group("no-such-group-here"), "");
  const auto loaded = load_embedded(
      sources({{"TOLLKEEPER_SERVER_SOCKET_GROUP", "root"}, {"TOLLKEEPER_SERVER_ADMIN_GROUP", ""}}));
  ASSERT_TRUE(loaded) << faults(loaded);
  EXPECT_EQ(loaded->settings.server.socket_group, "root");
  EXPECT_EQ(loaded->settings.server.admin_group, "");
}

class Files : public testing::Test {
 protected:
  Files() {
    std::string name = (fs::temp_directory_path() / "toll-config-XXXXXX").string();
    directory_ = mkdtemp(name.data());
  }
  ~Files() override { fs::remove_all(directory_); }

  Result load_file(const fs::path& file) {
    Sources from = sources();
    from.file = file;
    return load(from);
  }

  fs::path write(const std::string& name, const std::string& text) {
    std::ofstream(directory_ / name, std::ios::binary) << text;
    return directory_ / name;
  }

  fs::path directory_;
};

TEST_F(Files, AFileIsReadAndNamed) {
  const fs::path file = write("good.toml", "[server]\nworkers = 5\n");
  const auto loaded = load_file(file);
  ASSERT_TRUE(loaded) << faults(loaded);
  EXPECT_EQ(loaded->settings.server.workers, 5U);
  EXPECT_EQ(loaded->file, file);
  EXPECT_EQ(origin(loaded, "server.workers"), file.string() + ":2");
}

TEST_F(Files, WhatCannotBeReadIsAFault) {
  const std::string missing = directory_ / "missing.toml";
  EXPECT_EQ(faults(load_file(missing)), missing + ": cannot be read: No such file or directory\n");
  EXPECT_EQ(faults(load_file(directory_)),
            directory_.string() + ": cannot be read: Is a directory\n");
  EXPECT_EQ(faults(load_file("")), "\"\": cannot be read: No such file or directory\n");
  if (geteuid() != 0) {  // nothing is unreadable to root
    const fs::path secret = write("secret.toml", "");
    chmod(secret.c_str(), 0);
    EXPECT_EQ(faults(load_file(secret)), secret.string() + ": cannot be read: Permission denied\n");
  }
}

TEST_F(Files, AFileOverTheBoundIsAFaultAndOneAtItIsRead) {
  const std::string comment(kFileBytesMax, '#');
  EXPECT_TRUE(load_file(write("full.toml", comment)));
  const fs::path over = write("over.toml", comment + "#");
  EXPECT_EQ(faults(load_file(over)), over.string() + ": the file is over 10MiB, expected less\n");
  EXPECT_EQ(faults(load_file("/dev/zero")), "/dev/zero: the file is over 10MiB, expected less\n");
}

TEST(ProcessEnvironment, HoldsOnlyWhatTheLoaderLooksAt) {
  ASSERT_EQ(setenv("TOLLKEEPER_LOG_LEVEL", "warn=1", 1), 0);
  ASSERT_EQ(setenv("RUNTIME_DIRECTORY_OTHER", "x", 1), 0);
  const Environment environment = process_environment();
  unsetenv("TOLLKEEPER_LOG_LEVEL");
  unsetenv("RUNTIME_DIRECTORY_OTHER");
  EXPECT_EQ(environment.at("TOLLKEEPER_LOG_LEVEL"), "warn=1");
  EXPECT_FALSE(environment.contains("RUNTIME_DIRECTORY_OTHER"));
  EXPECT_FALSE(environment.contains("PATH"));
}

}  // namespace
}  // namespace toll::config
