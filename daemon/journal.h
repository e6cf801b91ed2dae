// The journal's files: frames appended and made durable, read back, and let go of when they are no
// longer needed. engine/journal.md describes the bytes; this is who writes them.
//
//   commit ──▶ segment n ──full──▶ segment n+1 (the spare, made ahead) ──▶ ...
//                 └── released, and older than `retain` ──▶ removed
//
// A frame that commit() did not report as an error is durable: it outlives a crash of the process
// and of the machine. Where the disk fails a write or a sync, the segment is given up, and what was
// not known to be durable is written anew to a fresh one, once; where that fails too, or the disk
// is full, commit() fails, nothing of it counts, and later ones try again. Only at the end of an
// epoch may a restart find frames of a commit that failed or was cut short.
//
// Blocking. One thread at a time: main until the workers start, then the journal's.
#pragma once

#include <cstdint>
#include <deque>
#include <expected>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/journal_record.h"
#include "net/file_system.h"

namespace toll::daemon {

// Who we are, kept in the file `identity` beside the segments.
struct Identity {
  engine::NodeId node = {};
  uint64_t epoch = 0;  // of this start: one more than the last that may have written anything
};

enum class JournalState : uint8_t {
  kReady,
  kFull,   // no room on the disk, or journal_max reached
  kFailed  // the disk answers with errors
};
constexpr std::string_view to_string(JournalState state) {
  return state == JournalState::kReady ? "ready" : state == JournalState::kFull ? "full" : "failed";
}

// A frame to commit, and where it came to lie.
struct JournalFrame {
  std::span<char> bytes;  // of a FrameWriter; sealed here
  uint32_t worker = 0;
  engine::JournalPosition position = {};
};

class Journal {
 public:
  struct Settings {
    uint64_t bytes_max = uint64_t{4} << 30;       // all segments together, but for a mark's
    int64_t retain_us = 600'000'000;              // how long a released segment is kept
    uint64_t segment_bytes = uint64_t{16} << 20;  // a new one begins where a commit finds no room
    uint64_t zeroed_ahead_bytes = uint64_t{1} << 20;  // a file grows by zeros, in such steps
    bool with_spare = true;                           // the next segment's zeros are written ahead
    // Called once for each segment that is read through: at the start, that can take long.
    std::function<void()> progress = [] {};
  };

  // What open() found, for the log.
  struct Found {
    uint64_t segments = 0;
    uint64_t frames = 0;
    uint64_t torn_bytes = 0;              // cut off at the ends of epochs: never acknowledged
    std::vector<std::string> damages;     // sentences: which segment, where, how many bytes
    engine::JournalPosition oldest = {};  // the first frame; nowhere: none
  };

  // `machine_id` tells a copied directory from the original: it is kept in `identity`, hashed by
  // the caller.
  Journal(std::unique_ptr<net::FileSystem> files, Settings settings);
  ~Journal();

  // Reads who we are (makes it where nothing is there yet) and looks through all segments. Nothing
  // is written: a daemon that never commits leaves no trace. Error: a sentence for the operator;
  // the daemon should not start. Once, before all else.
  std::expected<Found, std::string> open(const std::string& machine_id, uint64_t random_a,
                                         uint64_t random_b);
  const Identity& identity() const;

  // Calls `visit` for each whole frame from `from` (nowhere: the oldest) on, in the order of the
  // journal, with its segment's header. Stops early when it returns false. What is damaged is
  // passed over, and told by open() and trouble().
  using Visit = std::function<bool(const engine::SegmentHeader&, const engine::Frame&)>;
  std::expected<void, net::FileError> visit(engine::JournalPosition from, const Visit& visit);

  // Fills `into` with whole frames of the one segment, from `from` on, as they lie on the disk: to
  // be walked with FrameReader. `next` is where to go on; equal to `from`: there is nothing more
  // yet. No bytes, and another `next`: what lies between is damaged. `from` may be in a segment
  // that was removed, or beyond the end. `into` holds at least kFrameBytesMax.
  struct Chunk {
    engine::SegmentHeader segment;
    uint64_t offset = 0;  // of the first byte
    size_t bytes = 0;
    engine::JournalPosition next = {};
  };
  std::expected<Chunk, net::FileError> read(engine::JournalPosition from, std::span<char> into);

  // Appends all frames and makes them durable with one sync, or none of them counts. All go into
  // one segment, which is longer than `segment_bytes` if they are. A frame longer than
  // kFrameBytesMax is an error (EMSGSIZE) that leaves all as it was. The first commit of this start
  // claims the epoch and makes the first segment. `now` is the clock of the day; `salt` random, for
  // a segment that may have to begin.
  std::expected<void, net::FileError> commit(std::span<JournalFrame> frames, engine::TimeUs now,
                                             uint64_t salt);

  // Puts the epoch of this start on the disk, if it is not there yet: before anybody is told of it.
  // commit() does so by itself.
  std::expected<void, net::FileError> claim();

  // What lies before `position` is needed by nobody any more, but for `retain`.
  void release(engine::JournalPosition position);
  // The first frame that is kept now, for going back to; nowhere: none.
  engine::JournalPosition oldest() const;
  // Where the next frame will lie at the earliest; nowhere: nothing was ever written.
  engine::JournalPosition end() const;

  // What can wait: removes segments whose time has come (never the newest) and makes the spare, a
  // step of each at a time; what fails is told by trouble() and left for a while. Call it now and
  // then when nothing else is to be done. Returns whether there may be more to do.
  bool tend(engine::TimeUs now);

  JournalState state() const;
  // Would so many bytes more, and a segment begun for them, still be within bytes_max?
  bool has_room(uint64_t bytes) const;
  uint64_t bytes() const;  // of our segments and the spare, as they take room on the disk
  // What went wrong last, for HEALTH and the log: with a commit (also when a fresh segment helped),
  // until one goes well; with removing or the spare, likewise; or damage that was met in reading.
  const std::string& trouble() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace toll::daemon
