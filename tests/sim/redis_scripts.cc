#include "tests/sim/redis_scripts.h"

#include <algorithm>
#include <cctype>
#include <ranges>
#include <utility>

#include "tests/sim/sha1.h"

namespace toll::sim {

namespace {

bool read_flag(std::string_view flag, ScriptTraits& traits) {
  if (flag == "no-writes") return traits.no_writes = true;
  if (flag == "allow-oom") return traits.allow_oom = true;
  if (flag == "allow-stale") return traits.allow_stale = true;
  return flag == "no-cluster" || flag == "allow-cross-slot-keys";
}

std::vector<std::string_view> split(std::string_view text, char at) {
  std::vector<std::string_view> parts;
  for (const auto part : std::views::split(text, at)) {
    parts.emplace_back(part.begin(), part.end());
  }
  return parts;
}

// What the first line says. The rest of the body keeps the line's end, so that lines count alike.
std::expected<ScriptTraits, std::string> read_shebang(std::string_view& body) {
  ScriptTraits traits;
  if (!body.starts_with("#!")) return traits;
  const size_t end = body.find('\n');
  if (end == body.npos) return std::unexpected("ERR Invalid script shebang");
  std::vector<std::string_view> words = split(body.substr(0, end), ' ');
  std::erase(words, "");
  body.remove_prefix(end);
  if (words[0] != "#!lua") {
    return std::unexpected("ERR Unexpected engine in script shebang: " + std::string(words[0]));
  }
  traits.declared = true;
  for (const std::string_view word : words | std::views::drop(1)) {
    constexpr std::string_view kFlags = "flags=";
    if (!word.starts_with(kFlags)) {
      return std::unexpected("ERR Unknown lua shebang option: " + std::string(word));
    }
    for (const std::string_view flag : split(word.substr(kFlags.size()), ',')) {
      if (read_flag(flag, traits)) continue;
      return std::unexpected("ERR Unexpected flag in script shebang: " + std::string(flag));
    }
  }
  return traits;
}

}  // namespace

ScriptTraits script_traits(std::string_view body) {
  return read_shebang(body).value_or(ScriptTraits{});
}

RedisScripts::RedisScripts() : lua_(std::make_unique<Interpreter>()) {}

std::expected<const RedisScript*, std::string> RedisScripts::load(std::string_view body) {
  std::string sha1 = sha1_hex(body);
  if (const RedisScript* const known = find(sha1)) return known;
  const auto traits = read_shebang(body);
  if (!traits) return std::unexpected(traits.error());
  const auto function = lua_->compile(body);
  if (!function) {
    return std::unexpected("ERR Error compiling script (new function): " + function.error());
  }
  RedisScript script{sha1, *traits, *function};
  return &scripts_.emplace(std::move(sha1), std::move(script)).first->second;
}

const RedisScript* RedisScripts::find(std::string_view sha1) const {
  if (sha1.size() != kDigestSize) return nullptr;
  auto found = scripts_.find(sha1);
  if (found == scripts_.end()) {
    std::string lower(sha1);
    std::ranges::transform(lower, lower.begin(), [](unsigned char c) { return std::tolower(c); });
    found = scripts_.find(lower);
  }
  return found == scripts_.end() ? nullptr : &found->second;
}

void RedisScripts::flush() {
  scripts_.clear();
  lua_ = std::make_unique<Interpreter>();
}

void RedisScripts::run(const RedisScript& script, std::span<const std::string_view> keys,
                       std::span<const std::string_view> arguments, ScriptHost& host,
                       Reply& reply) {
  lua_->run(script.function, script.sha1, keys, arguments, host, reply);
}

}  // namespace toll::sim
