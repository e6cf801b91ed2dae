// A reply of Redis as it lies in the reader's memory: one value, or an array of them.
//
// A view: valid only during the call it is handed to. Elements stand side by side, so that a reply
// costs no allocation per element. Depth, number of elements and size of a string are bounded
// (net/limits.h); what is beyond is an error of the connection.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace toll::net {

struct RedisReply {
  enum class Kind : uint8_t { kNil, kInteger, kString, kStatus, kError, kArray };

  Kind kind = Kind::kNil;
  int64_t integer = 0;
  std::string_view text;                 // kString, kStatus; kError: the whole message
  const RedisReply* elements = nullptr;  // kArray
  uint32_t count = 0;

  std::span<const RedisReply> array() const { return {elements, count}; }
};

// What an error reply is about, as far as one reacts to it (PROTOCOL of Redis; and the texts of
// scripts, which put the word of the command that failed behind ERR or in the middle).
enum class RedisErrorKind : uint8_t {
  kNoScript,
  kLoading,
  kReadOnly,  // READONLY, MASTERDOWN: it is no master any more
  kNoReplicas,
  kMisconf,
  kOutOfMemory,
  kBusy,       // BUSY, UNKILLABLE: a script or function runs and runs
  kRefused,    // NOAUTH, WRONGPASS, NOPERM, and what says that the user may not
  kTooMany,    // max number of clients reached
  kWrongType,  // WRONGTYPE, value is not an integer or out of range
  kMoved,      // MOVED, ASK
  kTryAgain,
  kCrossSlot,
  kClusterDown,
  kOther
};
inline constexpr size_t kRedisErrorKinds = 15;
// "noscript" and so on, as the metrics page says it.
std::string_view to_string(RedisErrorKind kind);
RedisErrorKind error_kind(std::string_view message);

}  // namespace toll::net
