#include "config/load.h"

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

#include "config/assemble.h"
#include "config/descriptor.h"
#include "config/limits.h"

extern "C" char** environ;

namespace toll::config {
namespace {

std::unexpected<Fault> cannot_read(const std::string& path, int error) {
  return std::unexpected(
      Fault{path.empty() ? "\"\"" : path, "",
            fmt::format("cannot be read: {}", std::generic_category().message(error))});
}

// The whole of a file, a pipe or the like, up to one byte past what load_text() takes: enough for
// it to say that it is too much, whatever an endless device would still give.
std::expected<std::string, Fault> read_file(const std::string& path) {
  const Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
  if (file.get() < 0) return cannot_read(path, errno);
  std::string text;
  std::array<char, 64 * 1024> chunk;
  while (text.size() <= kFileBytesMax) {
    const ssize_t got = read(file.get(), chunk.data(), chunk.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return cannot_read(path, errno);
    if (got == 0) break;
    text.append(chunk.data(), static_cast<size_t>(got));
  }
  return text;
}

// Only a default file that is not there is passed over; one that cannot be looked at is a fault
// when it is read.
bool is_missing(const std::string& path) {
  struct stat status;
  return stat(path.c_str(), &status) != 0 && (errno == ENOENT || errno == ENOTDIR);
}

}  // namespace

std::expected<Loaded, std::vector<Fault>> load(const Sources& sources) {
  const std::string path = sources.file.value_or(std::string(kDefaultFile));
  if (!sources.file && is_missing(path)) return load_embedded(sources);
  const auto text = read_file(path);
  if (!text) return std::unexpected(std::vector{text.error()});
  return load_text(*text, path, sources);
}

std::map<std::string, std::string> process_environment() {
  constexpr std::array<std::string_view, 7> kPrefixes = {
      "TOLLKEEPER_",           "RATE_LIMIT_",      "REDIS_",
      "RUNTIME_DIRECTORY=",    "STATE_DIRECTORY=", "XDG_RUNTIME_DIR=",
      "CREDENTIALS_DIRECTORY="};
  std::map<std::string, std::string> environment;
  for (char** variable = environ; variable != nullptr && *variable != nullptr; ++variable) {
    const std::string_view text = *variable;
    const size_t equals = text.find('=');
    if (equals == std::string_view::npos) continue;
    for (const std::string_view prefix : kPrefixes) {
      if (text.starts_with(prefix))
        environment.emplace(text.substr(0, equals), text.substr(equals + 1));
    }
  }
  return environment;
}

}  // namespace toll::config
