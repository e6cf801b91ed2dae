// What a daemon says of itself when asked all at once: HEALTH, STATS, POLICIES, VERSION and HOT.
//
// Plain values. look() blocks for as long as the connection's timeout, for each of the questions.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/client_connection.h"

namespace toll::daemon {

struct DaemonView {
  std::string version;  // "tollkeeper 0.1.0"
  std::string state;    // "ready"
  std::map<std::string, std::string, std::less<>> health;
  std::map<std::string, std::string, std::less<>> stats;
  std::vector<std::string> stats_order;            // the names, as they were listed
  std::vector<std::vector<std::string>> policies;  // the words of each row
  std::vector<std::vector<std::string>> hot;       // likewise; empty unless it was asked for
  std::chrono::steady_clock::time_point asked_at;

  // A word of HEALTH; "" if it is not there.
  std::string_view health_word(std::string_view name) const;
  // A number of STATS; 0 if it is not there, or none.
  uint64_t figure(std::string_view name) const;
};

// `hot`: how many of the hottest keys to ask for. A daemon that cannot tell them is no error.
std::expected<DaemonView, std::string> look(ClientConnection& connection, size_t hot);

// A policy's name, in a figure's: "api" of "policy_api_denied", "" of any other.
std::string_view policy_of_figure(std::string_view name, std::string_view suffix);

}  // namespace toll::daemon
