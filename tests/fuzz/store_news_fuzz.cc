// Fuzz target: what daemons tell each other. Any bytes as a message, and any events as a daemon
// that remembers them.
//
// An even first byte: the rest is a message. What is read is all that is there, in order, and told
// again it reads alike. An odd one: the rest are events, and a plain list of them is asked the
// same.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/store_news.h"
#include "tests/fuzz/input.h"
#include "tests/fuzz/require.h"

namespace {

using toll::require;
using toll::daemon::StoreNews;
using toll::engine::KeyHash;
using toll::fuzz::Input;

constexpr std::string_view kSelf = "the node that is";
constexpr std::string_view kOther = "another one's it";
static_assert(kSelf.size() == StoreNews::kSenderBytes && kOther.size() == kSelf.size());

using Entry = std::pair<std::string, std::string>;  // policy and id; two empty ones: everything
const Entry kEverything;

struct Heard {
  bool valid = false;
  std::vector<Entry> entries;
};

Heard read(std::string_view message, std::string_view self) {
  Heard heard;
  heard.valid = StoreNews::read(
      message, self,
      [&](std::string_view policy, std::string_view id) { heard.entries.emplace_back(policy, id); },
      [&] { heard.entries.push_back(kEverything); });
  return heard;
}

void put(std::string& out, const Entry& entry) {
  for (const size_t length : {entry.first.size(), entry.second.size()}) {
    out += {static_cast<char>(length & 0xff), static_cast<char>(length >> 8)};
  }
  out += entry.first + entry.second;
}

// What is left of entries that one daemon tells: repeats in a row once, and everything is all.
std::vector<Entry> condensed(const std::vector<Entry>& entries) {
  std::vector<Entry> left;
  size_t bytes = 1 + StoreNews::kSenderBytes;
  for (const Entry& entry : entries) {
    if (!left.empty() && left.back() == entry) continue;
    left.push_back(entry);
    bytes += 4 + entry.first.size() + entry.second.size();
    if (entry == kEverything || bytes > StoreNews::kMessageMax) return {kEverything};
  }
  return left;
}

void tell_again(const std::vector<Entry>& entries) {
  StoreNews news;
  for (const Entry& entry : entries) {
    entry == kEverything ? news.tell_all() : news.tell(entry.first, entry.second);
    require(news.any(), "what is told is there to be taken");
  }
  const std::string message(news.take_message(kOther));
  require(message.size() <= StoreNews::kMessageMax, "a message within its bound");
  require(!news.any() && news.take_message(kOther).empty(), "what was taken is told once");
  const Heard heard = read(message, kSelf);
  require(heard.valid == !entries.empty(), "what is told can be read");
  require(heard.entries == condensed(entries), "what is told is read alike");
}

void check_message(std::string_view message) {
  const Heard heard = read(message, kSelf);
  if (!heard.valid) return;
  const std::string_view sender = message.substr(1, StoreNews::kSenderBytes);
  const Heard own = read(message, sender);
  require(own.valid && own.entries.empty(), "nobody hears himself");
  if (sender == kSelf) return require(heard.entries.empty(), "nobody hears himself");
  std::string written(message.substr(0, 1 + StoreNews::kSenderBytes));
  for (const Entry& entry : heard.entries) put(written, entry);
  require(written == message, "what is read is all that is there");
  tell_again(heard.entries);
}

void check_events(Input input) {
  // More marks back than are remembered can be asked for.
  constexpr uint64_t kForgotten = 300;
  StoreNews news;
  std::vector<int> events;  // the key's number; -1: all
  while (!input.at_end()) {
    const auto key = static_cast<int>(input.below(4));
    const uint8_t what = input.byte();
    for (uint64_t times = what % 8 == 7 ? 40 : what % 8; times > 0; --times) {
      what >= 248 ? news.happened_to_all() : news.happened(KeyHash{.rest = uint64_t(key)});
      events.push_back(what >= 248 ? -1 : key);
    }
    require(news.seen() == events.size(), "each event is seen");
    const uint64_t back = std::min<uint64_t>(input.number(2) % kForgotten, events.size());
    bool untouched = true;
    for (uint64_t at = events.size() - back; at < events.size(); ++at) {
      untouched = untouched && events[at] != -1 && events[at] != key;
    }
    const bool holds = news.still_holds(KeyHash{.rest = uint64_t(key)}, events.size() - back);
    if (holds) require(untouched, "no refusal outlives what happened to its key");
    if (back <= 256) require(holds == untouched, "what nothing happened to still holds");
  }
}

}  // namespace

// NOLINTNEXTLINE(readability-identifier-naming): the fuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Input input(data, size);
  if (input.byte() % 2 == 0) {
    check_message(input.rest());
  } else {
    check_events(input);
  }
  return 0;
}
