// The loop's back-end without a kernel: its sockets are the simulated network's.
//
// It keeps the manners that net/loop.h asks for, in their least comfortable form: data comes in
// small pieces, sends are short, a stop may come after more data. run_once() never sleeps; whoever
// runs the worker (tests/sim/daemon_host.h) lets simulated time pass until `wake` is called.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <vector>

#include "net/loop.h"
#include "tests/sim/network.h"
#include "tests/sim/random.h"

namespace toll::sim {

class SimLoop final : public net::Loop, private SocketOwner {
 public:
  // `wake` is called when there is something for run_once() to do.
  SimLoop(Network& network, int place, Random random, std::function<void()> wake);

  void accept(int listener, net::Completion& completion) override;
  void receive(int fd, net::Completion& completion) override;
  void send(int fd, std::span<const char> bytes, net::Completion& completion) override;
  std::expected<int, int> open_socket(int family) override;
  void connect(int fd, const sockaddr* address, socklen_t length,
               net::Completion& completion) override;
  void stop(net::Completion& completion) override;
  void shut_down(int fd) override;
  void close(int fd) override;
  std::optional<char> first_byte(int fd) override;
  bool hung_up(int) override { return false; }  // an end is told as such, and sending then fails
  void send_at_once(int fd, std::string_view bytes) override;
  bool peer_is_privileged(int, std::optional<gid_t>) override { return true; }
  std::optional<net::Peer> peer(int) override { return net::Peer{}; }
  void run_once(int64_t timeout_ns) override;
  net::Backend backend() const override { return net::Backend::kSimulated; }
  net::Doorbell& doorbell() override { return doorbell_; }

  bool has_work() const { return !ready_.empty() || rung_; }

  // A listener whose connections come to whoever accepts on this loop.
  int listen(const std::string& address);

  // The process is dead: nothing it still does reaches anybody, and what it waits for ends.
  void die();

  // How a Redis' or a daemon's address reads in the simulated network.
  static std::string name_of(const sockaddr* address);

 private:
  struct Bell final : net::Doorbell {
    explicit Bell(SimLoop& owner) : loop(owner) {}
    void ring() noexcept override { loop.ring(); }
    SimLoop& loop;
  };
  // Who waits for a socket.
  struct Waiting {
    net::Completion* reader = nullptr;
    net::Completion* writer = nullptr;
    std::vector<int> accepted;  // of a listener: not yet told
    std::optional<IoStatus> connected;
  };

  void on_readable(int socket) override;
  void on_writable(int socket) override;
  void on_connected(int socket, IoStatus status) override;
  void on_accepted(int listener, int socket) override;

  void ring();
  void begin(net::Operation operation, int fd, net::Completion& completion);
  void make_ready(net::Completion* completion);
  void run(net::Completion& completion);
  void accept_some(net::Completion& completion);
  void receive_some(net::Completion& completion);
  void send_some(net::Completion& completion);
  void finish(net::Completion& completion, const net::Event& event);

  Network& network_;
  const int place_;
  Random random_;
  std::function<void()> wake_;
  Bell doorbell_{*this};
  bool rung_ = false;
  bool dead_ = false;
  std::map<int, Waiting> waiting_;
  std::vector<net::Completion*> ready_;  // each once: OperationState::listed_
  std::vector<char> buffer_;
};

}  // namespace toll::sim
