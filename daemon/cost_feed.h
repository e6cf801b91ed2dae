// Charges on their way from the journal to the store, in the journal's order: from memory while the
// store keeps up, from the disk where it does not, and from the disk again where it forgot.
//
//   kept ──▶ queue ──┐
//              │     ├──▶ frame ──▶ window ──▶ sent, settled ──▶ next window
//              └ full│
//        disk ───────┘
//
// Memory is bounded whatever waits. Belongs to a worker's Costs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "daemon/cost_letters.h"
#include "daemon/treasury.h"
#include "engine/cost_call.h"
#include "engine/journal_record.h"

namespace toll::daemon {

class CostFeed {
 public:
  struct Settings {
    uint32_t worker = 0;
    uint32_t workers = 1;
    uint64_t epoch = 0;        // ours
    size_t window_max = 4096;  // charges
    size_t queue_bytes_max = size_t{4} << 20;
  };

  // Begins with the disk: all that the journal has is looked through.
  CostFeed(Settings settings, CostBook& book, const engine::KeyHasher& hasher);

  // A frame of ours is durable. Takes what it needs of it; the letter is free again.
  void kept(std::unique_ptr<JournalCommit> commit);
  // Letters that are free, for use again; null: none.
  std::unique_ptr<JournalCommit> take_free();

  // Fills the window, if it is empty. False: there is nothing to send, or the disk must be read
  // first.
  bool fill();
  // Set when fill() needs the disk: the letter is to be sent to the journal and to come back by
  // arrived().
  JournalRead* wants_read();
  void arrived(JournalRead& read);

  std::vector<engine::CostCharge>& window() { return window_; }
  // All charges of the window are done.
  bool settled() const;
  void next_window();

  // The store may have forgotten: from the oldest charge that the journal has, again.
  void rewind();

  // The first frame that is still needed; kNeedsNothing.
  engine::JournalPosition needs() const;
  // When the oldest charge was accepted that the store may not have; 0: it has all. Where they are
  // read from the disk, of the last that was looked at.
  engine::TimeUs oldest_unapplied() const { return needs() == kNeedsNothing ? 0 : oldest_; }
  // Once through with what was in the journal at the start.
  bool caught_up() const { return caught_up_; }
  bool reading() const { return reading_; }

 private:
  struct Current {
    engine::RecordReader records{std::string_view()};
    uint64_t epoch = 0;
    RecordPlace next;  // of the record that comes
    bool open = false;
  };

  bool next_frame();
  bool open_disk_frame();
  void add(const engine::JournalRecord& record);

  Settings settings_;
  CostBook& book_;
  const engine::KeyHasher& hasher_;

  bool behind_ = true;
  bool caught_up_ = false;
  bool reading_ = false;
  bool want_read_ = false;
  bool dropped_ = false;  // something since the read was wanted
  JournalRead read_;
  bool chunk_open_ = false;
  std::optional<engine::FrameReader> chunk_;
  engine::JournalPosition disk_;  // where reading goes on; nowhere: at the oldest

  std::deque<std::unique_ptr<JournalCommit>> queue_;
  size_t queue_bytes_ = 0;
  engine::TimeUs oldest_ = 0;
  // The window's. The last may not be at its end.
  std::vector<std::unique_ptr<JournalCommit>> held_;
  std::vector<std::unique_ptr<JournalCommit>> free_;

  Current current_;
  std::vector<engine::CostCharge> window_;
  RecordPlace window_begin_;
  RecordPlace window_end_;
};

}  // namespace toll::daemon
