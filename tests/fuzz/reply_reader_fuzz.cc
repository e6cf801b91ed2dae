// Fuzz target: any bytes as the replies of a daemon, read by the command: cut anywhere they are the
// same replies, which are the stream's own lines, and each can be told as one line of JSON.
//
// The first byte chooses how long the pieces of the cut stream are.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "config/text.h"
#include "daemon/reply_json.h"
#include "daemon/reply_reader.h"
#include "tests/fuzz/frame_reader.h"
#include "tests/fuzz/input.h"
#include "tests/fuzz/require.h"

namespace {

using toll::require;
using toll::daemon::Frame;
using toll::daemon::FrameReader;
using toll::daemon::Framing;
using toll::daemon::Reply;
using toll::daemon::ReplyKind;
using toll::daemon::ReplyReader;
using toll::daemon::Word;

struct Read {
  std::vector<std::vector<std::string>> replies;  // each its first line and its rows
  std::vector<std::string> json;
  std::string fault;
  bool operator==(const Read&) const = default;
};

// Where a line is a request's words too, they are split alike.
void check_words(std::string_view line) {
  const std::vector<Word> words = toll::daemon::split_words(line);
  FrameReader reader(line.size() + 3);
  reader.feed(std::string(line) + "\r\n");
  const bool request = reader.frames().size() == 1 &&
                       reader.frames()[0].kind == Frame::Kind::kRequest &&
                       reader.frames()[0].framing == Framing::kLine;
  if (!request) return;
  std::vector<std::string> texts;
  for (const Word& word : words) texts.push_back(word.text);
  require(texts == reader.frames()[0].words, "a reply's words are a request's");
}

Read read(std::string_view stream, size_t piece) {
  Read read;
  ReplyReader reader;
  while (!stream.empty()) {
    reader.append(stream.substr(0, piece));
    stream.remove_prefix(std::min(piece, stream.size()));
    while (true) {
      const auto next = reader.next();
      if (!next) {
        read.fault = next.error();
        require(!read.fault.empty() && toll::config::is_plain_text(read.fault),
                "a fault says what it is");
        return read;
      }
      if (!*next) break;
      const Reply& reply = **next;
      require(reply.kind == ReplyKind::kList || reply.rows.empty(), "only a LIST has rows");
      read.json.push_back(toll::daemon::json_of(reply));
      std::vector<std::string>& lines = read.replies.emplace_back();
      lines.emplace_back(reply.line);
      lines.insert(lines.end(), reply.rows.begin(), reply.rows.end());
    }
  }
  return read;
}

// The replies' lines are the stream's first ones, without their ends.
void check_lines(const Read& read, std::string_view stream) {
  for (const auto& reply : read.replies) {
    for (const std::string& line : reply) {
      const size_t end = stream.find('\n');
      require(end != stream.npos, "no line is invented");
      const bool carriage_return = end > 0 && stream[end - 1] == '\r';
      require(line == stream.substr(0, carriage_return ? end - 1 : end), "no line is changed");
      stream.remove_prefix(end + 1);
      check_words(line);
    }
  }
}

// One line, text, and its brackets and quotes in order; the values themselves have their own tests.
void check_json(std::string_view json) {
  for (std::string_view rest = json; !rest.empty();) {
    // DEL and the late controls are text to JSON.
    const bool late = rest.front() == '\xc2' && rest.size() > 1 && (rest[1] & 0xe0) == 0x80;
    const size_t length = rest.front() == '\x7f' ? 1
                          : late                 ? 2
                                                 : toll::config::plain_character(rest);
    require(length > 0, "JSON is one line of text");
    rest.remove_prefix(length);
  }
  std::string open;
  for (size_t at = 0; at < json.size(); ++at) {
    const char byte = json[at];
    const bool quoted = open.ends_with('"');
    if (byte == '"') {
      quoted ? open.pop_back() : open.push_back(byte);
    } else if (quoted) {
      if (byte == '\\') ++at;
    } else if (byte == '{' || byte == '[') {
      open.push_back(byte);
    } else if (byte == '}' || byte == ']') {
      require(open.ends_with(byte == '}' ? '{' : '['), "brackets are closed in order");
      open.pop_back();
      require(open.empty() == (at + 1 == json.size()), "JSON is one object");
    }
  }
  require(json.starts_with("{\"result\":\"") && open.empty(), "JSON is whole");
}

}  // namespace

// NOLINTNEXTLINE(readability-identifier-naming): the fuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  toll::fuzz::Input input(data, size);
  const size_t piece = size_t{1} + input.byte();
  const std::string_view stream = input.rest();
  const Read whole = read(stream, stream.size());
  require(read(stream, piece) == whole, "a cut changes no reply");
  check_lines(whole, stream);
  for (const std::string& json : whole.json) check_json(json);
  return 0;
}
