// Is a log record exactly one JSON object? At the speed of simdjson, in place, one pass.
//
// A JsonChecker belongs to one worker and its thread. What simdjson takes is valid. What it refuses
// is looked at again by a slower reader of our own (daemon/json_fault.h), which says where the
// fault is and has the last word: numbers that fit no 64-bit integer and no double are valid JSON,
// and simdjson alone would refuse them.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string_view>

#include "daemon/json_fault.h"

namespace toll::daemon {

class JsonChecker {
 public:
  // record_max: the bytes of the longest record, which is what memory is set aside for by the first
  // check, about 14 times as much. A shorter record touches only its share of that; later checks
  // allocate nothing.
  explicit JsonChecker(size_t record_max);
  ~JsonChecker();
  JsonChecker(const JsonChecker&) = delete;
  JsonChecker& operator=(const JsonChecker&) = delete;

  // Nothing if the record is one JSON object, in UTF-8, with blanks around it or not, nested at
  // most kJsonDepthMax deep (an object or array that is empty adds nothing to the depth). Names may
  // come twice. The record is not changed.
  // REQUIRES: net::kReadSlackBytes behind the record may be read; what they hold does not matter.
  std::optional<JsonFault> check(std::string_view record);

  // The quick half of check(). False also for what is valid: a number out of simdjson's range, or
  // no memory. REQUIRES: as check(), and no more bytes than record_max.
  bool passes(std::string_view record);

 private:
  struct Parser;

  const size_t record_max_;
  std::unique_ptr<Parser> parser_;
};

}  // namespace toll::daemon
