// What the daemon tells its service manager: that it is ready, reloading, stopping, and how it is.
//
// A thin wrapper on libsystemd's sd_notify. Messages go to the datagram socket named by
// $NOTIFY_SOCKET; without it (started by hand, or under another manager) nothing is sent. Nobody is
// told of a failure, by design: a daemon does not stop working because its manager cannot hear it.
// For the main thread; a send may block while the manager is behind, so never call these from a
// worker.
#pragma once

#include <cstdint>
#include <string_view>

namespace toll::systemd {

// The socket listens: units ordered after this one may start. Also ends a reload. `status` is one
// line for `systemctl status`; what follows a line break in it is dropped, and so is what is past
// kStatusBytesMax. Empty: the status shown stays.
void ready(std::string_view status = {});

// A reload begins; ready() must follow, whether it succeeded or not.
void reloading();

// The end begins: no new connections from here on.
void stopping();

// The line that `systemctl status` shows, bounded as for ready().
void status(std::string_view text);

// The start takes longer, for a reason that `text` says: the manager waits for so much more, from
// now on. Again before that is over, as long as it goes on.
void extend_start(int64_t more_us, std::string_view text);

// Is there a manager that listens?
bool has_manager();

// How long the manager's watchdog waits for a sign of life, as at start; 0: there is none.
int64_t watchdog_us();

// The sign of life.
void feed_watchdog();

inline constexpr int kStatusBytesMax = 512;

}  // namespace toll::systemd
