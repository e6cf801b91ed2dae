// Fuzz target: any text as an error of Redis. What it is about does not depend on what follows its
// first word nor on the script that it came out of, and what is shown of it fits a log.
//
// The first byte chooses the word that is known for sure; the rest is the text.

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string>
#include <string_view>

#include "net/limits.h"
#include "net/redis_greeting.h"
#include "net/redis_reply.h"
#include "tests/fuzz/input.h"
#include "tests/fuzz/require.h"

namespace {

using toll::require;
using toll::net::error_kind;
using toll::net::RedisErrorKind;
using toll::net::RedisReply;
using toll::net::ScriptLoad;

struct Known {
  std::string_view word;
  RedisErrorKind kind;
};

// As the sources of Redis 5 to 8 have them.
constexpr Known kKnown[] = {
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
};

void check_known(const Known& known, const std::string& rest) {
  const std::string word(known.word);
  require(error_kind(word) == known.kind, "a word by itself is known");
  require(error_kind(word + " " + rest) == known.kind, "what follows the first word is nothing");
  const std::string in_script = "ERR Error running script (call to f_a0): @user_script:7: ";
  require(error_kind(in_script + "-" + word + " " + rest) == known.kind,
          "what failed in a script is what failed");
  require(error_kind(in_script + word + " " + rest) == known.kind,
          "what failed in a script is what failed, dash or not");
}

void check_load(const std::string& text, RedisErrorKind kind) {
  RedisReply reply;
  reply.text = text;
  for (const auto of : {RedisReply::Kind::kString, RedisReply::Kind::kStatus,
                        RedisReply::Kind::kError, RedisReply::Kind::kInteger}) {
    reply.kind = of;
    const ScriptLoad load = toll::net::judge_script_load(reply, text);
    const bool string = of == RedisReply::Kind::kString;
    require((load == ScriptLoad::kLoaded) == string, "only its digest says that a script is there");
    if (load == ScriptLoad::kNotAllowed) {
      require(of == RedisReply::Kind::kError && kind == RedisErrorKind::kRefused,
              "only who was refused may not load");
    }
    const ScriptLoad other = toll::net::judge_script_load(reply, text + "0");
    require(string ? other == ScriptLoad::kOtherScript : other == load,
            "another digest is another script");
  }
}

}  // namespace

// NOLINTNEXTLINE(readability-identifier-naming): the fuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  toll::fuzz::Input input(data, size);
  const Known& known = kKnown[input.below(std::size(kKnown))];
  const std::string text(input.rest());
  check_known(known, text);
  const RedisErrorKind kind = error_kind(text);
  require(error_kind(text + "\r\n") == kind, "a line end is no part of an error");
  // A dash is what a script's error begins with.
  if (kind != RedisErrorKind::kOther && !text.starts_with('-')) {
    require(error_kind("ERR Error running script: " + text) == kind,
            "an error that is known is known out of a script too");
  }
  check_load(text, kind);
  const std::string shown = toll::net::shown_error(text);
  require(shown.size() <= toll::net::kRedisErrorTextMax, "what is shown is within its bound");
  for (size_t at = 0; at < shown.size(); ++at) {
    const bool plain = text[at] >= ' ' && text[at] <= '~';
    require(shown[at] == (plain ? text[at] : '?'), "what is shown is as it was, or '?'");
  }
  return 0;
}
