// Fuzz target: any bytes as the replies of a server that is measured, in either framing: cut
// anywhere they are as many and of the same kinds.
//
// The first byte chooses the framing and how long the pieces of the cut stream are.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "bench/reply_counter.h"
#include "tests/fuzz/input.h"
#include "tests/fuzz/require.h"

namespace {

using toll::require;
using toll::bench::Framing;
using toll::bench::ReplyCounter;
using toll::bench::ReplyCounts;

struct Counted {
  uint64_t replies = 0;
  ReplyCounts counts;
  bool error = false;
  bool operator==(const Counted&) const = default;
};

Counted count(Framing framing, std::string_view stream, size_t piece) {
  ReplyCounter counter(framing);
  Counted counted;
  while (!stream.empty()) {
    counted.replies += counter.count(stream.substr(0, piece), counted.counts);
    stream.remove_prefix(std::min(piece, stream.size()));
  }
  counted.error = !counter.first_error().empty();
  return counted;
}

}  // namespace

// NOLINTNEXTLINE(readability-identifier-naming): the fuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  toll::fuzz::Input input(data, size);
  const uint8_t choice = input.byte();
  const Framing framing = choice % 2 == 0 ? Framing::kLine : Framing::kResp;
  const std::string_view stream = input.rest();
  const Counted whole = count(framing, stream, stream.size());
  require(count(framing, stream, size_t{1} + choice / 2) == whole, "a cut changes no count");
  // A list is counted for what it is when it begins, and as a reply when its last row is there.
  const uint64_t begun = whole.counts.total();
  require(begun == whole.replies || begun == whole.replies + 1, "every reply is of one kind");
  if (framing == Framing::kLine) {
    const auto lines = static_cast<uint64_t>(std::ranges::count(stream, '\n'));
    require(begun + whole.counts.records == lines, "a line is a reply, or a list's row");
  }
  return 0;
}
