// SHA-1 (FIPS 180-4), by which Redis names scripts. Not for secrets.
#pragma once

#include <string>
#include <string_view>

namespace toll::sim {

// 40 hex digits in lower case.
std::string sha1_hex(std::string_view bytes);

}  // namespace toll::sim
