// Fuzz target: a segment of the journal written as the input says, then damaged as it says: what is
// read are the frames that still stand where they were written, and nothing else. And any bytes as
// a segment, and as records: whatever is read would be written the same.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <iterator>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "engine/journal_record.h"
#include "engine/limits.h"
#include "tests/fuzz/input.h"
#include "tests/fuzz/require.h"

namespace {

using namespace toll::engine;
using toll::require;
using toll::fuzz::Input;

constexpr size_t kSegmentBytesMax = size_t{256} << 10;
constexpr int kDamagesMax = 32;

std::string_view view(FrameWriter& writer) {
  return writer.empty() ? std::string_view() : std::string_view(writer.bytes());
}

// ---- any bytes ----

// Reads records, and holds them against what a writer makes of them.
void check_records(std::string_view records) {
  FrameWriter writer;
  RecordReader reader(records);
  JournalRecord record;
  while (writer.has_room() && reader.next(record)) {
    require(record.id.size() <= kIdMax && record.key.size() <= kJournalKeyMax, "texts are bounded");
    writer.add(record);
  }
  const std::string_view written =
      view(writer).substr(std::min(writer.records(), size_t{1}) * kFrameHeaderBytes);
  require(records.starts_with(written), "a record is written as it was read");
  if (!writer.has_room()) return;
  require(reader.failed() == (written.size() < records.size()), "who does not fail reads all");
  require(!reader.next(record), "who has ended stays so");
}

void check_any_segment(std::string_view bytes) {
  SegmentHeader header;
  if (const auto decoded = decode_segment_header(bytes)) {
    header = *decoded;
    const auto encoded = encode(header);
    require(bytes.starts_with(std::string_view(encoded.data(), encoded.size())),
            "a header is written as it was read");
    bytes.remove_prefix(kSegmentHeaderBytes);
  }
  FrameReader reader(bytes, header, kSegmentHeaderBytes);
  uint64_t at = kSegmentHeaderBytes;
  do {
    require(reader.offset() >= at, "a reader goes forward");
    at = reader.offset();
    while (const auto frame = reader.next()) {
      require(frame->offset == at && at % 8 == 0, "frames follow each other");
      at += kFrameHeaderBytes + frame->records.size();
      require(reader.offset() == at && at <= kSegmentHeaderBytes + bytes.size(),
              "a frame takes its bytes");
      check_records(frame->records);
    }
  } while (reader.resynchronize());
  require(reader.offset() == at, "who finds nothing stays where he was");
  const bool is_zero =
      bytes.substr(at - kSegmentHeaderBytes).find_first_not_of('\0') == std::string_view::npos;
  require(reader.rest_is_zero() == is_zero, "zeros are told from the rest");
}

// ---- a segment that was written, and damaged ----

class WrittenSegment {
 public:
  WrittenSegment(Input& input, uint64_t salt) : header_{.number = 1, .epoch = 1, .salt = salt} {
    for (uint64_t frames = 1 + input.below(8); frames > 0; --frames) append_frame(input);
    bytes_.resize(bytes_.size() + input.below(64), '\0');
  }

  void damage(Input& input) {
    const size_t at = place(input);
    switch (input.below(6)) {
      case 0:  // flip a bit
        if (at < bytes_.size()) bytes_[at] = static_cast<char>(bytes_[at] ^ 1 << input.below(8));
        break;
      case 1:  // cut off
        bytes_.resize(at);
        break;
      case 2: {  // never written
        const size_t length = std::min(size_t{8} * input.byte(), bytes_.size() - at);
        bytes_.replace(at, length, length, '\0');
        break;
      }
      case 3: {  // a frame once more: put between, or over what is there
        const std::string& frame = pick(input).second.bytes;
        const size_t over = input.below(2) == 0 ? 0 : frame.size();
        bytes_.replace(at / 8 * 8, over, frame);
        if (bytes_.size() > kSegmentBytesMax) bytes_.resize(kSegmentBytesMax);
        break;
      }
      case 4: {  // at a frame's place, the same of another segment
        const auto& [offset, written] = pick(input);
        std::string other = written.bytes;
        SegmentHeader header = header_;
        header.salt += 1 + input.number(1);
        seal_frame(other, written.worker, header, offset);
        require(other != written.bytes, "the salt is in the checksum");
        bytes_.resize(std::max(bytes_.size(), offset - kSegmentHeaderBytes), '\0');
        bytes_.replace(offset - kSegmentHeaderBytes, other.size(), other);
        break;
      }
      default: {  // what is behind comes before
        const size_t middle = at / 8 * 8;
        bytes_ = bytes_.substr(middle) + bytes_.substr(0, middle);
      }
    }
  }

