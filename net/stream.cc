#include "net/stream.h"

#include <cassert>

namespace toll::net {

Stream::Stream(Loop& loop, int fd, ChunkPool& pool, StreamHandler& handler)
    : loop_(loop), handler_(handler), output_(pool), fd_(fd) {
  assert(fd >= 0);
}

Stream::~Stream() {
  assert(!receive_.in_flight() && !send_.in_flight());
  if (fd_ >= 0) loop_.close(fd_);
}

void Stream::Receive::complete(const Event& event) {
  stream.received(event);
}
void Stream::Send::complete(const Event& event) {
  stream.sent(event);
}

void Stream::start() {
  assert(!started_ && !closed());
  started_ = true;
  if (wants_input()) loop_.receive(fd_, receive_);
}

void Stream::flush() {
  if (aborted_ || closed() || send_.in_flight() || output_.empty()) return;
  loop_.send(fd_, output_.front(), send_);
}

void Stream::pause_reading() {
  if (paused_ || closing_) return;
  paused_ = true;
  loop_.stop(receive_);
}

void Stream::resume_reading() {
  if (!paused_) return;
  paused_ = false;
  // If the pause has not come through yet, its last event starts the next receive.
  if (wants_input() && !receive_.in_flight()) loop_.receive(fd_, receive_);
}

void Stream::close_after_flush() {
  if (closing_) return;
  closing_ = true;
  paused_ = false;
  flush();
  if (wants_input() && !receive_.in_flight()) loop_.receive(fd_, receive_);
  if (output_.empty()) provoke_event();
}

void Stream::abort() {
  if (aborted_ || closed()) return;
  closing_ = true;
  aborted_ = true;
  // A send that waits for a peer who does not read ends only by this.
  loop_.shut_down(fd_);
  if (!send_.in_flight()) output_.clear();
  provoke_event();
}

// What is in flight is asked to end, and where nothing is, something is started only to be stopped:
// on_closed() comes from the loop and never from inside the call that asks for it.
void Stream::provoke_event() {
  if (in_event_) return;
  if (!receive_.in_flight()) {
    if (send_.in_flight()) return;
    loop_.receive(fd_, receive_);
  }
  loop_.stop(receive_);
}

// While output is being flushed before a close, input is still read, and dropped.
bool Stream::wants_input() const {
  if (!started_ || paused_ || ended_ || aborted_) return false;
  return !closing_ || !output_.empty();
}

void Stream::received(const Event& event) {
  in_event_ = true;
  if (event.status == IoStatus::kOk) {
    assert(event.more && !event.data.empty());
    if (!closing_) handler_.on_data(event.data);
  } else if (event.status == IoStatus::kEnd) {
    ended_ = true;
    if (!closing_) handler_.on_end(IoStatus::kEnd);
  } else if (event.status == IoStatus::kCancelled) {
    if (wants_input()) loop_.receive(fd_, receive_);
  } else {
    fail(event.status);
  }
  in_event_ = false;
  finish_if_idle();
}

void Stream::sent(const Event& event) {
  in_event_ = true;
  if (event.status != IoStatus::kOk) {
    fail(event.status);
  } else if (aborted_) {
    output_.clear();
  } else {
    output_.consume(static_cast<size_t>(event.value));
    if (!output_.empty()) {
      loop_.send(fd_, output_.front(), send_);
    } else if (!closing_) {
      handler_.on_drained();
    }
  }
  in_event_ = false;
  finish_if_idle();
}

// The connection is of no more use. Called from an event only.
void Stream::fail(IoStatus status) {
  const bool untold = !closing_ && !ended_;
  closing_ = true;
  aborted_ = true;
  ended_ = true;
  loop_.shut_down(fd_);
  if (!send_.in_flight()) output_.clear();
  if (untold) handler_.on_end(status);
}

// REQUIRES: the caller touches nothing of the stream any more: on_closed() may have destroyed it.
void Stream::finish_if_idle() {
  if (!closing_ || send_.in_flight()) return;
  if (!aborted_ && !output_.empty()) return flush();
  if (receive_.in_flight()) {
    loop_.stop(receive_);
    return;
  }
  output_.clear();
  loop_.close(fd_);
  fd_ = -1;
  handler_.on_closed();
}

}  // namespace toll::net
