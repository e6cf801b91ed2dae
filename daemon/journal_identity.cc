#include "daemon/journal_identity.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <fmt/format.h>

namespace toll::daemon {

namespace {

// The rest of the first line, if it begins with `word`; `text` goes on behind it.
std::optional<std::string_view> take_line(std::string_view& text, std::string_view word) {
  const size_t end = text.find('\n');
  if (end == std::string_view::npos || !text.starts_with(word)) return std::nullopt;
  const std::string_view line = text.substr(word.size(), end - word.size());
  text.remove_prefix(end + 1);
  return line;
}

template <typename Integer>
bool parse(std::string_view text, Integer& value, int base) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  return error == std::errc() && end == text.data() + text.size();
}

}  // namespace

engine::NodeId node_of(uint64_t random_a, uint64_t random_b) {
  engine::NodeId node = {};
  std::memcpy(node.data(), &random_a, sizeof random_a);
  std::memcpy(node.data() + sizeof random_a, &random_b, sizeof random_b);
  return node;
}

std::string write_identity(const IdentityText& identity) {
  return fmt::format("node {}\nmachine {}\nepoch {}\n", engine::hexadecimal(identity.node),
                     identity.machine, identity.epoch);
}

std::optional<IdentityText> read_identity(std::string_view text) {
  const auto node = take_line(text, "node ");
  if (!node || node->size() != 2 * std::tuple_size_v<engine::NodeId>) return std::nullopt;
  IdentityText identity;
  for (size_t i = 0; i < identity.node.size(); ++i) {
    if (!parse(node->substr(2 * i, 2), identity.node[i], 16)) return std::nullopt;
  }
  const auto machine = take_line(text, "machine ");
  if (!machine) return std::nullopt;
  identity.machine = *machine;
  const auto epoch = take_line(text, "epoch ");
  if (!epoch || !parse(*epoch, identity.epoch, 10) || !text.empty()) return std::nullopt;
  if (identity.epoch == 0 || identity.epoch > kEpochMax) return std::nullopt;
  return identity;
}

}  // namespace toll::daemon
