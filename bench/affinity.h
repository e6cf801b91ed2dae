// Which CPUs a thread runs on.
#pragma once

#include <expected>
#include <optional>
#include <sched.h>
#include <string>
#include <vector>

namespace toll::bench {

// Binds the calling thread, and what it starts from now on, to one CPU. Errors: a sentence.
std::expected<void, std::string> pin_to(int cpu);

// The CPUs the calling thread may use, in order.
std::vector<int> allowed_cpus();

// Gives the calling thread its CPUs back at the end of a scope in which it may be pinned, so that
// what is started later does not inherit the pin.
class AffinityScope {
 public:
  AffinityScope();
  AffinityScope(const AffinityScope&) = delete;
  AffinityScope& operator=(const AffinityScope&) = delete;
  ~AffinityScope();

 private:
  cpu_set_t before_;
};

}  // namespace toll::bench
