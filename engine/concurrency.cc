#include "engine/concurrency.h"

#include <algorithm>
#include <cassert>

#include "engine/limits.h"

namespace toll::engine {
namespace {

struct Ticket : BlockLink {
  BlockHandle prev;
  int64_t expires_ms;
  uint64_t number;
  uint64_t units;
  uint64_t unused;
};

int64_t lapses_in_us(const Ticket& ticket, TimeUs now) {
  return (ticket.expires_ms - now / kUsPerMs) * kUsPerMs;
}

// Takes one ticket out of the list.
void remove(BlockStore& store, Concurrency::State& state, BlockHandle block) {
  const Ticket ticket = store.at<Ticket>(block);
  if (block == state.first) {
    state.first = ticket.next;
  } else {
    store.at<Ticket>(ticket.prev).next = ticket.next;
  }
  if (block == state.last) {
    state.last = ticket.prev;
  } else {
    store.at<Ticket>(ticket.next).prev = ticket.prev;
  }
  --state.tickets;
  state.used -= static_cast<uint32_t>(ticket.units);
  store.give(block);
}

// Puts a block into the list behind `before`, or in front of all if that is none.
void insert_behind(BlockStore& store, Concurrency::State& state, BlockHandle before,
                   BlockHandle block) {
  const BlockHandle after = before == kNoBlock ? state.first : BlockHandle{store.next_of(before)};
  store.at<Ticket>(block).prev = before;
  store.at<Ticket>(block).next = after;
  if (before == kNoBlock) {
    state.first = block;
  } else {
    store.at<Ticket>(before).next = block;
  }
  if (after == kNoBlock) {
    state.last = block;
  } else {
    store.at<Ticket>(after).prev = block;
  }
}

}  // namespace

void Concurrency::advance(BlockStore& store, const Limit&, State& state, TimeUs now) {
  while (state.first != kNoBlock && store.at<Ticket>(state.first).expires_ms <= now / kUsPerMs) {
    remove(store, state, state.first);
  }
}

bool Concurrency::admits(const Limit& limit, const State& state, TimeUs, int64_t units) {
  return units <= limit.count - int64_t{state.used};
}

void Concurrency::acquire(BlockStore& store, const Limit& limit, State& state, TimeUs now,
                          int64_t units, int64_t ttl_us, uint64_t ticket) {
  assert(admits(limit, state, now, units));
  const BlockHandle block = store.take();
  Ticket& added = store.at<Ticket>(block);
  added.expires_ms = now / kUsPerMs + wait_ms(ttl_us == 0 ? limit.window_us : ttl_us);
  added.number = ticket;
  added.units = static_cast<uint64_t>(units);
  added.unused = 0;

  BlockHandle before = state.last;
  while (before != kNoBlock && store.at<Ticket>(before).expires_ms > added.expires_ms) {
    before = store.at<Ticket>(before).prev;
  }
  insert_behind(store, state, before, block);
  ++state.tickets;
  state.used += static_cast<uint32_t>(units);
}

bool Concurrency::release(BlockStore& store, State& state, uint64_t ticket) {
  for (BlockHandle block = state.first; block != kNoBlock; block = store.next_of(block)) {
    if (store.at<Ticket>(block).number != ticket) continue;
    remove(store, state, block);
    return true;
  }
  return false;
}

int64_t Concurrency::remaining(const Limit& limit, const State& state, TimeUs) {
  return std::max(limit.count - int64_t{state.used}, int64_t{0});
}

int64_t Concurrency::retry_us(const BlockStore& store, const Limit& limit, const State& state,
                              TimeUs now, int64_t units) {
  if (units > limit.count) return kNever;
  int64_t missing = int64_t{state.used} + units - limit.count;
  if (missing <= 0) return 0;
  for (BlockHandle block = state.first;; block = store.next_of(block)) {
    const Ticket& ticket = store.at<Ticket>(block);
    missing -= static_cast<int64_t>(ticket.units);
    if (missing <= 0) return lapses_in_us(ticket, now);
  }
}

int64_t Concurrency::reset_us(const BlockStore& store, const Limit&, const State& state,
                              TimeUs now) {
  return state.last == kNoBlock ? 0 : lapses_in_us(store.at<Ticket>(state.last), now);
}

bool Concurrency::idle(const Limit&, const State& state, TimeUs) {
  return state.tickets == 0;
}

// Tickets are as good under any limit; they keep the time they were given.
void Concurrency::carry(const Limit&, const Limit&, State&, TimeUs) {}

void Concurrency::clear(BlockStore& store, State& state) {
  if (state.tickets > 0) store.give_chain(state.first, state.last, state.tickets);
  state = {};
}

}  // namespace toll::engine
