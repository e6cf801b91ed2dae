// Strings.
#include <array>
#include <limits>
#include <optional>
#include <string>
#include <utility>

#include "tests/sim/redis_commands.h"
#include "tests/sim/redis_expiry.h"

namespace toll::sim {

namespace {

// What stands behind key and value in a SET.
struct SetOptions {
  bool only_if_absent = false;
  bool only_if_there = false;
  bool keeps_expiry = false;
  bool replies_old = false;
  std::optional<ExpiryForm> form;
  std::string_view expiry;
};

// Whether the word is an option that goes with those before it. `next` is the word behind it.
bool read_option(SetOptions& options, std::string_view word, const std::string_view* next,
                 bool& took_next) {
  took_next = false;
  if (is_word(word, "nx") && !options.only_if_there) return options.only_if_absent = true;
  if (is_word(word, "xx") && !options.only_if_absent) return options.only_if_there = true;
  if (is_word(word, "get")) return options.replies_old = true;
  if (is_word(word, "keepttl") && !options.form) return options.keeps_expiry = true;
  constexpr std::array<std::pair<std::string_view, ExpiryForm>, 4> kForms{{
      {"ex", {.seconds = true, .absolute = false}},
      {"px", {.seconds = false, .absolute = false}},
      {"exat", {.seconds = true, .absolute = true}},
      {"pxat", {.seconds = false, .absolute = true}},
  }};
  for (const auto& [name, form] : kForms) {
    if (!is_word(word, name)) continue;
    if (options.keeps_expiry || (options.form && *options.form != form) || next == nullptr) {
      return false;
    }
    options.form = form;
    options.expiry = *next;
    return took_next = true;
  }
  return false;
}

bool read_options(Call& call, SetOptions& options) {
  for (size_t i = 3; i < call.words.size(); ++i) {
    const std::string_view* const next = i + 1 < call.words.size() ? &call.words[i + 1] : nullptr;
    bool took_next = false;
    if (!read_option(options, call.words[i], next, took_next)) {
      call.reply.error(kSyntaxError);
      return false;
    }
    if (took_next) ++i;
  }
  return true;
}

void reply_string(Reply& reply, const std::string* text) {
  if (text == nullptr) return reply.null_bulk();
  reply.bulk(*text);
}

void set(Call& call) {
  SetOptions options;
  if (!read_options(call, options)) return;
  int64_t expires_ms = Key::kNever;
  if (options.form) {
    const auto read = read_expiry(call, options.expiry, *options.form, Past::kIsInvalid);
    if (!read) return;
    expires_ms = *read;
  }
  Key* const old = call.keys.find(call.words[1], call.now_ms);
  if (options.replies_old) {
    std::string* text = nullptr;
    if (!find_value(call, call.words[1], text)) return;
    reply_string(call.reply, text);
  }
  if (options.only_if_absent ? old != nullptr : options.only_if_there && old == nullptr) {
    if (!options.replies_old) call.reply.null_bulk();
    return;
  }
  std::string* const text = old == nullptr ? nullptr : std::get_if<std::string>(&old->value);
  if (text != nullptr) {
    *text = call.words[2];
    if (!options.keeps_expiry) old->expires_ms = expires_ms;
  } else {
    if (options.keeps_expiry && old != nullptr) expires_ms = old->expires_ms;
    call.keys.put(call.words[1], std::string(call.words[2]), call.now_ms).expires_ms = expires_ms;
  }
  if (!options.replies_old) call.reply.status("OK");
}

void get(Call& call) {
  std::string* text = nullptr;
  if (find_value(call, call.words[1], text)) reply_string(call.reply, text);
}

void mget(Call& call) {
  call.reply.array(call.words.size() - 1);
  for (const std::string_view name : call.words.subspan(1)) {
    const Key* const key = call.keys.find(name, call.now_ms);
    reply_string(call.reply, key == nullptr ? nullptr : std::get_if<std::string>(&key->value));
  }
}

void strlen(Call& call) {
  std::string* text = nullptr;
  if (!find_value(call, call.words[1], text)) return;
  call.reply.integer(text == nullptr ? 0 : static_cast<int64_t>(text->size()));
}

void increment(Call& call, int64_t by) {
  std::string* text = nullptr;
  if (!find_value(call, call.words[1], text)) return;
  const std::optional<int64_t> old = text == nullptr ? 0 : whole_number(*text);
  if (!old) return call.reply.error(kNotWhole);
  int64_t sum = 0;
  if (__builtin_add_overflow(*old, by, &sum)) return call.reply.error(kOverflow);
  *find_or_make<std::string>(call, call.words[1]) = std::to_string(sum);
  call.reply.integer(sum);
}

void incr(Call& call) {
  increment(call, 1);
}

void decr(Call& call) {
  increment(call, -1);
}

void incrby(Call& call) {
  const auto by = whole_number_at(call, 2);
  if (by) increment(call, *by);
}

void decrby(Call& call) {
  const auto by = whole_number_at(call, 2);
  if (!by) return;
  if (*by == std::numeric_limits<int64_t>::min()) {
    return call.reply.error("ERR decrement would overflow");
  }
  increment(call, -*by);
}

constexpr std::array kStringCommands{
    Command{"decr", 2, kWrite | kDenyOom, decr},
    Command{"decrby", 3, kWrite | kDenyOom, decrby},
    Command{"get", 2, 0, get},
    Command{"incr", 2, kWrite | kDenyOom, incr},
    Command{"incrby", 3, kWrite | kDenyOom, incrby},
    Command{"mget", -2, 0, mget},
    Command{"set", -3, kWrite | kDenyOom, set},
    Command{"strlen", 2, 0, strlen},
};

}  // namespace

std::span<const Command> string_commands() {
  return kStringCommands;
}

}  // namespace toll::sim
