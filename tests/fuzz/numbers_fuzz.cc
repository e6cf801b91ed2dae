// Fuzz target: numbers, durations, sizes, limits and tickets, as clients and operators write them.
// What is read and printed is read alike; what is refused leaves the result alone; and the readers
// agree with each other where both know a spelling.
//
// The first 9 bytes are a figure to be printed and how far it is shifted down; the rest is the
// text.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

#include "config/text.h"
#include "config/units.h"
#include "daemon/numbers.h"
#include "daemon/reply_writer.h"
#include "engine/limits.h"
#include "tests/fuzz/input.h"
#include "tests/fuzz/require.h"

namespace {

using namespace toll;

constexpr int64_t kUntouched = 4'711;
constexpr int64_t kMin = std::numeric_limits<int64_t>::min();
constexpr int64_t kMax = std::numeric_limits<int64_t>::max();

void check_integers(const std::string& text, int64_t bound) {
  int64_t value = kUntouched;
  if (daemon::parse_integer(text, kMin, kMax, value)) {
    require(std::to_string(value) == text, "an integer has one spelling");
    for (const auto& [min, max] : {std::pair{kMin, bound}, {bound, kMax}, {bound, bound}}) {
      int64_t within = kUntouched;
      const bool read = daemon::parse_integer(text, min, max, within);
      require(read == (min <= value && value <= max), "an integer is within its bounds");
      require(within == (read ? value : kUntouched), "what is refused changes nothing");
    }
  } else {
    require(value == kUntouched, "what is refused changes nothing");
  }
  int64_t units = kUntouched;
  const bool read = daemon::parse_units(text, units);
  require(read == (1 <= value && value <= engine::kUnitsMax && std::to_string(value) == text),
          "units are the integers from 1 to 2147483647");
  require(units == (read ? value : kUntouched), "what is refused changes nothing");
  const auto count = config::parse_count(text);
  if (count) require(*count >= 0, "a count has no sign");
  if (read) require(count == units, "units are a count");
}

void check_printed(int64_t figure) {
  const std::string spelled = std::to_string(figure);
  int64_t value = 0;
  require(daemon::parse_integer(spelled, kMin, kMax, value) && value == figure,
          "every integer can be read");
  if (figure < 0) return;
  require(config::parse_count(spelled) == figure, "every count can be read");
  require(config::parse_duration_us(config::format_duration(figure)) == figure,
          "a duration that is printed is read alike");
  require(config::parse_size_bytes(config::format_size(figure)) == figure,
          "a size that is printed is read alike");
}

void check_durations(const std::string& text) {
  const auto duration = config::parse_duration_us(text);
  if (duration) check_printed(*duration);
  const auto size = config::parse_size_bytes(text);
  if (size) check_printed(*size);

  int64_t ttl_us = kUntouched;
  if (!daemon::parse_ttl(text, ttl_us)) {
    require(ttl_us == kUntouched, "what is refused changes nothing");
    const bool fits = duration && *duration >= daemon::kTtlMinUs && *duration <= daemon::kTtlMaxUs;
    if (fits) require(text.ends_with("mo") || text.front() == '0', "a duration is a time to live");
    return;
  }
  require(ttl_us >= daemon::kTtlMinUs && ttl_us <= daemon::kTtlMaxUs, "a life within its bounds");
  const bool bare = text.find_first_not_of("0123456789") == std::string::npos;
  require(config::parse_duration_us(bare ? text + "ms" : text) == ttl_us,
          "a time to live is a duration");
  int64_t again = 0;
  require(daemon::parse_ttl(config::format_duration(ttl_us), again) && again == ttl_us,
          "a time to live that is printed as a duration is read alike");
}

void check_limits(const std::string& text) {
  const auto limit = config::parse_limit(text);
  if (!limit) return require(config::is_plain_text(limit.error()), "an error is text");
  require(limit->count >= 1 && limit->count <= engine::kLimitCountMax, "a count in its bounds");
  require(limit->burst == limit->count, "a limit by itself has no burst");
  require(limit->window_us >= engine::kWindowMinUs && limit->window_us <= engine::kWindowMaxUs,
          "a window in its bounds");
  require(config::parse_limit(config::format_limit(*limit)) == *limit,
          "a limit that is printed is read alike");
}

void check_tickets(const std::string& text, uint64_t figure) {
  std::array<char, daemon::kTicketDigits> digits;
  daemon::format_ticket(figure, digits);
  require(daemon::parse_ticket({digits.data(), digits.size()}) == figure,
          "a ticket that is told is known");
  const uint64_t ticket = daemon::parse_ticket(text);
  if (ticket == 0) return;
  daemon::format_ticket(ticket, digits);
  std::string lower = text;
  std::ranges::transform(lower, lower.begin(), [](char c) { return c < 'a' ? char(c | ' ') : c; });
  require(lower == std::string_view(digits.data(), digits.size()), "a ticket has 16 digits");
}

}  // namespace

// NOLINTNEXTLINE(readability-identifier-naming): the fuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Input input(data, size);
  const uint64_t bits = input.number(8);
  const uint64_t shift = input.below(64);
  const auto figure = static_cast<int64_t>(bits) >> shift;
  const std::string text(input.rest());
  check_printed(figure);
  check_integers(text, figure);
  check_durations(text);
  check_limits(text);
  check_tickets(text, bits >> shift);
  return 0;
}
