// Hashes.
#include <array>
#include <optional>
#include <string>

#include "tests/sim/redis_commands.h"

namespace toll::sim {

namespace {

void hset(Call& call) {
  if (call.words.size() % 2 == 1) {
    return call.reply.error("ERR wrong number of arguments for 'hset' command");
  }
  Hash* const hash = find_or_make<Hash>(call, call.words[1]);
  if (hash == nullptr) return;
  int64_t added = 0;
  for (size_t i = 2; i < call.words.size(); i += 2) {
    if (hash->put(call.words[i], call.words[i + 1])) ++added;
  }
  call.reply.integer(added);
}

void reply_field(Reply& reply, const Hash* hash, std::string_view field) {
  const std::string* const value = hash == nullptr ? nullptr : hash->find(field);
  if (value == nullptr) return reply.null_bulk();
  reply.bulk(*value);
}

void hget(Call& call) {
  Hash* hash = nullptr;
  if (find_value(call, call.words[1], hash)) reply_field(call.reply, hash, call.words[2]);
}

void hmget(Call& call) {
  Hash* hash = nullptr;
  if (!find_value(call, call.words[1], hash)) return;
  call.reply.array(call.words.size() - 2);
  for (const std::string_view field : call.words.subspan(2)) reply_field(call.reply, hash, field);
}

void hgetall(Call& call) {
  Hash* hash = nullptr;
  if (!find_value(call, call.words[1], hash)) return;
  if (hash == nullptr) return call.reply.array(0);
  call.reply.array(2 * hash->size());
  for (const auto& [field, value] : hash->in_order()) {
    call.reply.bulk(field);
    call.reply.bulk(value);
  }
}

void hlen(Call& call) {
  Hash* hash = nullptr;
  if (!find_value(call, call.words[1], hash)) return;
  call.reply.integer(hash == nullptr ? 0 : static_cast<int64_t>(hash->size()));
}

void hincrby(Call& call) {
  const auto by = whole_number_at(call, 3);
  if (!by) return;
  Hash* hash = nullptr;
  if (!find_value(call, call.words[1], hash)) return;
  const std::string* const text = hash == nullptr ? nullptr : hash->find(call.words[2]);
  const std::optional<int64_t> old = text == nullptr ? 0 : whole_number(*text);
  if (!old) return call.reply.error("ERR hash value is not an integer");
  int64_t sum = 0;
  if (__builtin_add_overflow(*old, *by, &sum)) return call.reply.error(kOverflow);
  find_or_make<Hash>(call, call.words[1])->put(call.words[2], std::to_string(sum));
  call.reply.integer(sum);
}

void hdel(Call& call) {
  Hash* hash = nullptr;
  if (!find_value(call, call.words[1], hash)) return;
  if (hash == nullptr) return call.reply.integer(0);
  int64_t erased = 0;
  for (const std::string_view field : call.words.subspan(2)) {
    if (hash->erase(field)) ++erased;
  }
  erase_if_empty(call, call.words[1], *hash);
  call.reply.integer(erased);
}

constexpr std::array kHashCommands{
    Command{"hdel", -3, kWrite, hdel},
    Command{"hget", 3, 0, hget},
    Command{"hgetall", 2, 0, hgetall},
    Command{"hincrby", 4, kWrite | kDenyOom, hincrby},
    Command{"hlen", 2, 0, hlen},
    Command{"hmget", -3, 0, hmget},
    Command{"hset", -4, kWrite | kDenyOom, hset},
};

}  // namespace

std::span<const Command> hash_commands() {
  return kHashCommands;
}

}  // namespace toll::sim
