// A text as JSON writes it. Pure; any thread.
#pragma once

#include <string>
#include <string_view>

namespace toll::daemon {

// With its quotes. A byte that is not part of valid UTF-8 becomes \ufffd.
std::string json_string(std::string_view text);

}  // namespace toll::daemon
