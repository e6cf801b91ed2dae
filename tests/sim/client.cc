#include "tests/sim/client.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <fmt/format.h>
#include <utility>

#include "engine/money.h"
#include "tests/sim/raw_reply.h"

namespace toll::sim {
namespace {

constexpr size_t kClientReadMost = 4'096;

constexpr std::string_view kVerbs[] = {"CHECK",   "PEEK",   "REFUND", "CHARGE", "RESET", "ACQUIRE",
                                       "RELEASE", "HEALTH", "ADD",    "GET",    "CHECK", "HOLD",
                                       "SETTLE",  "CANCEL", "PUSH",   "POP",    "WAIT",  "PEEK",
                                       "SIZE",    "STATS",  "CLEAR"};

std::vector<std::string> cost_words_of(const Wish& wish) {
  const CostWish& cost = wish.cost;
  std::vector<std::string> words{"COST", std::string(kVerbs[static_cast<size_t>(wish.ask)]),
                                 cost.id};
  const std::string amount = engine::format_dollars(cost.amount);
  switch (wish.ask) {
    case Ask::kCostAdd:
      words.push_back(amount);
      if (!cost.text.empty()) words.push_back(cost.text);
      break;
    case Ask::kCostCheck:
      words.push_back(amount);
      break;
    case Ask::kCostHold:
      words.insert(words.end(), {amount, std::to_string(cost.ttl_ms)});
      break;
    case Ask::kCostSettle:
      words.insert(words.end(), {cost.text, amount});
      break;
    case Ask::kCostCancel:
      words.push_back(cost.text);
      break;
    default:
      break;
  }
  return words;
}

std::vector<std::string> log_words_of(const Wish& wish) {
  const LogWish& log = wish.log;
  std::vector<std::string> words{"LOG", std::string(kVerbs[static_cast<size_t>(wish.ask)])};
  if (wish.ask == Ask::kLogPush) words.push_back(log.record);
  if (wish.ask == Ask::kLogWait) words.push_back(std::to_string(log.wait_ms));
  if (takes_records(wish.ask) || wish.ask == Ask::kLogPeek) {
    words.push_back(std::to_string(log.count));
  }
  return words;
}

// The words of a reply about costs, without the verdict.
void read_cost(const std::vector<std::string>& words, Ask ask, Told& reply) {
  const auto word = [&](size_t index) {
    return index < words.size() ? words[index] : std::string();
  };
  const auto amount = [&](size_t index) { return engine::parse_dollars(word(index)).value_or(-1); };
  if (ask == Ask::kCostCheck || ask == Ask::kCostHold) {
    reply.spent = amount(1);
    reply.held = amount(2);
    reply.source = word(4);
    reply.hold = word(5);
  } else {
    reply.spent = amount(0);
    if (ask == Ask::kCostGet) reply.held = amount(1);
    reply.source = word(ask == Ask::kCostGet ? 2 : 1);
  }
}

std::vector<std::string> words_of(const Wish& wish, const Workload& workload) {
  if (about_costs(wish.ask)) return cost_words_of(wish);
  if (about_logs(wish.ask)) return log_words_of(wish);
  std::vector<std::string> words{std::string(kVerbs[static_cast<size_t>(wish.ask)])};
  for (const Part& part : wish.parts) {
    words.push_back(workload.rules()[part.rule].spec.name);
    words.push_back(Workload::id(part.id));
    if (wish.ask == Ask::kRelease) words.push_back(fmt::format("{:016x}", wish.ticket));
    const bool units = wish.ask == Ask::kCheck || wish.ask == Ask::kRefund ||
                       wish.ask == Ask::kCharge || wish.ask == Ask::kAcquire;
    if (units) words.push_back(std::to_string(part.units));
  }
  return words;
}

std::string bytes_of(const std::vector<std::string>& words, bool resp) {
  if (!resp) return fmt::format("{}\n", fmt::join(words, " "));
  std::string bytes = fmt::format("*{}\r\n", words.size());
  for (const std::string& word : words) bytes += fmt::format("${}\r\n{}\r\n", word.size(), word);
  return bytes;
}

}  // namespace

Client::Client(Scheduler& scheduler, Network& network, History& history, Oracle& oracle,
               Workload& workload, RedisNode& redis,
               std::vector<std::unique_ptr<DaemonHost>>& hosts, Random random,
               const ClientSettings& settings)
    : scheduler_(scheduler),
      network_(network),
      history_(history),
      oracle_(oracle),
      workload_(workload),
      redis_(redis),
      hosts_(hosts),
      random_(random),
      settings_(settings) {}

void Client::start() {
  connect();
  scheduler_.after(random_.between(0, settings_.pause_most_ns), [this] { act(); });
}

void Client::connect() {
  resp_ = random_.chance(50);
  ++connections_;
  socket_ = network_.open(settings_.place, *this);
  network_.connect(socket_, hosts_[settings_.host]->settings().address);
}

void Client::on_connected(int socket, IoStatus status) {
  if (socket != socket_) return;
  if (status == IoStatus::kOk) {
    connected_ = true;
    return send();
  }
  lost();
}

void Client::lost() {
  hand_over_unread();
  network_.close(socket_);
  connected_ = false;
  socket_ = -1;
  input_.clear();
  output_.clear();
  for (const Expected& each : std::exchange(expected_, {})) {
    const Wish& wish = each.request.wish;
    const bool charges = wish.ask == Ask::kCostAdd || wish.ask == Ask::kCostSettle;
    if (charges && !wish.cost.text.empty()) again_.push_back(wish);
    oracle_.unanswered(each.request);
  }
  scheduler_.after(random_.between(kNsPerMs, 50 * kNsPerMs), [this] {
    if (socket_ < 0) connect();
  });
}

// Records that reached this client and were never read: they are its own, and lost by it.
void Client::hand_over_unread() {
  if (settings_.logs == nullptr) return;
  input_ += network_.unread(socket_);
  for (const Expected& each : expected_) {
    const auto reply = take_reply(each.request.wish.ask);
    if (!reply) return;
    oracle_.logs().unread(each.request, *reply);
  }
}

void Client::die() {
  if (socket_ >= 0) lost();
}

void Client::stop_reading(int64_t for_ns) {
  if (idle_since_ns_ >= 0) return;
  idle_since_ns_ = scheduler_.now_ns();
  scheduler_.after(for_ns, [this] {
    idle_ns_ += scheduler_.now_ns() - idle_since_ns_;
    idle_since_ns_ = -1;
    if (socket_ >= 0) on_readable(socket_);
  });
}

int64_t Client::idle_ns() const {
  return idle_ns_ + (idle_since_ns_ < 0 ? 0 : scheduler_.now_ns() - idle_since_ns_);
}

void Client::act() {
  // Where all is well, pushing is one thing alike a thousand times.
  const bool quiet = calm_ && settings_.produces;
  const int64_t burst = quiet ? 1 : random_.skewed(1, static_cast<int64_t>(settings_.depth));
  for (int64_t i = 0; i < burst && connected_ && !resting_; ++i) {
    if (expected_.size() >= settings_.depth) break;
    if (settings_.costs != nullptr) {
      put(draw_cost(), {});
    } else if (settings_.logs != nullptr) {
      put(draw_log(), {});
    } else if (!tickets_.empty() && random_.chance(30)) {
      const Ticket ticket = tickets_.back();
      tickets_.pop_back();
      put({.ask = Ask::kRelease, .parts = {ticket.part}, .ticket = ticket.number}, {});
    } else {
      put(workload_.draw(), {});
    }
  }
  send();
  if (settings_.logs != nullptr && !settings_.produces && !calm_ && waiting()) misbehave();
  if (resting_) return;
  const int64_t more_ns = calm_ ? random_.between(20, 200) * kNsPerMs : 0;
  scheduler_.after(more_ns + random_.between(settings_.pause_least_ns, settings_.pause_most_ns),
                   [this] { act(); });
}

Wish Client::draw_cost() {
  CostLoad& load = *settings_.costs;
  if (!again_.empty() && random_.chance(60)) {
    const Wish wish = again_.back();
    again_.pop_back();
    return wish;
  }
  Wish wish{.ask = Ask::kCostAdd,
            .parts = {},
            .cost = {.id = load.any_id(), .amount = load.any_amount(), .text = ""}};
  if (!holds_.empty() && load.chance(60)) {
    wish.ask = load.chance(70) ? Ask::kCostSettle : Ask::kCostCancel;
    wish.cost.id = holds_.back().id;
    wish.cost.text = holds_.back().text;
    holds_.pop_back();
  } else if (load.chance(load.hold_percent())) {
    wish.ask = Ask::kCostHold;
    wish.cost.ttl_ms = load.chance(50) ? 300'000 : random_.skewed(1, 10'000);
  } else if (load.chance(load.question_percent())) {
    wish.ask = load.chance(50) ? Ask::kCostGet : Ask::kCostCheck;
  } else if (load.chance(load.keyed_percent())) {
    wish.cost.text = fmt::format("k{}-{}", settings_.number, ++keys_);
  }
  return wish;
}

