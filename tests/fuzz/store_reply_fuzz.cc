// Fuzz target: any bytes as the reply of the limits script to a batch. They are not believed, and
// then nothing was dealt, or every request of the batch has its one answer, which can be.
//
// The first byte says how many requests there are, each of two bytes, and whether the rest is the
// reply itself or numbers to be packed into a reply of the right length.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/store_batch.h"
#include "engine/store_pack.h"
#include "engine/store_renewals.h"
#include "tests/fuzz/input.h"
#include "tests/fuzz/require.h"
#include "tests/fuzz/store_call.h"

namespace {

using toll::kNoon;
using toll::kSecond;
using namespace toll::engine;
using namespace toll::engine::model;
using toll::require;

// How many requests the reply says were admitted. What is no reply to the call says nothing.
int64_t admitted_by(std::string_view reply, const Layout& layout) {
  PackReader reader(reply);
  require(reader.array() == layout.numbers, "what is believed has as many numbers as it should");
  std::vector<int64_t> numbers;
  while (numbers.size() < layout.numbers) numbers.push_back(reader.number());
  require(!reader.failed() && reader.at_end(), "what is believed is numbers and nothing else");
  int64_t admitted = 0;
  for (const size_t at : layout.admitted_at) admitted += std::max(numbers[at], int64_t{0});
  return admitted;
}

// Small numbers, times around now, and any others.
int64_t any_number(Input& input) {
  const uint8_t what = input.byte();
  if (what < 180) return what < 170 ? what : 169 - what;
  if (what < 200) return kNoon + (int64_t{input.byte()} - 128) * kSecond / 4;
  if (what < 220) return (kNoon / kSecond + (int64_t{input.byte()} - 128)) * 1'000;
  if (what < 240) return int64_t{input.byte()} * kSecond;
  return static_cast<int64_t>(input.number(what % 8 + 1));
}

std::string any_reply(Input& input, size_t numbers) {
  PackWriter writer;
  writer.begin(numbers);
  writer.number(input.byte() < 250 ? kNoon : any_number(input));
  while (--numbers > 0) writer.number(any_number(input));
  return std::string(writer.bytes());
}

// Could a client be told that?
void check_answer(const Operation& op, int64_t units_together) {
  if (op.verb == Verb::kRepay) return;  // nobody is told
  const std::vector<Limit> limits = op.verb == Verb::kThrottle
                                        ? std::vector<Limit>{*op.throttle}
                                        : rules()->table().find(op.policy)->spec.limits;
  const Answer& answer = op.answer;
  require(std::ranges::any_of(limits, [&](const Limit& of) { return of.burst == answer.limit; }),
          "one of the limits speaks");
  require(answer.remaining <= answer.limit, "no more is left than there is");
  // Tickets that others wrote may lapse when they like; it must be possible to round a wait up.
  require(answer.reset_us >= 0 && answer.reset_us < INT64_MAX - kUsPerMs, "a reset is a wait");
  require(answer.retry_us < INT64_MAX - kUsPerMs, "a wait can be told");
  const bool asks =
      op.verb == Verb::kCheck || op.verb == Verb::kAcquire || op.verb == Verb::kThrottle;
  require(asks != (op.outcome == Outcome::kDone), "an outcome is of its verb");
  if (op.outcome == Outcome::kRefused) {
    require(op.units > 0 && answer.remaining < units_together, "what is refused is not there");
    require(answer.retry_us == kNever || answer.retry_us > 0, "who is refused waits");
    return;
  }
  require(answer.retry_us == 0, "who is not refused does not wait");
}

// True: it was asked to be admitted, and was.
bool check_decided(const Question& question) {
  bool refused = false;
  int64_t units_together = 0;
  for (const Operation& op : question.operations) units_together += op.units;
  for (const Operation& op : question.operations) {
    check_answer(op, units_together);
    refused = refused || op.outcome == Outcome::kRefused;
  }
  const Operation& first = question.operations.front();
  if (question.operations.size() > 1 && !refused) {
    for (const Operation& op : question.operations) {
      require(op.outcome == Outcome::kAdmitted, "all or nothing");
    }
  }
  if (first.outcome != Outcome::kAdmitted || refused || first.units == 0) return false;
  for (const Operation& op : question.operations) {
    require(op.answer.remaining >= 0, "what is admitted was there");
  }
  return true;
}

}  // namespace

// NOLINTNEXTLINE(readability-identifier-naming): the fuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Input input(data, size);
  const uint8_t choice = input.byte();
  // A megabyte, which says no more than whether a life is to be renewed.
  static const auto kRenewals = std::make_shared<StoreRenewals>();
  StoreBatch batch({.quick_max = choice % 2 == 0 ? size_t{0} : size_t{1000}}, kRenewals);
  batch.clear(rules());
  std::deque<Question> questions;
  for (size_t count = 1 + choice / 32; count > 0; --count) {
    if (batch.add(ask(input, questions).request, kNoon) != StoreBatch::Added::kTaken) {
      questions.pop_back();
    }
  }
  if (batch.empty()) return 0;
  batch.pack();
  if (choice % 8 == 7) {
    questions.front().request.owner = &batch;
    batch.abandon(0);
  }
  const Layout layout = layout_of(batch);
  const bool numbers = choice / 8 % 4 != 0;
  const std::string reply = numbers ? any_reply(input, layout.numbers) : std::string(input.rest());
  const auto decided = batch.deal(reply);
  if (decided) require(*decided >= 0 && *decided <= kTimeMaxUs, "a time is on the time line");
  if (!decided) require(!decided.error().empty(), "an error says what it is");
  int64_t admitted = decided ? admitted_by(reply, layout) : 0;
  for (const Question& question : questions) {
    const StoreResult result = question.request.result;
    const bool abandoned = question.request.owner != nullptr;
    require((result == StoreResult::kNone) == (!decided || abandoned),
            "each that waits has an answer, or none has");
    require(result != StoreResult::kAway, "who answers is there");
    if (result == StoreResult::kDecided) {
      admitted -= check_decided(question) ? 1 : 0;
      continue;
    }
    for (const Operation& op : question.operations) {
      require(op.outcome == Outcome::kDone && op.answer.limit == 0, "nothing is half dealt");
    }
  }
  const bool all_told = questions.front().request.owner == nullptr;
  if (all_told) require(admitted == 0, "as many are admitted as the script says");
  return 0;
}
