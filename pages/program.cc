#include "pages/program.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cctype>
#include <stdexcept>

#include "daemon/commands.h"
#include "daemon/own_commands.h"

namespace toll::pages {
namespace {

constexpr std::array<std::string_view, 4> kPathValues = {"PATH", "FILE", "DIRECTORY", "PROGRAM"};

std::vector<std::string> split(std::string_view text, std::string_view by) {
  std::vector<std::string> parts;
  while (true) {
    const size_t at = text.find(by);
    parts.emplace_back(text.substr(0, at));
    if (at == std::string_view::npos) return parts;
    text.remove_prefix(at + by.size());
  }
}

bool is_path(std::string_view value) {
  return std::ranges::find(kPathValues, value) != kPathValues.end();
}

template <class Test>
bool all_letters(std::string_view word, Test test) {
  return !word.empty() && std::ranges::all_of(word, [&](char letter) {
    return test(static_cast<unsigned char>(letter)) != 0;
  });
}

bool is_small(std::string_view word) {
  return all_letters(word, [](int letter) { return std::islower(letter); });
}

bool is_capital(std::string_view word) {
  return all_letters(word, [](int letter) { return std::isupper(letter); });
}

ProgramOption option_of(const CLI::Option& option) {
  ProgramOption told;
  for (const std::string& name : option.get_snames()) told.names.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) told.names.push_back("--" + name);
  told.help = option.get_description();
  if (option.get_items_expected_max() == 0) return told;
  // "TEXT:{line,resp}", "UINT:INT in [1 - 100]", "FILE".
  const std::string type = option.get_type_name();
  const size_t colon = type.find(':');
  told.value = type.substr(0, colon);
  told.path = is_path(told.value);
  told.initial = option.get_default_str();
  const std::string limits = colon == std::string::npos ? "" : type.substr(colon + 1);
  if (limits.starts_with('{') && limits.ends_with('}')) {
    told.choices = split(std::string_view(limits).substr(1, limits.size() - 2), ",");
  }
  return told;
}

WordRule rule_of(const daemon::OwnCommand& command) {
  WordRule rule{.name = std::string(command.name),
                .usage = std::string(command.usage),
                .help = std::string(command.help),
                .own = true};
  for (std::string& word : split(command.usage, " ")) {
    std::erase_if(word, [](char letter) { return letter == '[' || letter == ']'; });
    if (word == command.name) continue;
    for (const std::string& choice : split(word, "|")) {
      if (choice.starts_with("--")) rule.options.push_back(choice);
      if (is_small(choice)) rule.choices.push_back(choice);
      rule.paths |= is_path(choice);
    }
  }
  return rule;
}

WordRule rule_of(const daemon::CommandInfo& info) {
  WordRule rule{.name = std::string(info.name),
                .usage = std::string(info.usage),
                .help = std::string(info.help)};
  for (const std::string& form : split(info.usage, " | ")) {
    std::vector<std::string> words = split(form, " ");
    if (words[0] == info.name) words.erase(words.begin());
    if (words.empty()) continue;
    if (words[0] == "policy") {
      rule.policy = true;
      rule.policy_every = info.arguments_step;
    } else if (words[0] == "[verb]") {
      for (const daemon::CommandInfo& verb : daemon::commands()) {
        rule.choices.emplace_back(verb.name);
      }
    } else {
      for (const std::string& choice : split(words[0], "|")) {
        const bool word = is_capital(choice) || (is_small(choice) && choice != words[0]);
        if (word) rule.choices.push_back(choice);
      }
    }
  }
  return rule;
}

}  // namespace

Program program_of(const CLI::App& app) {
  Program program{.name = app.get_name()};
  const std::string about = app.get_description();
  const std::string begin = program.name + ": ";
  if (!about.starts_with(begin)) throw std::logic_error(program.name + " does not say what it is");
  const size_t end = about.find("\n\n");
  program.summary = about.substr(begin.size(), end - begin.size());
  if (end != std::string::npos) program.about = about.substr(end + 2);
  for (const CLI::Option* option : app.get_options()) {
    program.options.push_back(option_of(*option));
  }
  return program;
}

std::vector<WordRule> word_rules() {
  std::vector<WordRule> rules;
  for (const daemon::OwnCommand& command : daemon::own_commands()) {
    rules.push_back(rule_of(command));
  }
  for (const daemon::CommandInfo& info : daemon::commands()) rules.push_back(rule_of(info));
  return rules;
}

std::string first_sentence(std::string_view help) {
  const size_t stop = help.find(". ");
  help = help.substr(0, stop);
  if (help.ends_with('.')) help.remove_suffix(1);
  return std::string(help);
}

}  // namespace toll::pages
