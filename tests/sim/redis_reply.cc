#include "tests/sim/redis_reply.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>

namespace toll::sim {

std::optional<int64_t> whole_number(std::string_view text) {
  const size_t first = text.starts_with('-') ? 1 : 0;
  if (text == "0") return 0;
  if (text.size() <= first || text[first] < '1' || text[first] > '9') return std::nullopt;
  int64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc{} || at != end) return std::nullopt;
  return number;
}

std::optional<double> real_number(std::string_view text) {
  if (text.empty() || std::isspace(static_cast<unsigned char>(text[0])) != 0) return std::nullopt;
  const std::string terminated(text);
  char* end = nullptr;
  errno = 0;
  const double number = std::strtod(terminated.c_str(), &end);
  if (end != terminated.c_str() + terminated.size() || std::isnan(number)) return std::nullopt;
  if (errno == ERANGE && (std::isinf(number) || number == 0)) return std::nullopt;
  return number;
}

std::string text_of(double number) {
  if (std::isinf(number)) return number > 0 ? "inf" : "-inf";
  std::array<char, 40> text;
  const int length = std::snprintf(text.data(), text.size(), "%.17g", number);
  return {text.data(), static_cast<size_t>(length)};
}

bool is_word(std::string_view text, std::string_view lower) {
  return std::ranges::equal(text, lower, [](char left, char right) {
    return std::tolower(static_cast<unsigned char>(left)) == right;
  });
}

void Reply::line(char kind, int64_t number) {
  std::array<char, 24> text;
  text[0] = kind;
  char* end = std::to_chars(text.data() + 1, text.data() + text.size() - 2, number).ptr;
  *end++ = '\r';
  *end++ = '\n';
  output_.append(text.data(), end);
}

void Reply::status(std::string_view text) {
  output_.append("+").append(text).append("\r\n");
}

void Reply::error(std::string_view text) {
  const size_t last = text.find_last_not_of("\r\n");
  const size_t begin = output_.size();
  output_.append("-").append(text.substr(0, last == text.npos ? 0 : last + 1));
  std::replace_if(
      output_.begin() + static_cast<ptrdiff_t>(begin), output_.end(),
      [](char c) { return c == '\r' || c == '\n'; }, ' ');
  output_ += "\r\n";
}

void Reply::integer(int64_t number) {
  line(':', number);
}

void Reply::bulk(std::string_view bytes) {
  line('$', static_cast<int64_t>(bytes.size()));
  output_.append(bytes).append("\r\n");
}

void Reply::array(size_t count) {
  line('*', static_cast<int64_t>(count));
}

}  // namespace toll::sim
