// Accepts for all workers and hands each connection to the one that has the fewest.
//
// Belongs to the worker that listens. Past server.max_clients a client is told ERR BUSY and closed;
// when the process is out of descriptors, one kept in reserve is given up for a moment to say the
// same, so that nobody is left hanging in the queue of the kernel.
#pragma once

#include <array>
#include <cstdint>

#include "net/limits.h"
#include "net/loop.h"

namespace toll::daemon {

class Worker;

class Acceptor final : public net::Completion {
 public:
  Acceptor(Worker& worker, int listener);
  ~Acceptor();

  void start();
  void stop();

 private:
  void complete(const net::Event& event) override;
  void admit(int fd);
  void refuse_one();
  uint64_t connections(uint32_t worker) const;
  void turn_away(int fd);

  Worker& worker_;
  int listener_;
  int reserve_;
  bool stopping_ = false;
  std::array<uint64_t, net::kWorkersMax> handed_{};  // connections given to each worker so far
};

}  // namespace toll::daemon
