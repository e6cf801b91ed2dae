// What the journal's files share: looking through (journal_open.cc), reading (journal_read.cc),
// writing (journal_write.cc) and what can wait (journal_tend.cc). The names in the directory:
//
//   identity                       who we are (journal_identity.h)
//   00000000000000000017.journal   a segment: synced under another name before it got this one
//   next                           a segment being begun
//   spare                          zeros for a later one
//   identity.new                   the next identity
//
// A segment that could not be begun for sure keeps its number: the next try takes its place by a
// rename. So one of them lies there at any time, or none, and all say the same `previous_end`.
#pragma once

#include <algorithm>
#include <optional>

#include "daemon/journal.h"
#include "daemon/journal_identity.h"

namespace toll::daemon {

inline constexpr const char* kIdentityName = "identity";
inline constexpr const char* kIdentityNewName = "identity.new";
inline constexpr const char* kNextName = "next";
inline constexpr const char* kSpareName = "spare";

// What one tend() writes at most.
inline constexpr uint64_t kSpareStepBytes = uint64_t{1} << 20;
// How long tend() lets go of what failed.
inline constexpr int64_t kTendAgainUs = 10'000'000;
// More of a file is not read: no segment was ever that long.
inline constexpr uint64_t kSegmentFileMax = uint64_t{1} << 30;
inline constexpr uint64_t kSegmentNumberMax = uint64_t{1} << 62;
inline constexpr size_t kDamagesMax = 100;  // sentences; the rest is counted

std::string segment_name(uint64_t number);
// Nullopt: the name of something else.
std::optional<uint64_t> segment_number(std::string_view name);

struct Segment {
  engine::SegmentHeader header;
  uint64_t end = engine::kSegmentHeaderBytes;  // what counts ends here
  uint64_t size = 0;                           // of the file
  uint64_t first = 0;                          // its first frame; 0: it has none
  std::optional<engine::TimeUs> closed;        // no frame of it is newer; nullopt: not known yet

  engine::JournalPosition end_position() const { return {.segment = header.number, .offset = end}; }
};

// What walking over one segment's bytes found.
struct Walked {
  uint64_t frames = 0;
  uint64_t first = 0;  // 0: none
  uint64_t end = 0;    // of the last whole frame; where we began: none
  uint64_t torn = 0;   // bytes behind it that are neither zero nor followed by a frame
  bool stopped = false;
};
using Gap = std::function<void(uint64_t from, uint64_t to)>;
using FrameVisit = std::function<bool(const engine::Frame&)>;
// `bytes` begin at `offset`. `all`: there must be frames up to the end, so what is not is a gap.
Walked walk(std::string_view bytes, const engine::SegmentHeader& header, uint64_t offset, bool all,
            const FrameVisit& visit, const Gap& gap);

class Journal::Impl {
 public:
  using Done = std::expected<void, net::FileError>;
  Impl(std::unique_ptr<net::FileSystem> files, Settings settings)
      : files_(std::move(files)), settings_(settings) {}

  // journal_open.cc
  std::expected<Found, std::string> open(const std::string& machine_id, uint64_t random_a,
                                         uint64_t random_b);

  // journal_read.cc
  std::expected<void, net::FileError> visit(engine::JournalPosition from,
                                            const Journal::Visit& visit);
  std::expected<Chunk, net::FileError> read(engine::JournalPosition from, std::span<char> into);
  engine::JournalPosition oldest() const;
  engine::JournalPosition end() const;

  // journal_write.cc
  std::expected<void, net::FileError> commit(std::span<JournalFrame> frames, engine::TimeUs now,
                                             uint64_t salt);
  bool has_room(uint64_t bytes) const;
  bool makes_room(uint64_t total) const;
  uint64_t bytes() const;

  // journal_tend.cc
  Done claim();
  void release(engine::JournalPosition position) { released_ = std::max(released_, position); }
  bool tend(engine::TimeUs now);

  const Identity& identity() const { return identity_; }
  JournalState state() const { return state_; }
  const std::string& trouble() const;

 private:
  struct Candidate {  // a file that has a segment's name
    uint64_t number = 0;
    std::optional<engine::SegmentHeader> header;
  };
  struct Spare {
    std::unique_ptr<net::File> file;
    uint64_t size = 0;
  };

  // ---- looking through ----
  std::expected<std::vector<Candidate>, std::string> find_candidates();
  std::expected<void, std::string> find_identity(const std::vector<Candidate>& candidates,
                                                 const engine::NodeId& fresh);
  std::expected<std::optional<std::string>, std::string> identity_text();
  void sort_out(const std::vector<Candidate>& candidates);
  std::expected<void, std::string> look_through(size_t index);
  void report_missing(const std::vector<Candidate>& candidates);
  void damage(std::string sentence);

  // ---- reading ----
  // All of a segment up to `limit`. What the disk does not give is filled with what is no frame,
  // and told.
  std::expected<std::vector<char>, net::FileError> load(uint64_t number, uint64_t limit,
                                                        const Gap& unreadable);
  void make_sure_of_last();
  Done write_anew(Segment& segment);
  std::expected<net::File*, net::FileError> reader(uint64_t number);
  void note_gap(uint64_t number, uint64_t from, uint64_t to);
  Done read_damaged(const Segment& segment, std::span<char> into, Chunk& chunk);

  // ---- writing ----
  Done check(std::span<const JournalFrame> frames, uint64_t& total) const;
  Done append(std::span<JournalFrame> frames, uint64_t total);
  Done begin_segment(std::span<JournalFrame> frames, uint64_t total, engine::TimeUs now,
                     uint64_t salt);
  Done begin_in(std::unique_ptr<net::File> file, const char* name, uint64_t size,
                const engine::SegmentHeader& header, std::span<JournalFrame> frames,
                uint64_t total);
  std::optional<uint64_t> grown(uint64_t size, uint64_t needed) const;
  void gather(std::span<JournalFrame> frames, const engine::SegmentHeader& header, uint64_t offset);
  void give_up();
  std::unexpected<net::FileError> refused(net::FileError error);
  std::expected<std::unique_ptr<net::File>, net::FileError> create_anew(const char* name);

  // ---- tending ----
  bool remove_oldest(engine::TimeUs now);
  bool grow_spare(engine::TimeUs now);

  std::unique_ptr<net::FileSystem> files_;
  Settings settings_;
  Identity identity_;
  std::string machine_;
  bool claimed_ = false;                // is our epoch on the disk?
  std::vector<std::string> left_over_;  // of a former start, to be removed by the first commit
  Found found_;
  uint64_t damages_untold_ = 0;

  std::deque<Segment> segments_;        // ours, in order
  std::unique_ptr<net::File> current_;  // of the last segment, where it can be written to
  uint64_t next_number_ = 1;
  Spare spare_;
  std::vector<char> buffer_;  // what one write takes

  uint64_t reader_number_ = 0;  // of the segment that reader_ is open for
  std::unique_ptr<net::File> reader_;

  engine::JournalPosition released_;
  engine::TimeUs remove_after_ = 0;
  engine::TimeUs spare_after_ = 0;

  JournalState state_ = JournalState::kReady;
  std::string commit_trouble_;
  std::string remove_trouble_;
  std::string spare_trouble_;
  std::string read_trouble_;
};

}  // namespace toll::daemon
