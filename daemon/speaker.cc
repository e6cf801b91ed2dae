#include "daemon/speaker.h"

#include <algorithm>
#include <cstdint>

namespace toll::daemon {
namespace {

using engine::Operation;
using engine::Outcome;

bool waits_longer(const Operation& a, const Operation& b) {
  if ((a.outcome == Outcome::kRefused) != (b.outcome == Outcome::kRefused)) {
    return a.outcome == Outcome::kRefused;
  }
  const auto wait = [](const Operation& operation) {
    return operation.answer.retry_us == engine::kNever ? INT64_MAX : operation.answer.retry_us;
  };
  return wait(a) > wait(b);
}

bool leaves_less(const Operation& a, const Operation& b) {
  return a.answer.remaining < b.answer.remaining;
}

}  // namespace

size_t speaker_of(std::span<const Operation> operations, bool admitted) {
  auto speaker = std::find_if(operations.begin(), operations.end(),
                              [](const Operation& each) { return each.outcome > Outcome::kDone; });
  if (speaker == operations.end()) {
    speaker = std::min_element(operations.begin(), operations.end(),
                               admitted ? leaves_less : waits_longer);
  }
  return static_cast<size_t>(speaker - operations.begin());
}

}  // namespace toll::daemon
