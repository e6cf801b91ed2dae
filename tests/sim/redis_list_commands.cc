// Lists.
#include <algorithm>
#include <array>
#include <string>

#include "tests/sim/redis_commands.h"

namespace toll::sim {

namespace {

template <typename Add>
void push(Call& call, Add add) {
  List* const list = find_or_make<List>(call, call.words[1]);
  if (list == nullptr) return;
  for (const std::string_view element : call.words.subspan(2)) add(*list, element);
  call.reply.integer(static_cast<int64_t>(list->size()));
}

void lpush(Call& call) {
  push(call, [](List& list, std::string_view element) { list.emplace_front(element); });
}

void rpush(Call& call) {
  push(call, [](List& list, std::string_view element) { list.emplace_back(element); });
}

void reply_elements(Reply& reply, const List& list, PlaceRange range) {
  reply.array(range.count);
  for (size_t i = 0; i < range.count; ++i) reply.bulk(list[range.first + i]);
}

void lpop(Call& call) {
  const bool counted = call.words.size() > 2;
  if (call.words.size() > 3) {
    return call.reply.error("ERR wrong number of arguments for 'lpop' command");
  }
  const auto wanted = counted ? whole_number(call.words[2]) : 1;
  if (!wanted || *wanted < 0) {
    return call.reply.error("ERR value is out of range, must be positive");
  }
  List* list = nullptr;
  if (!find_value(call, call.words[1], list)) return;
  if (list == nullptr) return counted ? call.reply.null_array() : call.reply.null_bulk();
  const size_t count = std::min(static_cast<size_t>(*wanted), list->size());
  if (counted) {
    reply_elements(call.reply, *list, {0, count});
  } else {
    call.reply.bulk(list->front());
  }
  list->erase(list->begin(), list->begin() + static_cast<ptrdiff_t>(count));
  erase_if_empty(call, call.words[1], *list);
}

void llen(Call& call) {
  List* list = nullptr;
  if (!find_value(call, call.words[1], list)) return;
  call.reply.integer(list == nullptr ? 0 : static_cast<int64_t>(list->size()));
}

void lrange(Call& call) {
  const auto first = whole_number_at(call, 2);
  if (!first) return;
  const auto last = whole_number_at(call, 3);
  if (!last) return;
  List* list = nullptr;
  if (!find_value(call, call.words[1], list)) return;
  if (list == nullptr) return call.reply.array(0);
  reply_elements(call.reply, *list, places(*first, *last, list->size()));
}

void ltrim(Call& call) {
  const auto first = whole_number_at(call, 2);
  if (!first) return;
  const auto last = whole_number_at(call, 3);
  if (!last) return;
  List* list = nullptr;
  if (!find_value(call, call.words[1], list)) return;
  call.reply.status("OK");
  if (list == nullptr) return;
  const PlaceRange kept = places(*first, *last, list->size());
  const auto begin = list->begin() + static_cast<ptrdiff_t>(kept.first);
  list->erase(begin + static_cast<ptrdiff_t>(kept.count), list->end());
  list->erase(list->begin(), list->end() - static_cast<ptrdiff_t>(kept.count));
  erase_if_empty(call, call.words[1], *list);
}

constexpr std::array kListCommands{
    Command{"llen", 2, 0, llen},
    Command{"lpop", -2, kWrite, lpop},
    Command{"lpush", -3, kWrite | kDenyOom, lpush},
    Command{"lrange", 4, 0, lrange},
    Command{"ltrim", 4, kWrite, ltrim},
    Command{"rpush", -3, kWrite | kDenyOom, rpush},
};

}  // namespace

std::span<const Command> list_commands() {
  return kListCommands;
}

}  // namespace toll::sim