// Holds that were given out are to be ended; what has a key may be sent again even if all went
// well.
void Client::keep_of_cost(const Request& request, const Told& reply) {
  const Wish& wish = request.wish;
  if (wish.ask == Ask::kCostHold && reply.word == Word::kAllow) {
    holds_.push_back({.id = wish.cost.id, .text = reply.hold});
  }
  const bool charges = wish.ask == Ask::kCostAdd || wish.ask == Ask::kCostSettle;
  if (!charges || wish.cost.text.empty()) return;
  if (random_.chance(reply.word == Word::kError ? 50 : 10)) again_.push_back(wish);
}

// A consumer that leaves before its records have come, or lets them lie.
void Client::misbehave() {
  const LogLoad& load = *settings_.logs;
  if (random_.chance(load.leave_percent())) {
    oracle_.logs().may_lose(scheduler_.now_ns());
    scheduler_.after(random_.skewed(0, 3 * kNsPerMs), [this] { die(); });
  } else if (random_.chance(load.dawdle_percent())) {
    stop_reading(random_.skewed(kNsPerMs, 2 * kNsPerS));
  }
}

Wish Client::draw_log() {
  LogLoad& load = *settings_.logs;
  Wish wish{.ask = Ask::kLogPush, .parts = {}};
  wish.log.connection = connections_;
  if (settings_.produces) {
    wish.log.number = ++pushed_;
    wish.log.record = load.record(settings_.number, connections_, pushed_);
    return wish;
  }
  wish.log.count = load.any_count();
  if (load.chance(load.question_percent())) {
    constexpr std::array kQuestions = {Ask::kLogPeek, Ask::kLogSize, Ask::kLogStats};
    wish.ask = kQuestions[random_.below(kQuestions.size())];
  } else if (load.chance(load.clear_percent())) {
    wish.ask = Ask::kLogClear;
  } else if (load.chance(load.wait_percent())) {
    wish.ask = Ask::kLogWait;
    wish.log.wait_ms = load.any_wait_ms();
  } else {
    wish.ask = Ask::kLogPop;
  }
  return wish;
}

