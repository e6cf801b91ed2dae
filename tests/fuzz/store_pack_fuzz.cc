// Fuzz target: any bytes as an array of numbers in MessagePack, compared with a slow reader that
// knows nothing but the specification's table of formats; and any numbers written and read again.

#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "engine/store_pack.h"
#include "tests/fuzz/input.h"
#include "tests/fuzz/require.h"

namespace {

using toll::require;
using toll::engine::PackReader;
using toll::engine::PackWriter;
using toll::fuzz::Input;

__extension__ typedef __int128 Wide;

// The big-endian number of so many bytes at the front of `rest`, taken off it.
std::optional<uint64_t> take(std::string_view& rest, size_t bytes) {
  if (rest.size() < bytes) return std::nullopt;
  uint64_t value = 0;
  for (const char byte : rest.substr(0, bytes)) value = value << 8 | static_cast<uint8_t>(byte);
  rest.remove_prefix(bytes);
  return value;
}

std::optional<int64_t> whole(double value) {
  if (!(value >= -0x1p53 && value <= 0x1p53)) return std::nullopt;
  const auto number = static_cast<int64_t>(value);
  if (static_cast<double>(number) != value) return std::nullopt;
  return number;
}

// https://github.com/msgpack/msgpack/blob/master/spec.md, "int format family" and "float".
std::optional<int64_t> slow_number(std::string_view& rest) {
  const auto first = take(rest, 1);
  if (!first) return std::nullopt;
  if (*first <= 0x7f) return static_cast<int64_t>(*first);
  if (*first >= 0xe0) return static_cast<int64_t>(*first) - 0x100;
  if (*first < 0xca || *first > 0xd3) return std::nullopt;
  if (*first == 0xca || *first == 0xcb) {
    const auto bits = take(rest, *first == 0xca ? 4 : 8);
    if (!bits) return std::nullopt;
    return whole(*first == 0xca ? double{std::bit_cast<float>(static_cast<uint32_t>(*bits))}
                                : std::bit_cast<double>(*bits));
  }
  const bool has_sign = *first >= 0xd0;
  const size_t bytes = size_t{1} << (*first - (has_sign ? 0xd0 : 0xcc));
  const auto bits = take(rest, bytes);
  if (!bits) return std::nullopt;
  Wide value = *bits;
  if (has_sign && *bits >> (8 * bytes - 1) != 0) value -= Wide{1} << (8 * bytes);
  if (value > INT64_MAX) return std::nullopt;
  return static_cast<int64_t>(value);
}

std::optional<uint64_t> slow_array(std::string_view& rest) {
  const auto first = take(rest, 1);
  if (!first) return std::nullopt;
  if (*first >> 4 == 9) return *first & 15;
  if (*first == 0xdc) return take(rest, 2);
  if (*first == 0xdd) return take(rest, 4);
  return std::nullopt;
}

void check_read(std::string_view bytes) {
  PackReader reader(bytes);
  const auto length = slow_array(bytes);
  require(reader.array() == length.value_or(0), "an array is as long as it says");
  require(reader.failed() == !length, "what is no array is none");
  while (!reader.failed() && !reader.at_end()) {
    const auto expected = slow_number(bytes);
    PackReader bounded = reader;
    require(reader.number() == expected.value_or(0), "a number is what was written");
    require(reader.failed() == !expected, "what is no number is none");
    if (!expected) break;
    require(bounded.number(*expected, *expected) == *expected, "a bound is within");
    require(reader.at_end() == bytes.empty(), "a number takes its bytes");
    PackReader beyond(bytes);
    require(beyond.number(1, 0) == 0 && beyond.failed(), "what is out of bounds is no number");
  }
  if (!reader.failed()) return;
  require(reader.at_end() && reader.number() == 0 && reader.array() == 0, "who failed stays so");
  require(reader.failed(), "who failed stays so");
}

void check_written(Input input) {
  std::vector<int64_t> numbers;
  while (!input.at_end()) {
    const size_t bytes = 1 + input.below(8);
    const auto bits = static_cast<int64_t>(input.number(bytes));
    numbers.push_back(input.below(2) == 0 ? bits : -1 - bits);
  }
  PackWriter writer;
  writer.begin(numbers.size() + 3);
  for (int64_t again = 3; again > 0; --again) writer.number(again);
  writer.begin(numbers.size());
  for (const int64_t number : numbers) writer.number(number);
  PackReader reader(writer.bytes());
  require(reader.array() == numbers.size(), "what is written is an array of it");
  for (const int64_t number : numbers) require(reader.number() == number, "and is read alike");
  require(!reader.failed() && reader.at_end(), "and nothing else is there");
}

}  // namespace

// NOLINTNEXTLINE(readability-identifier-naming): the fuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  check_read({reinterpret_cast<const char*>(data), size});
  check_written(Input(data, size));
  return 0;
}
