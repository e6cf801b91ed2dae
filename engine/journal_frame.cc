// Frames: made whole, and found again among any bytes.
#include <cassert>

#include "engine/crc32c.h"
#include "engine/journal_layout.h"
#include "engine/journal_record.h"

namespace toll::engine {

using namespace journal_layout;

namespace {

// Binds a frame's header, and by it the checksum of its records, to one place in one segment.
uint32_t check_of_header(std::string_view frame, const SegmentHeader& segment, uint64_t offset) {
  std::array<char, 2 * sizeof(uint64_t)> place = {};
  store_figure(place, 0, segment.salt);
  store_figure(place, sizeof(uint64_t), offset);
  return crc32c(frame.substr(0, kFrameCheckAt), crc32c({place.data(), place.size()}));
}

// The frame at the front of `bytes`, which lies at `offset`. The length is believed only where the
// header's own checksum holds, so no more than a header is read for what is no frame.
std::optional<Frame> whole_frame(std::string_view bytes, const SegmentHeader& segment,
                                 uint64_t offset) {
  if (bytes.size() < kFrameHeaderBytes) return std::nullopt;
  if (load_figure<uint32_t>(bytes, kFrameMagicAt) != kFrameMagic) return std::nullopt;
  const size_t length = load_figure<uint32_t>(bytes, kFrameBytesAt);
  if (length > kFrameBytesMax || length > bytes.size() || length % kAlignment != 0) {
    return std::nullopt;
  }
  const size_t records = load_figure<uint16_t>(bytes, kFrameRecordsAt);
  if (records == 0 || length < kFrameHeaderBytes + records * kRecordBytesMin) return std::nullopt;
  if (load_figure<uint16_t>(bytes, kFrameZerosAt) != 0) return std::nullopt;
  const uint32_t check = check_of_header(bytes, segment, offset);
  if (load_figure<uint32_t>(bytes, kFrameCheckAt) != check) return std::nullopt;

  const std::string_view body = bytes.substr(kFrameHeaderBytes, length - kFrameHeaderBytes);
  if (load_figure<uint32_t>(bytes, kRecordsCheckAt) != crc32c(body)) return std::nullopt;
  return Frame{
      .offset = offset, .worker = load_figure<uint32_t>(bytes, kFrameWorkerAt), .records = body};
}

}  // namespace

void seal_frame(std::span<char> frame, uint32_t worker, const SegmentHeader& segment,
                uint64_t offset) {
  const std::string_view bytes(frame.data(), frame.size());
  assert(frame.size() >= kFrameHeaderBytes + kRecordBytesMin && frame.size() <= kFrameBytesMax);
  assert(load_figure<uint32_t>(bytes, kFrameBytesAt) == frame.size());
  assert(offset >= kSegmentHeaderBytes && offset % kAlignment == 0);
  store_figure(frame, kFrameMagicAt, kFrameMagic);
  store_figure(frame, kFrameWorkerAt, worker);
  store_figure(frame, kRecordsCheckAt, crc32c(bytes.substr(kFrameHeaderBytes)));
  store_figure(frame, kFrameCheckAt, check_of_header(bytes, segment, offset));
}

std::optional<Frame> FrameReader::next() {
  const auto frame = whole_frame(bytes_.substr(at_), segment_, offset());
  if (frame) at_ += kFrameHeaderBytes + frame->records.size();
  return frame;
}

std::optional<uint64_t> FrameReader::resynchronize() {
  for (size_t at = at_ + kAlignment; at + kFrameHeaderBytes <= bytes_.size(); at += kAlignment) {
    if (load_figure<uint32_t>(bytes_, at + kFrameMagicAt) != kFrameMagic) continue;
    if (!whole_frame(bytes_.substr(at), segment_, base_ + at)) continue;
    at_ = at;
    return offset();
  }
  return std::nullopt;
}

bool FrameReader::rest_is_zero() const {
  return all_zero(bytes_.substr(at_));
}

}  // namespace toll::engine
