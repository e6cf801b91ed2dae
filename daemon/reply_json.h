// A reply as one line of JSON, for scripts.
//
//   ALLOW 100 99 0 10 local   {"result":"allow","limit":100,"remaining":99,"retry_ms":0,
//                              "reset_ms":10,"source":"local"}, "position" or "ticket" added
//   OK pong                   {"result":"ok","values":["pong"]}
//   LIST 1 / keys 7           {"result":"list","rows":[["keys",7]]}
//   EVENT breaker state=open  {"event":"breaker","state":"open"}
//   ERR NOPOLICY no such one  {"result":"error","code":"NOPOLICY","message":"no such one"}
//
// Words that are whole numbers, and were not quoted, become numbers. Pure functions; any thread.
#pragma once

#include <string>

#include "daemon/reply_reader.h"

namespace toll::daemon {

// Without a line end.
std::string json_of(const Reply& reply);

}  // namespace toll::daemon
