#include "daemon/entrance.h"

#include <optional>
#include <spdlog/spdlog.h>
#include <unistd.h>
#include <utility>

#include "config/host.h"
#include "daemon/host.h"
#include "systemd/passed_sockets.h"

namespace toll::daemon {
namespace {

// The one of our name, or where the manager gives no names, the only one. The others are closed.
std::optional<int> choose_passed() {
  const auto sockets = systemd::passed_sockets();
  std::optional<int> chosen;
  for (const systemd::PassedSocket& socket : sockets) {
    const bool nameless = socket.name.empty() || socket.name == "unknown";
    const bool ours = socket.name == kPassedSocketName || (nameless && sockets.size() == 1);
    if (ours && !chosen) {
      chosen = socket.fd;
      continue;
    }
    spdlog::warn("the service manager passed a socket '{}' that is not used: ours is '{}'",
                 socket.name, kPassedSocketName);
    close(socket.fd);
  }
  return chosen;
}

}  // namespace

std::expected<net::Listener, std::string> open_entrance(const config::ServerSettings& server) {
  if (const auto passed = choose_passed()) {
    auto listener = net::Listener::adopt(*passed);
    if (listener && listener->path() != server.socket) {
      spdlog::warn("listening on {}, as the service manager has it, and not on server.socket, {}",
                   listener->path(), server.socket);
    }
    return listener;
  }
  if (auto ready = prepare_directory(server.socket); !ready) {
    return std::unexpected(std::move(ready.error()));
  }
  net::ListenerSettings wanted{.path = server.socket, .mode = server.socket_mode, .group = {}};
  if (!server.socket_group.empty()) wanted.group = config::group_id(server.socket_group);
  return net::Listener::open(wanted);
}

}  // namespace toll::daemon
