#include "net/redis_reader.h"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <hiredis/read.h>
#include <new>

namespace toll::net {

namespace {

constexpr size_t kFirstBlockBytes = size_t{16} << 10;

// A bulk string's bytes and what stands around them.
constexpr size_t kBulkFrameBytes = 32;

RedisReader::Build& build_of(const redisReadTask* task) {
  return *static_cast<RedisReader::Build*>(task->privdata);
}

void* refuse(RedisReader::Build& build, std::string_view fault) {
  build.fault = fault;
  return nullptr;  // hiredis takes it for a lack of memory and stops for good
}

// The place of the value that is being read: the root's, or the one in its array.
RedisReply* place_of(const redisReadTask* task) {
  RedisReader::Build& build = build_of(task);
  ++build.made;
  if (task->parent == nullptr) {
    build.root = new (build.arena.take(sizeof(RedisReply))) RedisReply;
    return build.root;
  }
  const auto& parent = *static_cast<const RedisReply*>(task->parent->obj);
  assert(task->idx >= 0 && static_cast<uint32_t>(task->idx) < parent.count);
  // The elements are ours; only those who are handed the reply may not change them.
  return const_cast<RedisReply*>(parent.elements) + task->idx;
}

void* create_string(const redisReadTask* task, char* text, size_t size) noexcept {
  RedisReader::Build& build = build_of(task);
  RedisReply::Kind kind{};
  if (task->type == REDIS_REPLY_STRING) {
    kind = RedisReply::Kind::kString;
    // hiredis has seen that two more bytes are there, and not which.
    if (text[size] != '\r' || text[size + 1] != '\n') return refuse(build, "a string without end");
  } else if (task->type == REDIS_REPLY_STATUS) {
    kind = RedisReply::Kind::kStatus;
  } else if (task->type == REDIS_REPLY_ERROR) {
    kind = RedisReply::Kind::kError;
  } else {
    return refuse(build, "a type that RESP2 does not have");
  }
  const bool line = kind != RedisReply::Kind::kString;
  if (size > (line ? build.limits.line_bytes : build.limits.string_bytes)) {
    return refuse(build, line ? "a line that is too long" : "a string that is too long");
  }
  build.bytes += size;
  if (build.bytes > build.limits.reply_bytes) return refuse(build, "a reply that is too large");
  RedisReply* place = place_of(task);
  place->kind = kind;
  if (size > 0) {
    // Not left in hiredis' buffer: that moves as it grows, and before the reply is handed out.
    auto* copy = static_cast<char*>(build.arena.take(size));
    std::memcpy(copy, text, size);
    place->text = {copy, size};
  }
  return place;
}

uint32_t depth_of(const redisReadTask* task) {
  uint32_t depth = 1;
  for (; task->parent != nullptr; task = task->parent) ++depth;
  return depth;
}

// The count is an int in older releases of hiredis and a size_t in newer ones.
template <typename Count>
void* create_array(const redisReadTask* task, Count count) noexcept {
  RedisReader::Build& build = build_of(task);
  if (task->type != REDIS_REPLY_ARRAY) return refuse(build, "a type that RESP2 does not have");
  if (depth_of(task) > build.limits.depth) return refuse(build, "arrays nested too deeply");
  const auto elements = static_cast<uint64_t>(count);
  if (elements > build.limits.elements - build.expected) {
    return refuse(build, "too many elements");
  }
  RedisReply* place = place_of(task);
  place->kind = RedisReply::Kind::kArray;
  if (elements == 0) return place;
  build.expected += static_cast<uint32_t>(elements);
  auto* first = static_cast<RedisReply*>(build.arena.take(elements * sizeof(RedisReply)));
  std::uninitialized_value_construct_n(first, elements);
  place->elements = first;
  place->count = static_cast<uint32_t>(elements);
  return place;
}

void* create_integer(const redisReadTask* task, long long value) noexcept {
  if (task->type != REDIS_REPLY_INTEGER) {
    return refuse(build_of(task), "a type that RESP2 does not have");
  }
  RedisReply* place = place_of(task);
  place->kind = RedisReply::Kind::kInteger;
  place->integer = value;
  return place;
}

void* create_nil(const redisReadTask* task) noexcept {
  return place_of(task);
}

void free_object(void*) noexcept {}

redisReplyObjectFunctions* object_functions() {
  static redisReplyObjectFunctions functions = [] {
    redisReplyObjectFunctions made{};
    made.createString = &create_string;
    made.createArray = &create_array;
    made.createInteger = &create_integer;
    made.createNil = &create_nil;
    made.freeObject = &free_object;
    return made;
  }();
  return &functions;
}

}  // namespace

void* ReplyArena::take(size_t bytes) {
  assert(bytes > 0);
  const size_t rounded =
      (bytes + alignof(RedisReply) - 1) / alignof(RedisReply) * alignof(RedisReply);
  if (blocks_.empty() || blocks_.back().size - used_ < rounded) add_block(rounded);
  void* memory = blocks_.back().bytes.get() + used_;
  used_ += rounded;
  return memory;
}

// What took several blocks finds room in one the next time.
void ReplyArena::clear() {
  used_ = 0;
  if (blocks_.size() < 2) return;
  size_t all = 0;
  for (const Block& block : blocks_) all += block.size;
  blocks_.clear();
  add_block(all);
}

void ReplyArena::add_block(size_t bytes) {
  static_assert(alignof(RedisReply) <= __STDCPP_DEFAULT_NEW_ALIGNMENT__);
  size_t size = blocks_.empty() ? kFirstBlockBytes : 2 * blocks_.back().size;
  size = std::max(size, bytes);
  blocks_.push_back({std::make_unique_for_overwrite<char[]>(size), size});
  used_ = 0;
}

void RedisReader::Free::operator()(redisReader* reader) const {
  redisReaderFree(reader);
}

RedisReader::RedisReader(const RedisReplyLimits& limits) {
  assert(limits.depth <= kRedisDepthMax);
  build_.limits = limits;
  reset();
}

RedisReader::~RedisReader() = default;

void RedisReader::reset() {
  reader_.reset(redisReaderCreateWithFunctions(object_functions()));
  if (reader_ == nullptr) throw std::bad_alloc();
  reader_->maxbuf = 0;  // never gives its buffer back: the next batch wants it again
  reader_->privdata = &build_;
  build_.fault = {};
  handed_out_ = true;
}

void RedisReader::feed(std::string_view bytes) {
  redisReaderFeed(reader_.get(), bytes.data(), bytes.size());
}

RedisReader::Next RedisReader::next() {
  if (!build_.fault.empty()) return Next::kFault;
  if (handed_out_) begin_reply();
  void* reply = nullptr;
  const bool valid = redisReaderGetReply(reader_.get(), &reply) == REDIS_OK;
  if (!build_.fault.empty()) return Next::kFault;
  if (!valid) {
    // Says which byte it stumbled on, and no more of what came.
    build_.text = reader_->errstr;
    return fail(build_.text.empty() ? "no reply" : std::string_view(build_.text));
  }
  return find_fault(reply);
}

void RedisReader::begin_reply() {
  build_.arena.clear();
  build_.root = nullptr;
  build_.made = 0;
  build_.expected = 0;
  build_.bytes = 0;
  handed_out_ = false;
}

// hiredis waits for the whole of a string or line before it says anything of it, and newer releases
// know types that are not made by the functions above.
RedisReader::Next RedisReader::find_fault(void* reply) {
  if (reply != nullptr) {
    if (reply != build_.root || build_.made != build_.expected + 1) {
      return fail("a type that RESP2 does not have");
    }
    handed_out_ = true;
    return Next::kReply;
  }
  const size_t waiting = reader_->len - reader_->pos;
  if (waiting > build_.limits.string_bytes + kBulkFrameBytes) {
    return fail("a string that is too long");
  }
  const size_t line_max = build_.limits.line_bytes + kBulkFrameBytes;
  if (waiting > line_max && std::memchr(reader_->buf + reader_->pos, '\n', line_max) == nullptr) {
    return fail("a line that is too long");
  }
  return Next::kMore;
}

RedisReader::Next RedisReader::fail(std::string_view what) {
  build_.fault = what;
  return Next::kFault;
}

}  // namespace toll::net
