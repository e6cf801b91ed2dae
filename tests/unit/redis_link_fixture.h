// What the tests of the Redis link share: its owner, its calls, a Redis that says what the test
// wants, and a clock that is moved by hand.
#pragma once

#include <algorithm>
#include <charconv>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "net/redis_link.h"
#include "tests/unit/loop_fixture.h"

namespace toll::net::testing {

using Words = std::vector<std::string>;

inline std::string bulk(std::string_view text) {
  return "$" + std::to_string(text.size()) + "\r\n" + std::string(text) + "\r\n";
}

inline constexpr std::array kScripts = std::to_array<RedisScript>({
    {.name = "one", .body = "#!lua\n1", .sha1 = "a7", .body_6 = "1", .sha1_6 = "a6"},
    {.name = "two", .body = "#!lua\n2", .sha1 = "b7", .body_6 = "2", .sha1_6 = "b6"},
});

// Answers each command by `answer`, one connection after the other, when the test moves it.
class ScriptedRedis {
 public:
  void move() {
    const int fd = ::accept4(*hall.fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
      client = Fd(fd);
      ++connections;
      unread_.clear();
      unsaid.clear();
      said = 0;
    }
    if (*client < 0) return;
    if (!deaf) listen();
    speak();
  }
  void hang_up() { client.close(); }

  // What a healthy Redis 7 says.
  static std::string ordinary(const Words& words) {
    if (words[0] == "ECHO") return bulk(words[1]);
    if (words[0] == "PING") return "+PONG\r\n";
    if (words[0] == "INFO") {
      if (words[1] == "server") return bulk("# Server\r\nredis_version:7.0.15\r\nrun_id:f00\r\n");
      if (words[1] == "memory") return bulk("# Memory\r\nmaxmemory_policy:noeviction\r\n");
      return bulk("# Replication\r\nrole:master\r\n");
    }
    if (words[0] != "SCRIPT") return "+OK\r\n";
    for (const RedisScript& script : kScripts) {
      if (script.body == words[2]) return bulk(script.sha1);
      if (script.body_6 == words[2]) return bulk(script.sha1_6);
    }
    return "-ERR Error compiling script\r\n";
  }

  // Answers `to`, the beginning of a command, otherwise.
  void answer_with(std::string_view to, std::string bytes) {
    answers_.emplace_back(to, std::move(bytes));
  }

  size_t heard_of(std::string_view command) const {
    return static_cast<size_t>(std::ranges::count(heard, command));
  }

  Hall hall;
  Fd client;
  int connections = 0;
  std::vector<std::string> heard;  // words with blanks between
  std::string unsaid;
  size_t said = 0;               // on this connection
  size_t piece = SIZE_MAX;       // bytes said in one move
  size_t hang_up_at = SIZE_MAX;  // bytes said, then the end
  bool deaf = false;
  bool mute = false;

 private:
  void listen() {
    for (std::string got = hear(client); !got.empty(); got = hear(client)) unread_ += got;
    Words words;
    while (take_command(words)) {
      std::string line;
      for (const std::string& word : words) line += (line.empty() ? "" : " ") + word;
      const auto other = std::ranges::find_if(
          answers_, [&](const auto& entry) { return line.starts_with(entry.first); });
      unsaid += other == answers_.end() ? ordinary(words) : other->second;
      heard.push_back(std::move(line));
    }
  }

  bool take_command(Words& words) {
    size_t at = 0;
    size_t count = 0;
    if (!take_number('*', at, count)) return false;
    words.clear();
    for (size_t size = 0; count > 0; --count) {
      if (!take_number('$', at, size) || unread_.size() < at + size + 2) return false;
      words.push_back(unread_.substr(at, size));
      EXPECT_EQ(unread_.substr(at + size, 2), "\r\n");
      at += size + 2;
    }
    unread_.erase(0, at);
    return true;
  }

  bool take_number(char type, size_t& at, size_t& number) const {
    const size_t end = unread_.find("\r\n", at);
    if (end == unread_.npos) return false;
    EXPECT_EQ(unread_[at], type);
    std::from_chars(unread_.data() + at + 1, unread_.data() + end, number);
    at = end + 2;
    return true;
  }

