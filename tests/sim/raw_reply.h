// Replies of a daemon, cut off what came from it, in either framing.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace toll::sim {

struct RawReply {
  bool error = false;
  bool list = false;
  // Of a list, its rows: what a row has several of is joined by blanks.
  std::vector<std::string> words;
};

// The first whole reply in `bytes`, which it is cut off of; nothing if there is none.
std::optional<RawReply> take_raw_reply(std::string& bytes, bool resp);

// 0 where it is none.
int64_t number_of(std::string_view word);

}  // namespace toll::sim
