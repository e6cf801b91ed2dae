// What a Redis client's library asks when it connects, answered as far as it needs.

#include <cctype>
#include <charconv>
#include <span>
#include <string_view>

#include "daemon/error_text.h"
#include "daemon/session.h"
#include "daemon/version.h"
#include "daemon/worker.h"

namespace toll::daemon {
namespace {

bool same(std::string_view word, std::string_view upper) {
  if (word.size() != upper.size()) return false;
  for (size_t i = 0; i < word.size(); ++i) {
    if (std::toupper(static_cast<unsigned char>(word[i])) != upper[i]) return false;
  }
  return true;
}

}  // namespace

void Session::answer_handshake(const CommandInfo& info, ReplyWriter& reply, Request words,
                               Framing framing) {
  switch (info.command) {
    case Command::kPing:
      if (words.size() > 1) return reply.ok_bulk(words[1]);
      return reply.ok(std::string_view(framing == Framing::kResp ? "PONG" : "pong"));
    case Command::kEcho:
      return reply.ok_bulk(words[1]);
    case Command::kQuit:
      reply.ok();
      return close();
    case Command::kSelect:
      if (words[1] == "0") return reply.ok();
      return reply.error(ErrorCode::kBadRequest, "there is one database, 0");
    case Command::kCommandDocs:
      if (words.size() == 2 && same(words[1], "COUNT")) {
        return reply.ok(static_cast<int64_t>(commands().size()));
      }
      return reply.list(0);
    case Command::kClient:
      return answer_client(reply, words);
    case Command::kHello:
      return answer_hello(reply, words);
    default:
      return reply.error(ErrorCode::kUnknown, "no such request");
  }
}

void Session::answer_client(ReplyWriter& reply, Request words) {
  static constexpr size_t kNameMax = 64;
  const std::string_view what = words[1];
  if (same(what, "SETNAME") && words.size() == 3) {
    client_name_ = words[2].substr(0, kNameMax);
    return reply.ok();
  }
  if (same(what, "GETNAME")) return reply.ok_bulk(client_name_);
  if (same(what, "ID")) return reply.ok(static_cast<int64_t>(id_));
  if (same(what, "SETINFO") || same(what, "NO-EVICT") || same(what, "NO-TOUCH")) return reply.ok();
  reply.error(ErrorCode::kUnknown, ErrorText("no CLIENT ").quote(what));
}

// RESP2 alone is spoken here. A client that asks for 3 is told what a Redis too old for HELLO says,
// upon which client libraries go on in RESP2.
void Session::answer_hello(ReplyWriter& reply, Request words) {
  if (words.size() > 1 && words[1] != "2") {
    return reply.redis_error("ERR unknown command 'HELLO', RESP2 is spoken here");
  }
  reply.hello(kProgramVersion);
}

}  // namespace toll::daemon
