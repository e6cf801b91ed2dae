// Completions for shells, made of the programs' command lines and the tables of verbs and words.
//
// Each is the text of one file. The names of policies are asked of the daemon, which `--socket`
// names if it was typed. Pure; they allocate.
#pragma once

#include <span>
#include <string>

#include "pages/program.h"

namespace toll::pages {

// `words` are what may stand behind the options; none for a program that takes options alone.
std::string bash_completion(const Program& program, std::span<const WordRule> words);
std::string zsh_completion(const Program& program, std::span<const WordRule> words);
std::string fish_completion(const Program& program, std::span<const WordRule> words);

}  // namespace toll::pages
