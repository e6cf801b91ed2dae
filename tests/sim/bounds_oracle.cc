#include "tests/sim/bounds_oracle.h"

namespace toll::sim {
namespace {

// The names, the epoch and the machine, and the same anew.
constexpr uint64_t kIdentityBytes = 1'024;

}  // namespace

void BoundsOracle::check() {
  for (const auto& host : hosts_) {
    const HostSettings& settings = host->settings();
    check_disk(*host, host->disk(), settings.settings.costs.journal_max_bytes,
               settings.journal.segment_bytes, "journal");
    check_disk(*host, host->spill_disk(), settings.settings.logs.spill_bytes_max,
               settings.spill.segment_bytes, "spill of log records");
    if (!host->running()) continue;
    const uint64_t bytes = host->key_bytes();
    if (bytes <= settings.settings.server.memory_bytes) continue;
    history_.violation("promise 8: the keys of {} take {} bytes, and may take {}", settings.name,
                       bytes, settings.settings.server.memory_bytes);
  }
}

void BoundsOracle::check_disk(const DaemonHost& host, const test::MemoryDisk& disk,
                              int64_t bytes_max, uint64_t segment_bytes, std::string_view what) {
  // A start writes its last segment anew, and a process may end in the midst of beginning one.
  const uint64_t most = static_cast<uint64_t>(bytes_max) + segment_bytes + kIdentityBytes;
  if (disk.bytes_used() <= most) return;
  history_.violation("promise 8: the {} of {} takes {} bytes, and may take {}", what,
                     host.settings().name, disk.bytes_used(), bytes_max);
}

}  // namespace toll::sim
