#include "config/host.h"

#include <cerrno>
#include <fmt/format.h>
#include <grp.h>
#include <string_view>
#include <unistd.h>
#include <vector>

namespace toll::config {
namespace {

// The first of a colon-separated list of directories, or "".
std::string first_directory(const Environment& environment, const std::string& variable) {
  const auto found = environment.find(variable);
  if (found == environment.end()) return "";
  return found->second.substr(0, found->second.find(':'));
}

}  // namespace

HostPath default_socket(const Environment& environment) {
  if (const auto directory = first_directory(environment, "RUNTIME_DIRECTORY");
      !directory.empty()) {
    return {directory + "/tollkeeper.sock", "RUNTIME_DIRECTORY"};
  }
  const auto found = environment.find("XDG_RUNTIME_DIR");
  if (found != environment.end() && !found->second.empty()) {
    return {found->second + "/tollkeeper/tollkeeper.sock", "XDG_RUNTIME_DIR"};
  }
  return {fmt::format("/tmp/tollkeeper-{}/tollkeeper.sock", getuid()), ""};
}

HostPath default_state_dir(const Environment& environment) {
  if (auto directory = first_directory(environment, "STATE_DIRECTORY"); !directory.empty()) {
    return {std::move(directory), "STATE_DIRECTORY"};
  }
  // What nobody but root may write is no default for others.
  const auto state_home = environment.find("XDG_STATE_HOME");
  const auto home = environment.find("HOME");
  if (geteuid() != 0 && state_home != environment.end() && !state_home->second.empty()) {
    return {state_home->second + "/tollkeeper", "XDG_STATE_HOME"};
  }
  if (geteuid() != 0 && home != environment.end() && !home->second.empty()) {
    return {home->second + "/.local/state/tollkeeper", "HOME"};
  }
  return {"/var/lib/tollkeeper", ""};
}

std::optional<gid_t> group_id(const std::string& name) {
  // A group of many members needs room for all their names; one past the bound counts as missing.
  constexpr size_t kBufferMax = size_t{1} << 20;
  std::vector<char> buffer(1024);
  group entry{};
  group* found = nullptr;
  for (;;) {
    const int error = getgrnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found);
    if (error == EINTR) continue;
    if (error == 0 && found != nullptr) return entry.gr_gid;
    if (error != ERANGE || buffer.size() >= kBufferMax) return std::nullopt;
    buffer.resize(buffer.size() * 4);
  }
}

std::string default_group(const std::string& name) {
  return group_id(name) ? name : "";
}

}  // namespace toll::config
