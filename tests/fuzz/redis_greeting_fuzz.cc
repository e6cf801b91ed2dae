// Fuzz target: any replies of a Redis to what is said first on a connection. However it answers,
// each reply is to something that was asked, it ends in "done" or in a sentence, and a password is
// told to Redis alone.
//
// The first byte chooses what is configured; the rest is what Redis says.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "config/text.h"
#include "net/output_buffer.h"
#include "net/redis_greeting.h"
#include "net/redis_reader.h"
#include "tests/fuzz/frame_reader.h"
#include "tests/fuzz/input.h"
#include "tests/fuzz/require.h"

namespace {

using toll::require;
using toll::daemon::Frame;
using toll::daemon::FrameReader;
using toll::net::OutputBuffer;
using toll::net::RedisGreeting;
using toll::net::RedisLinkSettings;
using toll::net::RedisReader;
using toll::net::RedisReply;
using toll::net::RedisScript;
using toll::net::ScriptLoad;
using Step = RedisGreeting::Step;

constexpr std::string_view kPassword = "s3cr3t";
constexpr RedisScript kScripts[] = {{"one", "#!lua\n1", "a7", "1", "a6"},
                                    {"two", "#!lua\n2", "b7", "2", "b6"}};

RedisLinkSettings configured(uint8_t choice) {
  RedisLinkSettings settings;
  if ((choice & 1) != 0) settings.password = kPassword;
  if ((choice & 2) != 0) settings.username = "user";
  if ((choice & 4) != 0) settings.database = 3;
  if ((choice & 8) != 0) settings.client_name = "tollkeeper";
  if ((choice & 16) != 0) settings.scripts = kScripts;
  return settings;
}

// What was said, as commands that a Redis would read.
class Said {
 public:
  void take(OutputBuffer& output) {
    while (!output.empty()) {
      const auto bytes = output.front();
      reader_.feed({bytes.data(), bytes.size()});
      output.consume(bytes.size());
    }
    require(reader_.unread().empty(), "commands are whole");
    for (const auto& frame : reader_.frames()) {
      require(frame.kind == Frame::Kind::kRequest, "commands are well-formed");
    }
  }
  size_t commands() const { return reader_.frames().size(); }
  const std::vector<std::string>& command(size_t index) const {
    return reader_.frames()[index].words;
  }

 private:
  FrameReader reader_;
};

// Whether the script of a SCRIPT LOAD is there, or somebody else must see to it.
bool loads(const std::string& body, const RedisReply& reply) {
  for (const RedisScript& script : kScripts) {
    if (body != script.body && body != script.body_6) continue;
    const std::string_view sha1 = body == script.body ? script.sha1 : script.sha1_6;
    const ScriptLoad load = toll::net::judge_script_load(reply, sha1);
    return load == ScriptLoad::kLoaded || load == ScriptLoad::kNotAllowed;
  }
  return false;
}

void check_failure(const RedisGreeting& greeting, const std::string& asked) {
  const std::string& failure = greeting.failure();
  require(!failure.empty() && failure.size() < 300, "a failure is a sentence");
  require(toll::config::is_plain_text(failure), "that fits a log");
  // Redis repeats what it does not understand.
  if (asked == "AUTH") require(!failure.contains(kPassword), "no password is told");
}

void check_done(const RedisGreeting& greeting, const RedisLinkSettings& settings) {
  require(greeting.failure().empty() && !greeting.refused(), "who is greeted did not refuse us");
  const auto& server = greeting.server();
  require(server.role.empty() || server.role == "master", "only a master is greeted");
  if (server.major != 0 && !settings.scripts.empty()) {
    require(greeting.old_scripts() == (server.major < 7), "scripts are for their version");
  }
}

}  // namespace

// NOLINTNEXTLINE(readability-identifier-naming): the fuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  toll::fuzz::Input input(data, size);
  const RedisLinkSettings settings = configured(input.byte());
  toll::net::ChunkPool pool;
  OutputBuffer output(pool);
  RedisGreeting greeting(settings);
  RedisReader reader;
  reader.feed(input.rest());
  Said said;
  greeting.begin(output);
  said.take(output);
  require(said.commands() >= 5, "Redis is asked who it is");
  size_t loaded = 0;  // scripts in a row
  for (size_t replies = 0; reader.next() == RedisReader::Next::kReply; ++replies) {
    const std::vector<std::string> asked = said.command(replies);
    loaded = asked[0] == "SCRIPT" && loads(asked[2], reader.reply()) ? loaded + 1 : 0;
    const Step step = greeting.on_reply(reader.reply(), output);
    said.take(output);
    if (step == Step::kFailed) {
      check_failure(greeting, asked[0]);
      return 0;
    }
    if (step == Step::kDone) {
      require(said.commands() == replies + 1, "everything that was asked is answered");
      require(loaded >= settings.scripts.size(), "the scripts are there");
      check_done(greeting, settings);
      return 0;
    }
    require(said.commands() > replies + 1, "there is more to come");
    require(said.commands() <= 8 + 2 * std::size(kScripts), "scripts are tried twice at most");
  }
  return 0;
}
