#include "config/password.h"

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

#include "config/descriptor.h"
#include "config/limits.h"
#include "config/text.h"

namespace toll::config {
namespace {

// What is wrong with one file.
struct Faults {
  const std::string& path;
  std::string_view remedy;

  std::unexpected<std::string> of(std::string_view what) const {
    return std::unexpected(fmt::format("{} {}; {}", shown(path, kShownSentenceMax), what, remedy));
  }
  std::unexpected<std::string> of(int error) const {
    return of(fmt::format("cannot be read: {}", std::generic_category().message(error)));
  }
};

}  // namespace

std::expected<PasswordFile, std::string> read_password_file(const std::string& path,
                                                            std::string_view remedy) {
  const Faults faults{path, remedy};
  // Nothing that is no file may hold us up, such as a pipe that nobody writes to.
  const Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  if (file.get() < 0) return faults.of(errno);
  struct stat status;
  if (fstat(file.get(), &status) != 0) return faults.of(errno);
  if (!S_ISREG(status.st_mode)) return faults.of("is no regular file");

  constexpr size_t kNewline = 2;
  std::array<char, kPasswordMax + kNewline + 1> text;
  size_t length = 0;
  while (length < text.size()) {
    const ssize_t got = read(file.get(), text.data() + length, text.size() - length);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return faults.of(errno);
    if (got == 0) break;
    length += static_cast<size_t>(got);
  }
  if (length > 0 && text[length - 1] == '\n') --length;
  if (length > 0 && text[length - 1] == '\r') --length;
  if (length == 0) return faults.of("is empty");
  if (length > kPasswordMax) return faults.of(fmt::format("is over {} bytes", kPasswordMax));
  return PasswordFile{std::string(text.data(), length), (status.st_mode & S_IROTH) != 0};
}

std::string credential_path(const Environment& environment, std::string_view name) {
  const auto found = environment.find("CREDENTIALS_DIRECTORY");
  if (found == environment.end() || found->second.empty()) return "";
  const std::string path = fmt::format("{}/{}", found->second, name);
  struct stat status;
  return stat(path.c_str(), &status) != 0 && errno == ENOENT ? "" : path;
}

std::expected<std::string, std::string> read_password(const RedisSettings& settings) {
  if (settings.password_path.empty()) return settings.password;
  auto read = read_password_file(settings.password_path);
  if (!read) return std::unexpected(std::move(read.error()));
  return std::move(read->password);
}

}  // namespace toll::config
