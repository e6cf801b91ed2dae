// tollkeeperd: reads its configuration, opens its socket, starts a worker per core, and waits for
// the end.

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <expected>
#include <fmt/format.h>
#include <future>
#include <memory>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spdlog/spdlog.h>
#include <string>
#include <sys/socket.h>
#include <system_error>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

#include "config/host.h"
#include "config/load.h"
#include "daemon/control.h"
#include "daemon/entrance.h"
#include "daemon/herald.h"
#include "daemon/host.h"
#include "daemon/log_spill.h"
#include "daemon/logger.h"
#include "daemon/metrics_page.h"
#include "daemon/options.h"
#include "daemon/process.h"
#include "daemon/store_directory.h"
#include "daemon/treasury.h"
#include "daemon/version.h"
#include "daemon/worker.h"
#include "engine/policy.h"
#include "net/file_system.h"
#include "net/listener.h"
#include "net/machine.h"
#include "net/path_lock.h"
#include "net/self_test.h"
#include "systemd/notify.h"

namespace toll::daemon {
namespace {

// While a long journal is read, the service manager is told every second to wait for so much more.
constexpr int64_t kTellEveryNs = 1'000'000'000;
constexpr int64_t kExtendStartUs = 30'000'000;

using Table = std::shared_ptr<const engine::PolicyTable>;

// `tollkeeper` beside this program, or by its name alone where the shell would find that one.
std::string client_command() {
  char path[4096];
  const ssize_t bytes = readlink("/proc/self/exe", path, sizeof(path));
  if (bytes <= 0) return "tollkeeper";
  std::string directory(path, static_cast<size_t>(bytes));
  directory.erase(directory.rfind('/'));
  const char* search = std::getenv("PATH");
  const std::string paths = fmt::format(":{}:", search == nullptr ? "" : search);
  if (paths.contains(":" + directory + ":")) return "tollkeeper";
  return directory + "/tollkeeper";
}

// Where it cannot be printed at once it is not: a pipe that nobody reads must not hold up a start.
void print_welcome(const std::string& socket) {
  pollfd out{.fd = STDOUT_FILENO, .events = POLLOUT, .revents = 0};
  if (poll(&out, 1, 0) != 1 || (out.revents & POLLOUT) == 0) return;
  fmt::print(
      "tollkeeper {} listens on {}\n"
      "Try:\n"
      "  {} --socket {} CHECK api alice\n"
      "  redis-cli -s {} CHECK api alice\n"
      "  echo 'CHECK api alice' | nc -U -N {}\n",
      kProgramVersion, socket, client_command(), socket, socket, socket);
  std::fflush(stdout);
}

// The workers' threads. Made with all of them running, or with the reason why not; joined at the
// end.
class Crew {
 public:
  std::expected<void, std::string> start(Process& process, const Table& table, int listener) {
    const std::vector<int> processors = usable_processors();
    for (uint32_t i = 0; i < process.workers_count; ++i) {
      workers_.push_back(std::make_unique<Worker>(process, i));
      process.workers.push_back(workers_.back().get());
    }
    // All loops are open before the first worker turns: a worker may be written to from then on.
    std::vector<std::future<std::expected<void, std::string>>> opened;
    for (uint32_t i = 0; i < process.workers_count; ++i) {
      std::promise<std::expected<void, std::string>> promise;
      opened.push_back(promise.get_future());
      const bool pin = process.workers_count <= processors.size();
      threads_.emplace_back([&worker = *workers_[i], table, listener, all_open = all_open_,
                             processor = pin ? processors[i] : -1,
                             result = std::move(promise)]() mutable {
        pthread_setname_np(pthread_self(), fmt::format("worker-{}", worker.index()).c_str());
        if (processor >= 0 && !pin_to_processor(processor)) {
          spdlog::debug("worker {} is not pinned: forbidden here", worker.index());
        }
        auto open = worker.open(table);
        const bool good = open.has_value();
        if (good && worker.index() == 0) worker.listen(listener);
        result.set_value(std::move(open));
        if (good && all_open.get()) worker.run();
      });
    }
    std::expected<void, std::string> all;
    for (auto& each : opened) {
      auto result = each.get();
      if (!result) all = std::move(result);
    }
    process.starting.store(!all.has_value());  // before anybody can ask a worker
    decided_.set_value(all.has_value());
    return all;
  }

