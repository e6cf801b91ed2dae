// The sockets that the service manager opened for us (socket activation): they listen before we
// start and after we end, so that a restart refuses nobody.
//
// For the main thread, at start, before any other thread.
#pragma once

#include <string>
#include <vector>

namespace toll::systemd {

struct PassedSocket {
  int fd = -1;       // ours from now on, close-on-exec
  std::string name;  // FileDescriptorName= of its unit; "" or "unknown": the manager gave none
};

// In the manager's order; empty where none were passed to this very process.
std::vector<PassedSocket> passed_sockets();

}  // namespace toll::systemd
