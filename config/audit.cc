#include "config/audit.h"

#include <fmt/format.h>
#include <string_view>
#include <utility>

#include "config/limits.h"
#include "config/text.h"

namespace toll::config {
namespace {

constexpr std::string_view kAuditKeyRemedy =
    "write at least 16 random bytes into it, as from: openssl rand -hex 32";
static_assert(kAuditKeyMin == 16);

}  // namespace

std::expected<PasswordFile, std::string> read_audit_key(const std::string& path) {
  auto read = read_password_file(path, kAuditKeyRemedy);
  if (read && read->password.size() < kAuditKeyMin) {
    return std::unexpected(fmt::format("{} holds a key of under {} bytes; {}",
                                       shown(path, kShownSentenceMax), kAuditKeyMin,
                                       kAuditKeyRemedy));
  }
  return read;
}

std::string audit_credential_path(const Environment& environment) {
  return credential_path(environment, "audit-key");
}

void finish_audit(const Environment& environment, Assembly& assembly) {
  AuditSettings& audit = assembly.draft.settings.audit;
  const bool named = !audit.key_file.empty();
  const std::string path = named ? audit.key_file : audit_credential_path(environment);
  if (path.empty()) return;
  auto read = read_audit_key(path);
  if (!read) {
    const std::string key = named ? "audit.key_file" : "CREDENTIALS_DIRECTORY";
    const Origin origin =
        named ? assembly.origins[key_index(key)] : Origin{Layer::kEnvironment, {}, key};
    return assembly.report.fault(origin, key, std::move(read.error()));
  }
  if (read->readable_by_all) {
    assembly.warnings.push_back(fmt::format(
        "{} holds the audit log's key and everyone on this host can read it: chmod o-r.",
        shown(path, kShownSentenceMax)));
  }
  audit.key = std::move(read->password);
}

}  // namespace toll::config
