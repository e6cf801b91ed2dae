// Redis' password, where it is kept in a file of its own: one that the operator names, or the
// systemd credential `redis-password`.
//
// Reads that file; keeps nothing. Errors are sentences that name the file and never what is in it.
// Any thread; may block.
#pragma once

#include <expected>
#include <string>
#include <string_view>

#include "config/host.h"
#include "config/settings.h"

namespace toll::config {

struct PasswordFile {
  std::string password;
  bool readable_by_all = false;
};

// 1 to kPasswordMax bytes of a regular file, without the one newline that may end them. Error: what
// is wrong with the file, and what to do: `remedy`.
[[nodiscard]] std::expected<PasswordFile, std::string> read_password_file(
    const std::string& path,
    std::string_view remedy = "write the password into it, as its only line");

// Where systemd puts the credential of that name, if there is one; else "".
[[nodiscard]] std::string credential_path(const Environment& environment,
                                          std::string_view name = "redis-password");

// The password that is in force now: read again where it came from a file, so that one that was
// changed under a running daemon is found.
[[nodiscard]] std::expected<std::string, std::string> read_password(const RedisSettings& settings);

}  // namespace toll::config
