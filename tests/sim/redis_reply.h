// Replies in RESP2, and the numbers of Redis as text.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace toll::sim {

// What Redis takes for a whole number: no blanks, no plus, no zeros in front, within 64 bits.
std::optional<int64_t> whole_number(std::string_view text);
// What it takes for a score: all that strtod takes, but for "not a number".
std::optional<double> real_number(std::string_view text);
// As few digits as 17 at most allow, or inf, or -inf.
std::string text_of(double number);

// Whether they are the same but for case. REQUIRES: `lower` is in lower case.
bool is_word(std::string_view text, std::string_view lower);

// Writes at the end of a string, which stays the caller's.
class Reply {
 public:
  explicit Reply(std::string& output) : output_(output) {}

  void status(std::string_view text);
  // The whole text, with its code: "ERR syntax error". Ends of lines become blanks.
  void error(std::string_view text);
  void integer(int64_t number);
  void bulk(std::string_view bytes);
  void bulk(double number) { bulk(std::string_view(text_of(number))); }
  void null_bulk() { output_ += "$-1\r\n"; }
  // The elements follow.
  void array(size_t count);
  void null_array() { output_ += "*-1\r\n"; }

  std::string& output() { return output_; }

 private:
  void line(char kind, int64_t number);

  std::string& output_;
};

}  // namespace toll::sim
