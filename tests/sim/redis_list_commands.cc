// Lists.
#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "tests/sim/redis_core.h"

namespace toll::sim {

namespace {

void tell(const Call& call, std::string_view name, std::string_view element, ListEvent event) {
  if (call.core.list_watcher != nullptr) call.core.list_watcher->on_list(name, element, event);
}

template <typename Add>
void push(Call& call, Add add) {
  List* const list = find_or_make<List>(call, call.words[1]);
  if (list == nullptr) return;
  for (const std::string_view element : call.words.subspan(2)) add(*list, element);
  call.reply.integer(static_cast<int64_t>(list->size()));
}

void lpush(Call& call) {
  push(call, [&call](List& list, std::string_view element) {
    list.emplace_front(element);
    tell(call, call.words[1], element, ListEvent::kPushedFront);
  });
}

void rpush(Call& call) {
  push(call, [&call](List& list, std::string_view element) {
    list.emplace_back(element);
    tell(call, call.words[1], element, ListEvent::kPushedBack);
  });
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
  for (size_t i = 0; i < list->size(); ++i) {
    const bool stays = i >= kept.first && i - kept.first < kept.count;
    if (!stays) tell(call, call.words[1], (*list)[i], ListEvent::kCutOff);
  }
  const auto begin = list->begin() + static_cast<ptrdiff_t>(kept.first);
  list->erase(begin + static_cast<ptrdiff_t>(kept.count), list->end());
  list->erase(list->begin(), list->end() - static_cast<ptrdiff_t>(kept.count));
  erase_if_empty(call, call.words[1], *list);
}

bool is_left(std::string_view end) {
  return is_word(end, "left");
}

constexpr std::array kListCommands{
    Command{"llen", 2, 0, llen},
    Command{"lmove", 5, kWrite | kDenyOom, lmove},
    Command{"lpop", -2, kWrite, lpop},
    Command{"lpush", -3, kWrite | kDenyOom, lpush},
    Command{"lrange", 4, 0, lrange},
    Command{"ltrim", 4, kWrite, ltrim},
    Command{"rpush", -3, kWrite | kDenyOom, rpush},
};

}  // namespace

bool has_ends(Call& call) {
  for (const std::string_view end : call.words.subspan(3, 2)) {
    if (is_left(end) || is_word(end, "right")) continue;
    call.reply.error(kSyntaxError);
    return false;
  }
  return true;
}

void lmove(Call& call) {
  if (!has_ends(call)) return;
  List* from = nullptr;
  if (!find_value(call, call.words[1], from)) return;
  if (from == nullptr) return call.reply.null_bulk();
  List* to = nullptr;
  if (!find_value(call, call.words[2], to)) return;
  const bool from_left = is_left(call.words[3]);
  const bool to_left = is_left(call.words[4]);
  std::string element = std::move(from_left ? from->front() : from->back());
  from_left ? from->pop_front() : from->pop_back();
  call.reply.bulk(element);
  tell(call, call.words[2], element, to_left ? ListEvent::kPushedFront : ListEvent::kPushedBack);
  // What lies in the place of `from` may be another after a key was made.
  if (to == nullptr) to = find_or_make<List>(call, call.words[2]);
  to_left ? to->push_front(std::move(element)) : to->push_back(std::move(element));
  find_value(call, call.words[1], from);
  erase_if_empty(call, call.words[1], *from);
}

std::span<const Command> list_commands() {
  return kListCommands;
}

}  // namespace toll::sim
