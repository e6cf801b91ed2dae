#include "net/redis_reply.h"

#include <algorithm>
#include <array>
#include <span>
#include <utility>

namespace toll::net {

namespace {

using Entry = std::pair<std::string_view, RedisErrorKind>;

constexpr std::array kWords = std::to_array<Entry>({
    {"NOSCRIPT", RedisErrorKind::kNoScript},
    {"LOADING", RedisErrorKind::kLoading},
    {"READONLY", RedisErrorKind::kReadOnly},
    {"MASTERDOWN", RedisErrorKind::kReadOnly},
    {"NOREPLICAS", RedisErrorKind::kNoReplicas},
    {"MISCONF", RedisErrorKind::kMisconf},
    {"OOM", RedisErrorKind::kOutOfMemory},
    {"BUSY", RedisErrorKind::kBusy},
    {"UNKILLABLE", RedisErrorKind::kBusy},
    {"NOAUTH", RedisErrorKind::kRefused},
    {"WRONGPASS", RedisErrorKind::kRefused},
    {"NOPERM", RedisErrorKind::kRefused},
    {"DENIED", RedisErrorKind::kRefused},
    {"WRONGTYPE", RedisErrorKind::kWrongType},
    {"MOVED", RedisErrorKind::kMoved},
    {"ASK", RedisErrorKind::kMoved},
    {"TRYAGAIN", RedisErrorKind::kTryAgain},
    {"CROSSSLOT", RedisErrorKind::kCrossSlot},
    {"CLUSTERDOWN", RedisErrorKind::kClusterDown},
});

// Where the first word is ERR and tells nothing.
constexpr std::array kPhrases = std::to_array<Entry>({
    {"max number of clients", RedisErrorKind::kTooMany},
    {"can't run this command", RedisErrorKind::kRefused},
    {"can't access at least one of the keys", RedisErrorKind::kRefused},
    {"invalid password", RedisErrorKind::kRefused},
    {"is not an integer", RedisErrorKind::kWrongType},
    {"is not a valid float", RedisErrorKind::kWrongType},
    {"do not hash to the same slot", RedisErrorKind::kCrossSlot},
    {"access a non local key", RedisErrorKind::kCrossSlot},
});

std::string_view first_word(std::string_view text) {
  return text.substr(0, text.find_first_of(" \r\n"));
}

RedisErrorKind kind_of_word(std::string_view word) {
  const auto* const found = std::ranges::find(kWords, word, &Entry::first);
  return found == kWords.end() ? RedisErrorKind::kOther : found->second;
}

// Redis 6 and older put what failed inside a script behind its place: "ERR Error running script
// (call to f_...): @user_script:1: -OOM command not allowed ...". In some the dash is missing.
RedisErrorKind kind_in_script(std::string_view message) {
  constexpr std::string_view kPlace = ": ";
  for (size_t at = message.find(kPlace); at != message.npos; at = message.find(kPlace, at + 1)) {
    std::string_view rest = message.substr(at + kPlace.size());
    if (rest.starts_with('-')) rest.remove_prefix(1);
    const RedisErrorKind kind = kind_of_word(first_word(rest));
    if (kind != RedisErrorKind::kOther) return kind;
  }
  return RedisErrorKind::kOther;
}

}  // namespace

std::string_view to_string(RedisErrorKind kind) {
  static constexpr std::array<std::string_view, kRedisErrorKinds> kNames = {
      "noscript", "loading",  "readonly",  "noreplicas",  "misconf",
      "oom",      "busy",     "refused",   "maxclients",  "wrongtype",
      "moved",    "tryagain", "crossslot", "clusterdown", "other"};
  static_assert(static_cast<size_t>(RedisErrorKind::kOther) + 1 == kRedisErrorKinds);
  return kNames[static_cast<size_t>(kind)];
}

RedisErrorKind error_kind(std::string_view message) {
  const RedisErrorKind by_word = kind_of_word(first_word(message));
  if (by_word != RedisErrorKind::kOther) return by_word;
  const RedisErrorKind in_script = kind_in_script(message);
  if (in_script != RedisErrorKind::kOther) return in_script;
  for (const auto& [phrase, kind] : kPhrases) {
    if (message.contains(phrase)) return kind;
  }
  return RedisErrorKind::kOther;
}

}  // namespace toll::net
