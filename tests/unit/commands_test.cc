#include "daemon/commands.h"

#include <cctype>
#include <gtest/gtest.h>
#include <memory>
#include <random>
#include <set>
#include <string>

#include "daemon/limits.h"

namespace toll::daemon {
namespace {

// From heap memory of exactly the word's size, so that a read past it is seen.
const CommandInfo* find(std::string_view word) {
  const auto bytes = std::make_unique<char[]>(word.size());
  std::ranges::copy(word, bytes.get());
  return find_command({bytes.get(), word.size()});
}

const CommandInfo* find_slowly(const std::string& word) {
  std::string upper;
  for (const char byte : word) {
    const bool lower = byte >= 'a' && byte <= 'z';
    upper += lower ? static_cast<char>(byte - 'a' + 'A') : byte;
  }
  for (const CommandInfo& info : commands()) {
    if (info.name == upper) return &info;
  }
  return nullptr;
}

void flip_bit(std::string& word, uint64_t which) {
  char& byte = word[which / 8 % word.size()];
  byte = static_cast<char>(byte ^ 1 << which % 8);
}

const CommandInfo& info_of(std::string_view name) {
  const CommandInfo* info = find(name);
  if (info == nullptr) throw std::invalid_argument("no command " + std::string(name));
  return *info;
}

std::set<size_t> arities(std::string_view name) {
  std::set<size_t> ok;
  for (size_t arguments = 0; arguments <= kWordsMax; ++arguments) {
    if (info_of(name).arity_ok(arguments)) ok.insert(arguments);
  }
  return ok;
}

TEST(Commands, AreFoundInAnyCase) {
  for (const CommandInfo& info : commands()) {
    std::string word(info.name);
    EXPECT_EQ(find(word), &info) << word;
    for (char& letter : word) letter = static_cast<char>(std::tolower(letter));
    EXPECT_EQ(find(word), &info) << word;
    word[1] = static_cast<char>(std::toupper(word[1]));
    EXPECT_EQ(find(word), &info) << word;
  }
}

TEST(Commands, ANameThatIsNearlyOneIsNone) {
  for (const CommandInfo& info : commands()) {
    const std::string name(info.name);
    for (size_t at = 0; at < name.size(); ++at) {
      for (int byte = 0; byte < 256; ++byte) {
        std::string word = name;
        word[at] = static_cast<char>(byte);
        EXPECT_EQ(find(word), find_slowly(word)) << word;
      }
      EXPECT_EQ(find(name.substr(0, at)), find_slowly(name.substr(0, at)));
      EXPECT_EQ(find(name.substr(at + 1)), find_slowly(name.substr(at + 1)));
    }
    EXPECT_EQ(find(name + "S"), nullptr);
    EXPECT_EQ(find(name + '\0'), nullptr);
    EXPECT_EQ(find(std::string(1000, name[0])), nullptr);
  }
  EXPECT_EQ(find(""), nullptr);
}

TEST(Commands, RandomWordsAreFoundAsASlowSearchFindsThem) {
  constexpr uint64_t kSeed = 20'240'612;
  std::mt19937_64 random(kSeed);
  for (int round = 0; round < 100'000; ++round) {
    const CommandInfo& info = commands()[random() % commands().size()];
    std::string word(info.name);
    for (char& byte : word) byte = static_cast<char>(byte ^ (random() % 2) << 5);
    if (random() % 2 == 0) flip_bit(word, random());
    EXPECT_EQ(find(word), find_slowly(word)) << word << " seed " << kSeed;
  }
}

TEST(Commands, AritiesAreTheProtocols) {
  std::set<size_t> check = {2};
  for (size_t checks = 1; checks <= kChecksMax; ++checks) check.insert(3 * checks);
  EXPECT_EQ(arities("CHECK"), check);
  EXPECT_EQ(arities("PEEK").size(), kWordsMax - 2);
  EXPECT_FALSE(info_of("PEEK").arity_ok(1));
  EXPECT_TRUE(info_of("PEEK").arity_ok(kWordsMax - 1));
  EXPECT_EQ(arities("REFUND"), (std::set<size_t>{3}));
  EXPECT_EQ(arities("CHARGE"), (std::set<size_t>{3}));
  EXPECT_EQ(arities("RESET"), (std::set<size_t>{2}));
  EXPECT_EQ(arities("ACQUIRE"), (std::set<size_t>{2, 3, 4}));
  EXPECT_EQ(arities("RELEASE"), (std::set<size_t>{3}));
  EXPECT_EQ(arities("CL.THROTTLE"), (std::set<size_t>{4, 5}));
  for (const std::string_view name : {"HEALTH", "STATS", "POLICIES", "RELOAD", "VERSION", "QUIT"}) {
    EXPECT_EQ(arities(name), (std::set<size_t>{0})) << name;
  }
  EXPECT_EQ(arities("PING"), (std::set<size_t>{0, 1}));
  EXPECT_EQ(arities("HELP"), (std::set<size_t>{0, 1}));
  for (const std::string_view name : {"LEVEL", "ECHO", "SELECT"}) {
    EXPECT_EQ(arities(name), (std::set<size_t>{1})) << name;
  }
  EXPECT_EQ(arities("CLIENT").size(), kWordsMax - 1);
  EXPECT_FALSE(info_of("CLIENT").arity_ok(0));
  EXPECT_EQ(arities("COMMAND").size(), kWordsMax);
  EXPECT_EQ(arities("HELLO").size(), kWordsMax);
}

TEST(Commands, OnlyAdministratorsResetReloadDrainConfigureAndSetTheLevel) {
  std::set<std::string_view> admin;
  for (const CommandInfo& info : commands()) {
    if (info.permission == Permission::kAdmin) admin.insert(info.name);
  }
  EXPECT_EQ(admin, (std::set<std::string_view>{"RESET", "CONFIG", "RELOAD", "LEVEL", "DRAIN"}));
}

TEST(Commands, EachIsListedOnceAndExplained) {
  std::set<Command> seen;
  for (const CommandInfo& info : commands()) {
    EXPECT_TRUE(seen.insert(info.command).second) << info.name;
    EXPECT_TRUE(info.usage.starts_with(info.name)) << info.usage;
    EXPECT_TRUE(info.help.ends_with(".")) << info.help;
    EXPECT_EQ(info.help.find('\n'), std::string_view::npos) << info.help;
  }
  EXPECT_EQ(seen.size(), static_cast<size_t>(Command::kHello) + 1);
}

}  // namespace
}  // namespace toll::daemon
