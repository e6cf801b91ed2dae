// Writes the manual pages and the shells' completions, when Tollkeeper is built:
//
//   generate_pages config/tollkeeper.toml DIRECTORY

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "bench/options.h"
#include "daemon/command_options.h"
#include "daemon/options.h"
#include "pages/completions.h"
#include "pages/manual.h"
#include "pages/program.h"

namespace toll::pages {
namespace {

std::string read_text(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  if (!file) throw std::runtime_error(path + " cannot be read");
  return text.str();
}

void write_text(const std::string& path, const std::string& text) {
  std::ofstream file(path);
  file << text;
  if (!file.flush()) throw std::runtime_error(path + " cannot be written");
}

Program command_program() {
  CLI::App app;
  daemon::CommandOptions options;
  daemon::describe_command(app, options);
  return program_of(app);
}

Program daemon_program() {
  CLI::App app;
  daemon::Options options;
  daemon::describe_daemon(app, options);
  return program_of(app);
}

Program bench_program() {
  CLI::App app;
  bench::Options options;
  bench::RawOptions raw;
  bench::describe_bench(app, options, raw);
  return program_of(app);
}

void generate(const std::string& shipped, const std::string& directory) {
  const Program command = command_program();
  const Program server = daemon_program();
  const Program load = bench_program();
  const auto place = [&](const std::string& name) { return directory + "/" + name; };
  write_text(place("tollkeeper.1"), command_page(command));
  write_text(place("tollkeeperd.8"), program_page(server, "8"));
  write_text(place("tollkeeper-bench.1"), program_page(load, "1"));
  write_text(place("tollkeeper.toml.5"), configuration_page(read_text(shipped)));
  const std::vector<WordRule> words = word_rules();
  for (const Program* program : {&command, &server, &load}) {
    const std::vector<WordRule> behind = program == &command ? words : std::vector<WordRule>();
    write_text(place(program->name), bash_completion(*program, behind));
    write_text(place("_" + program->name), zsh_completion(*program, behind));
    write_text(place(program->name + ".fish"), fish_completion(*program, behind));
  }
}

}  // namespace
}  // namespace toll::pages

int main(int argc, char** argv) {
  try {
    if (argc != 3) throw std::runtime_error("usage: generate_pages TOLLKEEPER.TOML DIRECTORY");
    toll::pages::generate(argv[1], argv[2]);
    return EXIT_SUCCESS;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "generate_pages: %s\n", error.what());
    return EXIT_FAILURE;
  }
}
