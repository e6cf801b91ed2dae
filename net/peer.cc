#include "net/peer.h"

#include <algorithm>
#include <array>
#include <sys/socket.h>
#include <unistd.h>

namespace toll::net {
namespace {

constexpr size_t kGroupsMax = 1024;  // supplementary groups looked through

bool in_group(int fd, gid_t group) {
  std::array<gid_t, kGroupsMax> groups;
  socklen_t bytes = sizeof(groups);
  if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups.data(), &bytes) != 0) return false;
  const auto end = groups.begin() + static_cast<ptrdiff_t>(bytes / sizeof(gid_t));
  return std::find(groups.begin(), end, group) != end;
}

}  // namespace

std::optional<Peer> peer_of(int fd) {
  ucred peer{};
  socklen_t bytes = sizeof(peer);
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &bytes) != 0) return std::nullopt;
  return Peer{.uid = peer.uid, .gid = peer.gid, .pid = peer.pid};
}

bool is_privileged_peer(int fd, std::optional<gid_t> group) {
  const std::optional<Peer> peer = peer_of(fd);
  if (!peer) return false;
  if (peer->uid == 0 || peer->uid == geteuid()) return true;
  return group && (peer->gid == *group || in_group(fd, *group));
}

}  // namespace toll::net
