#include "daemon/host.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <fstream>
#include <sched.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/limits.h"
#include "engine/key_hash.h"

namespace toll::daemon {

std::string machine_id() {
  std::ifstream file("/etc/machine-id");
  std::string id;
  if (!(file >> id)) return "unknown";
  const engine::KeyHasher hasher({0, 0});
  return fmt::format("{:016x}", hasher(0, id).rest);
}

void keep_standard_descriptors() {
  int fd = 0;
  while (fd >= 0 && fd <= STDERR_FILENO) fd = open("/dev/null", O_RDWR);
  if (fd >= 0) close(fd);
}

std::vector<int> usable_processors() {
  cpu_set_t set;
  CPU_ZERO(&set);
  std::vector<int> processors;
  if (sched_getaffinity(0, sizeof(set), &set) == 0) {
    for (int i = 0; i < CPU_SETSIZE; ++i) {
      if (CPU_ISSET(i, &set)) processors.push_back(i);
    }
  }
  if (processors.empty()) processors.push_back(0);
  return processors;
}

bool pin_to_processor(int processor) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(processor, &set);
  return sched_setaffinity(0, sizeof(set), &set) == 0;
}

uint32_t make_room_for_clients(uint32_t clients) {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return clients;
  const rlim_t wanted = rlim_t{clients} + kReservedDescriptors;
  if (limit.rlim_cur < wanted) {
    rlimit raised = limit;
    raised.rlim_cur = std::min(wanted, limit.rlim_max);
    if (raised.rlim_cur > limit.rlim_cur && setrlimit(RLIMIT_NOFILE, &raised) == 0) limit = raised;
  }
  if (limit.rlim_cur >= wanted) return clients;
  const rlim_t fit = limit.rlim_cur > kReservedDescriptors ? limit.rlim_cur - kReservedDescriptors
                                                           : limit.rlim_cur / 2;
  return static_cast<uint32_t>(std::min<rlim_t>(fit, clients));
}

std::expected<void, std::string> prepare_directory(const std::string& socket_path) {
  const size_t slash = socket_path.rfind('/');
  if (slash == std::string::npos || slash == 0) return {};
  const std::string directory = socket_path.substr(0, slash);
  struct stat status{};
  if (stat(directory.c_str(), &status) != 0) {
    if (errno == ENOENT && mkdir(directory.c_str(), 0700) == 0) return {};
    return std::unexpected(
        fmt::format("{}: cannot make the socket's directory: {}", directory, std::strerror(errno)));
  }
  const bool shared_parent = directory.starts_with("/tmp/");
  if (shared_parent && status.st_uid != geteuid()) {
    return std::unexpected(fmt::format(
        "{}: belongs to another user (uid {}); choose another --socket", directory, status.st_uid));
  }
  return {};
}

}  // namespace toll::daemon
