// What a process has used so far: CPU time, wake-ups and memory, thread by thread, from /proc.
//
// Reads files; any thread. Counts are since the process began: take two and subtract.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <sys/types.h>
#include <vector>

namespace toll::bench {

struct ThreadUsage {
  pid_t tid = 0;
  std::string name;
  double user_s = 0;  // in steps of a clock tick, mostly 10 ms
  double system_s = 0;
  uint64_t voluntary_switches = 0;  // it went to sleep, so something woke it
  uint64_t involuntary_switches = 0;

  double cpu_s() const { return user_s + system_s; }
};

struct ProcessUsage {
  std::vector<ThreadUsage> threads;  // those alive, by tid
  double user_s = 0;                 // of all threads, those that are gone included
  double system_s = 0;
  uint64_t resident_bytes = 0;

  double cpu_s() const { return user_s + system_s; }
};

// Errors: a sentence that names the file (no such process, or one in another pid namespace).
std::expected<ProcessUsage, std::string> read_usage(pid_t pid);

// What was used between two readings of one process. Threads that are only in `later` count from 0;
// `resident_bytes` is the later one.
ProcessUsage operator-(const ProcessUsage& later, const ProcessUsage& earlier);

// CPU seconds of this process so far, to the microsecond.
double own_cpu_s();

}  // namespace toll::bench
