#include "config/redis.h"

#include <utility>

#include "config/password.h"
#include "config/text.h"

namespace toll::config {
namespace {

// One run over the layers, all of which have spoken.
class RedisFinisher {
 public:
  RedisFinisher(const Environment& environment, Assembly& assembly)
      : environment_(environment),
        assembly_(assembly),
        draft_(assembly.draft.redis),
        redis_(assembly.draft.settings.redis) {}

  void finish() {
    take_url();
    take_enabled();
    if (redis_.breaker.open_us > redis_.breaker.open_max_us) {
      const bool file_said_max = origin("redis.breaker.open_max").layer != Layer::kDefault;
      refuse(file_said_max ? "redis.breaker.open_max" : "redis.breaker.open",
             fmt::format("found open = {} and open_max = {}, expected open_max to be no less",
                         format_duration(redis_.breaker.open_us),
                         format_duration(redis_.breaker.open_max_us)));
    }
    if (redis_.enabled) take_password();
  }

 private:
  Origin& origin(std::string_view key) { return assembly_.origins[key_index(key)]; }

  void refuse(std::string_view key, std::string message) {
    assembly_.report.fault(origin(key), key, std::move(message));
  }

  void take_url() {
    if (!draft_.url) return;
    redis_.host = draft_.url->host;
    redis_.port = draft_.url->port;
    redis_.path = draft_.url->path;
    redis_.database = draft_.url->database;
    redis_.url = print_redis_url(*draft_.url);
    if (redis_.username.empty() && !draft_.url->username.empty()) {
      redis_.username = draft_.url->username;
      origin("redis.username") = draft_.user_origin.value_or(origin("redis.url"));
    }
  }

  void take_enabled() {
    redis_.enabled = draft_.enabled.value_or(draft_.url.has_value());
    if (!draft_.enabled && redis_.enabled) origin("redis.enabled") = origin("redis.url");
    if (redis_.enabled && !draft_.url && !draft_.url_refused) {
      refuse("redis.enabled",
             "found true without an address, expected redis.url or the variable REDIS_URL too");
    }
  }

  void take_password() {
    if (!draft_.password.empty()) {
      redis_.password = draft_.password;
      return;
    }
    if (!redis_.password_file.empty()) {
      return read("redis.password_file", redis_.password_file, "file " + redis_.password_file);
    }
    if (const std::string path = credential_path(environment_); !path.empty()) {
      return read("CREDENTIALS_DIRECTORY", path, "credential redis-password");
    }
    if (!draft_.url || draft_.url->password.empty()) return;
    redis_.password = draft_.url->password;
    draft_.password_origin =
        assembly_.report.describe(draft_.user_origin.value_or(origin("redis.url")));
  }

  void read(const std::string& named_by, const std::string& path, std::string said) {
    auto read = read_password_file(path);
    if (!read) {
      const bool credential = named_by == "CREDENTIALS_DIRECTORY";
      return assembly_.report.fault(
          credential ? Origin{Layer::kEnvironment, {}, named_by} : origin(named_by), named_by,
          std::move(read.error()));
    }
    if (read->readable_by_all) {
      assembly_.warnings.push_back(
          fmt::format("{} holds Redis' password and everyone on this host can read it: chmod o-r.",
                      shown(path, kShownSentenceMax)));
    }
    redis_.password = std::move(read->password);
    redis_.password_path = path;
    draft_.password_origin = std::move(said);
  }

  const Environment& environment_;
  Assembly& assembly_;
  RedisDraft& draft_;
  RedisSettings& redis_;
};

}  // namespace

void finish_redis(const Environment& environment, Assembly& assembly) {
  RedisFinisher(environment, assembly).finish();
}

}  // namespace toll::config
