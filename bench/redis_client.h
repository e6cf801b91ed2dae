// One connection to a Redis that a bench started: to load a script, to empty it, and to ask what it
// took.
//
// Blocking, one thread, never on the way of a load's requests. Errors are sentences.
#pragma once

#include <cstdint>
#include <expected>
#include <initializer_list>
#include <string>
#include <string_view>
#include <sys/types.h>

#include "bench/socket.h"

namespace toll::bench {

// What Redis has done since its statistics were reset: take two and subtract.
struct RedisUsage {
  uint64_t calls = 0;        // of scripts, and of what pushes and takes log records
  double call_s = 0;         // time in them, as INFO commandstats tells
  uint64_t input_bytes = 0;  // received and sent, without those of the bench's own questions
  uint64_t output_bytes = 0;
  double process_cpu_s = 0;  // of the whole process, in steps of a clock tick

  RedisUsage operator-(const RedisUsage& earlier) const;
};

class RedisClient {
 public:
  static std::expected<RedisClient, std::string> connect(const std::string& socket_path);

  // The text of a simple or bulk reply, or the digits of a number.
  std::expected<std::string, std::string> ask(std::initializer_list<std::string_view> words);

  // No keys and no statistics; scripts stay.
  std::expected<void, std::string> empty();

  std::expected<RedisUsage, std::string> usage();

 private:
  RedisClient(Socket socket, pid_t pid) : socket_(std::move(socket)), pid_(pid) {}
  std::expected<std::string, std::string> read_reply();
  std::expected<void, std::string> receive();

  Socket socket_;
  pid_t pid_;
  std::string received_;
  uint64_t sent_bytes_ = 0;      // ever
  uint64_t received_bytes_ = 0;  // ever
};

// The calls and their time in the text of INFO commandstats. Commands that a script calls are
// listed like any others, so only those are counted that ours never call, or hardly ever.
RedisUsage parse_command_stats(std::string_view text);

}  // namespace toll::bench
