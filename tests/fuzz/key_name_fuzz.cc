// Fuzz target: any text as the template of keys, and any ids under it. What is taken names keys as
// filling in its words does, as long as it says, and never two ids or two limits alike.
//
// The first byte chooses the algorithm and how many limits there are, the second how long the
// template is; the rest are two ids.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/key_name.h"
#include "engine/limits.h"
#include "engine/policy.h"
#include "tests/fuzz/input.h"
#include "tests/fuzz/require.h"

namespace {

using namespace toll::engine;
using toll::require;

constexpr std::string_view kPrefix = "p{:";
constexpr std::string_view kMark = "\x01the id\x01";

std::string replaced(std::string text, std::string_view word, std::string_view by) {
  for (size_t at = text.find(word); at != text.npos; at = text.find(word, at + by.size())) {
    text.replace(at, word.size(), by);
  }
  return text;
}

std::string name_of(const KeyNames& names, size_t index, std::string_view id) {
  std::string name = "before";
  names.append(index, id, name);
  require(name.starts_with("before"), "a name is appended");
  name.erase(0, 6);
  require(name.size() == names.bytes(index) + id.size(), "a name is as long as it says");
  if (id.size() <= kIdMax) require(name.size() <= names.bytes_max(), "and within its bound");
  return name;
}

PolicySpec spec_of(uint8_t choice, std::string_view key_template) {
  PolicySpec spec;
  spec.name = "id";  // which in braces is no word of the template
  spec.algorithm = static_cast<Algorithm>(choice % 6);
  spec.key_template = key_template;
  constexpr int64_t kWindowsMs[] = {60'000, 60'000, 1'000, 60'000};
  const size_t limits = spec.algorithm == Algorithm::kConcurrency ? 1 : 1 + choice / 6 % 4;
  for (size_t i = 0; i < limits; ++i) {
    spec.limits.push_back(make_limit(5, 0, kWindowsMs[i] * kUsPerMs));
  }
  return spec;
}

}  // namespace

// NOLINTNEXTLINE(readability-identifier-naming): the fuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  toll::fuzz::Input input(data, size);
  const uint8_t choice = input.byte();
  // Twice a byte: past the bound too.
  const PolicySpec spec = spec_of(choice, input.text(size_t{2} * input.byte()));
  const std::string_view id = input.text(input.byte());
  const std::string_view other = input.rest();
  const std::string& text = spec.key_template;
  if (!text.empty() && !key_template_fault(spec.algorithm, text).empty()) return 0;
  const KeyNames names(spec, kPrefix);
  require(names.size() == spec.limits.size(), "each limit has its key");
  if (!text.empty() && !text.contains(kMark.front())) {
    require(text.size() <= kKeyTemplateMax, "a template within its bound");
    std::string filled = replaced(text, "{id}", kMark);
    filled = replaced(replaced(filled, "{window}", ""), "{policy}", spec.name);
    filled = replaced(filled, kMark, id);
    require(name_of(names, 0, id) == std::string(kPrefix) + filled, "a template is filled in");
  }
  std::vector<std::string> of_id;
  for (size_t i = 0; i < names.size(); ++i) {
    of_id.push_back(name_of(names, i, id));
    require(of_id[i].contains(id), "a key names its id");
    require((name_of(names, i, other) == of_id[i]) == (other == id), "each id has its own key");
    for (size_t j = 0; j < i; ++j) require(of_id[i] != of_id[j], "each limit has its own key");
  }
  return 0;
}
