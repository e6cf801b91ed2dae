// The key of the audit log's pseudonyms: in a file that the operator names, or the systemd
// credential `audit-key`; where there is neither, the daemon makes one (daemon/pseudonyms.h).
//
// Errors are sentences that name the file and never what is in it. Any thread; may block.
#pragma once

#include <expected>
#include <string>

#include "config/assemble.h"
#include "config/host.h"
#include "config/password.h"

namespace toll::config {

// The key in that file: kAuditKeyMin bytes at least, without the one newline that may end them.
[[nodiscard]] std::expected<PasswordFile, std::string> read_audit_key(const std::string& path);

// Where systemd puts the credential, if there is one; else "".
[[nodiscard]] std::string audit_credential_path(const Environment& environment);

// Fills AuditSettings::key and reports what is wrong with it. REQUIRES: all layers are in
// `assembly`.
void finish_audit(const Environment& environment, Assembly& assembly);

}  // namespace toll::config
