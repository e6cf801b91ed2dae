// Fuzz target: any variables over a file, or over the embedded defaults.
//
// The input is an environment as the kernel shows it: NAME=value, each ended by a zero byte. One
// that begins with a zero byte goes over the embedded defaults. Where kSecret stands only where a
// password does, nothing that is told repeats it.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "config/assemble.h"
#include "config/host.h"
#include "config/redis_url.h"
#include "tests/fuzz/loaded_settings.h"
#include "tests/fuzz/require.h"

namespace {

using toll::require;
using toll::config::Environment;
using toll::config::Sources;

constexpr std::string_view kSecret = "s3cr3t";
// Policies whose names a variable can mean one or two of, and of every algorithm.
constexpr std::string_view kFile = R"(
[redis]
url = "redis://user:of-the-file@10.0.0.1:6380/3"
[defaults]
mode = "exact"
[policies.api]
limits = ["100/1s", "5000/1h"]
[policies.api-v1]
algorithm = "token_bucket"
limits = ["10/1s"]
[policies.api_v1]
algorithm = "sliding_log"
limits = ["10/1s"]
[policies.daily]
algorithm = "fixed_window"
limits = ["1000/day"]
[policies.jobs]
algorithm = "concurrency"
limit = 5
)";

Environment read_environment(std::string_view input) {
  Environment environment;
  while (!input.empty()) {
    const std::string_view entry = input.substr(0, input.find('\0'));
    input.remove_prefix(std::min(entry.size() + 1, input.size()));
    const size_t equals = entry.find('=');
    if (equals == entry.npos || equals == 0) continue;
    environment.emplace(entry.substr(0, equals), entry.substr(equals + 1));
  }
  return environment;
}

// A password is never told, and what is no address is not told either, for there may be one in it.
bool is_secret(const std::string& name, const std::string& value) {
  if (name == "REDIS_PASSWORD" || name == "TOLLKEEPER_REDIS_PASSWORD") return true;
  if (name == "REDIS_ADDRESS") return !toll::config::parse_host_port(value);
  if (name != "REDIS_URL" && name != "TOLLKEEPER_REDIS_URL") return false;
  const auto url = toll::config::parse_redis_url(value);
  return !url || !(url->host + url->path + url->username).contains(kSecret);
}

bool is_secret(const Environment& environment) {
  return std::ranges::all_of(environment, [](const auto& variable) {
    const auto& [name, value] = variable;
    if (name.contains(kSecret)) return false;
    return !value.contains(kSecret) || is_secret(name, value);
  });
}

void check(const std::expected<toll::config::Loaded, std::vector<toll::config::Fault>>& loaded,
           bool secret) {
  static const Sources kEmptyHost;
  toll::fuzz::check_outcome(loaded, kEmptyHost);
  if (!secret) return;
  std::string told;
  if (loaded) {
    told = toll::config::print(*loaded);
    for (const std::string& warning : loaded->warnings) told += warning;
  } else {
    for (const auto& fault : loaded.error()) told += fault.text();
  }
  require(!told.contains(kSecret), "no password is told");
}

}  // namespace

// NOLINTNEXTLINE(readability-identifier-naming): the fuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Sources sources;
  sources.environment = read_environment({reinterpret_cast<const char*>(data), size});
  const bool secret = is_secret(sources.environment);
  const bool embedded = size > 0 && data[0] == 0;
  check(embedded ? toll::config::load_embedded(sources)
                 : toll::config::load_text(kFile, "fuzz.toml", sources),
        secret);
  return 0;
}
