#include "bench/affinity.h"

#include <cerrno>
#include <cstring>
#include <fmt/format.h>

namespace toll::bench {

std::expected<void, std::string> pin_to(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (cpu >= 0 && cpu < CPU_SETSIZE) CPU_SET(static_cast<size_t>(cpu), &set);
  if (sched_setaffinity(0, sizeof set, &set) != 0) {
    return std::unexpected(fmt::format("cannot pin to CPU {}: {}", cpu, std::strerror(errno)));
  }
  return {};
}

std::vector<int> allowed_cpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  sched_getaffinity(0, sizeof set, &set);
  std::vector<int> cpus;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(static_cast<size_t>(cpu), &set)) cpus.push_back(cpu);
  }
  return cpus;
}

AffinityScope::AffinityScope() {
  CPU_ZERO(&before_);
  sched_getaffinity(0, sizeof before_, &before_);
}

AffinityScope::~AffinityScope() {
  sched_setaffinity(0, sizeof before_, &before_);
}

}  // namespace toll::bench