  ~Crew() {
    for (std::thread& thread : threads_) thread.join();
  }

 private:
  std::vector<std::unique_ptr<Worker>> workers_;
  std::promise<bool> decided_;
  std::shared_future<bool> all_open_ = decided_.get_future().share();
  std::vector<std::thread> threads_;
};

int fail(const std::string& reason) {
  spdlog::error("{}", reason);
  return EXIT_FAILURE;
}

// A directory of ours in the state directory.
struct StateDirectory {
  net::PathLock lock;  // held while the process lives
  std::unique_ptr<net::FileSystem> files;
};

std::expected<StateDirectory, std::string> open_state(const config::Settings& settings,
                                                      std::string_view name,
                                                      std::string_view setting) {
  const std::string directory = fmt::format("{}/{}", settings.server.state_dir, name);
  auto files = net::open_directory(directory);
  if (!files) {
    return std::unexpected(fmt::format(
        "{}; set server.state_dir to a directory that this user may write, or {} = false",
        files.error().text, setting));
  }
  auto lock = net::PathLock::take(directory + "/owner", "server.state_dir");
  if (!lock) return std::unexpected(std::move(lock.error()));
  return StateDirectory{std::move(*lock), std::move(*files)};
}

// What has grown long is read for longer than a start may take, which the manager is told.
std::function<void()> extend_while_reading(Process& process, std::string_view what) {
  return [&process, what, told_ns = int64_t{0}]() mutable {
    const int64_t now_ns = process.machine.monotonic_ns();
    if (told_ns != 0 && now_ns - told_ns < kTellEveryNs) return;
    told_ns = now_ns;
    systemd::extend_start(kExtendStartUs, fmt::format("starting: reading {}", what));
  };
}

struct CostsAtStart {
  net::PathLock lock;
  std::unique_ptr<Treasury> treasury;
};

std::expected<CostsAtStart, std::string> open_costs(Process& process,
                                                    const config::Settings& settings) {
  auto state = open_state(settings, "journal", "costs.enabled");
  if (!state) return std::unexpected(std::move(state.error()));
  Journal::Settings shape;
  shape.progress = extend_while_reading(process, "the journal");
  auto treasury = Treasury::open(process, settings.costs, std::move(state->files), machine_id(),
                                 std::move(shape));
  if (!treasury) return std::unexpected(std::move(treasury.error()));
  return CostsAtStart{std::move(state->lock), std::move(*treasury)};
}

struct LogsAtStart {
  net::PathLock lock;
  std::unique_ptr<LogSpill> spill;
};

std::expected<LogsAtStart, std::string> open_logs(Process& process,
                                                  const config::Settings& settings) {
  auto state = open_state(settings, "spill", "logs.enabled");
  if (!state) return std::unexpected(std::move(state.error()));
  Journal::Settings shape = LogSpill::default_shape();
  shape.progress = extend_while_reading(process, "the spill of log records");
  auto spill = LogSpill::open(process, std::move(state->files), machine_id(), std::move(shape));
  if (!spill) return std::unexpected(std::move(spill.error()));
  return LogsAtStart{std::move(state->lock), std::move(*spill)};
}

struct StateAtStart {
  CostsAtStart costs;
  LogsAtStart logs;
};

// What outlives a restart, read, and its threads running.
std::expected<void, std::string> open_state_of(Process& process, const config::Settings& settings,
                                               StateAtStart& state) {
  if (settings.costs.enabled) {
    auto costs = open_costs(process, settings);
    if (!costs) return std::unexpected(std::move(costs.error()));
    state.costs = std::move(*costs);
    process.treasury = state.costs.treasury.get();
    process.treasury->start();
  }
  if (settings.logs.enabled) {
    auto logs = open_logs(process, settings);
    if (!logs) return std::unexpected(std::move(logs.error()));
    state.logs = std::move(*logs);
    process.spill = state.logs.spill.get();
    process.spill->start();
  }
  return {};
}

int serve(const config::Sources& sources, config::Loaded loaded, const Log& log) {
  config::ServerSettings& server = loaded.settings.server;
  auto table = engine::PolicyTable::build(loaded.settings.policies, nullptr);
  if (!table) return fail(fmt::format("{}: {}", table.error().policy, table.error().message));

  const uint32_t clients = make_room_for_clients(server.max_clients);
  if (clients < server.max_clients) {
    spdlog::warn(
        "server.max_clients is {}, not {}: the limit of open files allows no more "
        "(LimitNOFILE= or ulimit -n)",
        clients, server.max_clients);
    server.max_clients = clients;
  }
  auto backend = net::choose_backend(server.backend);
  if (!backend) return fail(backend.error());
  spdlog::info("{}", backend->reason);

  auto listener = open_entrance(server);
  if (!listener) return fail(listener.error());

  const uint32_t workers =
      server.workers > 0
          ? server.workers
          : static_cast<uint32_t>(std::min<size_t>(usable_processors().size(), net::kWorkersMax));
  net::KernelMachine machine(backend->backend);
  Process process(loaded.settings, workers, machine);
  if (!server.admin_group.empty()) process.admin_group = config::group_id(server.admin_group);
  Control control(process, sources, loaded, *table, *listener);
  process.control = &control;
  process.log = &log;
  process.node = fmt::format("{:016x}", machine.random_bits());
  StoreDirectory directory(loaded.settings.redis);
  process.directory = &directory;
  process.redis_address = StoreDirectory::first_address(loaded.settings.redis);
  StateAtStart state;
  if (auto open = open_state_of(process, loaded.settings, state); !open) return fail(open.error());
  auto herald = Herald::open(process, loaded.settings.audit);
  if (!herald) return fail(herald.error());
  process.herald = herald->get();
  process.herald->start();
  process.starting.store(true);
  auto metrics = serve_metrics(loaded.settings.metrics, process);
  if (!metrics) return fail(metrics.error());
  {
    Crew crew;
    if (auto started = crew.start(process, *table, listener->fd()); !started) {
      return fail(started.error());
    }
    print_welcome(listener->path());
    spdlog::info("ready: {} workers, {} policies from {}", workers, loaded.settings.policies.size(),
                 loaded.file.empty() ? "the embedded defaults" : loaded.file);
    if (process.redis.enabled) {
      directory.start([&process](const StoreDirectory::Entry& entry) {
        for (Worker* worker : process.workers) {
          worker->post([entry](Worker& self) { self.set_redis(entry.address, entry.password); });
        }
      });
    }
    control.run();
    directory.stop();  // posts no more to workers that end
    process.herald->leave_workers();
  }
  process.herald->stop();
  spdlog::info("stopped");
  return EXIT_SUCCESS;
}

int run(const Options& options) {
  const config::Sources sources{.file = options.config,
                                .socket = options.socket,
                                .environment = config::process_environment()};
  auto loaded = config::load(sources);
  if (!loaded) {
    for (const config::Fault& fault : loaded.error()) fmt::print(stderr, "{}\n", fault.text());
    return EXIT_FAILURE;
  }
  if (options.check) {
    fmt::print("{}", config::good(*loaded));
    return EXIT_SUCCESS;
  }
  if (options.print_config) {
    fmt::print("{}", config::print(*loaded));
    return EXIT_SUCCESS;
  }
  signal(SIGPIPE, SIG_IGN);  // a log whose reader is gone must not end us
  signal(SIGXFSZ, SIG_IGN);  // nor a file that may not grow: writing it fails
  Control::block_signals();
  const Log log(loaded->settings.log);
  for (const std::string& warning : loaded->warnings) spdlog::warn("{}", warning);
  return serve(sources, std::move(*loaded), log);
}

}  // namespace
}  // namespace toll::daemon

int main(int argc, char** argv) {
  const toll::daemon::ParsedOptions parsed = toll::daemon::parse_options(argc, argv);
  if (parsed.exit_status) return *parsed.exit_status;
  toll::daemon::keep_standard_descriptors();
  try {
    return toll::daemon::run(parsed.options);
  } catch (const std::exception& error) {
    fmt::print(stderr, "tollkeeperd cannot start: {}\n", error.what());
    return EXIT_FAILURE;
  }
}
