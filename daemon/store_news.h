// What daemons tell each other about refusals that no longer hold: keys that were reset or given
// units back, and changed policies.
//
// A remembered refusal must not outlive such an event. Within a daemon: a batch may have been sent
// before an event and dealt after it, so what it refused is remembered only for keys that nothing
// happened to since it was sent. Between daemons: events are collected for a moment, each key once,
// and published as one message:
//
//   1 byte format (1) | 16 bytes sender | entries: 2 bytes length of policy name, 2 of id, both
//   an entry with two lengths of 0: everything
//
// Belongs to a worker and runs on its thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "engine/key_hash.h"

namespace toll::daemon {

class StoreNews {
 public:
  // How many events have been seen; what is sent now is marked with it.
  uint64_t seen() const { return seen_; }

  // Something happened to that key, or to all.
  void happened(const engine::KeyHash& key);
  void happened_to_all();

  // May what a call marked with `mark` says of `key` be remembered?
  bool still_holds(const engine::KeyHash& key, uint64_t mark) const;

  // For the other daemons. Past kMessageMax bytes the message says "everything" instead.
  void tell(std::string_view policy, std::string_view id);
  void tell_all();
  bool any() const { return !entries_.empty(); }
  // The message so far, "" if there is nothing to tell; clears it. Good until the next tell().
  std::string_view take_message(std::string_view sender);

  // Reads a message. Calls on_key(policy, id) or on_all() for each entry unless `self` sent it.
  // False: it is not one of ours.
  static bool read(std::string_view message, std::string_view self,
                   const std::function<void(std::string_view, std::string_view)>& on_key,
                   const std::function<void()>& on_all);

  static constexpr size_t kSenderBytes = 16;
  static constexpr size_t kMessageMax = 64 * 1024;

 private:
  static constexpr size_t kRemembered = 256;

  std::array<engine::KeyHash, kRemembered> keys_{};  // of the last events, by seen_ modulo
  uint64_t seen_ = 0;
  uint64_t all_at_ = 0;  // seen_ after the last event that concerned all
  std::string entries_;
  std::string last_;  // the last entry, to leave out repeats
  bool all_ = false;
  std::string message_;
};

}  // namespace toll::daemon
