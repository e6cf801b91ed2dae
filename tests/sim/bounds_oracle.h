// Promise 8 as code: what a daemon may take of its disks and of its memory for keys has a bound,
// whatever clients send and whatever fails.
//
// Looked at between steps; what clients cannot see counts here, so it looks into the host.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "tests/sim/daemon_host.h"
#include "tests/sim/history.h"

namespace toll::sim {

class BoundsOracle {
 public:
  BoundsOracle(History& history, const std::vector<std::unique_ptr<DaemonHost>>& hosts)
      : history_(history), hosts_(hosts) {}

  void check();

 private:
  void check_disk(const DaemonHost& host, const test::MemoryDisk& disk, int64_t bytes_max,
                  uint64_t segment_bytes, std::string_view what);

  History& history_;
  const std::vector<std::unique_ptr<DaemonHost>>& hosts_;
};

}  // namespace toll::sim
