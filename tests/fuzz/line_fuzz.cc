// Fuzz target: any bytes read as requests, whole and cut in two.
//
// The first byte chooses where the cut is and how long a request may be; the rest is the stream.
// Its framing is as its bytes say, so that RESP requests between lines are met too.

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "tests/fuzz/frame_reader.h"
#include "tests/fuzz/require.h"

using toll::require;
using toll::daemon::FrameReader;

// NOLINTNEXTLINE(readability-identifier-naming): the fuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view stream(reinterpret_cast<const char*>(data) + 1, size - 1);
  const size_t request_max = data[0] % 2 == 0 ? 65'536 : 24;
  FrameReader whole(request_max);
  whole.feed(stream);
  const size_t cut = data[0] * stream.size() / UINT8_MAX;
  FrameReader cut_in_two(request_max);
  cut_in_two.feed(stream.substr(0, cut));
  cut_in_two.feed(stream.substr(cut));
  require(cut_in_two.frames() == whole.frames(), "a cut changes no request");
  require(cut_in_two.unread() == whole.unread(), "a cut changes nothing that is left");
  return 0;
}
