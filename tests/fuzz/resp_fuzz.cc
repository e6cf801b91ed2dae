// Fuzz target: any bytes read as one RESP request, whole and cut in two, and compared with what
// hiredis makes of them.
//
// The first byte chooses where the cut is; the stream is '*' and the rest.

#include <cstddef>
#include <cstdint>
#include <hiredis/hiredis.h>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tests/fuzz/frame_reader.h"
#include "tests/fuzz/require.h"

namespace {

using toll::require;
using toll::daemon::Frame;
using toll::daemon::FrameReader;
using toll::daemon::kWordsMax;
using toll::daemon::ReadFrame;

constexpr size_t kRequestMax = 65'536;

// What hiredis reads, collected without its own objects: those of an array would take as much
// memory as its length says, true or not.
struct Collected {
  std::vector<std::string> words;
  bool plain = true;  // an array of bulk strings and nothing else
};

Collected& collected_of(const redisReadTask* task) {
  return *static_cast<Collected*>(task->privdata);
}

void* mark_other(const redisReadTask* task) {
  collected_of(task).plain = false;
  return task->privdata;
}

void* collect_string(const redisReadTask* task, char* text, size_t size) {
  if (task->type != REDIS_REPLY_STRING) return mark_other(task);
  collected_of(task).words.emplace_back(text, size);
  return task->privdata;
}

// The count is an int in older releases of hiredis and a size_t in newer ones.
template <typename Count>
void* begin_array(const redisReadTask* task, Count) {
  return task->parent == nullptr ? task->privdata : mark_other(task);
}

void* other_integer(const redisReadTask* task, long long) {
  return mark_other(task);
}
void* other_nil(const redisReadTask* task) {
  return mark_other(task);
}
void ignore(void*) {}

redisReplyObjectFunctions collecting() {
  redisReplyObjectFunctions functions{};
  functions.createString = &collect_string;
  functions.createArray = &begin_array;
  functions.createInteger = &other_integer;
  functions.createNil = &other_nil;
  functions.freeObject = &ignore;
  return functions;
}

std::string encode(const std::vector<std::string>& words) {
  std::string bytes = "*" + std::to_string(words.size()) + "\r\n";
  for (const std::string& word : words) {
    bytes += "$" + std::to_string(word.size()) + "\r\n" + word + "\r\n";
  }
  return bytes;
}

void compare_with_hiredis(std::string_view stream, const std::vector<ReadFrame>& frames) {
  redisReplyObjectFunctions functions = collecting();
  Collected collected;
  const std::unique_ptr<redisReader, decltype(&redisReaderFree)> reader(
      redisReaderCreateWithFunctions(&functions), &redisReaderFree);
  reader->privdata = &collected;
  redisReaderFeed(reader.get(), stream.data(), stream.size());
  void* reply = nullptr;
  const bool valid = redisReaderGetReply(reader.get(), &reply) == REDIS_OK;
  const bool accepted = valid && reply != nullptr && collected.plain;

  const Frame::Kind kind = frames.empty() ? Frame::Kind::kIncomplete : frames[0].kind;
  if (kind == Frame::Kind::kRequest) {
    require(accepted, "hiredis accepts what we accept");
    require(collected.words == frames[0].words, "hiredis reads the same words");
  }
  if (kind == Frame::Kind::kIncomplete) {
    require(valid && reply == nullptr, "what we want more of, hiredis wants more of");
  }
  // hiredis takes more than we do: it does not look at the line end after a bulk string, for one.
  // What is written as a client writes it, we take too.
  const std::string encoded = encode(collected.words);
  const bool canonical = accepted && !collected.words.empty() &&
                         collected.words.size() <= kWordsMax && encoded.size() <= kRequestMax &&
                         stream.starts_with(encoded);
  if (canonical) require(kind == Frame::Kind::kRequest, "we accept what a client writes");
}

}  // namespace

// NOLINTNEXTLINE(readability-identifier-naming): the fuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string stream = "*" + std::string(reinterpret_cast<const char*>(data) + 1, size - 1);
  FrameReader whole(kRequestMax);
  whole.feed(stream);
  const size_t cut = data[0] * stream.size() / UINT8_MAX;
  FrameReader cut_in_two(kRequestMax);
  cut_in_two.feed(std::string_view(stream).substr(0, cut));
  cut_in_two.feed(std::string_view(stream).substr(cut));
  require(cut_in_two.frames() == whole.frames(), "a cut changes no request");
  require(cut_in_two.unread() == whole.unread(), "a cut changes nothing that is left");
  compare_with_hiredis(stream, whole.frames());
  return 0;
}
