#include "daemon/herald.h"

#include <algorithm>
#include <fmt/format.h>
#include <pthread.h>
#include <spdlog/spdlog.h>
#include <sys/resource.h>
#include <unistd.h>
#include <utility>

#include "daemon/process.h"
#include "daemon/worker.h"

namespace toll::daemon {
namespace {

constexpr int kHeraldNice = 5;
constexpr int64_t kSecondNs = 1'000'000'000;
constexpr int kSecondMs = 1000;
// Until workers are asked again whether they have room for events.
constexpr int kSendAgainMs = 20;

// "/var/log/audit.log" as its directory and its name.
std::pair<std::string, std::string> split_path(const std::string& path) {
  const size_t slash = path.rfind('/');
  return {slash == 0 ? "/" : path.substr(0, slash), path.substr(slash + 1)};
}

}  // namespace

Herald::Herald(Process& process, const config::AuditSettings& settings)
    : process_(process),
      settings_(settings),
      missed_(process.workers_count),
      watchers_(process.workers_count) {
  if (!settings_.key.empty()) pseudonyms_.emplace(settings_.key);
  for (const auto& happenings : process_.happenings) {
    happenings->connect(bell_, !settings_.file.empty(), settings_.refusals_per_second);
  }
}

Herald::~Herald() {
  if (thread_.joinable()) stop();
}

std::expected<std::unique_ptr<Herald>, std::string> Herald::open(
    Process& process, const config::AuditSettings& settings) {
  std::unique_ptr<Herald> herald(new Herald(process, settings));
  if (settings.file.empty()) return herald;
  if (!herald->pseudonyms_) {
    auto key = own_audit_key(process.server.state_dir, process.machine);
    if (!key) {
      return std::unexpected(
          fmt::format("no key for the audit log: {}; set audit.key_file", key.error()));
    }
    herald->pseudonyms_.emplace(std::move(*key));
  }
  const auto [directory, name] = split_path(settings.file);
  auto files = net::open_directory(directory);
  if (!files) return std::unexpected(std::move(files.error().text));
  auto lock = net::PathLock::take(settings.file, "audit.file");
  if (!lock) return std::unexpected(std::move(lock.error()));
  herald->lock_ = std::move(*lock);
  auto log = AuditLog::open(std::move(*files),
                            {.name = name,
                             .bytes_max = static_cast<uint64_t>(settings.file_bytes_max),
                             .keep = settings.keep,
                             .key_id = herald->pseudonyms_->key_id()},
                            process.clock.now_us());
  if (!log) return std::unexpected(std::move(log.error()));
  herald->audit_ = std::move(*log);
  return herald;
}

void Herald::start() {
  thread_ = std::thread([this] { run(); });
}

void Herald::leave_workers() {
  const std::lock_guard lock(mutex_);
  left_workers_ = true;
}

void Herald::stop() {
  leave_workers();
  stopping_.store(true);
  bell_.wake();
  thread_.join();
}

void Herald::reopen() {
  reopen_.store(true);
  bell_.wake();
}

void Herald::watch(uint32_t worker, Topics before, Topics now) {
  const std::lock_guard lock(mutex_);
  if (before == 0 && now != 0) ++watchers_[worker];
  if (before != 0 && now == 0) --watchers_[worker];
  Topics all = 0;
  for (size_t i = 0; i < kTopics; ++i) {
    const Topics one = topics_of(static_cast<Topic>(i));
    if ((now & one) != 0) ++watched_[i];
    if ((before & one) != 0) --watched_[i];
    if (watched_[i] > 0) all |= one;
  }
  for (const auto& happenings : process_.happenings) happenings->watch(all);
}

// ---- the thread

void Herald::run() {
  pthread_setname_np(pthread_self(), "herald");
  setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), kHeraldNice);
  if (audit_ != nullptr) {
    audit_->add(process_.clock.now_us(), "start", fmt::format(",\"pid\":{}", getpid()));
  }
  while (true) {
    const bool last = stopping_.load();
    const bool any = turn();
    if (any) continue;
    if (last) break;
    const auto has_news = [this] { return has_mail() || stopping_.load() || reopen_.load(); };
    if (bell_.may_sleep(has_news)) {
      bell_.wait(until_next_turn_ms());
      bell_.awake();
    }
  }
  if (audit_ == nullptr) return;
  uint64_t untold = 0;
  for (size_t i = 0; i < kSampledKinds; ++i) {
    untold += skipped(static_cast<HappeningKind>(i)) - samples_[i].skipped_told;
  }
  audit_->add(process_.clock.now_us(), "stop",
              untold == 0 ? "" : fmt::format(",\"skipped\":{}", untold));
  audit_->flush(process_.clock.now_us());
  audit_->sync(process_.clock.now_us());
}

bool Herald::has_mail() const {
  return std::ranges::any_of(process_.happenings,
                             [](const auto& happenings) { return happenings->has_any(); });
}

// How long to sleep at most, for poll(2).
int Herald::until_next_turn_ms() {
  if (owes_events()) return kSendAgainMs;
  const bool owes = audit_ != nullptr && (audit_->failing() || audit_->unsynced());
  return owes ? kSecondMs : -1;
}