// For people to read. REQUIRES: waiting().
std::string Client::waiting_for() const {
  const Request& first = expected_.front().request;
  return fmt::format("{} requests of client {} of host {}, the first to {}", expected_.size(),
                     settings_.number, settings_.host, kVerbs[static_cast<size_t>(first.wish.ask)]);
}

void Client::ask(const Wish& wish, std::function<void(const Told&)> told) {
  if (!connected_) return;
  put(wish, std::move(told));
  send();
}

void Client::put(const Wish& wish, std::function<void(const Told&)> told) {
  Request request{.wish = wish,
                  .host = settings_.host,
                  .client = settings_.number,
                  .number = ++requests_,
                  .sent_ns = scheduler_.now_ns(),
                  .redis_sent_us = redis_.now_us(),
                  .life = hosts_[settings_.host]->life(),
                  .breaks = redis_.breaks(),
                  .client_idle_ns = idle_ns()};
  request.alone = expected_.empty();
  request.due_ns = due_ns(wish);
  request.waits_since_ns =
      expected_.empty() ? request.sent_ns : expected_.front().request.waits_since_ns;
  if (wish.ask == Ask::kRelease) oracle_.releasing(wish.parts[0], wish.ticket);
  oracle_.asked(request);
  output_ += bytes_of(words_of(wish, workload_), resp_);
  expected_.push_back({std::move(request), std::move(told)});
}

