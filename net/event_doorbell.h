// A doorbell that is a descriptor of the kernel's: readable when it was rung.
#pragma once

#include "net/loop.h"

namespace toll::net {

class EventDoorbell final : public Doorbell {
 public:
  EventDoorbell();  // throws std::system_error when no descriptor can be had (start-up)
  ~EventDoorbell();
  EventDoorbell(const EventDoorbell&) = delete;
  EventDoorbell& operator=(const EventDoorbell&) = delete;

  void ring() noexcept override;
  int fd() const { return fd_; }

 private:
  int fd_;
};

}  // namespace toll::net
