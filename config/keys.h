// The table of keys: one row for each thing that can be set, and nothing else that knows them all.
//
// File, environment, --print-config and reload are all loops over these rows; a new key is a new
// row. Rows are constants; the functions in them are pure but for the group database. Any thread.
#pragma once

#include <fmt/format.h>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/redis_url.h"
#include "config/report.h"
#include "config/settings.h"
#include "config/values.h"

namespace toll::config {

// What was said of [redis] that is put together only once all have spoken (config/redis.h).
struct RedisDraft {
  std::optional<bool> enabled;        // unset: an address decides
  std::optional<RedisUrl> url;        // of the strongest that named an address
  std::optional<Origin> user_origin;  // of its user and password, if a variable changed the rest
  bool url_refused = false;           // one was named that cannot be taken
  std::string password;               // by a variable; "" is none
  std::string password_origin;        // for --print-config
};

// What the rows fill in.
struct Draft {
  Settings settings;
  engine::PolicySpec defaults;  // [defaults]: without a name or limits
  RedisDraft redis;
};

enum class Change : uint8_t { kByReload, kByRestart };

template <class Target>
struct Key {
  std::string_view section;  // "server", "redis.breaker"; "" in a policy
  std::string_view name;     // "workers"
  Kind kind;                 // what a text from the environment is turned into
  Expected expected;         // "a whole number from 0 to 64"
  std::string_view example;  // as TOML
  Objected (*take)(const Value& value, Target& target);
  std::string (*print)(const Target& target);  // as TOML; "" where the key does not apply
  Change change = Change::kByReload;
  bool secret = false;  // a text given for it is not repeated in messages
};

// [server], [redis], [defaults], [costs], [logs], [metrics], [audit] and [log], in the order of the
// shipped file. Defined in keys.cc.
std::span<const Key<Draft>> keys();

// Keys that later versions will know, and what belongs elsewhere: what is wrong with giving the
// key, or "" when nothing is known of it.
std::string_view misplaced_key_message(std::string_view section, std::string_view name);

// "server.workers".
std::string full_name(const Key<Draft>& key);

// Where keys() has the row of that full name. REQUIRES: there is one.
size_t key_index(std::string_view name);

// Defaults and policies share these.
inline constexpr Expected kAlgorithmExpected =
    "one of \"gcra\", \"token_bucket\", \"sliding_log\", \"sliding_window\", \"fixed_window\", "
    "\"concurrency\"";
inline constexpr Expected kModeExpected = "one of \"exact\", \"leased\", \"local\"";
inline constexpr Expected kOnOutageExpected = "one of \"local\", \"allow\", \"deny\"";
inline constexpr Expected kDeadlineExpected = "a duration from 100us to 1m";
Objected take_algorithm(const Value& value, engine::Algorithm& out);
Objected take_mode(const Value& value, engine::Mode& out);
Objected take_on_outage(const Value& value, engine::OnOutage& out);
Objected take_deadline(const Value& value, int64_t& out_us);

// "auto" and so on, as log.format is written.
std::string_view to_string(LogFormat format);
// The same for logs.format.
std::string_view to_string(LogRecordFormat format);
// The same for costs.ack.
std::string_view to_string(CostAck ack);
// As metrics.listen is written: "127.0.0.1:9464", "[::1]:9464", "".
std::string format_listen(const MetricsSettings& metrics);

// What --print-config tells of a password: that there is one. No row takes it.
inline constexpr std::string_view kPasswordKey = "redis.password";

// In place of a text that may hold a password.
inline constexpr std::string_view kNotShown = "a text that is not repeated here";

// Lets `key` take `value` into `target`, or reports why not. True if it was taken.
template <class Target>
bool take(const Key<Target>& key, std::string_view name, const Value& value, const Origin& origin,
          Target& target, Report& report) {
  const Objected objected = key.take(value, target);
  if (!objected) return true;
  Origin at = origin;
  if (origin.layer == Layer::kFile) at.position = objected->part->position;
  const Expected expected = objected->expected.empty() ? key.expected : objected->expected;
  const std::string found = key.secret && objected->part->kind == Kind::kText
                                ? std::string(kNotShown)
                                : describe(*objected->part);
  report.fault(at, name,
               fmt::format("found {}, expected {}, such as {} = {}", found, expected, key.name,
                           key.example));
  return false;
}

}  // namespace toll::config
