// Fuzz target: log records. simdjson and our own reader of faults must agree on every input: what
// one takes the other takes, and a fault lies in the record. Numbers are where they need not:
// simdjson refuses what fits no 64-bit integer and no double. So where it alone refuses, it is
// asked again with every number cut to two digits, which is one if and only if it was one before.
//
// The first byte is what the slack behind the record is filled with, which must not matter.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "daemon/json_check.h"
#include "net/limits.h"
#include "tests/fuzz/input.h"
#include "tests/fuzz/require.h"

namespace {

using toll::require;
using toll::daemon::JsonChecker;

constexpr size_t kRecordMax = 64 * 1024;

bool is_digit(char byte) {
  return byte >= '0' && byte <= '9';
}

// `record` without the digits, outside of strings, that follow two others.
std::string with_short_numbers(std::string_view record) {
  std::string out;
  bool quoted = false;
  size_t digits = 0;
  for (size_t at = 0; at < record.size(); ++at) {
    const char byte = record[at];
    digits = !quoted && is_digit(byte) ? digits + 1 : 0;
    if (digits > 2) continue;
    out += byte;
    if (byte == '"') quoted = !quoted;
    if (quoted && byte == '\\' && at + 1 < record.size()) out += record[++at];
  }
  return out;
}

// In memory of its own and of exactly its size with the slack.
bool passes(JsonChecker& checker, std::string_view record, char slack) {
  std::string padded(record);
  padded.append(toll::net::kReadSlackBytes, slack);
  padded.shrink_to_fit();
  return checker.passes(std::string_view(padded).substr(0, record.size()));
}

}  // namespace

// NOLINTNEXTLINE(readability-identifier-naming): the fuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static JsonChecker checker(kRecordMax);
  toll::fuzz::Input input(data, size);
  const auto slack = static_cast<char>(input.byte());
  const std::string_view record = input.rest();
  if (record.size() > kRecordMax) return 0;
  const auto fault = toll::daemon::find_json_fault(record);
  const bool passed = passes(checker, record, slack);
  require(passed == passes(checker, record, ' '), "what lies in the slack does not matter");
  if (fault) {
    require(!passed, "what simdjson takes has no fault");
    require(fault->offset <= record.size() && !fault->reason.empty(), "a fault has its place");
  } else if (!passed) {
    require(passes(checker, with_short_numbers(record), slack), "what has no fault is JSON");
  }
  return 0;
}