// Returns whether there was anything.
bool Herald::turn() {
  const engine::TimeUs now = process_.clock.now_us();
  if (reopen_.exchange(false) && audit_ != nullptr) audit_->reopen(now);
  bool any = false;
  for (const auto& happenings : process_.happenings) {
    any |= happenings->collect([this](const Happening& happening) { take(happening); });
  }
  look_for_losses();
  send_events();
  if (audit_ == nullptr) return any;
  audit_->flush(now);
  const int64_t now_ns = process_.machine.monotonic_ns();
  if (now_ns >= synced_ns_ + kSecondNs) {
    audit_->sync(now);
    synced_ns_ = now_ns;
  }
  return any;
}

void Herald::take(const Happening& happening) {
  const auto fields = fields_of(happening, pseudonyms());
  if (happening.for_audit && audit_ != nullptr) record(happening, fields);
  if (!happening.for_watchers) return;
  const Topic topic = *topic_of(happening.kind);
  events_->push_back({topic, event_text(topic, fields, Framing::kLine),
                      event_text(topic, fields, Framing::kResp)});
  if (events_->size() == kEventsPerBatchMax) send_events();
}

void Herald::record(const Happening& happening, const std::vector<HappeningField>& fields) {
  std::string json = json_fields(fields);
  if (is_sampled(happening.kind)) {
    if (!within_rate(happening.kind)) return;
    Sample& sample = samples_[static_cast<size_t>(happening.kind)];
    const uint64_t skips = skipped(happening.kind);
    const uint64_t untold = skips - std::exchange(sample.skipped_told, skips);
    if (untold > 0) json += fmt::format(",\"skipped\":{}", untold);
  }
  audit_->add(happening.time, to_string(happening.kind), std::move(json));
}

// Each worker keeps to the rate by itself; all together are held to it here.
bool Herald::within_rate(HappeningKind kind) {
  Sample& sample = samples_[static_cast<size_t>(kind)];
  const int64_t second = process_.machine.monotonic_ns() / kSecondNs;
  if (std::exchange(sample.second, second) != second) sample.recorded = 0;
  if (sample.recorded >= settings_.refusals_per_second) {
    skipped_[static_cast<size_t>(kind)].add();
    return false;
  }
  ++sample.recorded;
  return true;
}

uint64_t Herald::skipped(HappeningKind kind) const {
  uint64_t total = skipped_[static_cast<size_t>(kind)].get();
  for (const auto& happenings : process_.happenings) total += happenings->skipped(kind);
  return total;
}

uint64_t Herald::skipped() const {
  return skipped(HappeningKind::kRefusal) + skipped(HappeningKind::kBudget);
}

uint64_t Herald::lost() const {
  return audits() ? audit_->figures().lost.get() : 0;
}

// Where nobody keeps a log there need be no key; the first who watches has it made.
const Pseudonyms& Herald::pseudonyms() {
  if (pseudonyms_) return *pseudonyms_;
  auto key = own_audit_key(process_.server.state_dir, process_.machine);
  if (!key) {
    spdlog::warn("events have ids of their own until the next start: {}", key.error());
    key = fmt::format("{:016x}{:016x}", process_.machine.random_bits(),
                      process_.machine.random_bits());
  }
  return pseudonyms_.emplace(std::move(*key));
}

// What the workers had no room for.
void Herald::look_for_losses() {
  uint64_t lost = 0;
  MissedEvents missed{};
  for (const auto& happenings : process_.happenings) {
    lost += happenings->lost();
    for (size_t i = 0; i < kTopics; ++i) missed[i] += happenings->missed(static_cast<Topic>(i));
  }
  if (audit_ != nullptr && lost > lost_seen_) audit_->lose(lost - lost_seen_);
  lost_seen_ = lost;
  if (missed == missed_seen_) return;
  send_events();  // what was noted before
  for (MissedEvents& each : missed_) {
    for (size_t i = 0; i < kTopics; ++i) each[i] += missed[i] - missed_seen_[i];
  }
  missed_seen_ = missed;
}

bool Herald::owes_events() const {
  return std::ranges::any_of(missed_,
                             [](const MissedEvents& missed) { return missed != MissedEvents{}; });
}

void Herald::send_events() {
  if (events_->empty() && !owes_events()) return;
  const std::shared_ptr<const Events> events = std::exchange(events_, std::make_shared<Events>());
  const std::lock_guard lock(mutex_);
  for (uint32_t i = 0; i < process_.workers_count; ++i) {
    if (left_workers_ || watchers_[i] == 0) {
      missed_[i] = {};
      continue;
    }
    if (events->empty() && missed_[i] == MissedEvents{}) continue;
    Worker& worker = *process_.workers[i];
    if (!worker.watchers().reserve()) {
      for (const Event& event : *events) ++missed_[i][static_cast<size_t>(event.topic)];
      continue;
    }
    worker.post([events, missed = std::exchange(missed_[i], {})](Worker& self) {
      self.watchers().take(events, missed);
    });
  }
}

}  // namespace toll::daemon
