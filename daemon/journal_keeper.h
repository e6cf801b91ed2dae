// The journal's thread: takes what the workers want kept, makes it durable with one sync for all of
// them, and reads back what they ask for.
//
// A mailbox of the post office is its own, the one behind the workers'. Whatever came while it
// wrote is the next commit, so a slow disk makes larger commits and not longer queues.
//
// It also keeps the mark: the place in the journal before which every charge is in the store, as
// the workers tell it. The mark is written with commits, or alone when nothing else is.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "daemon/cost_letters.h"
#include "daemon/journal.h"
#include "net/event_doorbell.h"
#include "net/machine.h"
#include "net/post_office.h"

namespace toll::daemon {

// Whose journal it is, and how it behaves.
struct JournalKeeping {
  uint32_t desk = 0;     // in the post office
  uint32_t readers = 0;  // the workers 0 to readers - 1 say what they still need
  bool marks = false;    // what is in it goes to a store, and so there is a mark
  engine::JournalPosition mark = {};
  // Where room is short the oldest goes, needed or not, and is counted.
  bool drops_oldest = false;
  std::string_view name = "the journal";
  std::string_view refused = "charges are refused";
};

// What others may look at. Written by the journal's thread.
struct JournalFigures {
  std::atomic<JournalState> state{JournalState::kReady};
  std::atomic<uint64_t> bytes{0};    // on the disk
  std::atomic<uint64_t> written{0};  // ever, in frames
  std::atomic<uint64_t> commits{0};
  std::atomic<uint64_t> frames{0};
  std::atomic<uint64_t> failures{0};
  // Log records that went with the oldest segments; and of those, what had been read before and
  // came to the store nonetheless.
  std::atomic<uint64_t> dropped{0};
  std::atomic<uint64_t> rescued{0};
};

class JournalKeeper {
 public:
  // The mark of a frame that no worker wrote.
  static constexpr uint32_t kOwnWorker = UINT32_MAX;

  // All outlive it.
  JournalKeeper(net::Machine& machine, net::PostOffice<Letter>& post, Journal& journal,
                const JournalKeeping& keeping);

  // On the journal's thread: until stop() was called and no mail is left.
  void run();
  // What run() does, for who steps it: a turn, and how long to wait for mail after it at most (-1:
  // for ever).
  int64_t turn();
  void stop();  // any thread
  // Its doorbell, for who steps it, in place of its own. Before the first turn.
  void open(net::Doorbell& doorbell);
  // Writes the mark down, at the end.
  void finish();

  const JournalFigures& figures() const { return figures_; }

 private:
  void commit_all();
  void make_room(uint64_t bytes);
  void drop_oldest_segment();
  void rescue(engine::JournalPosition needed);
  void hand_over(const JournalRead& letter);
  void read(JournalRead& letter);
  void take_needs(uint32_t worker, const JournalCommit& letter);
  bool mark_moved() const;
  void add_mark();
  void write_mark();
  void say_trouble();

  struct Mail {
    uint32_t from;
    JournalCommit* letter;
  };

  net::Machine& machine_;
  net::PostOffice<Letter>& post_;
  Journal& journal_;
  const JournalKeeping keeping_;
  net::EventDoorbell doorbell_;
  std::atomic<bool> stopping_{false};
  JournalFigures figures_;
  std::vector<engine::JournalPosition> needs_;  // by worker
  engine::JournalPosition mark_;                // as last written
  int64_t marked_ns_ = 0;
  engine::FrameWriter mark_frame_;
  std::vector<Mail> commits_;
  std::vector<JournalFrame> frames_;
  // Of a journal that drops its oldest: what was read of it lies before `handed_`; frames that were
  // counted as dropped and may be rescued.
  struct Rescuable {
    engine::JournalPosition position;
    uint64_t records;
  };
  engine::JournalPosition handed_;
  uint64_t dropped_segment_ = 0;
  std::deque<Rescuable> rescuable_;
  std::string said_;  // the trouble that was told of
};

}  // namespace toll::daemon
