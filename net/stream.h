// One connected stream socket on a loop: bytes in, bytes out, and an orderly end.
//
// Owned by its creator and used on the loop's thread only. Incoming bytes are handed on in place
// and not kept; outgoing bytes are collected in chunks from a pool and leave as one send per turn,
// never more than one in flight. Knows nothing of what the bytes mean.
//
// The end: the kernel may still own our memory after an error, so a Stream is freed only from
// StreamHandler::on_closed(), which comes once, when nothing is in flight any more.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "net/limits.h"
#include "net/loop.h"
#include "net/output_buffer.h"

namespace toll::net {

class StreamHandler {
 public:
  // Bytes came. Valid, and ours to change, until the return. Also called with what was in the
  // kernel's queue when reading was paused, so a handler must be able to keep it.
  virtual void on_data(std::span<char> data) = 0;
  // The peer will send no more (kEnd), or reading or sending failed. Once at most, and not after
  // the owner closed. After kEnd output can still be sent and the owner closes when it is done;
  // after anything else the stream has aborted itself.
  virtual void on_end(IoStatus status) = 0;
  // All output has been handed to the kernel. Not called while closing.
  virtual void on_drained() = 0;
  // Nothing is in flight and the descriptor is closed. Once, the last call of all. The stream may
  // be destroyed in here.
  virtual void on_closed() = 0;

 protected:
  ~StreamHandler() = default;
};

class Stream {
 public:
  // Takes ownership of `fd`, a connected non-blocking stream socket. `pool` must outlive the
  // stream.
  Stream(Loop& loop, int fd, ChunkPool& pool, StreamHandler& handler);
  ~Stream();  // REQUIRES: closed(), or never started
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  void start();  // begins to receive

  // Where to write output. Nothing leaves before flush().
  OutputBuffer& output() { return output_; }
  // Starts a send unless one is in flight (then its end starts the next). Cheap when there is
  // nothing.
  void flush();
  // Bytes written and not yet taken by the kernel.
  size_t unsent_bytes() const { return output_.size(); }
  // It broke or was aborted: what was unsent then was thrown away.
  bool aborted() const { return aborted_; }

  // Back-pressure: stop receiving, and go on. Data that was already received may still come after a
  // pause.
  void pause_reading();
  void resume_reading();
  bool reading_paused() const { return paused_; }

  // Sends what is in the output, then closes. Data that still comes is read and dropped, also if
  // reading was paused: a peer that is blocked writing would never come to read. There is no
  // deadline in here; whoever wants one calls abort(). on_closed() follows, from the loop and
  // never from inside this call.
  void close_after_flush();
  // Drops the output and closes. on_closed() follows, as above.
  void abort();
  bool closing() const { return closing_; }
  bool closed() const { return fd_ < 0; }
  int fd() const { return fd_; }

 private:
  struct Receive final : Completion {
    explicit Receive(Stream& owner) : stream(owner) {}
    void complete(const Event& event) override;
    Stream& stream;
  };
  struct Send final : Completion {
    explicit Send(Stream& owner) : stream(owner) {}
    void complete(const Event& event) override;
    Stream& stream;
  };

  void received(const Event& event);
  void sent(const Event& event);
  void fail(IoStatus status);
  bool wants_input() const;
  void provoke_event();
  void finish_if_idle();

  Loop& loop_;
  StreamHandler& handler_;
  OutputBuffer output_;
  Receive receive_{*this};
  Send send_{*this};
  int fd_;
  bool started_ = false;
  bool paused_ = false;
  bool ended_ = false;  // the peer's side is done or broken; on_end() has been called
  bool closing_ = false;
  bool aborted_ = false;
  bool in_event_ = false;  // received() or sent() is running and will look whether we are done
};

}  // namespace toll::net
