#include "daemon/logging_repeats.h"

#include <algorithm>

namespace toll::daemon {
namespace {

// FNV-1a over all but the digits. Who forges a collision has a line of the log held back, counted.
uint64_t hash_of_kind(spdlog::level::level_enum level, std::string_view text) {
  uint64_t hash = 0xcbf29ce484222325;
  const auto add = [&hash](unsigned char byte) { hash = (hash ^ byte) * 0x100000001b3; };
  add(static_cast<unsigned char>(level));
  for (const char c : text) {
    if (c < '0' || c > '9') add(static_cast<unsigned char>(c));
  }
  return hash;
}

}  // namespace

// The kind's own place, or one that may be had for it; null: every place holds something back.
RepeatedLines::Kind* RepeatedLines::find(uint64_t hash, int64_t now_ns) {
  Kind* oldest = nullptr;
  for (Kind& kind : kinds_) {
    if (kind.hash == hash && (now_ns < kind.until_ns || kind.held_back.count > 0)) return &kind;
    if (kind.held_back.count > 0) continue;
    if (oldest == nullptr || kind.until_ns < oldest->until_ns) oldest = &kind;
  }
  if (oldest != nullptr) *oldest = {.hash = hash, .until_ns = now_ns + kWhileNs};
  return oldest;
}

bool RepeatedLines::passes(spdlog::level::level_enum level, std::string_view text, int64_t now_ns) {
  Kind* kind = find(hash_of_kind(level, text), now_ns);
  if (kind == nullptr) return true;
  if (kind->told < kToldInARow) {
    ++kind->told;
    return true;
  }
  kind->held_back.level = level;
  ++kind->held_back.count;
  kind->held_back.text = text.substr(0, kLogMessageMax);
  return false;
}

std::optional<RepeatedLines::HeldBack> RepeatedLines::take_due(int64_t now_ns) {
  for (Kind& kind : kinds_) {
    if (kind.held_back.count == 0 || now_ns < kind.until_ns) continue;
    HeldBack due = std::move(kind.held_back);
    kind = {};
    return due;
  }
  return std::nullopt;
}

int64_t RepeatedLines::next_due_ns() const {
  int64_t next_ns = INT64_MAX;
  for (const Kind& kind : kinds_) {
    if (kind.held_back.count > 0) next_ns = std::min(next_ns, kind.until_ns);
  }
  return next_ns;
}

}  // namespace toll::daemon
