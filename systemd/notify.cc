#include "systemd/notify.h"

#include <algorithm>
#include <cassert>
#include <systemd/sd-daemon.h>
#include <time.h>

namespace toll::systemd {
namespace {

// A line break would end the STATUS= assignment and begin another one of the sender's choosing.
int line_bytes(std::string_view text) {
  const size_t end = std::min(text.find('\n'), text.size());
  return static_cast<int>(std::min(end, size_t{kStatusBytesMax}));
}

}  // namespace

void ready(std::string_view status) {
  if (status.empty()) {
    sd_notify(0, "READY=1");
    return;
  }
  sd_notifyf(0, "READY=1\nSTATUS=%.*s", line_bytes(status), status.data());
}

void reloading() {
  timespec now{};
  const int failed = clock_gettime(CLOCK_MONOTONIC, &now);
  assert(failed == 0);
  // A Type=notify-reload unit waits until its timeout for a RELOADING=1 that does not say when.
  const long long now_us = static_cast<long long>(now.tv_sec) * 1'000'000 + now.tv_nsec / 1'000;
  sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%lld", now_us);
}

void stopping() {
  sd_notify(0, "STOPPING=1");
}

void status(std::string_view text) {
  sd_notifyf(0, "STATUS=%.*s", line_bytes(text), text.data());
}

}  // namespace toll::systemd
