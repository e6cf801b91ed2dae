#include "daemon/fleet.h"

#include <memory>
#include <spdlog/spdlog.h>
#include <utility>

#include "daemon/store.h"
#include "daemon/store_link.h"
#include "daemon/store_news.h"
#include "daemon/store_pulse.h"
#include "daemon/worker.h"
#include "engine/flaws.h"

namespace toll::daemon {
Fleet::Fleet(Worker& worker, const config::RedisSettings& settings, std::string_view node,
             uint64_t seed)
    : worker_(worker),
      node_(node),
      channel_(StorePulse::news_channel(settings.prefix)),
      link_(worker.loop(), worker.chunks(),
            link_settings(settings, worker.process().redis_address, "tollkeeper-news"), *this,
            seed) {}

Fleet::~Fleet() = default;

void Fleet::start() {
  link_.start(worker_.turn_ns());
}

void Fleet::pump(int64_t now_ns) {
  if (now_ns >= link_.next_tick_ns()) link_.tick(now_ns);
  link_.flush();
}

void Fleet::on_ready() {
  link_.begin(subscribe_, 2);
  link_.word("SUBSCRIBE");
  link_.word(channel_);
  link_.end(worker_.turn_ns());
  link_.flush();
}

void Fleet::subscribed(const net::RedisReply& reply) {
  if (reply.kind == net::RedisReply::Kind::kError) {
    spdlog::warn(
        "redis does not let us hear the other daemons ({}): a refusal is remembered for half a "
        "second at most; allow SUBSCRIBE on channel {}",
        reply.text, channel_);
    return;
  }
  hear(true);
}

void Fleet::on_away(std::string_view, bool) {
  hear(false);
}

void Fleet::hear(bool hears) {
  if (hears_ == hears) return;
  hears_ = hears;
  // What was told while nobody listened is lost, so whatever was remembered may be wrong.
  worker_.for_all_workers([hears](Worker& worker) {
    worker.store()->hears_news(hears);
    worker.store()->forget_all();
  });
}

void Fleet::on_push(const net::RedisReply& reply) {
  const auto parts = reply.array();
  if (parts.size() != 3 || parts[0].text != "message") return;
  if (engine::flawed(engine::Flaw::kDeafToNews)) return;
  if (parts[2].text.size() > StoreNews::kMessageMax + 64) return;
  const auto message = std::make_shared<const std::string>(parts[2].text);
  worker_.for_all_workers([message, node = node_](Worker& worker) {
    StoreNews::read(
        *message, node,
        [&](std::string_view policy, std::string_view id) {
          const engine::Policy* known = worker.policies().find(policy);
          if (known != nullptr && id.size() <= engine::kIdMax)
            worker.store()->forget(known->id, id);
        },
        [&] { worker.store()->forget_all(); });
  });
}

}  // namespace toll::daemon
