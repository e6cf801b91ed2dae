// Commands that wait for what others bring.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "tests/sim/redis_core.h"

namespace toll::sim {

namespace {

// The time until which is waited; or an error reply.
std::optional<int64_t> read_end(Call& call, std::string_view word) {
  const auto seconds = real_number(word);
  if (!seconds || !std::isfinite(*seconds)) {
    call.reply.error("ERR timeout is not a float or out of range");
    return std::nullopt;
  }
  if (*seconds < 0) {
    call.reply.error("ERR timeout is negative");
    return std::nullopt;
  }
  if (*seconds == 0) return std::numeric_limits<int64_t>::max();
  return (call.now_ms + static_cast<int64_t>(std::ceil(*seconds * 1'000))) * 1'000;
}

void blmove(Call& call) {
  if (!has_ends(call)) return;
  const auto until_us = read_end(call, call.words[5]);
  if (!until_us) return;
  List* from = nullptr;
  if (!find_value(call, call.words[1], from)) return;
  const bool may_wait = !call.session.executing && !call.session.inside;
  if (from != nullptr || !may_wait) return lmove(call);
  call.session.waiting.emplace(Waiting{{call.words.begin(), call.words.end()}, *until_us});
  call.core.waiting.push_back(call.session.number);
}

constexpr std::array kBlockingCommands{
    Command{"blmove", 6, kWrite | kDenyOom | kNoScript, blmove},
};

// Moves something for it, if there is something. True if it waits no more.
bool serve_one(RedisCore& core, uint64_t number, int64_t now_us) {
  RedisSession& session = core.sessions.at(number);
  Keys& keys = core.data.databases.at(static_cast<size_t>(session.database));
  const std::vector<std::string> words = session.waiting->words;
  const Key* const key = keys.find(words[1], now_us / 1'000);
  if (key == nullptr || !std::holds_alternative<List>(key->value)) return false;
  session.waiting.reset();
  const std::vector<std::string_view> views(words.begin(), words.end());
  std::string output;
  Reply reply(output);
  Call call{views, keys, now_us, now_us / 1'000, reply, core, session, "blmove"};
  lmove(call);
  core.sink.to_client(number, output);
  return true;
}

}  // namespace

std::span<const Command> blocking_commands() {
  return kBlockingCommands;
}

void wait_no_more(RedisCore& core, uint64_t number) {
  std::erase(core.waiting, number);
}

// What one is given may be what another waits for.
void serve_waiting(RedisCore& core, int64_t now_us) {
  for (size_t i = 0; i < core.waiting.size();) {
    const uint64_t number = core.waiting[i];
    if (!serve_one(core, number, now_us)) {
      ++i;
      continue;
    }
    wait_no_more(core, number);
    core.served.push_back(number);
    i = 0;
  }
}

void end_waits(RedisCore& core, int64_t now_us) {
  const std::vector<uint64_t> waiting(core.waiting.begin(), core.waiting.end());
  for (const uint64_t number : waiting) {
    RedisSession& session = core.sessions.at(number);
    if (session.waiting->until_us > now_us) continue;
    session.waiting.reset();
    wait_no_more(core, number);
    std::string output;
    Reply(output).null_array();
    core.sink.to_client(number, output);
    core.served.push_back(number);
  }
}

int64_t next_wait_ends_us(const RedisCore& core) {
  int64_t next_us = std::numeric_limits<int64_t>::max();
  for (const uint64_t number : core.waiting) {
    next_us = std::min(next_us, core.sessions.at(number).waiting->until_us);
  }
  return next_us;
}

}  // namespace toll::sim
