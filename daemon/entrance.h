// Where clients come in: a socket that the service manager passed to us, or one of our own.
//
// For main, at start.
#pragma once

#include <expected>
#include <string>

#include "config/settings.h"
#include "net/listener.h"

namespace toll::daemon {

// The name by which the shipped socket unit passes it on.
inline constexpr const char* kPassedSocketName = "tollkeeper";

// The listening socket, not accepted from yet. A passed one is taken as it is, with the path, mode
// and group that its unit gave it; what else was passed is closed, and told. Errors are sentences
// for the operator.
std::expected<net::Listener, std::string> open_entrance(const config::ServerSettings& server);

}  // namespace toll::daemon
