// What a load sends: a few thousand requests, rendered into one piece of memory before the run, so
// that sending one is handing the kernel a slice of it.
//
// Read-only after render(); any thread. Knows the two framings' requests, not their replies.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace toll::bench {

enum class Framing : uint8_t { kLine, kResp };

enum class Verb : uint8_t {
  kCheck,
  kPeek,
  kRefund,
  kCharge,
  kReset,
  kPing,
  kCost,
  kBudget,
  kHold,
  kPush,
  kPop
};
// "CHECK". COST is a charge of a thousandth of a dollar, BUDGET asks whether so much is left (COST
// CHECK), and HOLD holds it. PUSH is LOG PUSH, POP is LOG POP of 100.
std::string_view to_string(Verb verb);

// A verb and its part of the requests, in proportion to all weights.
struct MixPart {
  Verb verb;
  uint32_t weight;
};

// "check=90,peek=5,refund=5": verbs of Verb, any case. Errors: a sentence for the user.
std::expected<std::vector<MixPart>, std::string> parse_mix(std::string_view text);

// Nothing but `verbs` has a weight.
bool has_only(const std::vector<MixPart>& mix, std::span<const Verb> verbs);
// `verb` has one.
bool has_any(const std::vector<MixPart>& mix, Verb verb);

// Answered by ALLOW or DENY; the others by OK.
bool is_decision(Verb verb);

// What Redis itself is asked in place of a daemon's `verb`: a command, with "{id}" in its words
// wherever the id belongs.
struct DirectCall {
  Verb verb;
  std::vector<std::string> words;
};

// A few ids that get most of the requests; all alike among themselves, as the others are.
struct HotSet {
  double part = 0;   // of the requests; 0: there is none
  uint32_t ids = 0;  // the first ones
};
// "0.9:100": nine tenths of the requests for 100 ids. Errors: a sentence for the user.
std::expected<HotSet, std::string> parse_hot_set(std::string_view text);

struct ScriptSettings {
  Framing framing = Framing::kLine;
  std::string policy;
  std::vector<MixPart> mix;
  uint32_t ids = 10'000;
  double zipf_exponent = 0;  // 0: uniform
  HotSet hot = {};           // of fewer ids than `ids`; not with Zipf's exponent
  uint64_t seed = 1;
  uint32_t record_bytes = 1024;         // of a record that is pushed
  std::vector<DirectCall> direct = {};  // for Redis itself: in RESP, whatever `framing` says
};

// The id of that number: 16 bytes, "user-00000001234".
std::string id_text(uint32_t number);

// A log record as gateways write them: a JSON object of that many bytes, with short fields.
// REQUIRES: at least kRecordBytesMin.
std::string record_text(std::string_view id, size_t bytes);

// One request in its framing, appended to `out`. `record` is what PUSH pushes.
void append_request(Framing framing, Verb verb, std::string_view policy, std::string_view id,
                    std::string_view record, std::string& out);

class RequestScript {
 public:
  // The same ids in the same order for the same seed, direct or not. REQUIRES: a mix of at least
  // one part with a weight, 0 < ids <= kIdsMax; for a direct script a call of each verb in the mix.
  static RequestScript render(const ScriptSettings& settings);

  // Redis itself in place of LOG PUSH, and LOG POP if the mix has it: each request one RPUSH of
  // kRecordsPerCall records to `key`, or one LPOP of as many after each. The first one of a cycle
  // deletes it, so that Redis does not fill the memory.
  static RequestScript render_list_calls(const ScriptSettings& settings, std::string_view key);

  Framing framing() const { return framing_; }
  uint32_t record_bytes() const { return record_bytes_; }

  size_t size() const { return offsets_.size() - 1; }

  // The bytes of requests first to last - 1. REQUIRES: first <= last <= size().
  std::string_view slice(size_t first, size_t last) const {
    return std::string_view(bytes_).substr(offsets_[first], offsets_[last] - offsets_[first]);
  }

  // How many of requests first to last - 1 are answered by ALLOW or DENY; the others by OK.
  uint32_t decisions(size_t first, size_t last) const {
    return decisions_before_[last] - decisions_before_[first];
  }

  // How many records requests first to last - 1 push.
  uint32_t records(size_t first, size_t last) const {
    return records_before_[last] - records_before_[first];
  }

 private:
  RequestScript() = default;
  void begin_request(uint32_t decisions, uint32_t records);

  Framing framing_ = Framing::kLine;
  std::string bytes_;
  std::vector<size_t> offsets_;             // of each request, and the end
  std::vector<uint32_t> decisions_before_;  // of each request, and the end
  std::vector<uint32_t> records_before_;    // the same
  uint32_t record_bytes_ = 0;
};

}  // namespace toll::bench
