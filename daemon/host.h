// What the daemon needs from the machine before it can run: processors, descriptors, a directory.
// For main, at start.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <vector>

namespace toll::daemon {

// What tells this machine from a copy of it: /etc/machine-id, hashed, for it is not to be shown;
// "unknown" where there is none.
std::string machine_id();

// Makes sure that descriptors 0 to 2 are taken, where the process was started without: else the
// first file that is opened would get the log written into it. First of all.
void keep_standard_descriptors();

// The processors this process may use, in order; at least one.
std::vector<int> usable_processors();

// Pins the calling thread. False where that is forbidden, which costs speed and nothing else.
bool pin_to_processor(int processor);

// Raises the soft limit of open descriptors so that `clients` fit beside our own; returns how many
// clients do fit.
uint32_t make_room_for_clients(uint32_t clients);

// Makes the socket's directory, mode 0700, if it is missing and its parent is not. One that is
// there stays as it is, but in /tmp it must be ours alone. Errors are sentences for the operator.
std::expected<void, std::string> prepare_directory(const std::string& socket_path);

}  // namespace toll::daemon
