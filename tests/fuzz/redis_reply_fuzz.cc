// Fuzz target: any bytes read as replies of Redis: whole and cut, within the bounds, and what was
// read survives being written and read again.
//
// The first byte chooses how long the pieces of the cut stream are.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "net/redis_reader.h"
#include "tests/fuzz/require.h"

namespace {

using toll::require;
using toll::net::error_kind;
using toll::net::RedisReader;
using toll::net::RedisReply;
using toll::net::RedisReplyLimits;

// Small, so that inputs come to them.
constexpr RedisReplyLimits kLimits{
    .depth = 4, .elements = 40, .string_bytes = 200, .line_bytes = 100, .reply_bytes = 400};

// Checks a reply, and writes it as Redis would have.
class Writer {
 public:
  explicit Writer(std::string& bytes) : bytes_(bytes) {}

  void write(const RedisReply& reply, uint32_t depth = 0) {
    switch (reply.kind) {
      case RedisReply::Kind::kNil:
        bytes_ += "$-1\r\n";
        return;
      case RedisReply::Kind::kInteger:
        bytes_ += ":" + std::to_string(reply.integer) + "\r\n";
        return;
      case RedisReply::Kind::kString:
        require(reply.text.size() <= kLimits.string_bytes, "a string within its bound");
        bytes_ += "$" + std::to_string(reply.text.size()) + "\r\n";
        return write_text(reply.text);
      case RedisReply::Kind::kStatus:
      case RedisReply::Kind::kError:
        require(reply.text.size() <= kLimits.line_bytes, "a line within its bound");
        bytes_ += reply.kind == RedisReply::Kind::kStatus ? '+' : '-';
        error_kind(reply.text);
        return write_text(reply.text);
      case RedisReply::Kind::kArray:
        return write_array(reply, depth + 1);
    }
  }

 private:
  void write_text(std::string_view text) {
    text_bytes_ += text.size();
    require(text_bytes_ <= kLimits.reply_bytes, "strings within their bound together");
    bytes_.append(text).append("\r\n");
  }

  void write_array(const RedisReply& reply, uint32_t depth) {
    require(depth <= kLimits.depth, "a depth within its bound");
    elements_ += reply.count;
    require(elements_ <= kLimits.elements, "elements within their bound together");
    bytes_ += "*" + std::to_string(reply.count) + "\r\n";
    for (const RedisReply& element : reply.array()) write(element, depth);
  }

  std::string& bytes_;
  size_t text_bytes_ = 0;
  size_t elements_ = 0;
};

struct Read {
  std::vector<std::string> replies;  // as written again
  std::string fault;
  bool operator==(const Read&) const = default;
};

Read read(std::string_view stream, size_t piece) {
  Read read;
  RedisReader reader(kLimits);
  while (!stream.empty()) {
    reader.feed(stream.substr(0, piece));
    stream.remove_prefix(std::min(piece, stream.size()));
    for (auto next = reader.next(); next != RedisReader::Next::kMore; next = reader.next()) {
      if (next == RedisReader::Next::kFault) {
        require(!reader.fault().empty(), "a fault says what it is");
        read.fault = reader.fault();
        return read;
      }
      Writer(read.replies.emplace_back()).write(reader.reply());
    }
  }
  return read;
}

}  // namespace

// NOLINTNEXTLINE(readability-identifier-naming): the fuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view stream(reinterpret_cast<const char*>(data) + 1, size - 1);
  const Read whole = read(stream, stream.size());
  const Read cut = read(stream, 1 + data[0]);
  require(cut.replies == whole.replies, "a cut changes no reply");
  require(cut.fault.empty() == whole.fault.empty(), "a cut makes and heals no fault");
  std::string again;
  for (const std::string& reply : whole.replies) again += reply;
  const Read second = read(again, again.size());
  require(second.fault.empty(), "what was read can be written");
  require(second.replies == whole.replies, "what was read and written is read alike");
  return 0;
}
