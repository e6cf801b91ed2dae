// Figures as people read them, rounded, for `tollkeeper status` and `top`. Pure functions; any
// thread; they allocate.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace toll::daemon {

// "0", "999", "12.3k", "4.5M", "1.2G".
std::string count_text(double count);
// "512 B", "1.5 KiB", "2.0 GiB".
std::string bytes_text(uint64_t bytes);
// "250us", "1ms", "2.5s", of a bound of a histogram.
std::string time_text_us(uint64_t time_us);
// "12s", "3m 20s", "5h 2m", "17d 4h".
std::string lasted_text(uint64_t seconds);
// What reaches a terminal: each byte that is no printable ASCII as "?".
std::string printable(std::string_view text);

}  // namespace toll::daemon
