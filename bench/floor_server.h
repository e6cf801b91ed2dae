// The floor: a server on the daemon's own loop and streams that does no work. It counts requests
// and answers each with one constant reply, so that what it takes is what the sockets alone take.
//
// One worker, one thread; runs in a process of its own (bench/server_process.h). Not a
// daemon: it believes what it reads and knows only the requests that the bench renders.
#pragma once

#include <expected>
#include <string>

#include "bench/request_script.h"
#include "net/loop.h"

namespace toll::bench {

struct FloorSettings {
  std::string socket_path;
  net::Backend backend = net::Backend::kUring;
  Framing framing = Framing::kLine;
};

// Serves until the process is killed; returns only when it cannot begin, with a sentence that says
// why.
std::string run_floor(const FloorSettings& settings);

}  // namespace toll::bench
