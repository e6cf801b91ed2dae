// The manual pages, made of the programs' command lines, the tables of verbs and words, and the
// table of the configuration's keys with the comments of the shipped file. Pure; they allocate.
#pragma once

#include <string>
#include <string_view>

#include "pages/program.h"

namespace toll::pages {

std::string command_page(const Program& program);                            // tollkeeper(1)
std::string program_page(const Program& program, std::string_view section);  // the others
// tollkeeper.toml(5). `shipped` is the text of config/tollkeeper.toml.
std::string configuration_page(std::string_view shipped);

}  // namespace toll::pages
