// What the loops on a kernel have in common: its sockets, and a doorbell that is a descriptor.
#pragma once

#include "net/event_doorbell.h"
#include "net/loop.h"

namespace toll::net {

class KernelLoop : public Loop {
 public:
  std::expected<int, int> open_socket(int family) final;
  void shut_down(int fd) final;
  void close(int fd) final;
  std::optional<char> first_byte(int fd) final;
  bool hung_up(int fd) final;
  void send_at_once(int fd, std::string_view bytes) final;
  bool peer_is_privileged(int fd, std::optional<gid_t> group) final;
  std::optional<Peer> peer(int fd) final;
  Doorbell& doorbell() final { return doorbell_; }

 protected:
  EventDoorbell doorbell_;
};

}  // namespace toll::net
