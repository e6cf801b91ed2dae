#include "systemd/notify.h"

#include <algorithm>
#include <cassert>
#include <cstdlib>
#include <systemd/sd-daemon.h>
#include <time.h>

namespace toll::systemd {
namespace {

constexpr uint64_t kWatchdogUsMax = 3'600'000'000;  // more is as good as that

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

void extend_start(int64_t more_us, std::string_view text) {
  sd_notifyf(0, "EXTEND_TIMEOUT_USEC=%lld\nSTATUS=%.*s", static_cast<long long>(more_us),
             line_bytes(text), text.data());
}

bool has_manager() {
  return std::getenv("NOTIFY_SOCKET") != nullptr;
}

int64_t watchdog_us() {
  uint64_t interval_us = 0;
  if (sd_watchdog_enabled(0, &interval_us) <= 0) return 0;
  return static_cast<int64_t>(std::min<uint64_t>(interval_us, kWatchdogUsMax));
}

void feed_watchdog() {
  sd_notify(0, "WATCHDOG=1");
}

void status(std::string_view text) {
  sd_notifyf(0, "STATUS=%.*s", line_bytes(text), text.data());
}

}  // namespace toll::systemd
