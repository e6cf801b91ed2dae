// What the published comparison asks: which targets take turns under which load, and what is wanted
// of the figures. To compare something else, a question is added here and nowhere else.
//
// Plain values; any thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "bench/figure.h"
#include "bench/measurement.h"
#include "bench/target_servers.h"

namespace toll::bench {

struct Answer {
  Summary summary;
  std::optional<FilledKeys> filled;
};
using Answers = std::map<std::string, Answer, std::less<>>;  // by the target's name

struct FigureSpec {
  std::string name;
  Unit unit;
  Wanted wanted;
  std::function<double(const Answers&)> value;
};

struct Question {
  std::string title;
  std::string note;  // what one must know to read the figures; may be ""
  uint32_t clients = 8;
  uint32_t depth = 64;
  // The load on the last CPU, a server with one worker on the first; without it all share all, as
  // they must where Redis has a part in it.
  bool pinned = false;
  // An open loop at this part of what the first target does in a closed one; 0 is a closed loop.
  double part_of_top_rate = 0;
  std::vector<TargetSpec> targets;
  std::string against;
  std::vector<FigureSpec> figures;
};

// All of them, in order. `script` has the framing, the seed and how many ids there are where the
// question is not about that.
std::vector<Question> comparison(const ScriptSettings& script);

}  // namespace toll::bench
