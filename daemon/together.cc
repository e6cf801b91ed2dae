// A CHECK of several limits, each possibly on another worker: all or nothing.
//
// The operations are split into one part per shard. A shard charges its part at once if it admits
// all of it. If every part was admitted, all are charged. If one was not, the parts that were are
// given back before the client is answered. Nothing more than the limits can be admitted this way;
// what can happen is that for the moment between charging and giving back, another request finds
// less left than there will be. A lock over several cores would avoid that, at the price of every
// request looking for it.

#include <algorithm>
#include <array>

#include "daemon/session.h"
#include "daemon/worker.h"

namespace toll::daemon {
namespace {

using engine::Operation;
using engine::Outcome;

Part& part_for(Together& together, uint32_t owner) {
  for (uint8_t i = 0; i < together.part_count; ++i) {
    if (together.parts[i].owner == owner) return together.parts[i];
  }
  Part& part = together.parts[together.part_count];
  ++together.part_count;
  part.kind = LetterKind::kPart;
  part.together = &together;
  part.owner = owner;
  part.count = 0;
  part.admitted = false;
  return part;
}

// Of two operations of a refused check: the one that must be waited for longest.
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

Together* Worker::new_together(Ask* ask) {
  Together* together = togethers_.take();
  together->ask = ask;
  together->part_count = 0;
  together->parts_out = 0;
  return together;
}

void Worker::ask(Together* together) {
  for (uint8_t i = 0; i < together->operation_count; ++i) {
    Part& part = part_for(*together, together->operations[i].key.owner(process_.workers_count));
    part.index[part.count] = i;
    ++part.count;
  }
  together->parts_out = together->part_count;
  const uint8_t parts = together->part_count;  // the last answer frees `together`
  for (uint8_t i = 0; i < parts; ++i) send_part(together->parts[i]);
}

void Worker::send_part(Part& part) {
  if (part.owner == index_) {
    decide_batch();
    decide_part(part);
    part_answered(part);
  } else {
    counters_.forwarded.add();
    process_.post.send(index_, part.owner, &part);
  }
}

void Worker::decide_part(Part& part) {
  std::array<Operation, kChecksMax> group;
  const std::span<Operation> operations = std::span(group).first(part.count);
  for (uint8_t i = 0; i < part.count; ++i) {
    operations[i] = part.together->operations[part.index[i]];
  }
  if (part.kind == LetterKind::kUndo) {
    // The answers of the check stay as they are.
    for (Operation& operation : operations) {
      operation.verb = engine::Verb::kUndo;
      operation.charged_at = part.decided_at;
    }
    shard_->decide(operations, now());
    return;
  }
  part.decided_at = now();
  part.admitted = shard_->decide_together(operations, now());
  for (uint8_t i = 0; i < part.count; ++i) {
    part.together->operations[part.index[i]] = operations[i];
  }
}

void Worker::part_answered(Part& part) {
  Together& together = *part.together;
  --together.parts_out;
  if (together.parts_out > 0) return;
  const std::span<Part> parts = std::span(together.parts).first(together.part_count);
  const bool undone = part.kind == LetterKind::kUndo;
  const auto admitted =
      std::count_if(parts.begin(), parts.end(), [](const Part& each) { return each.admitted; });
  if (undone || admitted == 0 || admitted == together.part_count) {
    finish(together);
    return;
  }
  together.parts_out = static_cast<uint8_t>(admitted);
  for (Part& each : parts) each.kind = each.admitted ? LetterKind::kUndo : LetterKind::kPart;
  const uint8_t count = together.part_count;
  for (uint8_t i = 0; i < count; ++i) {
    if (together.parts[i].kind == LetterKind::kUndo) send_part(together.parts[i]);
  }
}

// Puts the operation that speaks for all into the session's queue.
void Worker::finish(Together& together) {
  const std::span<Operation> operations =
      std::span(together.operations).first(together.operation_count);
  const auto parts = std::span(together.parts).first(together.part_count);
  const bool admitted =
      std::all_of(parts.begin(), parts.end(), [](const Part& part) { return part.admitted; });
  const auto failed = std::find_if(operations.begin(), operations.end(), [](const Operation& each) {
    return each.outcome > Outcome::kDone;
  });
  auto speaker = failed;
  if (failed == operations.end()) {
    speaker = admitted ? std::min_element(operations.begin(), operations.end(), leaves_less)
                       : std::min_element(operations.begin(), operations.end(), waits_longer);
  }
  Ask& ask = *together.ask;
  ask.operation = *speaker;
  ask.position = static_cast<uint8_t>(speaker - operations.begin());
  togethers_.give(&together);
  ask.session->answered(ask);
}

}  // namespace toll::daemon
