#include "daemon/log_pusher.h"

#include <cassert>
#include <fmt/format.h>
#include <utility>

#include "daemon/log_spill.h"
#include "daemon/numbers.h"
#include "daemon/process.h"
#include "daemon/store_link.h"
#include "engine/flaws.h"

namespace toll::daemon {

LogKeys::LogKeys(const Process& process)
    : queue(process.redis.prefix + process.logs.key),
      takers("{" + queue + "}:takers"),
      taken("{" + queue + "}:taken:" + process.node + ":"),
      marks("{" + queue + "}:by:" + process.spill->node() + ":") {}

LogPusher::LogPusher(Owner& owner, net::RedisLink& link, const Process& process,
                     std::string_view name)
    : owner_(owner),
      link_(link),
      keys_(process),
      mark_(mark_key(keys_, name)),
      token_(process.spill->token()),
      max_(process.logs.max) {}

std::string LogPusher::mark_key(const LogKeys& keys, std::string_view name) {
  return keys.marks + std::string(name);
}

// "<token> <number> <dropped>"
LogPusher::Mark LogPusher::read_mark(std::string_view text, std::string_view token,
                                     uint64_t number) {
  const size_t first = text.find(' ');
  const size_t second = first == text.npos ? text.npos : text.find(' ', first + 1);
  if (second == text.npos || text.substr(0, first) != token) return {};
  int64_t made = 0;
  int64_t dropped = 0;
  if (!parse_integer(text.substr(first + 1, second - first - 1), 0, INT64_MAX, made) ||
      !parse_integer(text.substr(second + 1), 0, INT64_MAX, dropped)) {
    return {};
  }
  const auto last = static_cast<uint64_t>(made);
  return {.done = last >= number, .dropped = last == number ? static_cast<uint64_t>(dropped) : 0};
}

uint64_t LogPusher::push(const engine::LogBlock& records) {
  assert(!busy_ && link_.ready() && !records.empty());
  busy_ = true;
  error_.clear();
  ++number_;
  link_.begin(*this, 1);
  link_.word("MULTI");
  link_.also(2 + records.count());
  link_.word("RPUSH");
  link_.word(keys_.queue);
  for (size_t i = 0; i < records.count(); ++i) link_.word(records.at(i));
  link_.also(7);
  link_.word("EVALSHA");
  link_.word(link_.sha1(kLogTrimScript));
  link_.word(int64_t{2});
  link_.word(keys_.queue);
  link_.word(mark_);
  link_.word(max_);
  link_.word(fmt::format("{} {}", token_, number_));
  link_.also(1);
  link_.word("EXEC");
  link_.end(owner_.turn_ns());
  link_.flush();
  return number_;
}

void LogPusher::on_error(std::string_view text) {
  if (error_.empty()) error_ = text;
}

void LogPusher::on_reply(const net::RedisReply& reply) {
  using Kind = net::RedisReply::Kind;
  busy_ = false;
  if (reply.kind != Kind::kArray || reply.count != 2) {
    if (error_.empty()) error_ = reply.kind == Kind::kError ? reply.text : "an odd answer to EXEC";
    return owner_.pushed(Outcome::kRefused, 0, error_);
  }
  const net::RedisReply& pushed = reply.elements[0];
  const net::RedisReply& trimmed = reply.elements[1];
  if (pushed.kind == Kind::kError) return owner_.pushed(Outcome::kRefused, 0, pushed.text);
  // The records are there; what is too many goes with the next ones.
  if (trimmed.kind == Kind::kError &&
      net::error_kind(trimmed.text) == net::RedisErrorKind::kNoScript) {
    link_.load_scripts(owner_.turn_ns());
  }
  const bool counted = trimmed.kind == Kind::kInteger && trimmed.integer > 0 &&
                       !engine::flawed(engine::Flaw::kDropsUncounted);
  owner_.pushed(Outcome::kDone, counted ? static_cast<uint64_t>(trimmed.integer) : 0, {});
}

void LogPusher::on_lost(net::CallLoss) {
  busy_ = false;
  owner_.pushed(Outcome::kLost, 0, {});
}

}  // namespace toll::daemon
