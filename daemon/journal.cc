#include "daemon/journal.h"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>

#include "daemon/journal_impl.h"

namespace toll::daemon {

namespace {

constexpr std::string_view kSegmentSuffix = ".journal";
constexpr size_t kSegmentDigits = 20;

}  // namespace

std::string segment_name(uint64_t number) {
  return fmt::format("{:0{}}{}", number, kSegmentDigits, kSegmentSuffix);
}

std::optional<uint64_t> segment_number(std::string_view name) {
  if (name.size() != kSegmentDigits + kSegmentSuffix.size()) return std::nullopt;
  if (!name.ends_with(kSegmentSuffix)) return std::nullopt;
  name.remove_suffix(kSegmentSuffix.size());
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  const bool whole = error == std::errc() && end == name.data() + name.size();
  return whole && number > 0 ? std::optional(number) : std::nullopt;
}

Walked walk(std::string_view bytes, const engine::SegmentHeader& header, uint64_t offset, bool all,
            const FrameVisit& visit, const Gap& gap) {
  engine::FrameReader reader(bytes, header, offset);
  const uint64_t limit = offset + bytes.size();
  Walked walked;
  walked.end = offset;
  while (true) {
    while (const auto frame = reader.next()) {
      walked.frames += 1;
      if (walked.first == 0) walked.first = frame->offset;
      walked.end = reader.offset();
      if (!visit(*frame)) {
        walked.stopped = true;
        return walked;
      }
    }
    if (walked.end == limit) return walked;
    const bool zero = reader.rest_is_zero();
    if (zero && !all) return walked;
    const auto again = zero ? std::nullopt : reader.resynchronize();
    if (!again) break;
    gap(walked.end, *again);
  }
  if (all) {
    gap(walked.end, limit);
  } else {
    const size_t last = bytes.find_last_not_of('\0');
    walked.torn = offset + last + 1 - walked.end;
  }
  return walked;
}

Journal::Journal(std::unique_ptr<net::FileSystem> files, Settings settings)
    : impl_(std::make_unique<Impl>(std::move(files), settings)) {}

Journal::~Journal() = default;

std::expected<Journal::Found, std::string> Journal::open(const std::string& machine_id,
                                                         uint64_t random_a, uint64_t random_b) {
  return impl_->open(machine_id, random_a, random_b);
}

const Identity& Journal::identity() const {
  return impl_->identity();
}

std::expected<void, net::FileError> Journal::visit(engine::JournalPosition from,
                                                   const Visit& visit) {
  return impl_->visit(from, visit);
}

std::expected<Journal::Chunk, net::FileError> Journal::read(engine::JournalPosition from,
                                                            std::span<char> into) {
  return impl_->read(from, into);
}

std::expected<void, net::FileError> Journal::commit(std::span<JournalFrame> frames,
                                                    engine::TimeUs now, uint64_t salt) {
  return impl_->commit(frames, now, salt);
}

std::expected<void, net::FileError> Journal::claim() {
  return impl_->claim();
}

void Journal::release(engine::JournalPosition position) {
  impl_->release(position);
}

engine::JournalPosition Journal::oldest() const {
  return impl_->oldest();
}

engine::JournalPosition Journal::end() const {
  return impl_->end();
}

bool Journal::tend(engine::TimeUs now) {
  return impl_->tend(now);
}

JournalState Journal::state() const {
  return impl_->state();
}

bool Journal::has_room(uint64_t bytes) const {
  return impl_->has_room(bytes);
}

uint64_t Journal::bytes() const {
  return impl_->bytes();
}

const std::string& Journal::trouble() const {
  return impl_->trouble();
}

}  // namespace toll::daemon
