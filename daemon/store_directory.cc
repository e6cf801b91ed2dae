#include "daemon/store_directory.h"

#include <arpa/inet.h>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <spdlog/spdlog.h>
#include <thread>
#include <utility>

#include "config/password.h"

namespace toll::daemon {
namespace {

constexpr auto kEvery = std::chrono::seconds(1);

net::RedisPlace place_of(const config::RedisSettings& settings) {
  return {.host = settings.host, .port = settings.port, .path = settings.path};
}

bool same(const net::RedisAddress& a, const net::RedisAddress& b) {
  if (a.endpoints.size() != b.endpoints.size()) return false;
  for (size_t i = 0; i < a.endpoints.size(); ++i) {
    if (a.endpoints[i].length != b.endpoints[i].length ||
        std::memcmp(&a.endpoints[i].address, &b.endpoints[i].address, a.endpoints[i].length) != 0) {
      return false;
    }
  }
  return true;
}

}  // namespace

struct StoreDirectory::State {
  config::RedisSettings settings;
  std::function<void(const Entry&)> changed;
  std::mutex mutex;  // what follows; and `changed` is called under it
  std::condition_variable wake;
  bool ended = false;
  bool asked = false;
  Entry known;            // as was told last
  std::string complaint;  // the thread's own: what was said last

  // The thread's: what is to be known now. Blocks.
  Entry look_up() {
    Entry found = known;
    std::string wrong;
    if (auto address = net::resolve(place_of(settings))) {
      found.address = *address;
    } else {
      wrong = address.error();
    }
    if (const auto password = config::read_password(settings)) {
      found.password = *password;
    } else {
      wrong = password.error();
    }
    if (!wrong.empty() && wrong != complaint) spdlog::warn("redis: {}", wrong);
    complaint = wrong;
    return found;
  }
};

net::RedisAddress StoreDirectory::first_address(const config::RedisSettings& settings) {
  in6_addr bytes{};
  const bool by_number = inet_pton(AF_INET, settings.host.c_str(), &bytes) == 1 ||
                         inet_pton(AF_INET6, settings.host.c_str(), &bytes) == 1;
  if (settings.host.empty() || by_number) {
    if (auto address = net::resolve(place_of(settings))) return *address;
  }
  return {};
}

StoreDirectory::StoreDirectory(const config::RedisSettings& settings)
    : state_(std::make_shared<State>()) {
  state_->settings = settings;
  state_->known = {first_address(settings), settings.password};
  state_->asked = state_->known.address.endpoints.empty();
}

void StoreDirectory::start(std::function<void(const Entry&)> changed) {
  state_->changed = std::move(changed);
  // Its thread shares the state, so that the end need not wait for a resolver.
  std::thread([state = state_] {
    std::unique_lock lock(state->mutex);
    while (true) {
      state->wake.wait(lock, [&] { return state->asked || state->ended; });
      if (state->ended) return;
      state->asked = false;
      lock.unlock();
      const Entry found = state->look_up();
      lock.lock();
      if (state->ended) return;
      if (!same(found.address, state->known.address) || found.password != state->known.password) {
        state->known = found;
        state->changed(found);
      }
      state->wake.wait_for(lock, kEvery, [&] { return state->ended; });
    }
  }).detach();
}

void StoreDirectory::stop() {
  const std::lock_guard lock(state_->mutex);
  state_->ended = true;
  state_->wake.notify_all();
}

StoreDirectory::~StoreDirectory() {
  stop();
}

void StoreDirectory::troubled() {
  const std::lock_guard lock(state_->mutex);
  state_->asked = true;
  state_->wake.notify_all();
}

}  // namespace toll::daemon
