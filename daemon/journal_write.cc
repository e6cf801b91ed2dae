// Committing frames. One write and one sync each; a segment that failed either is never touched
// again, since the kernel has forgotten what it did not write.
#include <algorithm>
#include <cerrno>
#include <fmt/format.h>
#include <utility>

#include "daemon/journal_impl.h"
#include "engine/flaws.h"

namespace toll::daemon {

using engine::kSegmentHeaderBytes;

namespace {

// A frame of a mark takes less.
constexpr uint64_t kMarkBytesMax = 1'024;

net::FileError no_room(uint64_t bytes_max) {
  return {
      .code = ENOSPC,
      .text = fmt::format("it has reached its {} bytes: what keeps it could not be sent yet, or "
                          "not for long enough",
                          bytes_max)};
}

}  // namespace

std::expected<void, net::FileError> Journal::Impl::commit(std::span<JournalFrame> frames,
                                                          engine::TimeUs now, uint64_t salt) {
  if (frames.empty()) return {};
  uint64_t total = 0;
  if (auto good = check(frames, total); !good) return good;
  if (auto claimed = claim(); !claimed) return refused(std::move(claimed.error()));

  std::string trouble;
  const Segment* last = current_ ? &segments_.back() : nullptr;
  const bool fits = last != nullptr && last->end + total <= settings_.segment_bytes;
  bool done = false;
  if (fits && grown(last->size, last->end + total)) {
    if (auto appended = append(frames, total); appended) {
      done = true;
    } else {
      trouble = fmt::format("{}; {} was given up for a new segment", appended.error().text,
                            segment_name(last->header.number));
      give_up();
    }
  }
  if (!done) {
    if (auto begun = begin_segment(frames, total, now, salt); !begun) {
      return refused(std::move(begun.error()));
    }
  }
  Segment& segment = segments_.back();
  if (segment.first == 0) segment.first = kSegmentHeaderBytes;
  for (JournalFrame& frame : frames) {
    frame.position = segment.end_position();
    segment.end += frame.bytes.size();
  }
  state_ = JournalState::kReady;
  commit_trouble_ = std::move(trouble);
  return {};
}

std::unexpected<net::FileError> Journal::Impl::refused(net::FileError error) {
  const bool full = error.code == ENOSPC || error.code == EDQUOT;
  state_ = full ? JournalState::kFull : JournalState::kFailed;
  commit_trouble_ = error.text;
  return std::unexpected(std::move(error));
}

Journal::Impl::Done Journal::Impl::check(std::span<const JournalFrame> frames,
                                         uint64_t& total) const {
  const auto wrong = [](std::string text) {
    return std::unexpected(net::FileError{.code = EMSGSIZE, .text = std::move(text)});
  };
  for (const JournalFrame& frame : frames) {
    const size_t size = frame.bytes.size();
    if (size > engine::kFrameBytesMax || size <= engine::kFrameHeaderBytes || size % 8 != 0) {
      return wrong(fmt::format("a frame of {} bytes cannot be written to the journal", size));
    }
    total += size;
  }
  if (total > kSegmentFileMax - kSegmentHeaderBytes) {
    return wrong(fmt::format("{} bytes are too many for one commit to the journal", total));
  }
  return {};
}

// Our epoch lasts before anything of it is written: no later start can take the same.
Journal::Impl::Done Journal::Impl::claim() {
  if (claimed_) return {};
  // They are in nobody's way but for their room; what cannot be removed is met again.
  for (const std::string& name : std::exchange(left_over_, {})) {
    [[maybe_unused]] const auto removed = files_->remove(name);
  }
  const auto file = create_anew(kIdentityNewName);
  if (!file) return std::unexpected(file.error());
  const std::string text =
      write_identity({.node = identity_.node, .machine = machine_, .epoch = identity_.epoch});
  if (auto written = (*file)->write_at(0, text); !written) return written;
  if (auto synced = (*file)->sync(); !synced) return synced;
  if (auto renamed = files_->rename(kIdentityNewName, kIdentityName); !renamed) return renamed;
  if (auto synced = files_->sync_directory(); !synced) return synced;
  claimed_ = true;
  return {};
}

std::expected<std::unique_ptr<net::File>, net::FileError> Journal::Impl::create_anew(
    const char* name) {
  auto file = files_->create(name);
  if (file || file.error().code != EEXIST) return file;
  if (auto removed = files_->remove(name); !removed) return std::unexpected(removed.error());
  return files_->create(name);
}

// How long a file of `size` is to be so that `needed` bytes have room; nullopt: bytes_max would be
// passed.
std::optional<uint64_t> Journal::Impl::grown(uint64_t size, uint64_t needed) const {
  if (needed <= size) return size;
  if (engine::flawed(engine::Flaw::kOverfillsDisk)) return needed;
  const uint64_t used = bytes();
  const uint64_t room = settings_.bytes_max > used ? settings_.bytes_max - used : 0;
  if (needed - size > room) return std::nullopt;
  const uint64_t step = std::max<uint64_t>(settings_.zeroed_ahead_bytes, 1);
  const uint64_t steps = (needed - size + step - 1) / step;
  const uint64_t wanted = std::min(size + steps * step, settings_.segment_bytes);
  return std::clamp(wanted, needed, size + room);
}

// Into buffer_, behind what is there.
void Journal::Impl::gather(std::span<JournalFrame> frames, const engine::SegmentHeader& header,
                           uint64_t offset) {
  for (const JournalFrame& frame : frames) {
    engine::seal_frame(frame.bytes, frame.worker, header, offset);
    buffer_.insert(buffer_.end(), frame.bytes.begin(), frame.bytes.end());
    offset += frame.bytes.size();
  }
}

Journal::Impl::Done Journal::Impl::append(std::span<JournalFrame> frames, uint64_t total) {
  Segment& segment = segments_.back();
  const uint64_t needed = segment.end + total;
  const uint64_t size = grown(segment.size, needed).value_or(needed);
  buffer_.clear();
  gather(frames, segment.header, segment.end);
  if (size > segment.size) buffer_.resize(size - segment.end);
  segment.size = size;
  const auto written = current_->write_at(segment.end, {buffer_.data(), buffer_.size()});
  if (engine::flawed(engine::Flaw::kSkipsSync)) return written;
  return written ? current_->sync() : written;
}

void Journal::Impl::give_up() {
  if (const auto size = current_->size()) segments_.back().size = *size;
  current_.reset();
}

Journal::Impl::Done Journal::Impl::begin_segment(std::span<JournalFrame> frames, uint64_t total,
                                                 engine::TimeUs now, uint64_t salt) {
  const Segment* before = segments_.empty() ? nullptr : &segments_.back();
  const bool first = before == nullptr || before->header.epoch != identity_.epoch;
  if (next_number_ >= kSegmentNumberMax) {
    return std::unexpected(net::FileError{.code = EOVERFLOW, .text = "no segment number is left"});
  }
  const engine::SegmentHeader header{.number = next_number_,
                                     .epoch = identity_.epoch,
                                     .node = identity_.node,
                                     .salt = salt,
                                     .created = now,
                                     .previous_end = first ? 0 : before->end};
  if (spare_.file && grown(spare_.size, kSegmentHeaderBytes + total)) {
    Spare spare = std::exchange(spare_, {});
    auto begun = begin_in(std::move(spare.file), kSpareName, spare.size, header, frames, total);
    if (begun) return begun;
  }
  if (!grown(0, kSegmentHeaderBytes + total) && !makes_room(total)) {
    return std::unexpected(no_room(settings_.bytes_max));
  }
  auto file = create_anew(kNextName);
  if (!file) return std::unexpected(std::move(file.error()));
  return begin_in(std::move(*file), kNextName, 0, header, frames, total);
}

// What fails here leaves at most a segment of this number whose frames do not count: the next one
// begun takes its name.
Journal::Impl::Done Journal::Impl::begin_in(std::unique_ptr<net::File> file, const char* name,
                                            uint64_t size, const engine::SegmentHeader& header,
                                            std::span<JournalFrame> frames, uint64_t total) {
  const uint64_t needed = kSegmentHeaderBytes + total;
  const uint64_t size_before = size;
  const auto bytes = engine::encode(header);
  buffer_.assign(bytes.begin(), bytes.end());
  gather(frames, header, kSegmentHeaderBytes);
  size = grown(size_before, needed).value_or(needed);
  if (size > size_before) buffer_.resize(size);

  const auto begun = [&]() -> Done {
    if (auto written = file->write_at(0, {buffer_.data(), buffer_.size()}); !written) {
      return written;
    }
    const bool syncs = !engine::flawed(engine::Flaw::kSkipsSync);
    if (auto synced = syncs ? file->sync() : Done(); !synced) return synced;
    // From here on a segment may lie there that says where the one before it ends, even if this
    // fails: nothing may be added to that one.
    current_.reset();
    if (auto renamed = files_->rename(name, segment_name(header.number)); !renamed) {
      return renamed;
    }
    return files_->sync_directory();
  }();
  if (!begun) {
    // For its room; there may be none of that name any more.
    [[maybe_unused]] const auto removed = files_->remove(name);
    return begun;
  }
  if (!segments_.empty() && !segments_.back().closed) segments_.back().closed = header.created;
  segments_.push_back({.header = header, .size = size, .closed = {}});
  current_ = std::move(file);
  next_number_ = header.number + 1;
  return {};
}

// The newest segment stays until there is a newer one, though all of it is needed no more. If it
// leaves no room, a mark behind it still finds some, and then it may go.
bool Journal::Impl::makes_room(uint64_t total) const {
  return segments_.size() == 1 && released_ >= segments_.back().end_position() &&
         total <= kMarkBytesMax;
}

bool Journal::Impl::has_room(uint64_t more) const {
  if (engine::flawed(engine::Flaw::kOverfillsDisk)) return true;
  return bytes() + kSegmentHeaderBytes + more <= settings_.bytes_max;
}

uint64_t Journal::Impl::bytes() const {
  uint64_t sum = spare_.size;
  for (const Segment& segment : segments_) sum += segment.size;
  return sum;
}

}  // namespace toll::daemon
