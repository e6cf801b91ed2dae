#include "daemon/session.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "daemon/worker.h"
#include "engine/flaws.h"

namespace toll::daemon {

Session::Session(Worker& worker, int fd, uint64_t id)
    : worker_(worker),
      input_(worker.inputs()),
      stream_(worker.loop(), fd, worker.chunks(), *this),
      id_(id) {}

Session::~Session() {
  assert(in_flight_ == 0);
}

// ---- bytes ----

void Session::on_data(std::span<char> data) {
  if (closing_) return;
  if (waiting_) {
    keep(data);
    return;
  }
  if (input_.empty()) {
    const size_t used = consume(data);
    keep(data.subspan(used));
  } else {
    keep(data);
    consume_kept();
  }
  worker_.touch(*this);
}

void Session::keep(std::span<const char> bytes) {
  if (!closing_) input_.append(bytes);
}

void Session::consume_kept() {
  const size_t used = consume(input_.bytes());
  if (!closing_) input_.drop(used);  // closing has dropped it all
}

size_t Session::consume(std::span<char> bytes) {
  const size_t request_max = worker_.process().server.max_line_bytes;
  Words& words = worker_.words();
  size_t used = 0;
  while (used < bytes.size() && !closing_ && !waiting_) {
    if (must_wait()) {
      wait();
      break;
    }
    const Frame frame = read_frame(bytes.subspan(used), request_max, scanned_, words);
    if (frame.kind == Frame::Kind::kIncomplete) break;
    used += frame.consumed;
    switch (frame.kind) {
      case Frame::Kind::kRequest:
        worker_.counters().requests.add();
        handle(frame.framing, std::span(words.word).first(words.count));
        break;
      case Frame::Kind::kMalformed:
      case Frame::Kind::kFatal:
        worker_.counters().requests.add();
        deferred_.fatal = frame.kind == Frame::Kind::kFatal;
        refuse(frame.framing, frame.code, frame.message);
        break;
      case Frame::Kind::kNothing:
      case Frame::Kind::kIncomplete:
        break;
    }
  }
  return closing_ ? bytes.size() : used;
}

void Session::on_end(net::IoStatus status) {
  ended_ = true;
  // Who only sends no more still reads; who has closed is not waited for.
  if (status != net::IoStatus::kEnd || worker_.loop().hung_up(stream_.fd())) {
    closing_ = true;
    stream_.abort();
  }
  worker_.touch(*this);
}

void Session::on_drained() {
  if (waiting_ || ended_ || events_lost_ > 0) worker_.touch(*this);
}

void Session::on_closed() {
  closing_ = true;
  closed_ = true;
  input_.clear();
  watch_no_more();
  for (const Ask* ask = first_; ask != nullptr; ask = ask->next) {
    if (ask->log != nullptr) ask->log->abandoned.store(true, std::memory_order_relaxed);
  }
  worker_.touch(*this);
}

// ---- waiting ----

bool Session::replies_written() {
  if (first_ == nullptr) return true;
  worker_.decide_batch();
  write_replies();
  return first_ == nullptr;
}

bool Session::must_wait() {
  if (deferred_.waiting) return !replies_written();
  if (alone_) {
    if (!replies_written()) return true;
    alone_ = false;
  }
  if (in_flight_ >= kInFlightPerSessionMax) {
    worker_.decide_batch();
    write_replies();
    if (in_flight_ >= kInFlightPerSessionMax) return true;
  }
  const size_t output_max = worker_.process().server.max_output_bytes;
  if (stream_.unsent_bytes() > (waiting_ ? output_max / 2 : output_max)) return true;
  if (!worker_.has_room()) {
    worker_.wait_for_room(*this);
    return true;
  }
  return false;
}

void Session::wait() {
  waiting_ = true;
  worker_.counters().stalls.add();
  stream_.pause_reading();
}

void Session::go_on() {
  waiting_ = false;
  if (deferred_.waiting) run_deferred();
  consume_kept();
  if (!waiting_ && !closing_ && !ended_) stream_.resume_reading();
}

void Session::defer(Framing framing, Request words) {
  deferred_.waiting = true;
  deferred_.framing = framing;
  deferred_.words.assign(words.begin(), words.end());
  wait();
}

void Session::run_deferred() {
  deferred_.waiting = false;
  if (deferred_.words.empty()) {
    const std::string message = std::move(deferred_.message);
    refuse(deferred_.framing, deferred_.code, message);
    return;
  }
  const std::vector<std::string> kept = std::move(deferred_.words);
  deferred_.words.clear();
  std::vector<std::string_view> words(kept.begin(), kept.end());
  handle(deferred_.framing, words);
}

// ---- replies ----

Ask* Session::add_ask(Framing framing, Form form) {
  Ask* ask = worker_.new_ask(*this, framing, form);
  ask->administration = administering_;
  if (last_ == nullptr) {
    first_ = ask;
  } else {
    last_->next = ask;
  }
  last_ = ask;
  ++in_flight_;
  return ask;
}

void Session::answered(Ask& ask) {
  ask.ready = true;
  worker_.touch(*this);
}

// The second goes before the first, if it is ready and the first is not.
void Session::let_pass() {
  Ask* second = first_ == nullptr || first_->ready ? nullptr : first_->next;
  if (second == nullptr || !second->ready) return;
  first_->next = second->next;
  second->next = first_;
  if (last_ == second) last_ = first_;
  first_ = second;
}

void Session::write_replies() {
  if (engine::flawed(engine::Flaw::kRepliesOutOfOrder)) let_pass();
  while (first_ != nullptr && first_->ready) {
    Ask* ask = first_;
    first_ = ask->next;
    if (first_ == nullptr) last_ = nullptr;
    if (!closed_) {
      answer(*ask, stream_.output());
    } else if (ask->administration != AdminRequest::kNone) {
      net::OutputBuffer nobody(worker_.chunks());  // what became of it is told nevertheless
      answer(*ask, nobody);
    }
    --in_flight_;
    worker_.release(ask);
  }
}

void Session::answer(Ask& ask, net::OutputBuffer& out) {
  ReplyWriter reply(out, ask.framing);
  write(ask, reply);
  if (ask.administration != AdminRequest::kNone) [[unlikely]] {
    tell_administration(ask.administration, reply.error_code(), &ask);
  }
}

void Session::refuse(Framing framing, ErrorCode code, std::string_view message) {
  if (administering_ != AdminRequest::kNone) {
    tell_administration(std::exchange(administering_, AdminRequest::kNone), code, nullptr);
  }
  if (!replies_written()) {
    deferred_.code = code;
    deferred_.message = message;
    defer(framing, {});
    return;
  }
  worker_.counters().errors.add();
  ReplyWriter(stream_.output(), framing).error(code, message);
  if (deferred_.fatal) close();
}

bool Session::settle() {
  write_replies();
  if (waiting_ && !closing_ && !must_wait()) {
    go_on();
    write_replies();
  }
  if (!closed_) {
    if (events_lost_ > 0) [[unlikely]] {
      tell_gap();
    }
    close_when_done();
    stream_.flush();
  }
  return closed_ && in_flight_ == 0 && records_owed_ == 0;
}

void Session::close() {
  closing_ = true;
  input_.clear();
}

// Closes once nothing more is owed: the client has ended or broken its side, or the daemon stops.
void Session::close_when_done() {
  if (stream_.closing() || first_ != nullptr || deferred_.waiting) return;
  bool done = closing_ || (ended_ && !waiting_);
  if (!done && worker_.draining() && !waiting_) {
    done = !worker_.loop().first_byte(stream_.fd());
  }
  if (done) {
    closing_ = true;
    stream_.close_after_flush();
  }
}

}  // namespace toll::daemon
