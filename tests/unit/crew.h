// Workers in this process, without configuration files, sockets or signals: what tests of the
// daemon room stand on. Clients are ends of socket pairs.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <gtest/gtest.h>
#include <memory>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>
#include <vector>

#include "daemon/process.h"
#include "daemon/worker.h"
#include "engine/policy.h"
#include "net/machine.h"

namespace toll::daemon {

class Crew {
 public:
  Crew(uint32_t workers, net::Backend backend, std::shared_ptr<const engine::PolicyTable> table,
       const config::Settings& settings = {})
      : machine_(backend), process_(settings, workers, machine_) {
    for (uint32_t i = 0; i < workers; ++i) {
      workers_.push_back(std::make_unique<Worker>(process_, i));
      process_.workers.push_back(workers_.back().get());
    }
    for (auto& worker : workers_) {
      threads_.emplace_back([this, &worker = *worker, table, workers] {
        const auto opened = worker.open(table);
        EXPECT_TRUE(opened.has_value()) << opened.error();
        open_.fetch_add(1);
        while (open_.load() < workers) std::this_thread::yield();
        worker.run();
      });
    }
    while (open_.load() < workers) std::this_thread::yield();
  }

  ~Crew() {
    for (const int client : clients_) close(client);
    for (auto& worker : workers_) worker->post([](Worker& self) { self.drain(); });
    while (sum(&WorkerCounters::connections_closed) < clients_.size()) std::this_thread::yield();
    for (auto& worker : workers_) worker->post([](Worker& self) { self.stop(); });
  }

  // A connected client of that worker; closed at the end.
  int client(uint32_t worker) {
    std::array<int, 2> ends{};
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
    clients_.push_back(ends[0]);
    workers_[worker]->post([fd = ends[1]](Worker& self) { self.add_session(fd); });
    return ends[0];
  }

  Worker& worker(uint32_t index) { return *workers_[index]; }

  uint64_t sum(Counter WorkerCounters::* counter) const {
    uint64_t total = 0;
    for (const auto& counters : process_.counters) total += ((*counters).*counter).get();
    return total;
  }

 private:
  net::KernelMachine machine_;
  Process process_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<int> clients_;
  std::atomic<uint32_t> open_{0};      // workers whose loop is there
  std::vector<std::jthread> threads_;  // last, so that they are joined before the rest goes
};

inline std::shared_ptr<const engine::PolicyTable> table_of(std::vector<engine::PolicySpec> specs) {
  auto table = engine::PolicyTable::build(specs, nullptr);
  EXPECT_TRUE(table.has_value()) << table.error().policy << ": " << table.error().message;
  return *table;
}

inline engine::PolicySpec policy(std::string name, engine::Algorithm algorithm, int64_t count,
                                 int64_t window_us) {
  engine::PolicySpec spec;
  spec.name = std::move(name);
  spec.algorithm = algorithm;
  spec.limits = {engine::make_limit(count, 0, window_us)};
  return spec;
}

inline void send_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    ASSERT_GT(sent, 0);
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
}

}  // namespace toll::daemon
