// When a key expires, as the words of a command say it.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "tests/sim/redis_commands.h"

namespace toll::sim {

struct ExpiryForm {
  bool seconds;   // else milliseconds
  bool absolute;  // else from now on
  bool operator==(const ExpiryForm&) const = default;
};

// What a number from zero down is: SET takes none, EXPIRE deletes the key.
enum class Past : uint8_t { kIsInvalid, kIsPast };

// The time in milliseconds; nothing where it is no number or beyond 64 bits, and an error was
// replied.
std::optional<int64_t> read_expiry(Call& call, std::string_view word, ExpiryForm form, Past past);

}  // namespace toll::sim
