#include "bench/load.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cerrno>
#include <cstring>
#include <deque>
#include <fcntl.h>
#include <fmt/format.h>
#include <optional>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <utility>
#include <vector>

#include "bench/limits.h"
#include "bench/load_client.h"
#include "bench/random.h"
#include "bench/socket.h"

namespace toll::bench {
namespace {

constexpr int64_t kTurnNs = 100'000'000;
constexpr int64_t kSettleNs = 10'000'000;
constexpr int64_t kTellNs = 250'000'000;
constexpr uint32_t kOtherDescriptors = 64;

using Status = std::expected<void, std::string>;

// What is subtracted at the end of the counted seconds from what was there at their start.
struct Mark {
  int64_t at_ns = 0;
  uint64_t replies = 0;
  uint64_t pushed_records = 0;
  ReplyCounts counts;
  double client_cpu_s = 0;
  ProcessUsage server;
  RedisUsage redis;
};

class EpollLoad final : public Load {
 public:
  EpollLoad(const RequestScript& script, const LoadSettings& settings)
      : script_(script), settings_(settings), buffer_(kReceiveBytes) {}

  Status open(const std::string& path);
  Status watch(const std::string& redis_path);
  std::expected<LoadResult, std::string> run(double warmup_s, double seconds,
                                             const LoadWatch& watch) override;

 private:
  Status measure(double warmup_s, double seconds);
  LoadResult result() const;
  Status turn(bool sending);
  Status serve(LoadClient& client, uint32_t events, bool sending);
  Status arm(LoadClient& client);
  Status send(LoadClient& client);
  Status send_all_due();
  Status begin();
  int64_t wait_ns(bool sending) const;
  Status run_until(int64_t end_ns);
  Status drain();
  void begin_timeline(int64_t end_ns);
  void tell();
  uint64_t in_flight() const;
  bool is_open() const { return settings_.rate > 0; }
  std::expected<Mark, std::string> mark();

