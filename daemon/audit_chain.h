// The lines of the audit log, and the chain that they are.
//
//   {"number":7,"time":"2026-11-22T01:57:10.123456Z","kind":"refusal",…,"key":"0f3a…","prev":"9c…"}
//
// A record is a JSON object on a line of its own. Numbers are consecutive over rotations and
// restarts, from 1. `key` names the key that ids were hashed with (daemon/pseudonyms.h); `prev` is
// the SHA-256 of the line before, without its end, and zeros in the first. So whoever changes, adds
// or takes away a line must write all that follow anew; of the last one nothing tells yet.
//
// Pure functions; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "engine/types.h"

namespace toll::daemon {

// SHA-256, in 64 hexadecimal digits.
std::string sha256_hex(std::string_view bytes);

// Where a chain ends.
struct AuditLink {
  uint64_t number = 0;                      // of its last record; 0: there is none
  std::string hash = std::string(64, '0');  // of that one's line

  bool operator==(const AuditLink&) const = default;
};

// UTC, with microseconds (RFC 3339).
std::string time_text(engine::TimeUs time);

// The line of the record that follows `last`, without its end. `fields` are members of a JSON
// object, each with a comma before it.
std::string audit_line(const AuditLink& last, engine::TimeUs time, std::string_view kind,
                       std::string_view fields, std::string_view key_id);

// What the chain needs of a line; views into it.
struct AuditRecord {
  uint64_t number = 0;
  std::string_view time;
  std::string_view kind;
  std::string_view key_id;
  std::string_view prev;
  uint64_t lost = 0;  // of a gap: records that are missing before it
};

// Nothing: it is no record.
std::optional<AuditRecord> parse_audit_line(std::string_view line);

}  // namespace toll::daemon
