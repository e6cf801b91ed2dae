#include "daemon/store_pulse.h"

#include <algorithm>
#include <cassert>

#include "daemon/store_link.h"

namespace toll::daemon {
namespace {

// A host that was not heard of for so many intervals is dead.
constexpr int64_t kLifeIntervals = 5;
constexpr int64_t kLifeMinMs = 5'000;

constexpr int64_t kNewsEveryNs = 100'000'000;

}  // namespace

std::string StorePulse::nodes_key(std::string_view prefix) {
  return std::string(prefix) + "tollkeeper:nodes";
}

std::string StorePulse::news_channel(std::string_view prefix) {
  return std::string(prefix) + "tollkeeper:news";
}

StorePulse::StorePulse(StorePulseOwner& owner, net::RedisLink& link, std::string_view node,
                       std::string_view prefix, int64_t interval_ns)
    : owner_(owner),
      link_(link),
      node_(node),
      key_(nodes_key(prefix)),
      channel_(news_channel(prefix)),
      interval_ns_(interval_ns) {
  assert(node.size() == StoreNews::kSenderBytes);
}

void StorePulse::beat(StoreNews& news, int64_t now_ns) {
  assert(link_.ready());
  if (!beat_.out && now_ns >= next_beat_ns_) {
    next_beat_ns_ = now_ns + interval_ns_;
    beat_.out = true;
    send(beat_, "here", now_ns);
  }
  if (publish_.out || now_ns < next_news_ns_) return;
  const std::string_view message = news.take_message(node_);
  if (message.empty()) return;
  next_news_ns_ = now_ns + kNewsEveryNs;
  publish_.out = true;
  link_.begin(publish_, 3);
  link_.word("PUBLISH");
  link_.word(channel_);
  link_.word(message);
  link_.end(now_ns);
}

void StorePulse::leave(int64_t now_ns) {
  send(leave_, "leave", now_ns);
}

void StorePulse::send(net::RedisCall& call, std::string_view word, int64_t now_ns) {
  link_.begin(call, 7);
  link_.word("EVALSHA");
  link_.word(link_.sha1(kNodesScript));
  link_.word("1");
  link_.word(key_);
  link_.word(node_);
  link_.word(std::max(kLifeMinMs, kLifeIntervals * interval_ns_ / 1'000'000));
  link_.word(word);
  link_.end(now_ns);
}

int64_t StorePulse::next_due_ns(const StoreNews& news) const {
  int64_t due_ns = beat_.out ? INT64_MAX : next_beat_ns_;
  if (news.any() && !publish_.out) due_ns = std::min(due_ns, next_news_ns_);
  return due_ns;
}

void StorePulse::Beat::on_reply(const net::RedisReply& reply) {
  out = false;
  if (reply.kind == net::RedisReply::Kind::kInteger) {
    pulse.owner_.on_pulse(reply.integer);
  } else if (reply.kind == net::RedisReply::Kind::kError) {
    pulse.owner_.on_pulse_failed(reply.text);
  }
}

}  // namespace toll::daemon
