// Fuzz target: requests as the command writes them, read by the framing of the daemon: any words
// survive, but that those of a log record come back as one; and a line that a person wrote is one
// request or none, never one in the other framing.
//
// An even first byte: the rest are words, each behind a byte that says how long it is. An odd one:
// the rest are lines.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/request_line.h"
#include "tests/fuzz/frame_reader.h"
#include "tests/fuzz/input.h"
#include "tests/fuzz/require.h"

namespace {

using toll::require;
using toll::daemon::Frame;
using toll::daemon::FrameReader;
using toll::daemon::Framing;
using toll::fuzz::Input;

bool is_in_any_case(std::string word, std::string_view lower) {
  std::ranges::transform(word, word.begin(), [](char c) { return static_cast<char>(c | 0x20); });
  return word == lower;
}

// Makes one word of what follows LOG PUSH, or none. False, and nothing done, if it is no such.
bool join_record(std::vector<std::string>& words) {
  if (words.size() < 3 || !is_in_any_case(words[0], "log") || !is_in_any_case(words[1], "push")) {
    return false;
  }
  std::string record = words[2];
  for (size_t word = 3; word < words.size(); ++word) record += " " + words[word];
  words.resize(2);
  if (!record.empty()) words.push_back(record);
  return true;
}

void check_words(Input input) {
  // Long words are rarer than bytes that say so.
  constexpr uint64_t kLengths[] = {0, 1, 4, 2, 3, 5, 8, 200};
  std::vector<std::string> words;
  do {
    words.emplace_back(input.text(kLengths[input.below(std::size(kLengths))]));
  } while (!input.at_end() && words.size() < toll::daemon::kWordsMax);
  const auto request = toll::daemon::request_of_words(words);
  const bool is_record = join_record(words);
  const bool broken = is_record && words.back().find('\n') != std::string::npos;
  require(request.has_value() != broken, "only a record with a line break cannot be sent");
  if (!request) return require(!request.error().empty(), "which is said");
  require(request->find('\n') == request->size() - 1, "a request is one line");
  FrameReader reader(request->size());
  reader.feed(*request);
  require(reader.frames().size() == 1 && reader.unread().empty(), "words are one request");
  require(reader.frames()[0].kind == Frame::Kind::kRequest, "that is well-formed");
  require(reader.frames()[0].framing == Framing::kLine, "and a line");
  require(reader.frames()[0].words == words, "any words survive");
}

void check_line(std::string_view line) {
  // As a terminal or a file hands it over, behind what was read before.
  std::string requests = "PING\n";
  const size_t before = requests.size();
  if (!toll::daemon::append_request_of_line(line, requests)) {
    require(requests.size() == before, "what is no request appends nothing");
    const size_t first = line.find_first_not_of(" \t\r");
    return require(first == line.npos || line[first] == '#', "blanks and comments are none");
  }
  require(requests.ends_with(std::string(line) + '\n'), "a line is sent as it is");
  FrameReader reader(requests.size());
  reader.feed(requests);
  require(reader.unread().empty() && reader.frames().size() <= 2, "a line is one request or none");
  for (const auto& frame : reader.frames()) {
    require(frame.framing == Framing::kLine, "a line is no request of the other framing");
    require(frame.kind != Frame::Kind::kFatal, "a line costs nobody the connection");
  }
}

}  // namespace

// NOLINTNEXTLINE(readability-identifier-naming): the fuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Input input(data, size);
  if (input.byte() % 2 == 0) {
    check_words(input);
    return 0;
  }
  for (std::string_view lines = input.rest(); !lines.empty();) {
    const size_t end = std::min(lines.find('\n'), lines.size());
    check_line(lines.substr(0, end));
    lines.remove_prefix(std::min(end + 1, lines.size()));
  }
  return 0;
}
