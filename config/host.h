// What the host contributes to the defaults: its directories and its groups.
//
// Reads the group database; keeps nothing. Any thread; may block.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <sys/types.h>

namespace toll::config {

using Environment = std::map<std::string, std::string>;

struct HostPath {
  std::string path;
  std::string variable;  // what it was taken from; "" if from nothing
};

// $RUNTIME_DIRECTORY/tollkeeper.sock (systemd's, the first of its list), else
// $XDG_RUNTIME_DIR/tollkeeper/tollkeeper.sock, else /tmp/tollkeeper-<uid>/tollkeeper.sock.
HostPath default_socket(const Environment& environment);

// $STATE_DIRECTORY (the first of its list), else /var/lib/tollkeeper.
HostPath default_state_dir(const Environment& environment);

// The id of the group of that name; unset if there is none, or the database cannot be read.
std::optional<gid_t> group_id(const std::string& name);

// `name` if there is such a group, else "": the shipped unit makes the groups, and a daemon started
// by hand on a host that never had them serves its own user.
std::string default_group(const std::string& name);

}  // namespace toll::config
