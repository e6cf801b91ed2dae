// What happens in the daemon that somebody may want to be told of: events for those who WATCH, and
// records of the audit log. Plain values, written by a worker and read by the herald
// (daemon/herald.h).
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/framing.h"
#include "engine/limits.h"
#include "engine/money.h"
#include "engine/types.h"
#include "net/peer.h"

namespace toll::daemon {

class Pseudonyms;

// What can be watched. Pain and pleasure are known, and nothing tells them yet.
enum class Topic : uint8_t { kPain, kPleasure, kRefusals, kBreaker, kBudget, kConfig };
inline constexpr size_t kTopics = 6;
std::string_view to_string(Topic topic);
std::optional<Topic> find_topic(std::string_view word);

// A set of them: a bit for each.
using Topics = uint8_t;
constexpr Topics topics_of(Topic topic) {
  return static_cast<Topics>(1U << static_cast<unsigned>(topic));
}

// Requests that only administrators may make.
enum class AdminRequest : uint8_t {
  kNone,
  kReset,
  kReload,
  kLevel,
  kDrain,
  kConfig,
  kBudgetSet,
  kBudgetClear,
  kLogClear
};
std::string_view to_string(AdminRequest request);

// Refusals and budgets are as many as clients like, so the log has a sample of them.
enum class HappeningKind : uint8_t { kRefusal, kBudget, kBreaker, kConfig, kAdmin };
inline constexpr size_t kSampledKinds = 2;
constexpr bool is_sampled(HappeningKind kind) {
  return static_cast<size_t>(kind) < kSampledKinds;
}
// As the audit log has it.
std::string_view to_string(HappeningKind kind);
// Nothing: it is for the audit log alone.
std::optional<Topic> topic_of(HappeningKind kind);

// A text of bounded length, cut off where it is longer.
template <size_t kMost>
class BoundedText {
 public:
  void set(std::string_view text) {
    size_ = static_cast<uint16_t>(std::min(text.size(), kMost));
    std::memcpy(bytes_.data(), text.data(), size_);
  }
  void clear() { size_ = 0; }
  std::string_view view() const { return {bytes_.data(), size_}; }

 private:
  uint16_t size_ = 0;
  std::array<char, kMost> bytes_;
};

inline constexpr size_t kReasonMax = 512;

struct Happening {
  HappeningKind kind = HappeningKind::kRefusal;
  bool for_audit = false;
  bool for_watchers = false;
  engine::TimeUs time = 0;

  std::string_view what;     // static: of a budget the request; of the breaker its state; of the
                             // configuration what changed
  std::string_view outcome;  // static: of the configuration and of administrators
  AdminRequest request = AdminRequest::kNone;
  std::string_view source;                     // static: who decided
  std::string_view level;                      // static: the log's new one
  std::optional<net::Peer> peer;               // of administrators; nothing: it cannot be told
  int64_t units = 0;                           // of a refusal
  int64_t retry_ms = 0;                        // likewise; -1: never
  engine::NanoDollars spent = 0;               // of a budget
  engine::NanoDollars held = 0;                // likewise
  std::optional<engine::NanoDollars> budget;   // likewise, or what it is to be
  BoundedText<engine::kPolicyNameMax> policy;  // "" is none, as in the next two
  BoundedText<engine::kIdMax> id;
  BoundedText<kReasonMax> reason;  // of the configuration, and the breaker's cause

  Happening* next = nullptr;  // in its pool
};

// One of its figures, as both have it.
struct HappeningField {
  std::string_view name;
  std::string text;
  bool is_number = false;
};

// What is told of it, with the id hashed.
std::vector<HappeningField> fields_of(const Happening& happening, const Pseudonyms& pseudonyms);

// ,"policy":"api","units":1: as audit_line() takes them.
std::string json_fields(const std::vector<HappeningField>& fields);

// EVENT topic key=value …, with the line's end.
std::string event_text(Topic topic, const std::vector<HappeningField>& fields, Framing framing);
// What takes the place of events that a watcher did not get: EVENT gap lost=n.
std::string gap_text(uint64_t lost, Framing framing);

}  // namespace toll::daemon
