// Every bound of the config room: of what is read, and of what may be set.
#pragma once

#include <cstddef>
#include <cstdint>

#include "engine/limits.h"

namespace toll::config {

// The file. Its nesting is bounded before the parser sees it, because parsers and destructors
// recurse.
inline constexpr size_t kFileBytesMax = size_t{10} << 20;
inline constexpr size_t kDotsPerLineMax = 64;

// Bytes of a name or value repeated in a message.
inline constexpr size_t kShownMax = 64;
inline constexpr size_t kShownSentenceMax = 256;

// A socket's path. The kernel takes 107 bytes; the rest is room for the suffixes of a lock file and
// of the temporary name a socket is made under.
inline constexpr size_t kSocketPathMax = 96;
inline constexpr size_t kSocketSuffixMax = 11;
static_assert(kSocketPathMax + kSocketSuffixMax <= 107);

inline constexpr size_t kPathMax = 4095;
inline constexpr size_t kGroupNameMax = 32;

inline constexpr int64_t kWorkersMax = 64;
inline constexpr int64_t kClientsMax = 1'000'000;
inline constexpr int64_t kLineBytesMin = int64_t{1} << 10;
inline constexpr int64_t kLineBytesMax = int64_t{1} << 20;
inline constexpr int64_t kOutputBytesMin = int64_t{64} << 10;
inline constexpr int64_t kOutputBytesMax = int64_t{1} << 30;
inline constexpr int64_t kMemoryBytesMin = int64_t{1} << 20;
inline constexpr int64_t kMemoryBytesMax = int64_t{1} << 50;

// Redis. A password's bound is also that of the file it is read from.
inline constexpr size_t kPasswordMax = 4096;
inline constexpr size_t kUsernameMax = 256;
inline constexpr size_t kHostMax = 253;
inline constexpr size_t kUrlMax = 3 * kPasswordMax + 4096;  // each byte may be spelled %XX
inline constexpr size_t kRedisSocketPathMax = 107;
inline constexpr int64_t kDatabaseMax = 65'535;
inline constexpr int64_t kLinksMax = 16;
inline constexpr int64_t kTimeoutMinUs = 1'000;
inline constexpr int64_t kTimeoutMaxUs = 60'000'000;
inline constexpr int64_t kBreakerFailuresMax = 1'000'000;
inline constexpr int64_t kBreakerOpenMaxUs = 600'000'000;

inline constexpr int64_t kHoldTtlMinUs = 1'000'000;
inline constexpr int64_t kHoldTtlMaxUs = 86'400'000'000;
inline constexpr int64_t kJournalBytesMin = int64_t{64} << 20;
inline constexpr int64_t kJournalBytesMax = int64_t{1} << 50;
inline constexpr int64_t kJournalRetainMinUs = 1'000'000;
inline constexpr int64_t kJournalRetainMaxUs = 7 * 86'400'000'000;

inline constexpr size_t kLogKeyMax = 256;
inline constexpr int64_t kLogRecordsMax = 1'000'000'000;
inline constexpr int64_t kLogRecordBytesMin = 1'024;
inline constexpr int64_t kLogRecordBytesMax = engine::kLogRecordMax;

// The audit log. A key shorter than half of what it is hashed to is none.
inline constexpr int64_t kAuditBytesMin = int64_t{64} << 10;
inline constexpr int64_t kAuditBytesMax = int64_t{1} << 40;
inline constexpr int64_t kAuditFilesMax = 1000;
inline constexpr int64_t kAuditRefusalsMax = 1'000'000;
inline constexpr size_t kAuditKeyMin = 16;

inline constexpr int64_t kDeadlineMinUs = 100;
inline constexpr int64_t kDeadlineMaxUs = 60'000'000;
inline constexpr int64_t kTicketLifeDefaultUs = 60'000'000;

// Read as durations these must stand for themselves, so no figure may come near the end of 64 bits.
static_assert(kMemoryBytesMax < INT64_MAX / 1024);
static_assert(engine::kWindowMaxUs < INT64_MAX / 1024);

}  // namespace toll::config
