#include "config/report.h"

#include <algorithm>
#include <fmt/format.h>
#include <numeric>
#include <tuple>

#include "config/text.h"

namespace toll::config {
namespace {

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}
char upper(char c) {
  return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
}

// Letters to insert, drop or replace (Levenshtein), one row of the table at a time.
size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 0; i < a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i + 1;
    for (size_t j = 0; j < b.size(); ++j) {
      const size_t replaced = diagonal + (lower(a[i]) == lower(b[j]) ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row.back();
}

}  // namespace

void Report::fault(const Origin& origin, std::string_view key, std::string message) {
  std::string named =
      origin.variable.empty() ? std::string(key) : shown(origin.variable, kShownSentenceMax);
  found_.push_back(
      {origin.layer, origin.position, Fault{where(origin), std::move(named), std::move(message)}});
}

bool Report::has_fault_of(std::string_view key) const {
  return std::ranges::any_of(found_, [key](const Found& f) { return f.fault.key == key; });
}

std::vector<Fault> Report::faults() const {
  // Addresses tell which of two at one place came first.
  std::vector<const Found*> sorted;
  for (const Found& found : found_) sorted.push_back(&found);
  std::ranges::sort(sorted, [](const Found* a, const Found* b) {
    return std::tie(a->layer, a->position, a) < std::tie(b->layer, b->position, b);
  });
  std::vector<Fault> faults;
  for (const Found* found : sorted) faults.push_back(found->fault);
  return faults;
}

std::string Report::where(const Origin& origin) const {
  switch (origin.layer) {
    case Layer::kDefault:
      return "default";
    case Layer::kFile:
      return fmt::format("{}:{}:{}", file_, origin.position.line, origin.position.column);
    case Layer::kEnvironment:
      return "environment";
    case Layer::kCommandLine:
      return "command line";
  }
  return "";
}

std::string Report::describe(const Origin& origin) const {
  if (origin.layer == Layer::kFile) return fmt::format("{}:{}", file_, origin.position.line);
  if (origin.layer == Layer::kEnvironment) return "environment " + origin.variable;
  return where(origin);
}

std::string_view nearest(std::string_view name, const std::vector<std::string_view>& candidates) {
  constexpr size_t kFarthest = 3;
  if (name.size() > kShownMax) return "";
  const size_t allowed = std::clamp(name.size() / 3, size_t{1}, kFarthest);
  std::string_view best;
  size_t best_distance = allowed + 1;
  for (const std::string_view candidate : candidates) {
    const size_t distance = edit_distance(name, candidate);
    if (distance < best_distance && distance < candidate.size()) {
      best = candidate;
      best_distance = distance;
    }
  }
  return best;
}

std::string did_you_mean(std::string_view suggestion) {
  return suggestion.empty() ? "" : fmt::format(", did you mean \"{}\"?", suggestion);
}

std::string to_lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), lower);
  return out;
}

std::string to_upper(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), upper);
  return out;
}

}  // namespace toll::config
