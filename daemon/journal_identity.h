// The file `identity` beside the journal's segments: three lines of text that say whose they are.
//
//   node 0f1e2d3c4b5a69788796a5b4c3d2e1f0
//   machine <what the caller gave, up to the end of the line>
//   epoch 17
//
// Pure functions; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "engine/journal_record.h"

namespace toll::daemon {

inline constexpr size_t kIdentityBytesMax = 4096;
// Room to count on from here for ever; what is higher was never counted to.
inline constexpr uint64_t kEpochMax = uint64_t{1} << 53;

struct IdentityText {
  engine::NodeId node = {};
  std::string machine;
  uint64_t epoch = 0;
};

std::string write_identity(const IdentityText& identity);
// Nullopt: that is not what write_identity() made, or not all of it.
std::optional<IdentityText> read_identity(std::string_view text);

// From two random numbers.
engine::NodeId node_of(uint64_t random_a, uint64_t random_b);

}  // namespace toll::daemon
