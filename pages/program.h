// A program as its manual page and its completions tell it: taken from the CLI11 application that
// reads its command line, and from nothing else. Plain values.
#pragma once

#include <string>
#include <string_view>
#include <vector>

// NOLINTNEXTLINE(readability-identifier-naming): the name that CLI11 gives it
namespace CLI {
class App;
}

namespace toll::pages {

struct ProgramOption {
  std::vector<std::string> names = {};  // "-f", "--file"
  std::string value = {};               // "FILE"; "" for a flag
  bool path = false;                    // the value is one
  std::vector<std::string> choices = {};
  std::string initial = {};  // what holds without it; "" if nothing is said
  std::string help = {};
};

struct Program {
  std::string name = {};
  std::string summary = {};  // one line, what it is
  std::string about = {};    // paragraphs; may be empty
  std::vector<ProgramOption> options = {};
};

// REQUIRES: the application's description is "name: summary", and behind an empty line the rest.
Program program_of(const CLI::App& app);

// What may come behind a first word of `tollkeeper`, a verb of the daemon's or a word of its own.
struct WordRule {
  std::string name = {};
  std::string usage = {};
  std::string help = {};
  bool own = false;
  std::vector<std::string> choices = {};  // for the word that follows
  std::vector<std::string> options = {};  // anywhere behind
  bool paths = false;                     // files and directories behind the choice
  // Where a policy's name stands: the 1st word behind, or each `policy_every`-th from there.
  bool policy = false;
  size_t policy_every = 0;
};

// From the table of the daemon's verbs and that of the command's own words.
std::vector<WordRule> word_rules();

// All up to its first full stop.
std::string first_sentence(std::string_view help);

}  // namespace toll::pages