// Replies come in the order of the requests, so none is due before those ahead of it; and one that
// names several keys waits for those, and lets those behind it wait.
int64_t Client::due_ns(const Wish& wish) const {
  int64_t last_due_ns = scheduler_.now_ns();
  int64_t begins_ns = scheduler_.now_ns();
  for (const Expected& each : expected_) {
    last_due_ns = each.request.due_ns;
    if (each.request.wish.parts.size() > 1) begins_ns = std::max(begins_ns, last_due_ns);
  }
  if (wish.parts.size() > 1) begins_ns = std::max(begins_ns, last_due_ns);
  return std::max(last_due_ns, begins_ns + oracle_.deadline_ns(wish));
}

void Client::send() {
  while (connected_ && !output_.empty()) {
    const auto sent = network_.send(socket_, output_);
    if (!sent) return lost();
    if (*sent == 0) return;
    output_.erase(0, *sent);
  }
}

void Client::on_writable(int socket) {
  if (socket == socket_) send();
}

void Client::on_readable(int socket) {
  if (socket != socket_ || idle_since_ns_ >= 0) return;
  std::array<char, kClientReadMost> bytes;
  while (true) {
    const auto got = network_.receive(socket_, bytes);
    if (!got) return lost();
    if (*got == 0) return;
    input_.append(bytes.data(), *got);
    while (!expected_.empty()) {
      const auto reply = take_reply(expected_.front().request.wish.ask);
      if (!reply) break;
      const Expected answered = std::move(expected_.front());
      expected_.pop_front();
      if (answered.request.wish.ask == Ask::kAcquire && reply->ticket != 0) {
        tickets_.push_back({answered.request.wish.parts[0], reply->ticket});
      }
      if (about_costs(answered.request.wish.ask)) keep_of_cost(answered.request, *reply);
      oracle_.answered(answered.request, *reply, idle_ns() - answered.request.client_idle_ns);
      if (answered.told) answered.told(*reply);
    }
    if (expected_.empty() && !input_.empty()) {
      history_.violation("order: client {} is told {} unasked", settings_.number, input_);
      input_.clear();
    }
  }
}

std::optional<Told> Client::take_reply(Ask ask) {
  const auto raw = take_raw_reply(input_, resp_);
  if (!raw) return std::nullopt;
  Told reply;
  std::vector<std::string> words = raw->words;
  if (raw->error) {
    if (!resp_) words.erase(words.begin());
    reply.word = Word::kError;
    reply.text = fmt::format("{}", fmt::join(words, " "));
    return reply;
  }
  const bool costs_decide = ask == Ask::kCostCheck || ask == Ask::kCostHold;
  const bool decides = ask == Ask::kCheck || ask == Ask::kAcquire || costs_decide;
  if (raw->list && about_logs(ask)) {
    reply.rows = std::move(words);
    return reply;
  }
  reply.text = fmt::format("{}", fmt::join(words, " "));
  if (!resp_) {
    reply.word = words[0] == "ALLOW" ? Word::kAllow : words[0] == "DENY" ? Word::kDeny : Word::kOk;
    words.erase(words.begin());
  } else if (decides && raw->list && words.size() >= 6) {
    reply.word = words[0] == "1" ? Word::kAllow : Word::kDeny;
    words.erase(words.begin());
  }
  if (about_costs(ask)) {
    read_cost(words, ask, reply);
    return reply;
  }
  if (about_logs(ask)) {
    reply.source = words.empty() ? "" : words[0];
    return reply;
  }
  const auto word = [&](size_t index) {
    return index < words.size() ? words[index] : std::string();
  };
  if (decides && reply.word != Word::kOk) {
    reply.limit = number_of(word(0));
    reply.remaining = number_of(word(1));
    reply.retry_ms = number_of(word(2));
    reply.source = word(4);
    if (ask == Ask::kAcquire && words.size() > 5) {
      std::from_chars(words[5].data(), words[5].data() + words[5].size(), reply.ticket, 16);
    } else if (words.size() > 5) {
      reply.position = static_cast<size_t>(number_of(words[5]));
    }
  } else if (ask == Ask::kPeek) {
    reply.limit = number_of(word(0));
    reply.remaining = number_of(word(1));
    reply.source = word(3);
  }
  return reply;
}

}  // namespace toll::sim
