#include "daemon/completion.h"

#include <strings.h>

#include "daemon/commands.h"
#include "daemon/reply_reader.h"

namespace toll::daemon {
namespace {

// CHECK repeats `policy id units`.
constexpr size_t kCheckStep = 3;

bool takes_policy(const CommandInfo& info) {
  const std::vector<Word> usage = split_words(info.usage);
  return usage.size() > 1 && usage[1].text == "policy";
}

}  // namespace

Expected expected_after(std::string_view before) {
  const std::vector<Word> words = split_words(before);
  if (words.empty()) return Expected::kVerb;
  const std::string& verb = words[0].text;
  const size_t argument = words.size() - 1;  // how many arguments are already there
  if (strcasecmp(verb.c_str(), "help") == 0) {
    return argument == 0 ? Expected::kVerb : Expected::kNothing;
  }
  const CommandInfo* info = find_command(verb);
  if (info == nullptr || !takes_policy(*info)) return Expected::kNothing;
  const bool repeats = info->command == Command::kCheck;
  const bool here = repeats ? argument % kCheckStep == 0 : argument == 0;
  return here ? Expected::kPolicy : Expected::kNothing;
}

std::vector<std::string> matching(const std::vector<std::string>& names, std::string_view typed) {
  std::vector<std::string> matches;
  for (const std::string& name : names) {
    if (name.size() >= typed.size() && strncasecmp(name.data(), typed.data(), typed.size()) == 0) {
      matches.push_back(name);
    }
  }
  return matches;
}

std::vector<std::string> verb_names() {
  std::vector<std::string> names = {"help", "exit"};
  for (const CommandInfo& info : commands()) names.emplace_back(info.name);
  return names;
}

}  // namespace toll::daemon