  // Exactly the frames that stand whole at their place are found.
  void check() const {
    FrameReader reader(bytes_, header_, kSegmentHeaderBytes);
    auto expected = written_.begin();
    const auto skip_damaged = [&] {
      while (expected != written_.end() && !stands(*expected)) ++expected;
    };
    do {
      while (const auto frame = reader.next()) {
        skip_damaged();
        require(expected != written_.end(), "a frame that was not written");
        require(frame->offset == expected->first, "frames are where they were written");
        require(frame->worker == expected->second.worker, "a worker is who wrote");
        require(
            frame->records == std::string_view(expected->second.bytes).substr(kFrameHeaderBytes),
            "records are what was written");
        check_records(frame->records);
        ++expected;
      }
    } while (reader.resynchronize());
    skip_damaged();
    require(expected == written_.end(), "a whole frame is found");
  }

 private:
  struct Written {
    uint32_t worker = 0;
    std::string bytes;
  };

  static JournalRecord read_record(Input& input) {
    JournalRecord record;
    record.kind = static_cast<RecordKind>(1 + input.below(7));
    record.sequence = input.number(input.below(9));
    record.amount = static_cast<int64_t>(input.number(input.below(9)));
    record.time = static_cast<int64_t>(input.number(input.below(9)));
    record.extra = static_cast<int64_t>(input.number(input.below(9)));
    record.id = input.text(input.number(2) % (kIdMax + 1));
    record.key = input.text(input.below(kJournalKeyMax + 1));
    return record;
  }

  void append_frame(Input& input) {
    FrameWriter writer;
    const auto worker = static_cast<uint32_t>(input.number(4));
    for (uint64_t records = 1 + input.below(7); records > 0; --records) {
      writer.add(read_record(input));
    }
    const uint64_t offset = kSegmentHeaderBytes + bytes_.size();
    seal_frame(writer.bytes(), worker, header_, offset);
    written_[offset] = {.worker = worker, .bytes = std::string(view(writer))};
    bytes_ += view(writer);
  }

  // Any place, or a frame's.
  size_t place(Input& input) const {
    if (input.below(2) == 0) return input.number(2) % (bytes_.size() + 1);
    return std::min(pick(input).first - kSegmentHeaderBytes, bytes_.size());
  }

  const std::pair<const uint64_t, Written>& pick(Input& input) const {
    auto frame = written_.begin();
    std::advance(frame, input.below(written_.size()));
    return *frame;
  }

  bool stands(const std::pair<const uint64_t, Written>& frame) const {
    const size_t at = frame.first - kSegmentHeaderBytes;
    return at < bytes_.size() &&
           std::string_view(bytes_).substr(at).starts_with(frame.second.bytes);
  }

  SegmentHeader header_;
  std::string bytes_;  // behind the header
  std::map<uint64_t, Written> written_;
};

void check_written(std::string_view bytes) {
  Input input(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
  // Of the whole input: an id in it cannot be a frame of its own segment, which a fuzzer that sees
  // the checksums compared would make, and which nobody can who does not know the salt.
  WrittenSegment segment(input, std::hash<std::string_view>()(bytes));
  segment.check();
  for (int damages = 0; damages < kDamagesMax && !input.at_end(); ++damages) segment.damage(input);
  segment.check();
}

}  // namespace

// NOLINTNEXTLINE(readability-identifier-naming): the fuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  check_any_segment(bytes);
  check_records(bytes);
  check_written(bytes);
  return 0;
}
