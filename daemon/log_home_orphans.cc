// Lists of taken log records whose owner is gone, and those that we named no more: what is in them
// goes back to the queue.
#include <algorithm>
#include <spdlog/spdlog.h>
#include <utility>

#include "daemon/log_home.h"
#include "daemon/store_link.h"
#include "daemon/store_pulse.h"
#include "daemon/worker.h"
#include "engine/flaws.h"

namespace toll::daemon {
namespace {

using Kind = net::RedisReply::Kind;

// Lists of processes that are gone are looked for so often, and so many at a time.
constexpr int64_t kOrphansEveryNs = 5'000'000'000;
constexpr size_t kSuspectsMax = 256;
// A list that we named no more is looked at for so long: a connection that was given up lives no
// longer in any network.
constexpr int64_t kRetiredNs = 60'000'000'000;

}  // namespace

void LogHome::send_return(net::RedisCall& call, std::string_view list, bool forget) {
  link_->begin(call, 7);
  link_->word("EVALSHA");
  link_->word(link_->sha1(kLogReturnScript));
  link_->word(int64_t{3});
  link_->word(keys_->queue);
  link_->word(list);
  link_->word(keys_->takers);
  link_->word(forget ? "forget" : "keep");
  link_->end(worker_.turn_ns());
  link_->flush();
}

// A call that was given up may block in Redis yet, or still come: so what we named no more is given
// back again and again for a while.
bool LogHome::may_forget(const std::string& list) const {
  const auto retired = retired_.find(list);
  return retired == retired_.end() || worker_.turn_ns() - retired->second >= kRetiredNs ||
         retired_.size() > kSuspectsMax;
}

void LogHome::look_for_orphans() {
  if (looking_ || worker_.turn_ns() < orphans_ns_) return;
  looking_ = true;
  if (!orphans_.empty()) {
    return send_return(orphan_call_, orphans_.back(), may_forget(orphans_.back()));
  } else if (!suspects_.empty()) {
    link_->begin(alive_call_, 2 + suspects_.size());
    link_->word("ZMSCORE");
    link_->word(StorePulse::nodes_key(worker_.process().redis.prefix));
    // "{queue}:taken:<process>:<n>"
    const size_t begin = keys_->taken.size() - worker_.process().node.size() - 1;
    for (const std::string& key : suspects_) {
      const std::string_view name = std::string_view(key).substr(begin);
      link_->word(name.substr(0, name.find(':')));
    }
  } else {
    link_->begin(takers_call_, 2);
    link_->word("SMEMBERS");
    link_->word(keys_->takers);
  }
  link_->end(worker_.turn_ns());
  link_->flush();
}

void LogHome::found_takers(const net::RedisReply& reply) {
  looking_ = false;
  orphans_ns_ = worker_.turn_ns() + kOrphansEveryNs;
  if (reply.kind != Kind::kArray) return say(reply.text);
  const std::string_view any =
      std::string_view(keys_->taken)
          .substr(0, keys_->taken.size() - worker_.process().node.size() - 1);
  for (const net::RedisReply& key : reply.array()) {
    if (suspects_.size() + orphans_.size() == kSuspectsMax) break;
    if (!key.text.starts_with(any)) continue;
    if (!key.text.starts_with(keys_->taken)) {
      suspects_.emplace_back(key.text);
    } else if (std::ranges::find(takes_, key.text, &Take::key) == takes_.end()) {
      retired_.emplace(key.text, worker_.turn_ns());
      orphans_.emplace_back(key.text);
    }
  }
  std::erase_if(retired_, [this](const auto& list) {
    return may_forget(list.first) && std::ranges::find(orphans_, list.first) == orphans_.end();
  });
  if (engine::flawed(engine::Flaw::kLeavesOrphans)) suspects_.clear();
  if (!suspects_.empty() || !orphans_.empty()) orphans_ns_ = 0;
}

void LogHome::found_alive(const net::RedisReply& reply) {
  looking_ = false;
  const std::vector<std::string> suspects = std::exchange(suspects_, {});
  orphans_ns_ = worker_.turn_ns() + kOrphansEveryNs;
  if (reply.kind != Kind::kArray || reply.count != suspects.size()) return say(reply.text);
  for (size_t i = 0; i < suspects.size(); ++i) {
    if (reply.elements[i].kind == Kind::kNil) orphans_.push_back(suspects[i]);
  }
  if (!orphans_.empty()) orphans_ns_ = 0;
}

void LogHome::orphan_returned(const net::RedisReply& reply) {
  looking_ = false;
  if (reply.kind == Kind::kError) {
    if (net::error_kind(reply.text) == net::RedisErrorKind::kNoScript) {
      link_->load_scripts(worker_.turn_ns());
    }
    return say(reply.text);
  }
  if (reply.integer > 0) {
    spdlog::info("{} log records that were taken and not delivered are in the queue again",
                 reply.integer);
  }
  if (may_forget(orphans_.back())) retired_.erase(orphans_.back());
  orphans_.pop_back();
  orphans_ns_ = orphans_.empty() ? worker_.turn_ns() + kOrphansEveryNs : 0;
}

void LogHome::orphans_lost() {
  looking_ = false;
}

}  // namespace toll::daemon
