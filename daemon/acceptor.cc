#include "daemon/acceptor.h"

#include <algorithm>
#include <fcntl.h>
#include <memory>
#include <string_view>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/worker.h"

namespace toll::daemon {
namespace {

int open_reserve() {
  return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

}  // namespace

Acceptor::Acceptor(Worker& worker, int listener)
    : worker_(worker), listener_(listener), reserve_(open_reserve()) {}

Acceptor::~Acceptor() {
  if (reserve_ >= 0) close(reserve_);
}

void Acceptor::start() {
  worker_.loop().accept(listener_, *this);
}

void Acceptor::stop() {
  stopping_ = true;
  worker_.loop().stop(*this);
}

void Acceptor::complete(const net::Event& event) {
  switch (event.status) {
    case net::IoStatus::kOk:
      admit(event.value);
      break;
    case net::IoStatus::kNoDescriptors:
      refuse_one();
      break;
    default:
      break;  // a client that left before it was accepted, or the end of accepting
  }
  if (event.more) return;
  if (stopping_) {
    worker_.process().accepting_ended.store(true);
  } else {
    start();
  }
}

void Acceptor::admit(int fd) {
  Process& process = worker_.process();
  uint32_t target = 0;
  uint64_t all = 0;
  for (uint32_t each = 0; each < process.workers_count; ++each) {
    all += connections(each);
    if (connections(each) < connections(target)) target = each;
  }
  if (all >= process.server.max_clients) {
    worker_.counters().connections_refused.add();
    turn_away(fd);
    return;
  }
  if (!worker_.hand_over(fd, target)) {
    turn_away(fd);
    return;
  }
  ++handed_[target];
  worker_.counters().connections_handed.add();
}

uint64_t Acceptor::connections(uint32_t worker) const {
  return handed_[worker] - worker_.process().counters[worker]->connections_closed.get();
}

// Says why and closes. Does not wait: what does not fit into the socket at once is not sent.
void Acceptor::turn_away(int fd) {
  static constexpr std::string_view kReason = "BUSY this daemon has server.max_clients clients\r\n";
  net::Loop& loop = worker_.loop();
  const bool resp = loop.first_byte(fd) == '*';
  const std::string_view prefix = resp ? "-" : "ERR ";
  char line[128];
  char* end = std::copy(prefix.begin(), prefix.end(), line);
  end = std::copy(kReason.begin(), kReason.end(), end);
  if (!resp) {
    --end;
    end[-1] = '\n';
  }
  loop.send_at_once(fd, {line, static_cast<size_t>(end - line)});
  loop.close(fd);
}

void Acceptor::refuse_one() {
  if (reserve_ < 0) return;
  close(reserve_);
  const int fd = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd >= 0) {
    worker_.counters().connections_refused.add();
    turn_away(fd);
  }
  reserve_ = open_reserve();
}

}  // namespace toll::daemon
