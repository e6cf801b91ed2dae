// Where a value came from, and the faults found on the way.
//
// A Report belongs to one run of the loader. One thread.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "config/document.h"
#include "config/load.h"

namespace toll::config {

// In rising order of precedence.
enum class Layer : uint8_t { kDefault, kFile, kEnvironment, kCommandLine };

struct Origin {
  Layer layer = Layer::kDefault;
  Position position;     // in the file
  std::string variable;  // of the environment, or the option on the command line
};

class Report {
 public:
  // `file` is what the file is called in messages.
  explicit Report(std::string file) : file_(std::move(file)) {}

  // Notes a fault of `key`, which for other origins than the file gives way to the variable's name.
  void fault(const Origin& origin, std::string_view key, std::string message);

  bool has_fault_of(std::string_view key) const;
  bool empty() const { return found_.empty(); }

  // All that was found: the file's in its order, then the others as they came.
  std::vector<Fault> faults() const;

  // What --print-config says of a value's origin.
  std::string describe(const Origin& origin) const;

 private:
  struct Found {
    Layer layer;
    Position position;
    Fault fault;
  };
  std::string where(const Origin& origin) const;

  std::string file_;
  std::vector<Found> found_;
};

// The candidate that `name` was most likely meant to be, or "" when none is near. By edit distance,
// blind to case.
std::string_view nearest(std::string_view name, const std::vector<std::string_view>& candidates);

// `, did you mean "socket"?`, or nothing when `suggestion` is empty.
std::string did_you_mean(std::string_view suggestion);

template <class Texts>
bool contains(const Texts& texts, std::string_view text) {
  return std::ranges::find(texts, text) != std::ranges::end(texts);
}

// ASCII only, whatever the locale.
std::string to_lower(std::string_view text);
std::string to_upper(std::string_view text);

}  // namespace toll::config
