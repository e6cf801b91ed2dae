// The scripts that run inside Redis, assembled from lua/*.lua and embedded by the build
// (lua/embed.py), each with the SHA1 that EVALSHA and SCRIPT LOAD know it by.
//
// Static text, there for the life of the process; any thread. What a script takes and answers is
// written at the head of its file, lua/<name>.lua.
#pragma once

#include <string_view>

namespace toll::lua {

struct Script {
  std::string_view name;
  // For Redis 7 and later: begins with "#!lua", so that a demoted replica answers READONLY instead
  // of deciding from stale data.
  std::string_view body;
  std::string_view sha1;  // of `body`, 40 hex digits in lower case
  // For Redis 6.2, which does not know that line.
  std::string_view body_6;
  std::string_view sha1_6;
};

extern const Script kCosts;      // one batch of charges and of questions about accounts
extern const Script kEpoch;      // a daemon claims its name for this start
extern const Script kLimits;     // one batch of decisions
extern const Script kLogreturn;  // log records that were taken and not delivered go back
extern const Script kLogtrim;    // cuts the list of log records to its length
extern const Script kNodes;      // the heartbeat: which daemons of the fleet are alive

}  // namespace toll::lua
