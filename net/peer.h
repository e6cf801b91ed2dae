// Who is at the other end of a Unix socket, by the kernel's word.
#pragma once

#include <optional>
#include <sys/types.h>

namespace toll::net {

// Is the peer of `fd` root, this process' own user, or a member of `group` (primary or
// supplementary)? A peer that cannot be asked about is nobody. Two system calls; any thread.
bool is_privileged_peer(int fd, std::optional<gid_t> group);

}  // namespace toll::net
