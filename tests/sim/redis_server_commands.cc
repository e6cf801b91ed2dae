// The server: its time, what it tells of itself, and emptying it.
#include <array>
#include <string>

#include "tests/sim/redis_core.h"

namespace toll::sim {

namespace {

void time(Call& call) {
  call.reply.array(2);
  call.reply.bulk(std::to_string(call.now_us / 1'000'000));
  call.reply.bulk(std::to_string(call.now_us % 1'000'000));
}

struct Section {
  std::string_view name;
  std::string text;
};

std::array<Section, 3> sections(const RedisCore& core) {
  const std::string role = is_replica(core.trouble) ? "slave" : "master";
  const std::string link = core.trouble == Trouble::kMasterdown ? "down" : "up";
  return {{
      {"server", "# Server\r\nredis_version:" + std::string(kRedisVersion) +
                     "\r\nredis_mode:standalone\r\nrun_id:" + core.run_id + "\r\n"},
      {"memory", "# Memory\r\nmaxmemory_policy:" + core.maxmemory_policy + "\r\n"},
      {"replication", "# Replication\r\nrole:" + role + "\r\n" +
                          (role == "slave" ? "master_link_status:" + link + "\r\n" : "") +
                          "connected_slaves:0\r\n"},
  }};
}

// Those asked for, or all.
void info(Call& call) {
  std::string text;
  for (const Section& section : sections(call.core)) {
    bool wanted = call.words.size() == 1;
    for (const std::string_view word : call.words.subspan(1)) {
      wanted = wanted || is_word(word, section.name) || is_word(word, "all") ||
               is_word(word, "default") || is_word(word, "everything");
    }
    if (!wanted) continue;
    if (!text.empty()) text += "\r\n";
    text += section.text;
  }
  call.reply.bulk(text);
}

bool is_flush(Call& call) {
  const size_t words = call.words.size();
  if (words == 1) return true;
  if (words == 2 && (is_word(call.words[1], "sync") || is_word(call.words[1], "async"))) {
    return true;
  }
  call.reply.error(kSyntaxError);
  return false;
}

void flushall(Call& call) {
  if (!is_flush(call)) return;
  for (Keys& keys : call.core.data.databases) keys.clear();
  call.reply.status("OK");
}

void flushdb(Call& call) {
  if (!is_flush(call)) return;
  call.keys.clear();
  call.reply.status("OK");
}

constexpr std::array kServerCommands{
    Command{"flushall", -1, kWrite, flushall},
    Command{"flushdb", -1, kWrite, flushdb},
    Command{"info", -1, kLoading | kStale, info},
    Command{"time", 1, kLoading | kStale, time},
};

}  // namespace

std::span<const Command> server_commands() {
  return kServerCommands;
}

}  // namespace toll::sim
