// What is said first on a new connection to Redis, and what is learned from the answers: who we
// are, who Redis is, and our scripts.
//
//   AUTH, CLIENT SETNAME, SELECT, CLIENT NO-EVICT, INFO server memory replication, PING
//   then, the version known: SCRIPT LOAD of each script, with #!lua for Redis 7 and later
//
// Where the version may not be read the newer scripts are tried and then the older. No bytes of the
// password and no text that might repeat it leave this file. Owned by a link, used for one
// connection after the other; its thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "net/output_buffer.h"
#include "net/redis_command_writer.h"
#include "net/redis_link.h"

namespace toll::net {

// What came of SCRIPT LOAD.
enum class ScriptLoad : uint8_t {
  kLoaded,
  kNotAllowed,   // an administrator may have loaded it
  kOtherScript,  // Redis has another digest for it than we have
  kFailed
};
ScriptLoad judge_script_load(const RedisReply& reply, std::string_view sha1);

// An error of Redis as it may stand in a log: cut off, and of printable characters only.
std::string shown_error(std::string_view message);

class RedisGreeting {
 public:
  enum class Step : uint8_t { kMore, kDone, kFailed };

  // `settings` stay where they are and are read anew by each begin().
  explicit RedisGreeting(const RedisLinkSettings& settings);

  // Writes what is said first.
  void begin(OutputBuffer& output);
  // Takes the next answer; may write more, to be flushed. Not to be called after kDone or kFailed.
  Step on_reply(const RedisReply& reply, OutputBuffer& output);

  // What failed and what to do, once a step was kFailed.
  const std::string& failure() const { return failure_; }
  // Whether we were turned away for who we are.
  bool refused() const { return refused_; }

  const RedisServer& server() const { return server_; }
  // Whether this Redis has the scripts without the #!lua line.
  bool old_scripts() const { return old_scripts_; }

 private:
  enum class Ask : uint8_t { kAuth, kName, kSelect, kNoEvict, kServer, kMemory, kRole, kPing };

  void ask(OutputBuffer& output, Ask what, std::initializer_list<std::string_view> words);
  void ask_scripts(OutputBuffer& output);
  Step on_answer(const RedisReply& reply, OutputBuffer& output);
  Step on_script(const RedisReply& reply, OutputBuffer& output);
  Step on_error(Ask what, std::string_view message);
  Step on_refused_password(std::string_view message);
  void learn(Ask what, std::string_view text);
  Step fail(std::string what, bool refused = false);

  const RedisLinkSettings& settings_;
  RedisCommandWriter writer_;
  RedisServer server_;
  std::vector<Ask> asked_;
  size_t answered_ = 0;  // of asked_, then of the scripts
  bool loading_ = false;
  bool load_failed_ = false;
  bool old_scripts_ = false;
  bool refused_ = false;
  std::string failure_;
};

}  // namespace toll::net
