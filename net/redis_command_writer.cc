#include "net/redis_command_writer.h"

#include <cassert>
#include <charconv>
#include <cstring>

#include "net/limits.h"

namespace toll::net {

namespace {

constexpr size_t kDigitsMax = 20;  // of a 64-bit number, with its sign
constexpr size_t kHeaderMax = kDigitsMax + 3;

// A word up to here is written in one piece with what stands around it.
constexpr size_t kShortWordMax = kOutputPieceMax - kHeaderMax - 2;

char* put_header(char* to, char type, size_t number) {
  *to++ = type;
  to = std::to_chars(to, to + kDigitsMax, number).ptr;
  *to++ = '\r';
  *to++ = '\n';
  return to;
}

}  // namespace

void RedisCommandWriter::begin(OutputBuffer& output, size_t words) {
  assert(words > 0 && !writing());
  output_ = &output;
  missing_ = words;
  header('*', words);
}

void RedisCommandWriter::word(std::string_view bytes) {
  assert(writing() && missing_ > 0);
  --missing_;
  if (bytes.size() > kShortWordMax) {
    header('$', bytes.size());
    output_->append(bytes);
    return output_->append("\r\n");
  }
  char* const piece = output_->reserve(kHeaderMax + bytes.size() + 2);
  char* to = put_header(piece, '$', bytes.size());
  if (!bytes.empty()) std::memcpy(to, bytes.data(), bytes.size());
  to += bytes.size();
  *to++ = '\r';
  *to++ = '\n';
  output_->commit(static_cast<size_t>(to - piece));
}

void RedisCommandWriter::word(int64_t number) {
  char digits[kDigitsMax];
  const char* const end = std::to_chars(digits, digits + sizeof digits, number).ptr;
  word(std::string_view(digits, end));
}

void RedisCommandWriter::end() {
  assert(writing() && missing_ == 0);
  output_ = nullptr;
}

void RedisCommandWriter::write(OutputBuffer& output,
                               std::initializer_list<std::string_view> words) {
  begin(output, words.size());
  for (const std::string_view text : words) word(text);
  end();
}

void RedisCommandWriter::header(char type, size_t number) {
  char* const piece = output_->reserve(kHeaderMax);
  output_->commit(static_cast<size_t>(put_header(piece, type, number) - piece));
}

}  // namespace toll::net
