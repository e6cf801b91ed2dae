#include "daemon/control.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <climits>
#include <cstdint>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spdlog/spdlog.h>
#include <sys/signalfd.h>
#include <system_error>
#include <unistd.h>
#include <utility>

#include "daemon/herald.h"
#include "daemon/logger.h"
#include "daemon/worker.h"
#include "systemd/notify.h"

namespace toll::daemon {
namespace {

// A client has this long to read its answers when the daemon stops; then it is cut off.
constexpr int64_t kDrainNs = 3'000'000'000;
constexpr int64_t kAbortNs = 500'000'000;
constexpr int kDrainPollMs = 2;
constexpr int64_t kTickNsPerMs = 1'000'000;

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

Control::Control(Process& process, config::Sources sources, config::Loaded loaded,
                 std::shared_ptr<const engine::PolicyTable> table, net::Listener& listener)
    : process_(process),
      listener_(listener),
      sources_(std::move(sources)),
      settings_(std::move(loaded.settings)),
      table_(std::move(table)),
      configuration_(std::make_shared<const Settings>(std::move(loaded.printed))),
      supervision_(process) {
  const sigset_t set = handled_signals();
  process_.reloads.good.set(1);
  process_.reloads.loaded_us.set(static_cast<uint64_t>(process_.machine.realtime_us()));
  signals_ = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  if (signals_ < 0) throw std::system_error(errno, std::generic_category(), "signalfd");
}

Control::~Control() {
  close(signals_);
}

void Control::run() {
  std::array<pollfd, 2> waits = {{{.fd = signals_, .events = POLLIN, .revents = 0},
                                  {.fd = doorbell_.fd(), .events = POLLIN, .revents = 0}}};
  supervision_.ready();
  while (true) {
    const int ready = poll(waits.data(), waits.size(), until_next_tick_ms());
    if (ready < 0 && errno != EINTR) {
      throw std::system_error(errno, std::generic_category(), "poll");
    }
    if (ready < 0) continue;
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
      reload_now([](const ControlResult&) {});
    }
  }
}

// How long to sleep at most, for poll(2).
int Control::until_next_tick_ms() {
  const int64_t now_ns = net::monotonic_ns();
  const int64_t next_ns = supervision_.tick(now_ns);
  if (next_ns == INT64_MAX) return -1;
  return static_cast<int>(std::min<int64_t>((next_ns - now_ns) / kTickNsPerMs + 1, INT_MAX));
}

void Control::reload(ControlDone done) {
  request([this, done = std::move(done)] { reload_now(done); });
}

void Control::close_entrance(ControlDone done) {
  request([this, done = std::move(done)] { close_entrance_now(done); });
}

void Control::request(std::function<void()> task) {
  {
    const std::lock_guard lock(mutex_);
    requests_.push_back(std::move(task));
  }
  doorbell_.ring();
}

std::shared_ptr<const engine::PolicyTable> Control::policies() {
  const std::lock_guard lock(mutex_);
  return table_;
}

std::shared_ptr<const Control::Settings> Control::configuration() {
  const std::lock_guard lock(mutex_);
  return configuration_;
}

void Control::run_requests() {
  std::vector<std::function<void()>> requests;
  {
    const std::lock_guard lock(mutex_);
    requests.swap(requests_);
  }
  for (const auto& task : requests) task();
}

void Control::tell(std::string_view change, std::string_view outcome, std::string_view reason) {
  Happenings& happenings = *process_.happenings.back();
  if (Happening* told = happenings.note(HappeningKind::kConfig, process_.clock.now_us())) {
    told->what = change;
    told->outcome = outcome;
    told->reason.set(reason);
  }
  happenings.publish();
}

void Control::tell_level(config::LogLevel level) {
  Happenings& happenings = *process_.happenings.back();
  if (Happening* told = happenings.note(HappeningKind::kConfig, process_.clock.now_us())) {
    told->what = "level";
    told->level = config::to_string(level);
  }
  happenings.publish();
}

void Control::reload_now(const ControlDone& done) {
  if (process_.herald != nullptr) process_.herald->reopen();
  systemd::reloading();
  auto loaded = config::load(sources_);
  if (!loaded) {
    for (const config::Fault& fault : loaded.error()) {
      spdlog::error("reload refused, nothing was changed: {}", fault.text());
    }
    const size_t more = loaded.error().size() - 1;
    std::string error = loaded.error().front().text();
    if (more > 0) error += " (and " + std::to_string(more) + " more)";
    refuse(done, std::move(error));
    return;
  }
  auto table = engine::PolicyTable::build(loaded->settings.policies, table_.get());
  if (!table) {
    std::string error = "policies." + table.error().policy + ": " + table.error().message;
    spdlog::error("reload refused, nothing was changed: {}", error);
    refuse(done, std::move(error));
    return;
  }
  for (const std::string& warning : loaded->warnings) spdlog::warn("{}", warning);
  const std::string fixed = join(config::fixed_differences(settings_, loaded->settings));
  if (!fixed.empty())
    spdlog::warn("changed in the file, but in force only after a restart: {}", fixed);
  if (loaded->settings.log.level != settings_.log.level) {
    set_log_level(loaded->settings.log.level);
    tell_level(loaded->settings.log.level);
  }
  process_.reloads.done.add();
  process_.reloads.good.set(1);
  process_.reloads.loaded_us.set(static_cast<uint64_t>(process_.machine.realtime_us()));
  settings_.log = loaded->settings.log;
  settings_.policies = loaded->settings.policies;
  auto configuration = std::make_shared<const Settings>(
      config::in_force_after_reload(*configuration_, std::move(loaded->printed)));
  {
    const std::lock_guard lock(mutex_);
    table_ = *table;
    configuration_ = std::move(configuration);
  }

  ControlResult result{.error = "", .notice = fixed.empty() ? "" : "restart for " + fixed};
  auto left = std::make_shared<std::atomic<uint32_t>>(process_.workers_count);
  for (Worker* worker : process_.workers) {
    worker->post([table = table_, left, done, result](Worker& self) {
      self.adopt(table);
      if (left->fetch_sub(1) == 1) done(result);
    });
  }
  tell("reload", "done", "");
  spdlog::info("reloaded: {} policies in force", settings_.policies.size());
  systemd::ready();
}

// Who finds our own socket's file no more cannot connect, and who had found it is still let in. An
// adopted socket is left to the next daemon, with all that wait there.
void Control::close_entrance_now(const ControlDone& done) {
  if (!process_.draining.exchange(true)) {
    spdlog::info("draining: no new clients; those that are there go on until they leave");
    tell("drain", "", "");
  }
  listener_.withdraw();
  process_.workers[0]->post([done, adopted = listener_.adopted()](Worker& self) {
    if (adopted) self.stop_accepting();
    done({});
  });
}

void Control::refuse(const ControlDone& done, std::string error) {
  process_.reloads.refused.add();
  process_.reloads.good.set(0);
  tell("reload", "refused", error);
  systemd::ready();
  done({.error = std::move(error), .notice = ""});
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
    supervision_.tick(net::monotonic_ns());
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
