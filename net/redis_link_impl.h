// What a RedisLink is inside: its connections, and the calls on the one there is.
//
// Only net/redis_link*.cc include this. The calls are in redis_link.cc, the connection and the time
// in redis_link_connection.cc. Owned by its RedisLink; its loop's thread.
#pragma once

#include <algorithm>
#include <cassert>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "net/redial_jitter.h"
#include "net/redis_command_writer.h"
#include "net/redis_dialer.h"
#include "net/redis_greeting.h"
#include "net/redis_link.h"
#include "net/redis_reader.h"
#include "net/stream.h"

namespace toll::net {

inline constexpr int64_t kNeverNs = INT64_MAX;

// SUBSCRIBE and its kind, in any case.
inline bool is_subscribe(std::string_view word) {
  constexpr std::string_view kWord = "subscribe";
  if (word.size() < kWord.size()) return false;
  const auto same = [](char a, char b) { return (a | 0x20) == b; };
  return std::ranges::equal(word.substr(word.size() - kWord.size()), kWord, same);
}

// One connection after the other: the next is dialled only when nothing of the last is in flight,
// so nothing can come late. An end is only noted where it is found out; its consequences, and all
// that the handlers are told of it, wait for the last event of the connection.
class RedisLink::Impl final : public StreamHandler, public RedisDialerHandler {
 public:
  Impl(Loop& loop, ChunkPool& pool, RedisLinkSettings settings, RedisLinkHandler& handler,
       uint64_t seed);
  ~Impl() { assert(stopped()); }

  void start(int64_t now_ns);
  void stop();
  bool stopped() const { return state_ == State::kIdle; }
  bool ready() const { return state_ == State::kReady; }
  uint64_t generation() const { return generation_; }
  const RedisServer& server() const { return greeting_.server(); }
  std::string_view sha1(size_t index) const;

  void begin(RedisCall& call, size_t words);
  template <typename Word>
  void word(Word word);
  void end(int64_t now_ns);
  void also(size_t words);
  void flush();
  size_t calls_out() const { return out_ - internal_out_; }
  size_t unsent_bytes() const { return stream_ ? stream_->unsent_bytes() : 0; }

  void set_password(std::string password);
  void set_address(RedisAddress address) { settings_.address = std::move(address); }
  void cut(std::string_view reason);
  void load_scripts(int64_t now_ns);
  void tick(int64_t now_ns);
  int64_t next_tick_ns() const;

 private:
  enum class State : uint8_t { kIdle, kAway, kConnecting, kGreeting, kReady, kEnding };

  // What the link asks by itself.
  struct InternalCall : RedisCall {
    explicit InternalCall(Impl& owner) : link(owner) {}
    void on_lost(CallLoss) override { --link.internal_out_; }
    Impl& link;
  };
  struct Ping final : InternalCall {
    using InternalCall::InternalCall;
    void on_reply(const RedisReply& reply) override;
  };
  struct Load final : InternalCall {
    Load(Impl& owner, size_t script) : InternalCall(owner), index(script) {}
    void on_reply(const RedisReply& reply) override;
    void on_lost(CallLoss loss) override;
    size_t index;
  };

  void on_data(std::span<char> data) override;
  void on_end(IoStatus status) override;
  void on_drained() override {}
  void on_closed() override;
  void on_dialled(int fd) override;
  void on_dial_failed(std::string_view what) override;

  bool connected() const { return state_ == State::kGreeting || ready(); }
  void dial(int64_t now_ns);
  void greet(const RedisReply& reply);
  void answer(const RedisReply& reply);
  bool is_push(const RedisReply& reply) const;
  RedisCall* pop();
  void look_after_calls(int64_t now_ns);
  void lose(std::string_view what, CallLoss oldest, CallLoss others);
  void lose(std::string_view what) { lose(what, CallLoss::kBroken, CallLoss::kBroken); }
  void note_end(std::string_view what);
  void tell_of_end();

  RedisLinkSettings settings_;
  RedisLinkHandler& handler_;
  Loop& loop_;
  ChunkPool& pool_;
  RedisDialer dialer_;
  RedisGreeting greeting_;
  RedisReader reader_;
  RedisCommandWriter writer_;
  RedialJitter jitter_;
  std::unique_ptr<Stream> stream_;

  State state_ = State::kIdle;
  bool stop_asked_ = false;
  uint64_t generation_ = 0;

  // The calls whose replies are awaited, oldest first.
  RedisCall* oldest_ = nullptr;
  RedisCall* newest_ = nullptr;
  RedisCall* begun_ = nullptr;  // begin() without end() yet
  bool at_first_word_ = false;
  bool subscribed_ = false;
  size_t out_ = 0;
  size_t internal_out_ = 0;
  Ping ping_{*this};
  std::vector<Load> loads_;
  size_t loads_out_ = 0;

  // Time is only known when somebody says it. kNeverNs: the next tick works it out.
  int64_t now_ns_ = 0;
  int64_t redial_ns_ = kNeverNs;
  int64_t dial_deadline_ns_ = kNeverNs;
  int64_t sent_ns_ = 0;

  std::string end_reason_;
  bool end_refused_ = false;
  CallLoss end_oldest_ = CallLoss::kBroken;
  CallLoss end_others_ = CallLoss::kBroken;
};

}  // namespace toll::net