  void speak() {
    if (mute) return;
    const size_t some = std::min({piece, hang_up_at - said, unsaid.size()});
    const ssize_t taken = ::send(*client, unsaid.data(), some, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (taken > 0) {
      said += static_cast<size_t>(taken);
      unsaid.erase(0, static_cast<size_t>(taken));
    }
    if (said == hang_up_at) hang_up();
  }

  std::string unread_;
  std::vector<std::pair<std::string, std::string>> answers_;
};

// Writes down what became of it.
struct Call final : RedisCall {
  void on_reply(const RedisReply& reply) override {
    ++told;
    text = reply.text;
    kind = reply.kind;
    if (then) then();
  }
  void on_lost(CallLoss why) override {
    ++told;
    lost = true;
    loss = why;
    if (then) then();
  }

  int told = 0;
  bool lost = false;
  CallLoss loss = CallLoss::kCut;
  RedisReply::Kind kind = RedisReply::Kind::kNil;
  std::string text;
  std::function<void()> then;
};

struct LinkOwner final : RedisLinkHandler {
  void on_ready() override {
    ASSERT_FALSE(inside);
    ++readies;
    if (at_ready) at_ready();
  }
  void on_away(std::string_view reason, bool was_refused) override {
    ASSERT_FALSE(inside);
    reasons.emplace_back(reason);
    refused = was_refused;
    if (at_away) at_away();
  }
  void on_push(const RedisReply& reply) override {
    std::string words;
    for (const RedisReply& element : reply.array()) {
      words += element.kind == RedisReply::Kind::kInteger ? std::to_string(element.integer)
                                                          : std::string(element.text);
      words += ' ';
    }
    pushed.push_back(words);
  }
  size_t aways() const { return reasons.size(); }

  bool inside = false;  // a call of the link is running
  int readies = 0;
  bool refused = false;
  std::vector<std::string> reasons;
  std::vector<std::string> pushed;
  std::function<void()> at_ready;
  std::function<void()> at_away;
};

class RedisLinkTest : public LoopTest {
 protected:
  static constexpr int64_t kMs = 1'000'000;

  ~RedisLinkTest() override {
    if (link_) close();
  }

  static RedisAddress::Endpoint endpoint_of(const void* address, socklen_t length) {
    RedisAddress::Endpoint endpoint;
    std::memcpy(&endpoint.address, address, length);
    endpoint.length = length;
    return endpoint;
  }

  RedisLinkSettings settings() {
    RedisLinkSettings made;
    made.address = {{endpoint_of(&redis_.hall.address, redis_.hall.length)}, "hall"};
    made.client_name = "tollkeeper";
    made.scripts = kScripts;
    made.dial_timeout_ns = 1000 * kMs;
    made.call_timeout_ns = 250 * kMs;
    made.health_interval_ns = 1000 * kMs;
    made.redial_min_ns = 50 * kMs;
    made.redial_max_ns = 2000 * kMs;
    return made;
  }

  void open(RedisLinkSettings settings) {
    link_ = std::make_unique<RedisLink>(loop(), pool_, std::move(settings), owner_, 7);
    link_->start(now_ns_);
  }
  void open() { open(settings()); }

  RedisLink& link() { return *link_; }

  // Lets everybody do what there is to do, at the time it is.
  void turn() {
    redis_.move();
    if (link_->next_tick_ns() <= now_ns_) link_->tick(now_ns_);
    loop().run_once(0);
  }
  template <typename Done>
  void until(Done done) {
    run_until(
        [&] {
          turn();
          return done();
        },
        0);
  }
  // Goes to the time at which the link wants to be looked after.
  void skip() { now_ns_ = std::max(now_ns_, link_->next_tick_ns()); }

  void until_ready() {
    const int before = owner_.readies;
    until([&] {
      if (owner_.aways() > waited_) wait_to_redial();
      return owner_.readies > before;
    });
  }
  void wait_to_redial() {
    waited_ = owner_.aways();
    link_->tick(now_ns_);  // only now is it known when
    skip();
  }
  void until_away() {
    const size_t before = owner_.aways();
    until([&] { return owner_.aways() > before; });
  }

  void ask(Call& call, std::initializer_list<std::string_view> words) {
    owner_.inside = true;
    link_->begin(call, words.size());
    for (const std::string_view word : words) link_->word(word);
    link_->end(now_ns_);
    link_->flush();
    owner_.inside = false;
  }
  void until_told(const Call& call) {
    until([&] { return call.told > 0; });
  }

  void close() {
    link_->stop();
    run_until([&] { return link_->stopped(); });
    link_.reset();
  }

  ChunkPool pool_;
  ScriptedRedis redis_;
  LinkOwner owner_;
  int64_t now_ns_ = 1'000 * kMs;
  std::unique_ptr<RedisLink> link_;

 private:
  size_t waited_ = 0;
};

}  // namespace toll::net::testing
