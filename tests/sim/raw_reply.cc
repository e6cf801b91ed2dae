#include "tests/sim/raw_reply.h"

#include <algorithm>
#include <charconv>

namespace toll::sim {
namespace {

class Cutter {
 public:
  explicit Cutter(const std::string& bytes) : bytes_(bytes) {}

  size_t at() const { return at_; }

  std::optional<std::string> line() {
    const size_t end = bytes_.find('\n', at_);
    if (end == std::string::npos) return std::nullopt;
    std::string text = bytes_.substr(at_, end - at_);
    if (!text.empty() && text.back() == '\r') text.pop_back();
    at_ = end + 1;
    return text;
  }

  // One of RESP, that begins with that line; an array in it becomes one text.
  std::optional<std::string> item(const std::string& first) {
    const auto size = static_cast<size_t>(number_of(std::string_view(first).substr(1)));
    if (first.starts_with('*')) return array(size);
    if (!first.starts_with('$')) return first.substr(1);
    if (bytes_.size() < at_ + size + 2) return std::nullopt;
    std::string text = bytes_.substr(at_, size);
    at_ += size + 2;
    return text;
  }
  std::optional<std::string> next_item() {
    const auto first = line();
    return first ? item(*first) : std::nullopt;
  }

 private:
  std::optional<std::string> array(size_t size) {
    std::string joined;
    for (size_t i = 0; i < size; ++i) {
      const auto part = next_item();
      if (!part) return std::nullopt;
      if (i > 0) joined += ' ';
      joined += *part;
    }
    return joined;
  }

  const std::string& bytes_;
  size_t at_ = 0;
};

std::optional<RawReply> of_line(Cutter& cutter, const std::string& head) {
  RawReply reply;
  reply.list = head.starts_with("LIST ");
  if (reply.list) {
    for (int64_t left = number_of(std::string_view(head).substr(5)); left > 0; --left) {
      auto row = cutter.line();
      if (!row) return std::nullopt;
      reply.words.push_back(std::move(*row));
    }
    return reply;
  }
  for (size_t from = 0; from <= head.size();) {
    const size_t to = std::min(head.find(' ', from), head.size());
    reply.words.push_back(head.substr(from, to - from));
    from = to + 1;
  }
  reply.error = reply.words[0] == "ERR";
  return reply;
}

std::optional<RawReply> of_resp(Cutter& cutter, const std::string& head) {
  RawReply reply;
  reply.error = head.starts_with('-');
  reply.list = head.starts_with('*');
  if (!reply.list) {
    auto word = cutter.item(head);
    if (!word) return std::nullopt;
    reply.words.push_back(std::move(*word));
    return reply;
  }
  for (int64_t left = number_of(std::string_view(head).substr(1)); left > 0; --left) {
    auto word = cutter.next_item();
    if (!word) return std::nullopt;
    reply.words.push_back(std::move(*word));
  }
  return reply;
}

}  // namespace

int64_t number_of(std::string_view word) {
  int64_t number = 0;
  std::from_chars(word.data(), word.data() + word.size(), number);
  return number;
}

std::optional<RawReply> take_raw_reply(std::string& bytes, bool resp) {
  Cutter cutter(bytes);
  const auto head = cutter.line();
  if (!head) return std::nullopt;
  auto reply = resp ? of_resp(cutter, *head) : of_line(cutter, *head);
  if (reply) bytes.erase(0, cutter.at());
  return reply;
}

}  // namespace toll::sim
