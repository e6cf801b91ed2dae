#include "net/redis_link.h"

#include <cassert>
#include <fmt/format.h>
#include <utility>

#include "net/redis_link_impl.h"

namespace toll::net {

RedisLink::Impl::Impl(Loop& loop, ChunkPool& pool, RedisLinkSettings settings,
                      RedisLinkHandler& handler, uint64_t seed)
    : settings_(std::move(settings)),
      handler_(handler),
      loop_(loop),
      pool_(pool),
      dialer_(loop, *this),
      greeting_(settings_),
      jitter_(settings_.redial_min_ns, settings_.redial_max_ns, seed) {
  loads_.reserve(settings_.scripts.size());
  for (size_t index = 0; index < settings_.scripts.size(); ++index) {
    loads_.emplace_back(*this, index);
  }
}

void RedisLink::Impl::start(int64_t now_ns) {
  assert(state_ == State::kIdle && !stop_asked_);
  state_ = State::kAway;
  now_ns_ = now_ns;
  redial_ns_ = now_ns;
}

void RedisLink::Impl::stop() {
  stop_asked_ = true;
  if (state_ == State::kAway) state_ = State::kIdle;
  if (state_ == State::kIdle || state_ == State::kEnding) return;
  lose("stopped", CallLoss::kCut, CallLoss::kCut);
}

std::string_view RedisLink::Impl::sha1(size_t index) const {
  const RedisScript& script = settings_.scripts[index];
  return greeting_.old_scripts() ? script.sha1_6 : script.sha1;
}

void RedisLink::Impl::begin(RedisCall& call, size_t words) {
  assert(ready() && begun_ == nullptr);
  begun_ = &call;
  call.next_ = nullptr;
  call.subscribes_ = false;
  call.replies_ = 1;
  at_first_word_ = true;
  writer_.begin(stream_->output(), words);
}

template <typename Word>
void RedisLink::Impl::word(Word word) {
  if constexpr (std::is_same_v<Word, std::string_view>) {
    if (at_first_word_ && is_subscribe(word)) {
      begun_->subscribes_ = true;
      subscribed_ = true;
    }
  }
  at_first_word_ = false;
  writer_.word(word);
}

void RedisLink::Impl::end(int64_t now_ns) {
  assert(begun_ != nullptr);
  writer_.end();
  RedisCall* const call = std::exchange(begun_, nullptr);
  call->begun_ns_ = now_ns;
  (oldest_ == nullptr ? oldest_ : newest_->next_) = call;
  newest_ = call;
  ++out_;
  now_ns_ = std::max(now_ns_, now_ns);
  sent_ns_ = now_ns_;
}

void RedisLink::Impl::also(size_t words) {
  assert(begun_ != nullptr && !begun_->subscribes_);
  writer_.end();
  ++begun_->replies_;
  writer_.begin(stream_->output(), words);
}

void RedisLink::Impl::flush() {
  assert(begun_ == nullptr);
  if (connected()) stream_->flush();
}

RedisCall* RedisLink::Impl::pop() {
  RedisCall* const call = oldest_;
  oldest_ = call->next_;
  if (oldest_ == nullptr) newest_ = nullptr;
  --out_;
  return call;
}

void RedisLink::Impl::load_scripts(int64_t now_ns) {
  // What was answered NOSCRIPT before the answer to the loading came was begun before it.
  if (loads_out_ > 0) return;
  for (Load& load : loads_) {
    const RedisScript& script = settings_.scripts[load.index];
    begin(load, 3);
    writer_.word("SCRIPT");
    writer_.word("LOAD");
    writer_.word(greeting_.old_scripts() ? script.body_6 : script.body);
    end(now_ns);
    ++loads_out_;
    ++internal_out_;
  }
}

void RedisLink::Impl::Load::on_reply(const RedisReply& reply) {
  --link.internal_out_;
  --link.loads_out_;
  const std::string_view name = link.settings_.scripts[index].name;
  switch (judge_script_load(reply, link.sha1(index))) {
    case ScriptLoad::kLoaded:
    case ScriptLoad::kNotAllowed:
      return;
    case ScriptLoad::kOtherScript:
      return link.lose(fmt::format("it has another digest for script {}", name));
    case ScriptLoad::kFailed:
      return link.lose(
          fmt::format("script {} cannot be loaded: {}", name, shown_error(reply.text)));
  }
}

void RedisLink::Impl::Load::on_lost(CallLoss loss) {
  --link.loads_out_;
  InternalCall::on_lost(loss);
}

// Any answer is a sign of life, unless Redis says in it that it is no master any more.
void RedisLink::Impl::Ping::on_reply(const RedisReply& reply) {
  --link.internal_out_;
  if (reply.kind != RedisReply::Kind::kError) return;
  const RedisErrorKind kind = error_kind(reply.text);
  if (kind == RedisErrorKind::kLoading || kind == RedisErrorKind::kReadOnly) {
    link.lose(fmt::format("it answers PING with {}", shown_error(reply.text)));
  }
}

RedisLink::RedisLink(Loop& loop, ChunkPool& pool, RedisLinkSettings settings,
                     RedisLinkHandler& handler, uint64_t seed)
    : impl_(std::make_unique<Impl>(loop, pool, std::move(settings), handler, seed)) {}
RedisLink::~RedisLink() = default;

void RedisLink::start(int64_t now_ns) {
  impl_->start(now_ns);
}
void RedisLink::stop() {
  impl_->stop();
}
bool RedisLink::stopped() const {
  return impl_->stopped();
}
bool RedisLink::ready() const {
  return impl_->ready();
}
uint64_t RedisLink::generation() const {
  return impl_->generation();
}
const RedisServer& RedisLink::server() const {
  return impl_->server();
}
std::string_view RedisLink::sha1(size_t index) const {
  return impl_->sha1(index);
}
void RedisLink::begin(RedisCall& call, size_t words) {
  impl_->begin(call, words);
}
void RedisLink::word(std::string_view bytes) {
  impl_->word(bytes);
}
void RedisLink::word(int64_t number) {
  impl_->word(number);
}
void RedisLink::end(int64_t now_ns) {
  impl_->end(now_ns);
}
void RedisLink::also(size_t words) {
  impl_->also(words);
}
void RedisLink::flush() {
  impl_->flush();
}
size_t RedisLink::calls_out() const {
  return impl_->calls_out();
}
size_t RedisLink::unsent_bytes() const {
  return impl_->unsent_bytes();
}
void RedisLink::set_password(std::string password) {
  impl_->set_password(std::move(password));
}
void RedisLink::set_address(RedisAddress address) {
  impl_->set_address(std::move(address));
}
void RedisLink::cut(std::string_view reason) {
  impl_->cut(reason);
}
void RedisLink::load_scripts(int64_t now_ns) {
  impl_->load_scripts(now_ns);
}
void RedisLink::tick(int64_t now_ns) {
  impl_->tick(now_ns);
}
int64_t RedisLink::next_tick_ns() const {
  return impl_->next_tick_ns();
}

}  // namespace toll::net
