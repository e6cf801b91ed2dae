// Fuzz target: any bytes as a configuration file.

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "config/assemble.h"
#include "tests/fuzz/loaded_settings.h"

namespace {

using toll::config::Sources;

// Host paths that are the same for every input.
const Sources& sources() {
  static const Sources kSources = {
      .file = std::nullopt,
      .socket = std::nullopt,
      .environment = {{"RUNTIME_DIRECTORY", "/run/tollkeeper"}, {"RATE_LIMIT_GENERAL", "7,9"}}};
  return kSources;
}

}  // namespace

// NOLINTNEXTLINE(readability-identifier-naming): the fuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  toll::fuzz::check_outcome(toll::config::load_text(text, "fuzz.toml", sources()), sources());
  return 0;
}
