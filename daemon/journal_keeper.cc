#include "daemon/journal_keeper.h"

#include <algorithm>
#include <poll.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include "engine/flaws.h"

namespace toll::daemon {
namespace {

// A mark that moved is written alone after so long: what is behind it need not be sent again.
constexpr int64_t kMarkEveryNs = 1'000'000'000;
// Segments whose time has come are looked for that often.
constexpr int64_t kTendEveryNs = 10'000'000'000;

uint64_t logs_in(const engine::Frame& frame) {
  engine::RecordReader reader(frame.records);
  engine::JournalRecord record;
  uint64_t records = 0;
  while (reader.next(record)) records += record.kind == engine::RecordKind::kLog ? 1 : 0;
  return records;
}

}  // namespace

JournalKeeper::JournalKeeper(net::Machine& machine, net::PostOffice<Letter>& post, Journal& journal,
                             const JournalKeeping& keeping)
    : machine_(machine),
      post_(post),
      journal_(journal),
      keeping_(keeping),
      needs_(keeping.readers, keeping.mark),
      mark_(keeping.mark) {
  figures_.state.store(journal.state());
  figures_.bytes.store(journal.bytes());
}

void JournalKeeper::open(net::Doorbell& doorbell) {
  post_.open(keeping_.desk, doorbell);
}

void JournalKeeper::run() {
  open(doorbell_);
  while (true) {
    const int64_t wait_ns = turn();
    if (stopping_.load() && !post_.has_mail(keeping_.desk)) break;
    if (wait_ns == 0 || !post_.may_sleep(keeping_.desk)) continue;
    if (!stopping_.load()) {
      pollfd bell{.fd = doorbell_.fd(), .events = POLLIN, .revents = 0};
      const int timeout_ms = wait_ns < 0 ? -1 : static_cast<int>(wait_ns / 1'000'000) + 1;
      if (poll(&bell, 1, timeout_ms) > 0) {
        uint64_t rings = 0;
        [[maybe_unused]] const ssize_t rung = ::read(doorbell_.fd(), &rings, sizeof(rings));
      }
    }
    post_.awake(keeping_.desk);
  }
  finish();
}

void JournalKeeper::stop() {
  stopping_.store(true);
  doorbell_.ring();
}

int64_t JournalKeeper::turn() {
  commits_.clear();
  post_.collect(
      keeping_.desk,
      [this](uint32_t from, Letter* letter) {
        if (letter->kind == LetterKind::kJournalCommit || letter->kind == LetterKind::kSpill) {
          commits_.push_back({from, static_cast<JournalCommit*>(letter)});
        } else {
          read(*static_cast<JournalRead*>(letter));
          post_.reply(keeping_.desk, from, letter);
        }
      },
      [](Letter*) {});
  const bool busy = !commits_.empty();
  if (busy) commit_all();
  post_.deliver(keeping_.desk);
  post_.ring(keeping_.desk);
  if (busy) return 0;
  const bool troubled = keeping_.marks && journal_.state() != JournalState::kReady;
  if ((troubled || mark_moved()) && machine_.monotonic_ns() - marked_ns_ >= kMarkEveryNs) {
    write_mark();
  }
  const bool more = journal_.tend(machine_.realtime_us());
  figures_.bytes.store(journal_.bytes());
  say_trouble();
  if (more) return 0;
  if (troubled || mark_moved()) return kMarkEveryNs;
  return journal_.end().segment == 0 ? -1 : kTendEveryNs;
}

// ---- commits ----

void JournalKeeper::commit_all() {
  frames_.clear();
  for (const Mail& mail : commits_) {
    take_needs(mail.from, *mail.letter);
    if (mail.letter->frame.empty()) continue;
    frames_.push_back({.bytes = mail.letter->frame.bytes(), .worker = mail.from});
  }
  const bool with_mark = !frames_.empty() && mark_moved();
  if (with_mark) add_mark();
  bool durable = true;
  if (!frames_.empty()) {
    if (keeping_.drops_oldest) {
      uint64_t bytes = 0;
      for (const JournalFrame& frame : frames_) bytes += frame.bytes.size();
      make_room(bytes);
    }
    const auto done = journal_.commit(frames_, machine_.realtime_us(), machine_.random_bits());
    durable = done.has_value();
    figures_.commits.fetch_add(1, std::memory_order_relaxed);
    for (const JournalFrame& frame : frames_) {
      if (durable) figures_.written.fetch_add(frame.bytes.size(), std::memory_order_relaxed);
    }
    if (durable) figures_.frames.fetch_add(frames_.size(), std::memory_order_relaxed);
    if (!durable) figures_.failures.fetch_add(1, std::memory_order_relaxed);
    if (!durable && with_mark) mark_ = {};
    say_trouble();
  }
  size_t next = 0;
  for (const Mail& mail : commits_) {
    JournalCommit& letter = *mail.letter;
    letter.durable = durable;
    if (!letter.frame.empty()) {
      letter.position = frames_[next].position;
      ++next;
      if (durable && letter.has_charges && needs_[mail.from] == kNeedsNothing) {
        needs_[mail.from] = letter.position;
      }
    }
    post_.reply(keeping_.desk, mail.from, &letter);
  }
  figures_.bytes.store(journal_.bytes());
}

// So that what comes finds room at the disk's budget.
void JournalKeeper::make_room(uint64_t bytes) {
  const engine::TimeUs now = machine_.realtime_us();
  while (!journal_.has_room(bytes) && journal_.oldest().segment < journal_.end().segment) {
    const engine::JournalPosition oldest = journal_.oldest();
    drop_oldest_segment();
    while (journal_.tend(now)) {
    }
    if (journal_.oldest() == oldest) return;  // it cannot be removed now
  }
}

void JournalKeeper::drop_oldest_segment() {
  const uint64_t segment = journal_.oldest().segment;
  // Else it was counted, and could not be removed then.
  if (segment > dropped_segment_) {
    const auto needed = *std::min_element(needs_.begin(), needs_.end());
    uint64_t records = 0;
    std::vector<Rescuable> rescuable;  // kept only if all of it can be read
    const auto count = [&](const engine::SegmentHeader& header, const engine::Frame& frame) {
      if (header.number != segment) return false;
      const engine::JournalPosition position{segment, frame.offset};
      if (position < needed) return true;
      const bool counts = !engine::flawed(engine::Flaw::kDropsFromDiskUncounted);
      const uint64_t in_frame = counts ? logs_in(frame) : 0;
      records += in_frame;
      if (position < handed_) rescuable.push_back({position, in_frame});
      return true;
    };
    if (const auto visited = journal_.visit({segment, 0}, count); !visited) return;
    rescuable_.insert(rescuable_.end(), rescuable.begin(), rescuable.end());
    figures_.dropped.fetch_add(records, std::memory_order_relaxed);
    dropped_segment_ = segment;
  }
  journal_.release({segment + 1, 0});
}

// What was read before it went from the disk may still come to the store.
void JournalKeeper::rescue(engine::JournalPosition needed) {
  while (!rescuable_.empty() && rescuable_.front().position < needed) {
    figures_.rescued.fetch_add(rescuable_.front().records, std::memory_order_relaxed);
    rescuable_.pop_front();
  }
}

void JournalKeeper::take_needs(uint32_t worker, const JournalCommit& letter) {
  if (worker >= needs_.size()) return;
  needs_[worker] = letter.needs;
  const auto least = *std::min_element(needs_.begin(), needs_.end());
  rescue(least);
  if (engine::flawed(engine::Flaw::kReleasesEarly)) return journal_.release(journal_.end());
  journal_.release(least == kNeedsNothing ? journal_.end() : least);
}

// ---- the mark ----

bool JournalKeeper::mark_moved() const {
  if (!keeping_.marks || journal_.end().segment == 0) return false;
  const auto least = *std::min_element(needs_.begin(), needs_.end());
  if (least != kNeedsNothing) return mark_ < least;
  return mark_ < journal_.end();
}

void JournalKeeper::add_mark() {
  const auto least = *std::min_element(needs_.begin(), needs_.end());
  const engine::JournalPosition mark = least == kNeedsNothing ? journal_.end() : least;
  mark_frame_.clear();
  mark_frame_.add({.kind = engine::RecordKind::kApplied,
                   .amount = static_cast<int64_t>(mark.segment),
                   .time = machine_.realtime_us(),
                   .extra = static_cast<int64_t>(mark.offset),
                   .id = {},
                   .key = {}});
  frames_.push_back({.bytes = mark_frame_.bytes(), .worker = kOwnWorker});
  mark_ = mark;
  marked_ns_ = machine_.monotonic_ns();
}

void JournalKeeper::finish() {
  if (mark_moved()) write_mark();
}

// In trouble too: nobody else may write for long, and so find that all is well again.
void JournalKeeper::write_mark() {
  frames_.clear();
  add_mark();
  const bool all = mark_ == journal_.end();
  const auto done = journal_.commit(frames_, machine_.realtime_us(), machine_.random_bits());
  if (!done) mark_ = {};
  // Behind the mark there is nothing but the mark.
  if (done && all) mark_ = journal_.end();
  say_trouble();
}

// ---- reading back ----

void JournalKeeper::read(JournalRead& letter) {
  if (letter.bytes.empty()) letter.bytes.resize(engine::kFrameBytesMax);
  auto chunk = journal_.read(letter.from, letter.bytes);
  letter.failed = !chunk.has_value();
  if (letter.failed) {
    spdlog::error("{} cannot be read: {}", keeping_.name, chunk.error().text);
    letter.size = 0;
    return;
  }
  letter.segment = chunk->segment;
  letter.offset = chunk->offset;
  letter.size = chunk->bytes;
  letter.next = chunk->next;
  if (keeping_.drops_oldest) hand_over(letter);
}

void JournalKeeper::hand_over(const JournalRead& letter) {
  handed_ = letter.next;
  if (letter.segment.number > dropped_segment_) return;
  engine::FrameReader frames(std::string_view(letter.bytes.data(), letter.size), letter.segment,
                             letter.offset);
  while (const auto frame = frames.next()) {
    rescuable_.push_back({{letter.segment.number, frame->offset}, logs_in(*frame)});
  }
}

void JournalKeeper::say_trouble() {
  const JournalState state = journal_.state();
  figures_.state.store(state);
  const std::string& trouble = journal_.trouble();
  if (trouble == said_) return;
  said_ = trouble;
  if (trouble.empty()) {
    spdlog::info("{} is well again", keeping_.name);
  } else if (state == JournalState::kReady) {
    spdlog::warn("{}: {}", keeping_.name, trouble);
  } else {
    spdlog::error("{} cannot be written, {}: {}", keeping_.name, keeping_.refused, trouble);
  }
}

}  // namespace toll::daemon