  const RequestScript& script_;
  const LoadSettings settings_;
  Socket epoll_;
  std::deque<LoadClient> clients_;  // a deque: they must not move
  std::vector<char> buffer_;
  LoadTally tally_;
  int64_t now_ns_ = 0;
  int64_t heard_ns_ = 0;  // when the last reply came
  Schedule schedule_;     // of an open loop
  uint64_t next_due_ = 0;
  OpenLoopResult open_;
  std::vector<uint64_t> part_ends_;  // replies by then
  int64_t part_ns_ = 0;              // 0 until seconds are counted
  int64_t next_part_ns_ = 0;         // the end of the one at hand
  LoadWatch watch_;
  int64_t next_told_ns_ = 0;
  pid_t server_pid_ = 0;
  std::optional<RedisClient> redis_;
  Mark begin_;
  Mark end_;
};

Status raise_descriptor_limit(uint32_t clients) {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  const rlim_t needed = clients + kOtherDescriptors;
  if (limit.rlim_cur >= needed) return {};
  limit.rlim_cur = std::min(limit.rlim_max, needed);
  if (limit.rlim_cur < needed || setrlimit(RLIMIT_NOFILE, &limit) != 0) {
    return std::unexpected(
        fmt::format("{} clients need {} file descriptors and {} are allowed; raise `ulimit -n`",
                    clients, needed, limit.rlim_max));
  }
  return {};
}

Status EpollLoad::open(const std::string& path) {
  if (auto raised = raise_descriptor_limit(settings_.clients); !raised) return raised;
  epoll_ = Socket(epoll_create1(EPOLL_CLOEXEC));
  if (epoll_.fd() < 0) return std::unexpected(fmt::format("epoll: {}", std::strerror(errno)));
  Random random(settings_.seed);
  for (uint32_t client = 0; client < settings_.clients; ++client) {
    auto socket = connect_to(path);
    if (!socket) return std::unexpected(socket.error());
    if (client == 0) server_pid_ = peer_pid(*socket);
    if (fcntl(socket->fd(), F_SETFL, O_NONBLOCK) != 0) {
      return std::unexpected(fmt::format("fcntl: {}", std::strerror(errno)));
    }
    const size_t first = random.below(static_cast<uint32_t>(script_.size()));
    clients_.emplace_back(std::move(*socket), script_, first, settings_.depth, script_.framing(),
                          tally_);
    epoll_event event{.events = EPOLLIN, .data = {.ptr = &clients_.back()}};
    if (epoll_ctl(epoll_.fd(), EPOLL_CTL_ADD, clients_.back().fd(), &event) != 0) {
      return std::unexpected(fmt::format("epoll: {}", std::strerror(errno)));
    }
  }
  return {};
}

// Waits for room in the socket only while something could not be sent.
Status EpollLoad::arm(LoadClient& client) {
  if (client.wants_to_write() == client.armed_for_write) return {};
  client.armed_for_write = client.wants_to_write();
  epoll_event event{.events = EPOLLIN, .data = {.ptr = &client}};
  if (client.armed_for_write) event.events |= EPOLLOUT;
  if (epoll_ctl(epoll_.fd(), EPOLL_CTL_MOD, client.fd(), &event) != 0) {
    return std::unexpected(fmt::format("epoll: {}", std::strerror(errno)));
  }
  return {};
}

Status EpollLoad::serve(LoadClient& client, uint32_t events, bool sending) {
  if ((events & ~uint32_t{EPOLLOUT}) != 0) {
    const auto read_ns = client.read_replies(buffer_);
    if (!read_ns) return std::unexpected(read_ns.error());
    if (*read_ns > 0) now_ns_ = heard_ns_ = *read_ns;
  }
  if (auto sent = client.send_unsent(); !sent) return sent;
  if (sending) return send(client);
  return arm(client);
}

Status EpollLoad::send(LoadClient& client) {
  auto sent = is_open() ? client.send_due(schedule_, now_ns_) : client.fill_window(now_ns_);
  return sent ? arm(client) : sent;
}

// All that has become due first, so that what a client owes leaves in one go.
Status EpollLoad::send_all_due() {
  const uint64_t first = next_due_;
  for (; schedule_.due_ns(next_due_) <= now_ns_; ++next_due_) {
    clients_[next_due_ % clients_.size()].owe();
  }
  const uint64_t last = std::min(next_due_, first + clients_.size());
  for (uint64_t number = first; number < last; ++number) {
    if (auto sent = send(clients_[number % clients_.size()]); !sent) return sent;
  }
  return {};
}

int64_t EpollLoad::wait_ns(bool sending) const {
  if (!is_open() || !sending) return kTurnNs;
  return std::clamp<int64_t>(schedule_.due_ns(next_due_) - clock_ns(), 0, kTurnNs);
}

Status EpollLoad::turn(bool sending) {
  std::array<epoll_event, 64> events;
  const timespec wait{0, wait_ns(sending)};
  const int ready = epoll_pwait2(epoll_.fd(), events.data(), events.size(), &wait, nullptr);
  if (ready < 0 && errno != EINTR) {
    return std::unexpected(fmt::format("epoll: {}", std::strerror(errno)));
  }
  if (ready <= 0 || is_open()) now_ns_ = clock_ns();
  for (int at = 0; at < ready; ++at) {
    const epoll_event& event = events[static_cast<size_t>(at)];
    auto& client = *static_cast<LoadClient*>(event.data.ptr);
    if (auto served = serve(client, event.events, sending); !served) return served;
  }
  if (is_open() && sending) {
    if (auto sent = send_all_due(); !sent) return sent;
  }
  if (now_ns_ - heard_ns_ > kStallNs) {
    return std::unexpected(fmt::format("no reply for {} s with {} requests in flight",
                                       kStallNs / 1'000'000'000, in_flight()));
  }
  return {};
}

Status EpollLoad::run_until(int64_t end_ns) {
  while (now_ns_ < end_ns) {
    if (auto turned = turn(true); !turned) return turned;
    // One turn can be the end of several: nothing came in the later ones.
    for (; part_ns_ > 0 && now_ns_ >= next_part_ns_ && part_ends_.size() <= kTimelineParts;
         next_part_ns_ += part_ns_) {
      part_ends_.push_back(tally_.replies);
    }
    if (watch_ && part_ns_ > 0 && now_ns_ >= next_told_ns_) tell();
  }
  return {};
}

void EpollLoad::tell() {
  next_told_ns_ = now_ns_ + kTellNs;
  const double seconds = static_cast<double>(now_ns_ - begin_.at_ns) * 1e-9;
  const auto replies = static_cast<double>(tally_.replies - begin_.replies);
  watch_({replies / seconds, static_cast<double>(tally_.latency_ns.quantile(0.99)) * 1e-3});
}

void EpollLoad::begin_timeline(int64_t end_ns) {
  part_ns_ = std::max<int64_t>((end_ns - now_ns_) / static_cast<int64_t>(kTimelineParts), 1);
  next_part_ns_ = now_ns_ + part_ns_;
  part_ends_.reserve(kTimelineParts + 1);
  part_ends_.push_back(tally_.replies);
}

Status EpollLoad::drain() {
  while (in_flight() > 0) {
    if (auto turned = turn(false); !turned) return turned;
  }
  return {};
}

Status EpollLoad::begin() {
  now_ns_ = heard_ns_ = clock_ns();
  if (is_open()) {
    // Sleeps end when the next request is due, not up to 50 us later.
    prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
    schedule_ = {now_ns_, 1e9 / settings_.rate, settings_.clients};
    next_due_ = 0;
    uint64_t number = 0;
    for (LoadClient& client : clients_) client.begin_schedule(number++);
    return {};
  }
  for (LoadClient& client : clients_) {
    now_ns_ = clock_ns();
    if (auto sent = send(client); !sent) return sent;
  }
  return {};
}

std::expected<LoadResult, std::string> EpollLoad::run(double warmup_s, double seconds,
                                                      const LoadWatch& watch) {
  tally_ = {};
  part_ends_.clear();
  part_ns_ = 0;
  watch_ = watch;
  if (auto measured = measure(warmup_s, seconds); !measured) {
    return std::unexpected(measured.error());
  }
  return result();
}

Status EpollLoad::measure(double warmup_s, double seconds) {
  const auto ns = [](double time_s) { return static_cast<int64_t>(time_s * 1e9); };
  if (auto begun = begin(); !begun) return begun;
  if (auto warm = run_until(now_ns_ + ns(warmup_s)); !warm) return warm;
  auto begin = mark();
  if (!begin) return std::unexpected(begin.error());
  begin_ = *std::move(begin);
  // Reading /proc, and asking Redis, held up what was in flight; latencies count from a moment
  // later.
  const int64_t settle_ns = std::min(kSettleNs, ns(seconds) / 10);
  if (auto settled = run_until(begin_.at_ns + settle_ns); !settled) return settled;
  tally_.latency_ns.clear();
  const int64_t counted_from_ns = now_ns_;
  tally_.sent_when_due = tally_.sent_late = 0;
  const int64_t end_ns = begin_.at_ns + ns(seconds);
  begin_timeline(end_ns);
  if (auto done = run_until(end_ns); !done) return done;
  if (is_open()) {
    open_ = {static_cast<double>(now_ns_ - counted_from_ns) * 1e-9, tally_.sent_when_due,
             tally_.sent_late, 0};
    // Whatever was due in the counted seconds counts, answered by then or not.
    for (LoadClient& client : clients_) open_.unsent += client.count_waiting(schedule_, now_ns_);
  }
  // The histogram, like every figure, is of the counted seconds; the last replies are not in them.
  Histogram counted = tally_.latency_ns;
  auto end = mark();
  if (!end) return std::unexpected(end.error());
  end_ = *std::move(end);
  auto drained = drain();
  tally_.latency_ns = std::move(counted);
  return drained;
}

uint64_t EpollLoad::in_flight() const {
  uint64_t sum = 0;
  for (const LoadClient& client : clients_) sum += client.in_flight();
  return sum;
}

Status EpollLoad::watch(const std::string& redis_path) {
  auto redis = RedisClient::connect(redis_path);
  if (!redis) return std::unexpected(redis.error());
  redis_.emplace(*std::move(redis));
  return {};
}

std::expected<Mark, std::string> EpollLoad::mark() {
  Mark mark;
  if (redis_) {
    const auto usage = redis_->usage();
    if (!usage) return std::unexpected(usage.error());
    mark.redis = *usage;
  }
  if (auto usage = server_pid_ > 0 ? read_usage(server_pid_)
                                   : std::unexpected(std::string("not to be seen"))) {
    mark.server = *usage;
  }
  mark.replies = tally_.replies;
  mark.pushed_records = tally_.pushed_records;
  mark.counts = tally_.counts;
  mark.client_cpu_s = own_cpu_s();
  mark.at_ns = clock_ns();
  return mark;
}

LoadResult EpollLoad::result() const {
  LoadResult result;
  result.begin_ns = begin_.at_ns;
  result.seconds = static_cast<double>(end_.at_ns - begin_.at_ns) * 1e-9;
  result.replies = end_.replies - begin_.replies;
  result.counts = end_.counts - begin_.counts;
  result.pushed_records = end_.pushed_records - begin_.pushed_records;
  result.record_bytes = script_.record_bytes();
  result.latency_ns = tally_.latency_ns;
  result.client_cpu_s = end_.client_cpu_s - begin_.client_cpu_s;
  result.server = end_.server - begin_.server;
  if (redis_) result.redis = end_.redis - begin_.redis;
  if (is_open()) result.open_loop = open_;
  result.part_s = static_cast<double>(part_ns_) * 1e-9;
  for (size_t end = 1; end < part_ends_.size(); ++end) {
    result.timeline.push_back(part_ends_[end] - part_ends_[end - 1]);
  }
  result.asked_decisions = tally_.asked_decisions;
  result.asked_others = tally_.asked_others;
  result.all_counts = tally_.counts;
  for (const LoadClient& client : clients_) {
    if (result.first_error.empty()) result.first_error = client.first_error();
  }
  return result;
}

}  // namespace

OpenLoopResult& operator+=(OpenLoopResult& sum, const OpenLoopResult& more) {
  sum.seconds += more.seconds;
  sum.sent += more.sent;
  sum.late += more.late;
  sum.unsent += more.unsent;
  return sum;
}

std::string fault_of(const LoadResult& result, bool kinds) {
  const ReplyCounts& counts = result.all_counts;
  if (counts.error + counts.unknown > 0) {
    return fmt::format("{} of {} replies were errors, the first one: {}",
                       counts.error + counts.unknown, counts.total(), result.first_error);
  }
  const uint64_t asked = result.asked_decisions + result.asked_others;
  if (asked != counts.total()) {
    return fmt::format("{} requests got {} replies", asked, counts.total());
  }
  const uint64_t decided = counts.allow + counts.deny;
  if (kinds && decided != result.asked_decisions) {
    return fmt::format("{} requests are answered by ALLOW or DENY and {} were",
                       result.asked_decisions, decided);
  }
  if (result.replies == 0) return "no reply came in the counted seconds";
  return "";
}

std::expected<std::unique_ptr<Load>, std::string> open_load(const std::string& socket_path,
                                                            const std::string& redis_path,
                                                            const RequestScript& script,
                                                            const LoadSettings& settings) {
  assert(settings.clients > 0 && settings.clients <= kClientsMax);
  assert(settings.depth > 0 && settings.depth <= kDepthMax);
  auto load = std::make_unique<EpollLoad>(script, settings);
  if (auto opened = load->open(socket_path); !opened) return std::unexpected(opened.error());
  if (!redis_path.empty()) {
    if (auto watched = load->watch(redis_path); !watched) return std::unexpected(watched.error());
  }
  return load;
}

}  // namespace toll::bench
