// Who is at the other end of a Unix socket, by the kernel's word.
#pragma once

#include <optional>
#include <sys/types.h>

namespace toll::daemon {

// May the peer of `fd` administer this daemon: is it root, the daemon's own user, or a member of
// `admin_group` (primary or supplementary)? A peer that cannot be asked about is nobody. Two system
// calls; any thread.
bool is_admin_peer(int fd, std::optional<gid_t> admin_group);

}  // namespace toll::daemon
