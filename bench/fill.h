// Fills a daemon with keys, to see what they weigh.
#pragma once

#include <cstdint>
#include <expected>
#include <string>

namespace toll::bench {

// Checks each of `keys` different ids once, over one connection in the line framing. Errors: a
// sentence, also when a reply was an error.
std::expected<void, std::string> fill_keys(const std::string& socket_path,
                                           const std::string& policy, uint32_t keys);

}  // namespace toll::bench
