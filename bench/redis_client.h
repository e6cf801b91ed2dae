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
  uint64_t calls = 0;        // EVALSHA
  double script_s = 0;       // time in them, as INFO commandstats tells
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
};

// The figures of EVALSHA in the text of INFO commandstats; none where it was never called.
RedisUsage parse_command_stats(std::string_view text);

}  // namespace toll::bench
