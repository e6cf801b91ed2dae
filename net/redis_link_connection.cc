#include <cassert>
#include <fmt/format.h>
#include <utility>

#include "net/redis_link_impl.h"

namespace toll::net {

namespace {

constexpr int64_t kNsPerMs = 1'000'000;

std::string_view first_word(const RedisReply& reply) {
  return reply.kind == RedisReply::Kind::kArray && reply.count > 0 ? reply.elements[0].text
                                                                   : std::string_view();
}

bool is_message(const RedisReply& reply) {
  const std::string_view word = first_word(reply);
  if (word == "pmessage") return reply.count == 4;
  return reply.count == 3 && (word == "message" || word == "smessage");
}

}  // namespace

void RedisLink::Impl::on_data(std::span<char> data) {
  reader_.feed({data.data(), data.size()});
  while (connected()) {
    switch (reader_.next()) {
      case RedisReader::Next::kMore:
        return;
      case RedisReader::Next::kFault:
        return lose(fmt::format("it sent {}; is it a Redis?", reader_.fault()));
      case RedisReader::Next::kReply:
        ready() ? answer(reader_.reply()) : greet(reader_.reply());
    }
  }
}

void RedisLink::Impl::greet(const RedisReply& reply) {
  switch (greeting_.on_reply(reply, stream_->output())) {
    case RedisGreeting::Step::kMore:
      return stream_->flush();
    case RedisGreeting::Step::kFailed:
      end_refused_ = greeting_.refused();
      return lose(greeting_.failure());
    case RedisGreeting::Step::kDone:
      state_ = State::kReady;
      sent_ns_ = now_ns_;
      jitter_.reset();
      handler_.on_ready();
  }
}

void RedisLink::Impl::answer(const RedisReply& reply) {
  if (is_push(reply)) return handler_.on_push(reply);
  if (oldest_ == nullptr) return lose("it sent a reply that nobody asked for");
  if (--oldest_->replies_ > 0) {
    if (reply.kind == RedisReply::Kind::kError) oldest_->on_error(reply.text);
    return;
  }
  pop()->on_reply(reply);
}

bool RedisLink::Impl::is_push(const RedisReply& reply) const {
  if (!subscribed_) return false;
  if (is_message(reply)) return true;
  return is_subscribe(first_word(reply)) && (oldest_ == nullptr || !oldest_->subscribes_);
}

void RedisLink::Impl::on_end(IoStatus status) {
  if (status == IoStatus::kEnd) return lose("it closed the connection");
  lose(fmt::format("the connection broke: {}", to_string(status)));
}

// The connection.

void RedisLink::Impl::dial(int64_t now_ns) {
  state_ = State::kConnecting;
  dial_deadline_ns_ = now_ns + settings_.dial_timeout_ns;
  end_refused_ = false;
  dialer_.dial(settings_.address);
}

void RedisLink::Impl::on_dialled(int fd) {
  ++generation_;
  state_ = State::kGreeting;
  subscribed_ = false;
  reader_.reset();
  stream_ = std::make_unique<Stream>(loop_, fd, pool_, *this);
  stream_->start();
  greeting_.begin(stream_->output());
  stream_->flush();
}

void RedisLink::Impl::on_dial_failed(std::string_view what) {
  if (state_ == State::kConnecting) note_end(what);
  tell_of_end();
}

void RedisLink::Impl::on_closed() {
  stream_.reset();
  tell_of_end();
}

void RedisLink::Impl::cut(std::string_view reason) {
  if (state_ != State::kConnecting && !connected()) return;
  lose(reason, CallLoss::kCut, CallLoss::kCut);
}

// `what` may be of something that the end destroys.
void RedisLink::Impl::lose(std::string_view what, CallLoss oldest, CallLoss others) {
  assert(state_ == State::kConnecting || connected());
  assert(begun_ == nullptr);
  if (state_ == State::kGreeting) dialer_.turn_away();
  end_oldest_ = oldest;
  end_others_ = others;
  const bool connecting = state_ == State::kConnecting;
  note_end(what);
  connecting ? dialer_.give_up() : stream_->abort();
}

void RedisLink::Impl::note_end(std::string_view what) {
  end_reason_ = fmt::format("{}: {}", settings_.address.display, what);
  state_ = State::kEnding;
}

void RedisLink::Impl::tell_of_end() {
  CallLoss loss = end_oldest_;
  while (oldest_ != nullptr) {
    pop()->on_lost(loss);
    loss = end_others_;
  }
  if (!stop_asked_) handler_.on_away(end_reason_, end_refused_);
  state_ = stop_asked_ ? State::kIdle : State::kAway;
  redial_ns_ = kNeverNs;
}

void RedisLink::Impl::set_password(std::string password) {
  if (password == settings_.password) return;
  settings_.password = std::move(password);
  if (!end_refused_) return;
  end_refused_ = false;
  if (state_ == State::kAway) redial_ns_ = now_ns_;
}

// Time.

void RedisLink::Impl::tick(int64_t now_ns) {
  now_ns_ = std::max(now_ns_, now_ns);
  switch (state_) {
    case State::kIdle:
    case State::kEnding:
      return;
    case State::kAway:
      if (redial_ns_ == kNeverNs) {
        redial_ns_ = now_ns + jitter_.next_ns() + (end_refused_ ? settings_.redial_max_ns : 0);
      }
      if (now_ns >= redial_ns_) dial(now_ns);
      return;
    case State::kConnecting:
    case State::kGreeting:
      if (now_ns < dial_deadline_ns_) return;
      return lose(fmt::format("no {} within {} ms; is it overloaded, or a firewall in between?",
                              state_ == State::kConnecting ? "connection" : "greeting",
                              settings_.dial_timeout_ns / kNsPerMs));
    case State::kReady:
      return look_after_calls(now_ns);
  }
}

void RedisLink::Impl::look_after_calls(int64_t now_ns) {
  if (now_ns < next_tick_ns()) return;
  if (oldest_ != nullptr) {
    return lose(fmt::format("no reply within {} ms; is it overloaded, or stopped?",
                            settings_.call_timeout_ns / kNsPerMs),
                CallLoss::kTimedOut, CallLoss::kBroken);
  }
  begin(ping_, 1);
  writer_.word("PING");
  end(now_ns);
  ++internal_out_;
  flush();
}

int64_t RedisLink::Impl::next_tick_ns() const {
  switch (state_) {
    case State::kIdle:
    case State::kEnding:
      return kNeverNs;
    case State::kAway:
      return redial_ns_ == kNeverNs ? now_ns_ : redial_ns_;
    case State::kConnecting:
    case State::kGreeting:
      return dial_deadline_ns_;
    case State::kReady:
      return oldest_ != nullptr ? oldest_->begun_ns_ + settings_.call_timeout_ns
                                : sent_ns_ + settings_.health_interval_ns;
  }
  return kNeverNs;
}

}  // namespace toll::net
