// Keys of any type: whether they are there, and for how long.
#include <algorithm>
#include <array>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "tests/sim/redis_core.h"
#include "tests/sim/redis_expiry.h"
#include "tests/sim/redis_glob.h"

namespace toll::sim {

std::optional<int64_t> read_expiry(Call& call, std::string_view word, ExpiryForm form, Past past) {
  std::optional<int64_t> time = whole_number(word);
  if (!time) {
    call.reply.error(kNotWhole);
    return std::nullopt;
  }
  int64_t ms = 0;
  const bool fits = !__builtin_mul_overflow(*time, form.seconds ? 1000 : 1, &ms) &&
                    !__builtin_add_overflow(ms, form.absolute ? 0 : call.now_ms, &ms);
  if (!fits || (past == Past::kIsInvalid && *time <= 0)) {
    call.reply.error("ERR invalid expire time in '" + std::string(call.name) + "' command");
    return std::nullopt;
  }
  return ms;
}

namespace {

void del(Call& call) {
  const auto erase = [&call](std::string_view name) {
    const Key* const key = call.keys.find(name, call.now_ms);
    const List* const list = key == nullptr ? nullptr : std::get_if<List>(&key->value);
    if (list != nullptr && call.core.list_watcher != nullptr) {
      for (const std::string& element : *list) {
        call.core.list_watcher->on_list(name, element, ListEvent::kCutOff);
      }
    }
    return call.keys.erase(name, call.now_ms);
  };
  call.reply.integer(std::ranges::count_if(call.words.subspan(1), erase));
}

void exists(Call& call) {
  const auto is_there = [&call](std::string_view name) {
    return call.keys.find(name, call.now_ms) != nullptr;
  };
  call.reply.integer(std::ranges::count_if(call.words.subspan(1), is_there));
}

void type(Call& call) {
  const Key* const key = call.keys.find(call.words[1], call.now_ms);
  call.reply.status(key == nullptr ? "none" : type_name(key->value));
}

// On which present expiry the new one depends.
struct ExpireConditions {
  bool absent = false;
  bool there = false;
  bool later = false;
  bool sooner = false;

  bool hold(int64_t present_ms, int64_t wanted_ms) const {
    const bool never = present_ms == Key::kNever;
    if (absent && !never) return false;
    if (there && never) return false;
    if (later && (never || wanted_ms <= present_ms)) return false;
    return !sooner || never || wanted_ms < present_ms;
  }
};

std::optional<ExpireConditions> read_conditions(Call& call) {
  ExpireConditions conditions;
  for (const std::string_view word : call.words.subspan(3)) {
    if (is_word(word, "nx")) {
      conditions.absent = true;
    } else if (is_word(word, "xx")) {
      conditions.there = true;
    } else if (is_word(word, "gt")) {
      conditions.later = true;
    } else if (is_word(word, "lt")) {
      conditions.sooner = true;
    } else {
      call.reply.error("ERR Unsupported option " + std::string(word));
      return std::nullopt;
    }
  }
  if (conditions.absent && (conditions.there || conditions.later || conditions.sooner)) {
    call.reply.error("ERR NX and XX, GT or LT options at the same time are not compatible");
    return std::nullopt;
  }
  if (conditions.later && conditions.sooner) {
    call.reply.error("ERR GT and LT options at the same time are not compatible");
    return std::nullopt;
  }
  return conditions;
}

void expire_in_form(Call& call, ExpiryForm form) {
  const auto conditions = read_conditions(call);
  if (!conditions) return;
  const auto expires_ms = read_expiry(call, call.words[2], form, Past::kIsPast);
  if (!expires_ms) return;
  Key* const key = call.keys.find(call.words[1], call.now_ms);
  if (key == nullptr || !conditions->hold(key->expires_ms, *expires_ms)) {
    return call.reply.integer(0);
  }
  if (*expires_ms <= call.now_ms) {
    call.keys.erase(call.words[1], call.now_ms);
  } else {
    key->expires_ms = *expires_ms;
  }
  call.reply.integer(1);
}

void expire(Call& call) {
  expire_in_form(call, {.seconds = true, .absolute = false});
}

void expireat(Call& call) {
  expire_in_form(call, {.seconds = true, .absolute = true});
}

void pexpire(Call& call) {
  expire_in_form(call, {.seconds = false, .absolute = false});
}

void pexpireat(Call& call) {
  expire_in_form(call, {.seconds = false, .absolute = true});
}

void persist(Call& call) {
  Key* const key = call.keys.find(call.words[1], call.now_ms);
  if (key == nullptr || key->expires_ms == Key::kNever) return call.reply.integer(0);
  key->expires_ms = Key::kNever;
  call.reply.integer(1);
}

// Replies what shown(expires_ms) makes of the key's expiry, -1 if it has none, -2 if it is no key.
template <typename Shown>
void reply_expiry(Call& call, Shown shown) {
  const Key* const key = call.keys.find(call.words[1], call.now_ms);
  if (key == nullptr) return call.reply.integer(-2);
  call.reply.integer(key->expires_ms == Key::kNever ? -1 : shown(key->expires_ms));
}

int64_t seconds_of(int64_t ms) {
  return ms / 1000 + (ms % 1000 + 500) / 1000;
}

void ttl(Call& call) {
  reply_expiry(call, [&](int64_t expires_ms) { return seconds_of(expires_ms - call.now_ms); });
}

void pttl(Call& call) {
  reply_expiry(call, [&](int64_t expires_ms) { return expires_ms - call.now_ms; });
}

void expiretime(Call& call) {
  reply_expiry(call, seconds_of);
}

void pexpiretime(Call& call) {
  reply_expiry(call, [](int64_t expires_ms) { return expires_ms; });
}

void dbsize(Call& call) {
  call.reply.integer(static_cast<int64_t>(call.keys.size(call.now_ms)));
}

void keys(Call& call) {
  std::vector<std::string_view> names = call.keys.names(call.now_ms);
  std::erase_if(names, [&](std::string_view name) { return !matches_glob(name, call.words[1]); });
  call.reply.array(names.size());
  for (const std::string_view name : names) call.reply.bulk(name);
}

constexpr std::array kKeyCommands{
    Command{"dbsize", 1, 0, dbsize},
    Command{"del", -2, kWrite, del},
    Command{"exists", -2, 0, exists},
    Command{"expire", -3, kWrite, expire},
    Command{"expireat", -3, kWrite, expireat},
    Command{"expiretime", 2, 0, expiretime},
    Command{"keys", 2, 0, keys},
    Command{"persist", 2, kWrite, persist},
    Command{"pexpire", -3, kWrite, pexpire},
    Command{"pexpireat", -3, kWrite, pexpireat},
    Command{"pexpiretime", 2, 0, pexpiretime},
    Command{"pttl", 2, 0, pttl},
    Command{"ttl", 2, 0, ttl},
    Command{"type", 2, 0, type},
    Command{"unlink", -2, kWrite, del},
};

}  // namespace

std::span<const Command> key_commands() {
  return kKeyCommands;
}

}  // namespace toll::sim
