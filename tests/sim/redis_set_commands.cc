// Sets.
#include <array>
#include <string>

#include "tests/sim/redis_commands.h"

namespace toll::sim {

namespace {

void sadd(Call& call) {
  Set* const set = find_or_make<Set>(call, call.words[1]);
  if (set == nullptr) return;
  int64_t added = 0;
  for (const std::string_view member : call.words.subspan(2)) {
    added += set->emplace(member).second ? 1 : 0;
  }
  call.reply.integer(added);
}

void srem(Call& call) {
  Set* set = nullptr;
  if (!find_value(call, call.words[1], set)) return;
  int64_t removed = 0;
  for (const std::string_view member : call.words.subspan(2)) {
    if (set == nullptr) break;
    const auto found = set->find(member);
    if (found == set->end()) continue;
    set->erase(found);
    ++removed;
  }
  if (set != nullptr) erase_if_empty(call, call.words[1], *set);
  call.reply.integer(removed);
}

void smembers(Call& call) {
  Set* set = nullptr;
  if (!find_value(call, call.words[1], set)) return;
  if (set == nullptr) return call.reply.array(0);
  call.reply.array(set->size());
  for (const std::string& member : *set) call.reply.bulk(member);
}

constexpr std::array kSetCommands{
    Command{"sadd", -3, kWrite | kDenyOom, sadd},
    Command{"smembers", 2, 0, smembers},
    Command{"srem", -3, kWrite, srem},
};

}  // namespace

std::span<const Command> set_commands() {
  return kSetCommands;
}

}  // namespace toll::sim
