// Reading back: for a start, and for whoever sends what was committed.
#include <algorithm>
#include <fmt/format.h>

#include "daemon/journal_impl.h"

namespace toll::daemon {

using engine::JournalPosition;
using engine::kSegmentHeaderBytes;

namespace {

// A disk gives whole sectors or none; where one is bad, its neighbours are still wanted.
constexpr size_t kPieceBytes = 4096;
constexpr int kBadPiecesMax = 64;     // each may cost seconds: then the rest is given up
constexpr int kPieceTries = 3;        // what is skipped for good is not skipped for a passing error
constexpr char kUnreadable = '\xa5';  // neither zero nor a frame

// Where to begin in this segment; its end or beyond: there is nothing in it from `from` on.
uint64_t first_offset(const Segment& segment, JournalPosition from) {
  if (from.segment > segment.header.number) return segment.end;
  if (from.segment < segment.header.number) return kSegmentHeaderBytes;
  // Frames begin at multiples of 8 only.
  const uint64_t offset = std::min(from.offset, segment.end) + 7;
  return std::max<uint64_t>(offset - offset % 8, kSegmentHeaderBytes);
}

bool read_piece(net::File& file, uint64_t offset, std::span<char> piece) {
  for (int tried = 0; tried < kPieceTries; ++tried) {
    if (file.read_at(offset, piece)) return true;
  }
  return false;
}

}  // namespace

std::expected<std::vector<char>, net::FileError> Journal::Impl::load(uint64_t number,
                                                                     uint64_t limit,
                                                                     const Gap& unreadable) {
  const auto file = reader(number);
  if (!file) return std::unexpected(file.error());
  const auto size = (*file)->size();
  if (!size) return std::unexpected(size.error());
  std::vector<char> bytes(std::min({*size, limit, kSegmentFileMax}));
  const auto got = (*file)->read_at(0, bytes);
  if (got) {
    bytes.resize(*got);
    return bytes;
  }
  int bad_pieces = 0;
  bool any = false;
  for (size_t at = 0; at < bytes.size(); at += kPieceBytes) {
    const bool hopeless = bad_pieces >= kBadPiecesMax;
    const size_t length = hopeless ? bytes.size() - at : std::min(kPieceBytes, bytes.size() - at);
    const std::span<char> piece = std::span(bytes).subspan(at, length);
    if (!hopeless && read_piece(**file, at, piece)) {
      any = true;
      continue;
    }
    std::ranges::fill(piece, kUnreadable);
    unreadable(at, at + length);
    if (hopeless) break;
    bad_pieces += 1;
  }
  // Not a bad sector but a disk that is gone.
  if (!any) return std::unexpected(got.error());
  return bytes;
}

std::expected<net::File*, net::FileError> Journal::Impl::reader(uint64_t number) {
  if (current_ && segments_.back().header.number == number) return current_.get();
  if (!reader_ || reader_number_ != number) {
    auto file = files_->open(segment_name(number));
    if (!file) return std::unexpected(std::move(file.error()));
    reader_ = std::move(*file);
    reader_number_ = number;
  }
  return reader_.get();
}

void Journal::Impl::note_gap(uint64_t number, uint64_t from, uint64_t to) {
  read_trouble_ = fmt::format("{}: {} bytes from {} on are damaged, and skipped",
                              segment_name(number), to - from, from);
}

std::expected<void, net::FileError> Journal::Impl::visit(JournalPosition from,
                                                         const Journal::Visit& visit) {
  for (const Segment& segment : segments_) {
    const uint64_t begin = first_offset(segment, from);
    if (begin >= segment.end) continue;
    settings_.progress();
    const uint64_t number = segment.header.number;
    const auto note = [&](uint64_t first, uint64_t last) { note_gap(number, first, last); };
    const auto bytes = load(number, segment.end, note);
    if (!bytes) return std::unexpected(bytes.error());
    const std::string_view all(bytes->data(), bytes->size());
    const auto walked = walk(
        all.substr(std::min<size_t>(all.size(), begin)), segment.header, begin, true,
        [&](const engine::Frame& frame) { return visit(segment.header, frame); }, note);
    if (walked.stopped) break;
  }
  return {};
}

// For where a plain read did not give a whole frame at chunk.offset: takes the one that is there
// after all, or goes on at the next one, or at the segment's end.
std::expected<void, net::FileError> Journal::Impl::read_damaged(const Segment& segment,
                                                                std::span<char> into,
                                                                Chunk& chunk) {
  const uint64_t number = segment.header.number;
  const auto bytes =
      load(number, segment.end, [&](uint64_t from, uint64_t to) { note_gap(number, from, to); });
  if (!bytes) return std::unexpected(bytes.error());
  const std::string_view all(bytes->data(), bytes->size());
  const std::string_view rest = all.substr(std::min<size_t>(all.size(), chunk.offset));
  engine::FrameReader frames(rest, segment.header, chunk.offset);
  if (frames.next()) {
    chunk.bytes = frames.offset() - chunk.offset;
    std::ranges::copy(rest.substr(0, chunk.bytes), into.begin());
    chunk.next.offset = frames.offset();
  } else {
    chunk.next.offset = frames.resynchronize().value_or(segment.end);
    note_gap(number, chunk.offset, chunk.next.offset);
  }
  return {};
}

std::expected<Journal::Chunk, net::FileError> Journal::Impl::read(JournalPosition from,
                                                                  std::span<char> into) {
  for (const Segment& segment : segments_) {
    const uint64_t begin = first_offset(segment, from);
    if (begin >= segment.end) continue;
    const uint64_t number = segment.header.number;
    Chunk chunk{.segment = segment.header,
                .offset = begin,
                .bytes = 0,
                .next = {.segment = number, .offset = begin}};
    const auto file = reader(number);
    if (!file) return std::unexpected(file.error());
    const auto got =
        (*file)->read_at(begin, into.first(std::min<uint64_t>(into.size(), segment.end - begin)));
    engine::FrameReader frames({into.data(), got.value_or(0)}, segment.header, begin);
    while (frames.next()) {
    }
    chunk.bytes = frames.offset() - begin;
    chunk.next.offset = frames.offset();
    if (chunk.bytes > 0) return chunk;
    if (auto rest = read_damaged(segment, into, chunk); !rest) {
      return std::unexpected(rest.error());
    }
    return chunk;
  }
  return Chunk{.segment = {}, .offset = from.offset, .bytes = 0, .next = from};
}

JournalPosition Journal::Impl::oldest() const {
  for (const Segment& segment : segments_) {
    if (segment.first > 0) return {.segment = segment.header.number, .offset = segment.first};
  }
  return {};
}

JournalPosition Journal::Impl::end() const {
  if (current_) return segments_.back().end_position();
  if (segments_.empty()) return {};
  return {.segment = next_number_, .offset = kSegmentHeaderBytes};
}

}  // namespace toll::daemon
