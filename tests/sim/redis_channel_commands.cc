// Subscriptions and messages.
#include <array>
#include <string>

#include "tests/sim/redis_core.h"

namespace toll::sim {

namespace {

void stop_listening(RedisCore& core, uint64_t session, std::string_view channel) {
  const auto listeners = core.channels.find(channel);
  if (listeners == core.channels.end()) return;
  listeners->second.erase(session);
  if (listeners->second.empty()) core.channels.erase(listeners);
}

void reply_count(Call& call, std::string_view what, const std::string_view* channel) {
  call.reply.array(3);
  call.reply.bulk(what);
  if (channel == nullptr) {
    call.reply.null_bulk();
  } else {
    call.reply.bulk(*channel);
  }
  call.reply.integer(static_cast<int64_t>(call.session.channels.size()));
}

void subscribe(Call& call) {
  for (const std::string_view channel : call.words.subspan(1)) {
    call.session.channels.emplace(channel);
    call.core.channels[std::string(channel)].insert(call.session.number);
    reply_count(call, "subscribe", &channel);
  }
}

void leave(Call& call, std::string_view channel) {
  const auto found = call.session.channels.find(channel);
  if (found != call.session.channels.end()) {
    call.session.channels.erase(found);
    stop_listening(call.core, call.session.number, channel);
  }
  reply_count(call, "unsubscribe", &channel);
}

void unsubscribe(Call& call) {
  if (call.words.size() > 1) {
    for (const std::string_view channel : call.words.subspan(1)) leave(call, channel);
    return;
  }
  if (call.session.channels.empty()) return reply_count(call, "unsubscribe", nullptr);
  const auto channels = call.session.channels;
  for (const std::string_view channel : channels) leave(call, channel);
}

void publish(Call& call) {
  const auto listeners = call.core.channels.find(call.words[1]);
  if (listeners == call.core.channels.end()) return call.reply.integer(0);
  std::string text;
  Reply message(text);
  message.array(3);
  message.bulk("message");
  message.bulk(call.words[1]);
  message.bulk(call.words[2]);
  for (const uint64_t session : listeners->second) call.core.sink.to_client(session, text);
  call.reply.integer(static_cast<int64_t>(listeners->second.size()));
}

constexpr std::array kChannelCommands{
    Command{"publish", 3, kLoading | kStale, publish},
    Command{"subscribe", -2, kNoScript | kLoading | kStale | kSubscribed, subscribe},
    Command{"unsubscribe", -1, kNoScript | kLoading | kStale | kSubscribed, unsubscribe},
};

}  // namespace

void forget_channels(RedisCore& core, RedisSession& session) {
  for (const std::string& channel : session.channels) {
    stop_listening(core, session.number, channel);
  }
  session.channels.clear();
}

std::span<const Command> channel_commands() {
  return kChannelCommands;
}

}  // namespace toll::sim
