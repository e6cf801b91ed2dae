// What can wait: removing what nobody needs, and making the spare.
#include <algorithm>
#include <cerrno>

#include "daemon/journal_impl.h"

namespace toll::daemon {

bool Journal::Impl::tend(engine::TimeUs now) {
  if (remove_oldest(now)) return true;
  return grow_spare(now);
}

// One at a time, and each lasting before the next: after a power cut there is no hole in the row.
bool Journal::Impl::remove_oldest(engine::TimeUs now) {
  for (size_t i = 0; i + 1 < segments_.size(); ++i) {
    // A clock that was ahead does not keep a segment for ever.
    segments_[i].closed = std::min(segments_[i].closed.value_or(now), now);
  }
  // The newest stays: its number must not be used again.
  if (segments_.size() < 2 || now < remove_after_) return false;
  const Segment& oldest = segments_.front();
  if (released_ < oldest.end_position()) return false;
  // Where room is short, what is needed no more goes at once: room for the next charge is worth
  // more than being able to send it again.
  const bool short_of_room = bytes() + 2 * settings_.segment_bytes > settings_.bytes_max;
  if (!short_of_room && now - *oldest.closed < settings_.retain_us) return false;

  const auto failed = [&](const net::FileError& error) {
    remove_trouble_ = error.text;
    remove_after_ = now + kTendAgainUs;
    return false;
  };
  const auto removed = files_->remove(segment_name(oldest.header.number));
  if (!removed && removed.error().code != ENOENT) return failed(removed.error());
  if (reader_number_ == oldest.header.number) {
    reader_.reset();
    reader_number_ = 0;
  }
  segments_.pop_front();
  if (const auto synced = files_->sync_directory(); !synced) return failed(synced.error());
  remove_trouble_.clear();
  return true;
}

bool Journal::Impl::grow_spare(engine::TimeUs now) {
  if (!settings_.with_spare || !current_ || state_ != JournalState::kReady || now < spare_after_)
    return false;
  if (spare_.file && spare_.size >= settings_.segment_bytes) return false;
  const uint64_t step = std::min(kSpareStepBytes, settings_.segment_bytes - spare_.size);
  if (bytes() + settings_.segment_bytes - spare_.size > settings_.bytes_max) return false;

  const auto failed = [&](const net::FileError& error) {
    spare_trouble_ = error.text;
    spare_after_ = now + kTendAgainUs;
    spare_ = {};
    [[maybe_unused]] const auto removed = files_->remove(kSpareName);
    return false;
  };
  if (!spare_.file) {
    auto file = create_anew(kSpareName);
    if (!file) return failed(file.error());
    spare_ = {.file = std::move(*file), .size = 0};
  }
  buffer_.assign(step, '\0');
  const auto written = spare_.file->write_at(spare_.size, {buffer_.data(), buffer_.size()});
  if (!written) return failed(written.error());
  if (const auto synced = spare_.file->sync(); !synced) return failed(synced.error());
  spare_.size += step;
  spare_trouble_.clear();
  return spare_.size < settings_.segment_bytes;
}

const std::string& Journal::Impl::trouble() const {
  for (const std::string* one : {&commit_trouble_, &remove_trouble_, &spare_trouble_}) {
    if (!one->empty()) return *one;
  }
  return read_trouble_;
}

}  // namespace toll::daemon
