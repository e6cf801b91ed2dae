// Reads the replies of one Redis connection: bytes in, RedisReply views out.
//
// hiredis parses; the objects are ours. They lie in an arena that is used again for the next reply,
// so that in steady state a reply allocates nothing, however many elements it has. What a reply may
// be is bounded by RedisReplyLimits; what is beyond, or is no RESP2, is a fault that stays.
//
// Belongs to one connection and one thread. Knows nothing of which call a reply is to.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "net/limits.h"
#include "net/redis_reply.h"

// NOLINTNEXTLINE(readability-identifier-naming): the name that hiredis gives it
struct redisReader;

namespace toll::net {

struct RedisReplyLimits {
  uint32_t depth = kRedisDepthMax;  // of arrays; 7 at most: what all releases of hiredis can do
  uint32_t elements = kRedisElementsMax;
  size_t string_bytes = kRedisStringMax;
  size_t line_bytes = kRedisLineMax;
  size_t reply_bytes = kRedisReplyMax;
};

// Memory for one reply: pieces that stay where they are until clear(). Grows to the largest reply
// that came and keeps that.
class ReplyArena {
 public:
  // At least one byte, aligned for a RedisReply.
  void* take(size_t bytes);
  void clear();

 private:
  struct Block {
    std::unique_ptr<char[]> bytes;
    size_t size = 0;
  };
  void add_block(size_t bytes);

  std::vector<Block> blocks_;
  size_t used_ = 0;  // of the last block
};

class RedisReader {
 public:
  enum class Next : uint8_t {
    kReply,
    kMore,   // the next reply is not complete
    kFault,  // what came is no reply, or is too large; fault() says what
  };

  explicit RedisReader(const RedisReplyLimits& limits = {});
  ~RedisReader();
  RedisReader(const RedisReader&) = delete;
  RedisReader& operator=(const RedisReader&) = delete;

  // Copies what came. Take the replies after each piece: a piece is not bounded in here.
  void feed(std::string_view bytes);
  Next next();
  // The reply that next() told of. Good until the next call of next(), feed() or reset().
  const RedisReply& reply() const { return *build_.root; }
  // What is wrong, without anything of what came.
  std::string_view fault() const { return build_.fault; }

  // For a new connection: forgets all that came.
  void reset();

  // A reply that hiredis is in the middle of.
  struct Build {
    RedisReplyLimits limits;
    ReplyArena arena;
    RedisReply* root = nullptr;
    uint32_t made = 0;       // values created
    uint32_t expected = 0;   // values that the arrays so far say there are
    size_t bytes = 0;        // of strings
    std::string_view fault;  // a literal, or in `text`
    std::string text;
  };

 private:
  struct Free {
    void operator()(redisReader* reader) const;
  };
  void begin_reply();
  Next find_fault(void* reply);
  Next fail(std::string_view what);

  Build build_;
  bool handed_out_ = true;  // the arena's reply was seen; the next one starts afresh
  std::unique_ptr<redisReader, Free> reader_;
};

}  // namespace toll::net
