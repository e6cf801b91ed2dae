// Durations, sizes and limits, as the operator writes them and as the program prints them.
//
// Whole numbers with a unit, exact to the end of 63 bits; what does not fit is an error, never a
// clipped figure. Pure functions, any thread; the printing ones allocate. What a format_ function
// prints, its parse_ function reads back to the same figure.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

#include "engine/policy.h"

namespace toll::config {

// What was expected instead, as words that follow "expected".
using Expected = std::string_view;

// "250us" "20ms" "5s" "2m" "1h" "7d" "1mo" as microseconds; a month is 30 days here (in a limit it
// is a month of the calendar instead).
[[nodiscard]] std::expected<int64_t, Expected> parse_duration_us(std::string_view text);
[[nodiscard]] std::string format_duration(int64_t duration_us);

// "512B" "64KiB" "10MB" as bytes; KiB MiB GiB TiB are powers of 1024, KB MB GB TB of 1000.
[[nodiscard]] std::expected<int64_t, Expected> parse_size_bytes(std::string_view text);
[[nodiscard]] std::string format_size(int64_t size_bytes);

// "100/1s" "120/60s" "1000/day" "5/month" "10/1mo" with counts and windows within engine/limits.h.
// `day`, `month` and `1mo` are calendar windows in UTC, all others have their fixed length; the
// burst is the count. The engine decides which algorithm can take which window.
[[nodiscard]] std::expected<engine::Limit, Expected> parse_limit(std::string_view text);
[[nodiscard]] std::string format_limit(const engine::Limit& limit);

// A decimal whole number, digits only, no sign, up to 2^63 - 1.
[[nodiscard]] std::expected<int64_t, Expected> parse_count(std::string_view text);

}  // namespace toll::config
