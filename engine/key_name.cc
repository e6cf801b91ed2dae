#include "engine/key_name.h"

#include <algorithm>
#include <cassert>
#include <vector>

#include "engine/limits.h"

namespace toll::engine {
namespace {

constexpr std::string_view kId = "{id}";
constexpr std::string_view kPolicy = "{policy}";
constexpr std::string_view kWindow = "{window}";

std::string_view default_template(Algorithm algorithm) {
  switch (algorithm) {
    case Algorithm::kGcra:
      return "gcra:{policy}:{id}";
    case Algorithm::kTokenBucket:
      return "tokenbucket:{policy}:{id}";
    case Algorithm::kSlidingLog:
      return "ratelimit:{policy}:{id}";
    case Algorithm::kSlidingWindow:
      return "slidingwindow:{policy}:{id}";
    case Algorithm::kFixedWindow:
      return "ratelimit:{policy}:{id}:{window}";
    case Algorithm::kConcurrency:
      return "concurrency:{policy}:{id}";
  }
  return "";
}

bool is_word_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

// The {word} that begins at the front of `text`, or "". Braces around anything else are bytes like
// others, so that {{id}} is a hash tag around the id.
std::string_view word_at(std::string_view text) {
  if (!text.starts_with('{')) return "";
  size_t end = 1;
  while (end < text.size() && is_word_character(text[end])) ++end;
  if (end == 1 || end == text.size() || text[end] != '}') return "";
  return text.substr(0, end + 1);
}

struct Halves {
  std::string before;
  std::string after;
};

// The template with the policy's name in its place, cut where the id goes, and without {window}.
Halves halves_of(std::string_view key_template, std::string_view policy) {
  Halves halves;
  std::string* half = &halves.before;
  while (!key_template.empty()) {
    const std::string_view word = word_at(key_template);
    if (word == kId) {
      half = &halves.after;
    } else if (word == kPolicy) {
      *half += policy;
    } else if (word != kWindow) {
      *half += key_template.front();
      key_template.remove_prefix(1);
      continue;
    }
    key_template.remove_prefix(word.size());
  }
  return halves;
}

}  // namespace

std::string_view key_template_fault(Algorithm algorithm, std::string_view key_template) {
  if (key_template.size() > kKeyTemplateMax) {
    return "the key is too long; expected at most 256 bytes";
  }
  size_t ids = 0;
  size_t windows = 0;
  for (size_t at = 0; at < key_template.size(); ++at) {
    const std::string_view word = word_at(key_template.substr(at));
    if (word.empty()) continue;
    if (word == kId) {
      ++ids;
    } else if (word == kWindow) {
      ++windows;
    } else if (word != kPolicy) {
      return "the key has another word in braces than {policy}, {id} and {window}";
    }
  }
  if (ids == 0) return "the key has no {id}; every id would share one count";
  if (ids > 1) return "the key has {id} twice; expected it once";
  if (algorithm != Algorithm::kFixedWindow) {
    return windows == 0 ? "" : "{window} in a key goes with fixed_window only";
  }
  if (windows != 1 || !key_template.ends_with(kWindow)) {
    return "the key of a fixed_window must end in {window}, which only Redis knows";
  }
  return "";
}

KeyNames::KeyNames(const PolicySpec& spec, std::string_view prefix) {
  const std::string_view key_template =
      spec.key_template.empty() ? default_template(spec.algorithm) : spec.key_template;
  assert(key_template_fault(spec.algorithm, key_template).empty());
  Halves halves = halves_of(key_template, spec.name);
  halves.before.insert(0, prefix);

  names_.push_back({halves.before, halves.after});
  std::vector<int64_t> windows_ms;
  for (size_t i = 1; i < spec.limits.size(); ++i) {
    const int64_t window_ms = spec.limits[i].window_us / kUsPerMs;
    const auto same = std::count(windows_ms.begin(), windows_ms.end(), window_ms);
    windows_ms.push_back(window_ms);
    Name name{"{" + halves.before, halves.after + "}:" + std::to_string(window_ms)};
    if (same > 0) name.after += ":" + std::to_string(same + 1);
    if (spec.algorithm == Algorithm::kFixedWindow) name.after += ':';
    names_.push_back(std::move(name));
  }
}

KeyNames KeyNames::throttle(std::string_view prefix) {
  KeyNames names;
  names.names_.push_back({std::string(prefix) + "throttle:", ""});
  return names;
}

void KeyNames::append(size_t index, std::string_view id, std::string& out) const {
  const Name& name = names_[index];
  out += name.before;
  out += id;
  out += name.after;
}

size_t KeyNames::bytes(size_t index) const {
  return names_[index].before.size() + names_[index].after.size();
}

size_t KeyNames::bytes_max() const {
  size_t most = 0;
  for (size_t i = 0; i < names_.size(); ++i) most = std::max(most, bytes(i));
  return most + kIdMax;
}

}  // namespace toll::engine
