#include "bench/process_usage.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string_view>
#include <sys/resource.h>
#include <unistd.h>

namespace toll::bench {
namespace {

struct Stat {
  std::string name;
  double user_s = 0;
  double system_s = 0;
};

std::expected<std::string, std::string> read_text(const std::string& path) {
  std::ifstream file(path);
  std::string text(std::istreambuf_iterator<char>(file), {});
  if (!file || text.empty()) return std::unexpected(fmt::format("cannot read {}", path));
  return text;
}

// proc(5): pid (name) state ppid ... with utime and stime as fields 14 and 15. A name may itself
// contain blanks and parentheses, so fields are counted from the last one.
std::expected<Stat, std::string> read_stat(const std::string& path) {
  const auto text = read_text(path);
  if (!text) return std::unexpected(text.error());
  const size_t open = text->find('(');
  const size_t close = text->rfind(')');
  if (open == std::string::npos || close == std::string::npos || close < open) {
    return std::unexpected(fmt::format("{} is not what proc(5) says", path));
  }
  std::istringstream fields(text->substr(close + 1));
  std::string skipped;
  for (int field = 3; field < 14; ++field) fields >> skipped;
  double user_ticks = 0;
  double system_ticks = 0;
  fields >> user_ticks >> system_ticks;
  const auto per_second = static_cast<double>(sysconf(_SC_CLK_TCK));
  return Stat{text->substr(open + 1, close - open - 1), user_ticks / per_second,
              system_ticks / per_second};
}

// The number behind `key` in a file of "key:\tnumber ..." lines; 0 if it is not there.
uint64_t field_of(std::string_view text, std::string_view key) {
  const size_t found = text.find(key);
  if (found == std::string_view::npos) return 0;
  const size_t digits = text.find_first_of("0123456789", found + key.size());
  if (digits == std::string_view::npos) return 0;
  uint64_t value = 0;
  std::from_chars(text.data() + digits, text.data() + text.size(), value);
  return value;
}

std::expected<ThreadUsage, std::string> read_thread(const std::string& folder) {
  const auto stat = read_stat(folder + "/stat");
  if (!stat) return std::unexpected(stat.error());
  const auto status = read_text(folder + "/status");
  if (!status) return std::unexpected(status.error());
  ThreadUsage thread;
  thread.tid = static_cast<pid_t>(field_of(*status, "\nPid:"));
  thread.name = stat->name;
  thread.user_s = stat->user_s;
  thread.system_s = stat->system_s;
  thread.voluntary_switches = field_of(*status, "\nvoluntary_ctxt_switches:");
  thread.involuntary_switches = field_of(*status, "\nnonvoluntary_ctxt_switches:");
  return thread;
}

}  // namespace

std::expected<ProcessUsage, std::string> read_usage(pid_t pid) {
  const std::string folder = fmt::format("/proc/{}", pid);
  const auto stat = read_stat(folder + "/stat");
  if (!stat) return std::unexpected(stat.error());
  const auto status = read_text(folder + "/status");
  if (!status) return std::unexpected(status.error());

  ProcessUsage usage;
  usage.user_s = stat->user_s;
  usage.system_s = stat->system_s;
  usage.resident_bytes = field_of(*status, "\nVmRSS:") * 1024;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder + "/task", error)) {
    // A thread may end between the listing and the reading; then it is not among those alive.
    if (auto thread = read_thread(entry.path().string())) usage.threads.push_back(*thread);
  }
  if (error)
    return std::unexpected(fmt::format("cannot list {}/task: {}", folder, error.message()));
  std::ranges::sort(usage.threads, {}, &ThreadUsage::tid);
  return usage;
}

ProcessUsage operator-(const ProcessUsage& later, const ProcessUsage& earlier) {
  ProcessUsage used = later;
  used.user_s -= earlier.user_s;
  used.system_s -= earlier.system_s;
  for (ThreadUsage& thread : used.threads) {
    const auto before = std::ranges::find(earlier.threads, thread.tid, &ThreadUsage::tid);
    if (before == earlier.threads.end()) continue;
    thread.user_s -= before->user_s;
    thread.system_s -= before->system_s;
    thread.voluntary_switches -= before->voluntary_switches;
    thread.involuntary_switches -= before->involuntary_switches;
  }
  return used;
}

double own_cpu_s() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

}  // namespace toll::bench
