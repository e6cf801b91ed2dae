#include "pages/completions.h"

#include <algorithm>
#include <fmt/format.h>
#include <string_view>
#include <vector>

namespace toll::pages {
namespace {

constexpr std::string_view kMadeFor = "# {} completion for {}, made when Tollkeeper is built.\n";

// It is told on to the command that is asked for the policies.
constexpr std::string_view kSocketOption = "--socket";

// The rows of POLICIES without the first, and of each the first word.
constexpr std::string_view kPolicyNames = "POLICIES 2>/dev/null | sed -n '2,$s/ .*//p'";

using Strings = std::vector<std::string>;

// In single quotes, as all three shells take them.
std::string quoted(std::string_view text) {
  std::string out = "'";
  for (const char letter : text) out += letter == '\'' ? "'\\''" : std::string(1, letter);
  return out + "'";
}

std::string shell_function(const Program& program) {
  std::string name = "_" + program.name;
  std::ranges::replace(name, '-', '_');
  return name;
}

template <class Wanted>
Strings names_of(const Program& program, Wanted wanted) {
  Strings names;
  for (const ProgramOption& option : program.options) {
    if (!wanted(option)) continue;
    names.insert(names.end(), option.names.begin(), option.names.end());
  }
  return names;
}

Strings names_of(std::span<const WordRule> words) {
  Strings names;
  for (const WordRule& word : words) names.push_back(word.name);
  return names;
}

// ---- bash ----

std::string bash_reply(std::string_view words) {
  return fmt::format("COMPREPLY=($(compgen -W {} -- \"$cur\"))", quoted(words));
}

// What follows an option that takes a value.
std::string bash_values(const Program& program) {
  std::string text;
  for (const ProgramOption& option : program.options) {
    if (option.value.empty()) continue;
    const std::string reply = option.path
                                  ? "COMPREPLY=($(compgen -f -- \"$cur\"))"
                                  : bash_reply(fmt::format("{}", fmt::join(option.choices, " ")));
    text += fmt::format("    {}) {}; return ;;\n", fmt::join(option.names, "|"), reply);
  }
  return text;
}

// Nothing where nothing is known of what may follow.
std::string bash_word(const Program& program, const WordRule& word) {
  std::string text;
  if (!word.choices.empty()) {
    text += fmt::format("      [[ $behind -eq 1 ]] && words={}\n",
                        quoted(fmt::format("{}", fmt::join(word.choices, " "))));
  }
  if (!word.options.empty()) {
    text += fmt::format("      [[ $cur == -* ]] && words={}\n",
                        quoted(fmt::format("{}", fmt::join(word.options, " "))));
  }
  if (word.paths) text += "      [[ $behind -gt 1 ]] && files=yes\n";
  if (word.policy) {
    const std::string place = word.policy_every == 0
                                  ? "$behind -eq 1"
                                  : fmt::format("$((behind % {})) -eq 1", word.policy_every);
    text += fmt::format("      [[ {} ]] && words=$({}_policies \"${{socket[@]}}\")\n", place,
                        shell_function(program));
  }
  return text.empty() ? text : fmt::format("    {})\n{}      ;;\n", word.name, text);
}

std::string bash_words(const Program& program, std::span<const WordRule> words) {
  const auto takes_value = [](const ProgramOption& option) {
    return !option.value.empty() && option.names[0] != kSocketOption;
  };
  std::string text =
      "  local i behind verb= words= files= socket=()\n"
      "  for ((i = 1; i < COMP_CWORD; i++)); do\n"
      "    case ${COMP_WORDS[i]} in\n"
      "      --socket) socket=(--socket \"${COMP_WORDS[i + 1]}\"); ((i++)) ;;\n";
  text += fmt::format("      {}) ((i++)) ;;\n", fmt::join(names_of(program, takes_value), "|"));
  text +=
      "      -*) ;;\n"
      "      *) verb=${COMP_WORDS[i]}; break ;;\n"
      "    esac\n"
      "  done\n"
      "  behind=$((COMP_CWORD - i))\n"
      "  if [[ -n $verb ]]; then\n"
      "    case $verb in\n";
  for (const WordRule& word : words) text += bash_word(program, word);
  text +=
      "    esac\n"
      "    COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
      "    [[ -n $files ]] && COMPREPLY+=($(compgen -f -- \"$cur\"))\n"
      "    return\n"
      "  fi\n";
  return text;
}

// ---- zsh and fish ----

// A description inside of a specification of zsh's _arguments or _describe.
std::string zsh_text(std::string_view text) {
  std::string out;
  for (const char letter : text) {
    if (letter == '[' || letter == ']' || letter == ':' || letter == '\\') out += '\\';
    out += letter;
  }
  return out;
}

std::string zsh_options(const Program& program) {
  std::string text;
  for (const ProgramOption& option : program.options) {
    std::string value;
    if (!option.value.empty()) {
      const std::string action = option.path ? "_files"
                                 : option.choices.empty()
                                     ? ""
                                     : fmt::format("({})", fmt::join(option.choices, " "));
      value = fmt::format(":{}:{}", option.value, action);
    }
    for (const std::string& name : option.names) {
      text += fmt::format(" \\\n    {}",
                          quoted(fmt::format("{}[{}]{}", name, zsh_text(option.help), value)));
    }
  }
  return text;
}

std::string zsh_word(const WordRule& word) {
  std::string text;
  if (!word.options.empty()) {
    text += fmt::format("      compadd -- {}\n", fmt::join(word.options, " "));
  }
  if (!word.choices.empty()) {
    text +=
        fmt::format("      (( CURRENT == 2 )) && compadd -- {}\n", fmt::join(word.choices, " "));
  }
  if (word.paths) text += "      (( CURRENT > 2 )) && _files\n";
  if (word.policy) {
    const std::string place = word.policy_every == 0
                                  ? "CURRENT == 2"
                                  : fmt::format("(CURRENT - 1) % {} == 1", word.policy_every);
    text += fmt::format(
        "      (( {} )) && compadd -- ${{(f)\"$(tollkeeper ${{opt_args[--socket]:+--socket}} "
        "${{opt_args[--socket]}} --timeout 1s {})\"}}\n",
        place, kPolicyNames);
  }
  return text.empty() ? text : fmt::format("    {})\n{}      ;;\n", word.name, text);
}

std::string fish_options(const Program& program) {
  std::string text;
  for (const ProgramOption& option : program.options) {
    text += fmt::format("complete -c {}", program.name);
    for (const std::string& name : option.names) {
      const bool is_long = name.starts_with("--");
      text += fmt::format(" {} {}", is_long ? "-l" : "-s", name.substr(is_long ? 2 : 1));
    }
    if (!option.value.empty()) text += option.path ? " -r -F" : " -x";
    if (!option.choices.empty()) {
      text += " -a " + quoted(fmt::format("{}", fmt::join(option.choices, " ")));
    }
    text += fmt::format(" -d {}\n", quoted(option.help));
  }
  return text;
}

std::string fish_word(const Program& program, const WordRule& word) {
  std::string text = fmt::format("complete -c {} -n __fish_use_subcommand -a {} -d {}\n",
                                 program.name, word.name, quoted(first_sentence(word.help)));
  const std::string behind =
      fmt::format("complete -c {} -n '__fish_seen_subcommand_from {}'", program.name, word.name);
  if (!word.choices.empty()) {
    text +=
        fmt::format("{} -a {}\n", behind, quoted(fmt::format("{}", fmt::join(word.choices, " "))));
  }
  for (const std::string& option : word.options) {
    text += fmt::format("{} -l {}\n", behind, option.substr(2));
  }
  if (word.paths) text += behind + " -F\n";
  if (word.policy) text += fmt::format("{} -a '(__tollkeeper_policies)'\n", behind);
  return text;
}

}  // namespace

std::string bash_completion(const Program& program, std::span<const WordRule> words) {
  const std::string function = shell_function(program);
  const Strings options = names_of(program, [](const ProgramOption&) { return true; });
  Strings first = names_of(words);
  first.insert(first.end(), options.begin(), options.end());
  std::string text = fmt::format(fmt::runtime(kMadeFor), "bash", program.name);
  if (!words.empty()) {
    text += fmt::format("{}_policies() {{\n  \"${{COMP_WORDS[0]}}\" \"$@\" --timeout 1s {}\n}}\n",
                        function, kPolicyNames);
  }
  text += fmt::format(
      "{}() {{\n"
      "  local cur=${{COMP_WORDS[COMP_CWORD]}}\n"
      "  COMPREPLY=()\n",
      function);
  if (!words.empty()) text += bash_words(program, words);
  text += fmt::format(
      "  case ${{COMP_WORDS[COMP_CWORD - 1]}} in\n"
      "{}"
      "  esac\n"
      "  {}\n"
      "}}\n"
      "complete -F {} {}\n",
      bash_values(program), bash_reply(fmt::format("{}", fmt::join(first, " "))), function,
      program.name);
  return text;
}

std::string zsh_completion(const Program& program, std::span<const WordRule> words) {
  const std::string function = shell_function(program);
  std::string text = fmt::format("#compdef {}\n", program.name) +
                     fmt::format(fmt::runtime(kMadeFor), "zsh", program.name);
  text += fmt::format("{}() {{\n", function);
  if (words.empty())
    return text + fmt::format("  _arguments{}\n}}\n{} \"$@\"\n", zsh_options(program), function);
  text += fmt::format(
      "  local curcontext=$curcontext state line\n"
      "  typeset -A opt_args\n"
      "  _arguments -C{} \\\n    '1: :->word' '*:: :->behind'\n"
      "  case $state in\n"
      "    word)\n"
      "      local -a words_known=(\n",
      zsh_options(program));
  for (const WordRule& word : words) {
    text +=
        fmt::format("        {}\n",
                    quoted(fmt::format("{}:{}", zsh_text(word.name), first_sentence(word.help))));
  }
  text +=
      "      )\n"
      "      _describe word words_known\n"
      "      return ;;\n"
      "  esac\n"
      "  case $words[1] in\n";
  for (const WordRule& word : words) text += zsh_word(word);
  return text + fmt::format("  esac\n}}\n{} \"$@\"\n", function);
}

std::string fish_completion(const Program& program, std::span<const WordRule> words) {
  std::string text = fmt::format(fmt::runtime(kMadeFor), "fish", program.name);
  text += fmt::format("complete -c {} -f\n", program.name) + fish_options(program);
  if (words.empty()) return text;
  text += fmt::format("function __tollkeeper_policies\n  {} --timeout 1s {}\nend\n", program.name,
                      kPolicyNames);
  for (const WordRule& word : words) text += fish_word(program, word);
  return text;
}

}  // namespace toll::pages
