// Who is at the other end of a Unix socket, by the kernel's word.
#pragma once

#include <optional>
#include <sys/types.h>

namespace toll::net {

struct Peer {
  uid_t uid = 0;
  gid_t gid = 0;
  pid_t pid = 0;  // when it connected; may be another's by now
};

// Nothing if it cannot be asked about. A system call; any thread.
std::optional<Peer> peer_of(int fd);

// Is the peer of `fd` root, this process' own user, or a member of `group` (primary or
// supplementary)? A peer that cannot be asked about is nobody. Two system calls; any thread.
bool is_privileged_peer(int fd, std::optional<gid_t> group);

}  // namespace toll::net
