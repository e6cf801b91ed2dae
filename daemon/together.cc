// A CHECK of several limits, each possibly on another worker: all or nothing.
//
// The operations are split into one part per shard. A shard charges its part at once if it admits
// all of it. If every part was admitted, all are charged. If one was not, the parts that were are
// given back before the client is answered. Nothing more than the limits can be admitted this way;
// what can happen is that for the moment between charging and giving back, another request finds
// less left than there will be. A lock over several cores would avoid that, at the price of every
// request looking for it.
//
// Where the policies' keys are in the store, the whole check goes there as one step, by way of the
// worker that owns its first key. What the store admitted is then noted by the shards, part by
// part; what it could not answer is decided as the policies say, by the shards as above if need be.

#include <algorithm>
#include <array>

#include "daemon/outage.h"
#include "daemon/session.h"
#include "daemon/speaker.h"
#include "daemon/store.h"
#include "daemon/worker.h"

namespace toll::daemon {
namespace {

using engine::Operation;
using engine::Outcome;
using engine::Source;

// What a check that nobody could decide is told to wait, where the policy denies.
constexpr int64_t kRefusedForUs = 1'000'000;

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

}  // namespace

Together* Worker::new_together(Ask* ask) {
  Together* together = togethers_.take();
  together->ask = ask;
  together->part_count = 0;
  together->parts_out = 0;
  together->source = Source::kLocal;
  together->keeps_ids = false;
  return together;
}

void Worker::ask(Together* together) {
  decide_in_parts(*together, LetterKind::kPart);
}

void Worker::decide_in_parts(Together& together, LetterKind kind) {
  for (uint8_t i = 0; i < together.operation_count; ++i) {
    Part& part = part_for(together, together.operations[i].key.owner(process_.workers_count));
    part.kind = kind;
    part.index[part.count] = i;
    ++part.count;
  }
  together.parts_out = together.part_count;
  const uint8_t parts = together.part_count;  // the last answer frees `together`
  for (uint8_t i = 0; i < parts; ++i) send_part(together.parts[i]);
}

// ---- by the store ----

void Worker::ask_store(Together* together, int64_t deadline_us) {
  together->ask->by_store = true;
  together->store.deadline_ns = turn_ns() + deadline_us * 1'000;
  together->whole.kind = LetterKind::kWhole;
  together->whole.together = together;
  const uint32_t owner = together->operations[0].key.owner(process_.workers_count);
  if (owner == index_) {
    together->from = index_;
    return store_->ask(*together);
  }
  counters_.forwarded.add();
  process_.post.send(index_, owner, &together->whole);
}

void Worker::answer(Together& together) {
  if (together.from == index_) {
    whole_answered(together);
  } else {
    process_.post.reply(index_, together.from, &together.whole);
  }
}

void Worker::whole_answered(Together& together) {
  const std::span<Operation> operations =
      std::span(together.operations).first(together.operation_count);
  if (together.store.result == engine::StoreResult::kDecided) {
    const bool admitted =
        std::all_of(operations.begin(), operations.end(),
                    [](const Operation& each) { return each.outcome == Outcome::kAdmitted; });
    if (admitted) return decide_in_parts(together, LetterKind::kNote);
    return finish(together);
  }
  // A policy that was removed meanwhile is for the shard to say.
  const auto of_outage = [this](const Operation& operation) {
    const engine::Policy* policy = policies_->find(operation.policy);
    return policy == nullptr ? engine::OnOutage::kLocal : policy->spec.on_outage;
  };
  engine::OnOutage on_outage = of_outage(operations[0]);
  for (const Operation& each : operations) {
    on_outage = daemon::together(on_outage, of_outage(each));
  }
  if (on_outage == engine::OnOutage::kLocal) {
    return decide_in_parts(together, LetterKind::kPart);
  }
  for (Operation& each : operations) {
    const Source source = answer_without_store(each, policies_->find(each.policy), kRefusedForUs);
    if (source != Source::kClosed) each.outcome = Outcome::kAdmitted;
  }
  together.source = on_outage == engine::OnOutage::kDeny ? Source::kClosed : Source::kOpen;
  finish(together);
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
  if (part.kind == LetterKind::kNote) {
    for (Operation& operation : operations) operation.verb = engine::Verb::kNote;
    shard_->decide(operations, now());
    part.admitted = true;
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
  const bool settled = part.kind != LetterKind::kPart;
  const auto admitted =
      std::count_if(parts.begin(), parts.end(), [](const Part& each) { return each.admitted; });
  if (settled || admitted == 0 || admitted == together.part_count) {
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
  // Without parts the store decided, or nobody did.
  const bool admitted =
      parts.empty()
          ? std::all_of(operations.begin(), operations.end(),
                        [](const Operation& each) { return each.outcome == Outcome::kAdmitted; })
          : std::all_of(parts.begin(), parts.end(), [](const Part& part) { return part.admitted; });
  if (admitted && together.ask->by_store && together.source == Source::kLocal &&
      !together.store.sent) {
    for (uint8_t i = 0; i < together.operation_count; ++i) {
      store_->note_dark(operations[i], together.ids[i]);
    }
  }
  const size_t speaker = speaker_of(operations, admitted);
  Ask& ask = *together.ask;
  ask.operation = operations[speaker];
  ask.source = together.source;
  ask.position = static_cast<uint8_t>(speaker);
  if (together.keeps_ids && !admitted) keep_id(ask, together.ids[speaker]);
  togethers_.give(&together);
  ask.session->answered(ask);
}

}  // namespace toll::daemon
