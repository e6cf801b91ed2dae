// What a limit's key is called in Redis.
//
//   gcra            gcra:{policy}:{id}
//   token_bucket    tokenbucket:{policy}:{id}   and :tokens, :last behind it
//   sliding_log     ratelimit:{policy}:{id}
//   sliding_window  slidingwindow:{policy}:{id}
//   fixed_window    ratelimit:{policy}:{id}:{window}
//   concurrency     concurrency:{policy}:{id}
//   CL.THROTTLE     throttle:{id}
//
// A policy's `key` template takes the place of its algorithm's. The store's prefix goes before
// each. Where a policy has several limits, the first is named as if it were the only one and the
// others {<first>}:<window in ms>, with the first as their hash tag ({window} left out of it); a
// second one of the same window among them has :2 behind it, and so on. Pure functions; any thread.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/policy.h"

namespace toll::engine {

// The longest template and prefix that the configuration may give, in bytes.
inline constexpr size_t kKeyTemplateMax = 256;
inline constexpr size_t kKeyPrefixMax = 128;

// What is wrong with a template of a policy of that algorithm and what is expected, or "". It must
// hold {id} once; {window} goes with fixed_window only, which needs it, and at the end, because
// only Redis knows which window it is; no other {word} is known. Any bytes besides.
std::string_view key_template_fault(Algorithm algorithm, std::string_view key_template);

// The names of one policy's keys, made ready once.
class KeyNames {
 public:
  // REQUIRES: key_template_fault() has nothing against the policy's template.
  KeyNames(const PolicySpec& spec, std::string_view prefix);
  // CL.THROTTLE's.
  static KeyNames throttle(std::string_view prefix);

  // Appends the key of the limit at `index` for `id`. For fixed_window it ends where the window's
  // number goes, which the script appends. For token_bucket: without :tokens and :last.
  void append(size_t index, std::string_view id, std::string& out) const;

  size_t size() const { return names_.size(); }  // the policy's limits
  // What append() adds beside the id, in bytes.
  size_t bytes(size_t index) const;
  // The longest that append() can add for any id (engine/limits.h: kIdMax).
  size_t bytes_max() const;

 private:
  struct Name {
    std::string before;  // the id
    std::string after;
  };
  KeyNames() = default;
  std::vector<Name> names_;  // one for each limit
};

}  // namespace toll::engine
