#include "daemon/json_fault.h"

#include <bitset>

#include "config/text.h"
#include "daemon/limits.h"

namespace toll::daemon {

namespace {

constexpr int kEnd = -1;
static_assert(kJsonDepthMax == 64, "a reason says so");

bool is_digit(int byte) {
  return byte >= '0' && byte <= '9';
}

// Each of its functions takes what it is named for, and returns whether it was there; if not, the
// fault is noted.
class Scanner {
 public:
  explicit Scanner(std::string_view record) : record_(record) {}

  std::optional<JsonFault> run();

 private:
  int peek() const {
    return at_ == record_.size() ? kEnd : static_cast<unsigned char>(record_[at_]);
  }
  bool take(char wanted);
  void skip_blanks();
  bool fail(std::string_view reason);
  bool fail_at(size_t offset, std::string_view reason);

  bool value();
  bool open(char opening);
  bool member();
  bool element();
  bool string();
  bool escape();
  bool code_unit(unsigned& unit);
  bool word(std::string_view whole);
  bool number();
  bool digits();

  const std::string_view record_;
  size_t at_ = 0;
  // The objects and arrays around what is read, and of which of the two each is; and whether
  // nothing of the innermost has been read yet.
  std::bitset<kJsonDepthMax> is_object_;
  size_t depth_ = 0;
  bool fresh_ = false;
  std::optional<JsonFault> fault_;
};

std::optional<JsonFault> Scanner::run() {
  skip_blanks();
  if (peek() != '{') return JsonFault{at_, "an object must come first"};
  bool right = value();
  while (right && depth_ > 0) right = is_object_[depth_ - 1] ? member() : element();
  if (!right) return fault_;
  skip_blanks();
  if (peek() != kEnd) return JsonFault{at_, "something follows the object"};
  return std::nullopt;
}

bool Scanner::take(char wanted) {
  if (peek() != wanted) return false;
  ++at_;
  return true;
}

void Scanner::skip_blanks() {
  while (peek() == ' ' || peek() == '\t' || peek() == '\n' || peek() == '\r') ++at_;
}

bool Scanner::fail(std::string_view reason) {
  return fail_at(at_, peek() == kEnd ? "the record ends inside the object" : reason);
}

bool Scanner::fail_at(size_t offset, std::string_view reason) {
  fault_ = {offset, reason};
  return false;
}

// A whole value; of an object or an array that holds something, its opening alone.
bool Scanner::value() {
  switch (peek()) {
    case '{':
    case '[':
      return open(record_[at_]);
    case '"':
      return string();
    case 't':
      return word("true");
    case 'f':
      return word("false");
    case 'n':
      return word("null");
    default:
      return peek() == '-' || is_digit(peek()) ? number() : fail("a value must follow");
  }
}

bool Scanner::open(char opening) {
  const size_t begin = at_++;
  skip_blanks();
  if (take(opening == '{' ? '}' : ']')) return true;
  if (depth_ == kJsonDepthMax) return fail_at(begin, "nested deeper than 64");
  is_object_[depth_++] = opening == '{';
  fresh_ = true;
  return true;
}

// The next name and value of an object, or its end.
bool Scanner::member() {
  skip_blanks();
  if (!fresh_) {
    if (take('}')) {
      --depth_;
      return true;
    }
    if (!take(',')) return fail("a comma or } must follow");
    skip_blanks();
  }
  if (peek() != '"') return fail(fresh_ ? "a name or } must follow" : "a name must follow");
  fresh_ = false;
  if (!string()) return false;
  skip_blanks();
  if (!take(':')) return fail("a colon must follow");
  skip_blanks();
  return value();
}

// The next value of an array, or its end.
bool Scanner::element() {
  skip_blanks();
  if (!fresh_) {
    if (take(']')) {
      --depth_;
      return true;
    }
    if (!take(',')) return fail("a comma or ] must follow");
    skip_blanks();
  }
  fresh_ = false;
  return value();
}

bool Scanner::string() {
  ++at_;
  for (;;) {
    const int byte = peek();
    if (byte == '"') {
      ++at_;
      return true;
    }
    if (byte == '\\') {
      if (!escape()) return false;
    } else if (byte < ' ') {
      return fail("a control character must be escaped");
    } else {
      const size_t length = config::utf8_length(record_.substr(at_));
      if (length == 0) return fail("not UTF-8");
      at_ += length;
    }
  }
}

bool Scanner::escape() {
  const size_t begin = at_++;
  if (peek() != 'u') {
    constexpr std::string_view kKnown = "\"\\/bfnrt";
    if (peek() == kEnd || kKnown.find(record_[at_]) == kKnown.npos) return fail("no such escape");
    ++at_;
    return true;
  }
  unsigned unit = 0;
  if (!code_unit(unit)) return false;
  if (unit < 0xd800 || unit > 0xdfff) return true;
  // Beyond U+FFFF it takes two of them, of which neither means anything alone.
  constexpr std::string_view kAlone = "half of a surrogate pair";
  if (unit >= 0xdc00 || record_.substr(at_, 2) != "\\u") return fail_at(begin, kAlone);
  ++at_;
  if (!code_unit(unit)) return false;
  return (unit >= 0xdc00 && unit <= 0xdfff) || fail_at(begin, kAlone);
}

// u and four hexadecimal digits. REQUIRES: the u is there.
bool Scanner::code_unit(unsigned& unit) {
  ++at_;
  unit = 0;
  for (int digit = 0; digit < 4; ++digit, ++at_) {
    const int lower = peek() | 0x20;
    if (is_digit(peek())) {
      unit = unit * 16 + static_cast<unsigned>(peek() - '0');
    } else if (lower >= 'a' && lower <= 'f') {
      unit = unit * 16 + static_cast<unsigned>(lower - 'a' + 10);
    } else {
      return fail("four hexadecimal digits must follow \\u");
    }
  }
  return true;
}

bool Scanner::word(std::string_view whole) {
  for (const char letter : whole) {
    if (!take(letter)) return fail("a word is true, false or null");
  }
  return true;
}

bool Scanner::number() {
  take('-');
  if (take('0')) {
    if (is_digit(peek())) return fail("a number has no leading zeros");
  } else if (!digits()) {
    return false;
  }
  if (take('.') && !digits()) return false;
  if (!take('e') && !take('E')) return true;
  if (!take('+')) take('-');
  return digits();
}

bool Scanner::digits() {
  if (!is_digit(peek())) return fail("a digit must follow");
  while (is_digit(peek())) ++at_;
  return true;
}

}  // namespace

std::optional<JsonFault> find_json_fault(std::string_view record) {
  return Scanner(record).run();
}

}  // namespace toll::daemon
