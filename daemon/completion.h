// What may come next on a line that is being typed: a verb, or the name of a policy.
//
// Pure functions; any thread. The verbs are those of the table in commands.h.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace toll::daemon {

enum class Expected : uint8_t { kVerb, kPolicy, kNothing };

// What the word is that begins behind `before`, the part of the line before it.
Expected expected_after(std::string_view before);

// Those of `names` that begin with `typed`, in any case.
std::vector<std::string> matching(const std::vector<std::string>& names, std::string_view typed);

// The names of all verbs, and of what the prompt itself understands.
std::vector<std::string> verb_names();

}  // namespace toll::daemon
