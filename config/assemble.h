// From a text and an environment to the settings in force: the loader without the reading of files.
//
// The entry for tests and fuzzing, and what load() calls once it has read. Throws nothing; reads
// the group database; not for a worker's thread.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "config/load.h"
#include "config/policies.h"

namespace toll::config {

// One run of the loader: what has been gathered so far.
struct Assembly {
  explicit Assembly(std::string file) : report(std::move(file)) {}

  Draft draft;
  std::vector<Origin> origins;  // beside keys()
  std::vector<PolicyDraft> policies;
  Report report;
  std::vector<std::string> warnings;
};

// What `text`, called `name` in messages, makes together with the rest of `sources`, whose file is
// not looked at.
[[nodiscard]] std::expected<Loaded, std::vector<Fault>> load_text(std::string_view text,
                                                                  std::string name,
                                                                  const Sources& sources);

// The embedded defaults together with the rest of `sources`.
[[nodiscard]] std::expected<Loaded, std::vector<Fault>> load_embedded(const Sources& sources);

}  // namespace toll::config
