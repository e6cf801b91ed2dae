#include "tests/sim/redis_commands.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <vector>

namespace toll::sim {

namespace {

constexpr size_t kNameMax = 32;

struct Table {
  TextMap<const Command*> by_name;
  std::vector<const Command*> sorted;

  Table() {
    for (const auto commands :
         {key_commands(), string_commands(), list_commands(), hash_commands(), set_commands(),
          sorted_set_commands(), connection_commands(), channel_commands(), transaction_commands(),
          blocking_commands(), script_commands(), server_commands()}) {
      for (const Command& command : commands) {
        by_name.emplace(command.name, &command);
        sorted.push_back(&command);
      }
    }
    std::ranges::sort(sorted, {}, [](const Command* command) { return command->name; });
  }
};

const Table& table() {
  static const Table kTable;
  return kTable;
}

// The parts, joined by a bar, in lower case.
const Command* find(std::string_view name, std::string_view subcommand) {
  if (name.size() + 1 + subcommand.size() > kNameMax) return nullptr;
  std::array<char, kNameMax> lower;
  char* end = lower.data();
  const auto add = [&end](char c) {
    *end++ = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  };
  std::ranges::for_each(name, add);
  if (!subcommand.empty()) add('|');
  std::ranges::for_each(subcommand, add);
  const auto found = table().by_name.find(std::string_view(lower.data(), end));
  return found == table().by_name.end() ? nullptr : found->second;
}

}  // namespace

const Command* find_command(std::string_view name) {
  return name.contains('|') ? nullptr : find(name, {});
}

const Command* find_subcommand(const Command& container, std::string_view name) {
  return name.empty() ? nullptr : find(container.name, name);
}

std::span<const Command* const> all_commands() {
  return table().sorted;
}

std::optional<int64_t> whole_number_at(Call& call, size_t word) {
  const std::optional<int64_t> number = whole_number(call.words[word]);
  if (!number) call.reply.error(kNotWhole);
  return number;
}

PlaceRange places(int64_t first, int64_t last, size_t size) {
  const auto count = static_cast<int64_t>(size);
  if (first < 0) first = std::max<int64_t>(first + count, 0);
  if (last < 0) last += count;
  last = std::min(last, count - 1);
  if (first > last) return {};
  return {static_cast<size_t>(first), static_cast<size_t>(last - first + 1)};
}

}  // namespace toll::sim
