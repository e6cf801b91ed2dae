// What stands for an id in the audit log and in events: its HMAC-SHA-256 under a key of this
// daemon's, so that who reads them learns no id, and who has the key can find one that he knows.
//
// The key never leaves this object. Hashing costs about a microsecond: not for a worker's thread.
#pragma once

#include <expected>
#include <string>
#include <string_view>

#include "config/settings.h"
#include "net/machine.h"

namespace toll::daemon {

class Pseudonyms {
 public:
  explicit Pseudonyms(std::string key);

  // 64 hexadecimal digits.
  std::string of(std::string_view id) const;
  // Which key it is: the first 8 hexadecimal digits of the key's SHA-256.
  const std::string& key_id() const { return key_id_; }

 private:
  std::string key_;
  std::string key_id_;
};

// Where the daemon keeps the key that it made.
std::string own_audit_key_path(const std::string& state_dir);

// The key that is kept there, made now (mode 0600) if there is none. Error: a sentence for the
// operator. Blocks.
std::expected<std::string, std::string> own_audit_key(const std::string& state_dir,
                                                      net::Machine& machine);

}  // namespace toll::daemon
