#include "bench/results.h"

#include <filesystem>
#include <fmt/format.h>
#include <iterator>

namespace toll::bench {
namespace {

constexpr const char* kHead =
    "# The comparison\n\n"
    "Written by `make bench`; `bench/README.md` says how to read it, `results.html` has drawings. "
    "A question alone: `--only` and its title.\n\n";

constexpr const char* kRough =
    "**The machine had other work when this run began: its figures are rough.**\n\n";

std::string verdict(const Figure& figure) {
  const std::string text = figure_text(figure.measured, figure.unit);
  return figure.met() ? text : fmt::format("**{}: not met**", text);
}

// Of all questions: the heads first.
Rows figure_list(const Results& results, bool emphasized) {
  Rows rows = {{"question", "figure", "wanted", "measured"}};
  for (const Results::Answered& answered : results.questions) {
    for (const Figure& figure : answered.figures) {
      const std::string plain = figure_text(figure.measured, figure.unit);
      rows.push_back({answered.section.title, figure.name, figure.wanted_text(),
                      emphasized ? verdict(figure) : plain + (figure.met() ? "" : ": not met")});
    }
  }
  return rows;
}

void append_markdown(const Rows& rows, std::string& out) {
  for (const auto& row : rows) {
    out += '|';
    for (const std::string& cell : row) fmt::format_to(std::back_inserter(out), " {} |", cell);
    out += '\n';
    if (&row != &rows.front()) continue;
    out += '|';
    for (size_t at = 0; at < row.size(); ++at) out += "---|";
    out += '\n';
  }
}

std::string markdown(const Results& results) {
  std::string out = kHead;
  if (results.rough) out += kRough;
  for (const Fact& fact : results.facts) {
    fmt::format_to(std::back_inserter(out), "- {}: `{}`\n", fact.name, fact.text);
  }
  out += '\n';
  append_markdown(figure_list(results, true), out);
  for (const Results::Answered& answered : results.questions) {
    if (answered.section.measured.empty()) continue;
    fmt::format_to(std::back_inserter(out), "\n## {}\n\n{}\n\n", answered.section.title,
                   answered.note);
    append_markdown(figure_rows(answered.section.measured, answered.section.against), out);
  }
  return out;
}

std::string json(const Results& results) {
  std::string out = "{\"facts\":{";
  std::string_view comma;
  for (const Fact& fact : results.facts) {
    fmt::format_to(std::back_inserter(out), "{}\n{}:{}", comma, json_string(fact.name),
                   json_string(fact.text));
    comma = ",";
  }
  out += "},\n\"questions\":[";
  comma = "";
  for (const Results::Answered& answered : results.questions) {
    fmt::format_to(std::back_inserter(out), "{}\n{{\"title\":{},\"figures\":[", comma,
                   json_string(answered.section.title));
    for (const Figure& figure : answered.figures) {
      if (&figure != &answered.figures.front()) out += ",\n";
      out += figure.json();
    }
    out += ']';
    const auto& [title, measured, against] = answered.section;
    if (!measured.empty()) out += ",\n\"measured\":" + json_report(measured, against);
    out += '}';
    comma = ",";
  }
  return out + "]}\n";
}

std::string page(const Results& results) {
  std::vector<PageSection> sections;
  for (const Results::Answered& answered : results.questions) {
    if (!answered.section.measured.empty()) sections.push_back(answered.section);
  }
  return html_report(results.facts, figure_list(results, false), sections);
}

}  // namespace

std::expected<void, std::string> write_results(const std::string& folder, const Results& results) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) return std::unexpected(fmt::format("cannot make {}: {}", folder, error.message()));
  if (auto done = write_file(folder + "/README.md", markdown(results)); !done) return done;
  if (auto done = write_file(folder + "/results.json", json(results)); !done) return done;
  return write_file(folder + "/results.html", page(results));
}

}  // namespace toll::bench
