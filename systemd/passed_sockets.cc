#include "systemd/passed_sockets.h"

#include <cstdlib>
#include <systemd/sd-daemon.h>

namespace toll::systemd {

std::vector<PassedSocket> passed_sockets() {
  char** names = nullptr;
  const int count = sd_listen_fds_with_names(0, &names);
  std::vector<PassedSocket> sockets;
  for (int i = 0; i < count; ++i) {
    sockets.push_back({.fd = SD_LISTEN_FDS_START + i, .name = names[i]});
    std::free(names[i]);
  }
  std::free(names);
  return sockets;
}

}  // namespace toll::systemd
