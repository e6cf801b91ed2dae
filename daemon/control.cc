#include "daemon/control.h"

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spdlog/spdlog.h>
#include <sys/signalfd.h>
#include <system_error>
#include <unistd.h>
#include <utility>

#include "daemon/logger.h"
#include "daemon/worker.h"
#include "systemd/notify.h"

namespace toll::daemon {
namespace {

// A client has this long to read its answers when the daemon stops; then it is cut off.
constexpr int64_t kDrainNs = 3'000'000'000;
constexpr int64_t kAbortNs = 500'000'000;
constexpr int kDrainPollMs = 2;

sigset_t handled_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGHUP);
  return set;
}

std::string join(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

}  // namespace

void Control::block_signals() {
  const sigset_t set = handled_signals();
  const int error = pthread_sigmask(SIG_BLOCK, &set, nullptr);
  if (error != 0) throw std::system_error(error, std::generic_category(), "pthread_sigmask");
}

Control::Control(Process& process, config::Sources sources, config::Settings settings,
                 std::shared_ptr<const engine::PolicyTable> table, net::Listener& listener)
    : process_(process),
      listener_(listener),
      sources_(std::move(sources)),
      settings_(std::move(settings)),
      table_(std::move(table)) {
  const sigset_t set = handled_signals();
  signals_ = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  if (signals_ < 0) throw std::system_error(errno, std::generic_category(), "signalfd");
}

Control::~Control() {
  close(signals_);
}

void Control::run() {
  std::array<pollfd, 2> waits = {{{.fd = signals_, .events = POLLIN, .revents = 0},
                                  {.fd = doorbell_.fd(), .events = POLLIN, .revents = 0}}};
  while (true) {
    const int ready = poll(waits.data(), waits.size(), -1);
    if (ready < 0 && errno != EINTR) {
      throw std::system_error(errno, std::generic_category(), "poll");
    }
    if (ready <= 0) continue;
    if (waits[1].revents != 0) {
      uint64_t rings = 0;  // the doorbell blocks when nobody rang
      [[maybe_unused]] const ssize_t rung = read(doorbell_.fd(), &rings, sizeof(rings));
    }
    run_requests();
    signalfd_siginfo signal{};
    while (read(signals_, &signal, sizeof(signal)) == sizeof(signal)) {
      if (signal.ssi_signo != SIGHUP) {
        spdlog::info("stopping on signal {}", signal.ssi_signo);
        drain();
        return;
      }
      reload_now([](const ReloadResult&) {});
    }
  }
}

void Control::reload(std::function<void(ReloadResult)> done) {
  {
    const std::lock_guard lock(mutex_);
    requests_.push_back(std::move(done));
  }
  doorbell_.ring();
}

void Control::run_requests() {
  std::vector<std::function<void(ReloadResult)>> requests;
  {
    const std::lock_guard lock(mutex_);
    requests.swap(requests_);
  }
  for (const auto& done : requests) reload_now(done);
}

void Control::reload_now(const std::function<void(ReloadResult)>& done) {
  systemd::reloading();
  auto loaded = config::load(sources_);
  if (!loaded) {
    for (const config::Fault& fault : loaded.error()) {
      spdlog::error("reload refused, nothing was changed: {}", fault.text());
    }
    const size_t more = loaded.error().size() - 1;
    std::string error = loaded.error().front().text();
    if (more > 0) error += " (and " + std::to_string(more) + " more)";
    systemd::ready();
    done({.error = std::move(error), .notice = ""});
    return;
  }
  auto table = engine::PolicyTable::build(loaded->settings.policies, table_.get());
  if (!table) {
    const std::string error = "policies." + table.error().policy + ": " + table.error().message;
    spdlog::error("reload refused, nothing was changed: {}", error);
    systemd::ready();
    done({.error = error, .notice = ""});
    return;
  }
  for (const std::string& warning : loaded->warnings) spdlog::warn("{}", warning);
  const std::string fixed = join(config::fixed_differences(settings_, loaded->settings));
  if (!fixed.empty())
    spdlog::warn("changed in the file, but in force only after a restart: {}", fixed);
  if (loaded->settings.log.level != settings_.log.level) set_log_level(loaded->settings.log.level);
  settings_.log = loaded->settings.log;
  settings_.policies = loaded->settings.policies;
  table_ = *table;

  ReloadResult result{.error = "", .notice = fixed.empty() ? "" : "restart for " + fixed};
  auto left = std::make_shared<std::atomic<uint32_t>>(process_.workers_count);
  for (Worker* worker : process_.workers) {
    worker->post([table = table_, left, done, result](Worker& self) {
      self.adopt(table);
      if (left->fetch_sub(1) == 1) done(result);
    });
  }
  spdlog::info("reloaded: {} policies in force", settings_.policies.size());
  systemd::ready();
}

bool Control::drained() const {
  uint64_t closed = 0;
  for (const auto& counters : process_.counters) closed += counters->connections_closed.get();
  return closed == process_.counters[0]->connections_handed.get();
}

void Control::drain() {
  systemd::stopping();
  process_.draining.store(true);
  listener_.withdraw();
  for (Worker* worker : process_.workers) worker->post([](Worker& self) { self.drain(); });
  const int64_t started_ns = net::monotonic_ns();
  bool aborted = false;
  while (!process_.accepting_ended.load() || !drained()) {
    run_requests();
    const int64_t passed_ns = net::monotonic_ns() - started_ns;
    if (passed_ns > kDrainNs && !aborted) {
      aborted = true;
      spdlog::warn("cutting off clients that do not read their answers");
      for (Worker* worker : process_.workers) {
        worker->post([](Worker& self) { self.abort_sessions(); });
      }
    }
    if (passed_ns > kDrainNs + kAbortNs) break;
    poll(nullptr, 0, kDrainPollMs);
  }
  for (Worker* worker : process_.workers) worker->post([](Worker& self) { self.stop(); });
}

}  // namespace toll::daemon
