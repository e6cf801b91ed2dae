#include "bench/target_servers.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <charconv>
#include <fmt/format.h>
#include <utility>

#include "bench/direct_target.h"
#include "bench/fill.h"
#include "bench/process_usage.h"
#include "bench/socket.h"

namespace toll::bench {
namespace {

// Until keys that nobody asked for in a pause have slices again.
constexpr double kLeasedLeadInS = 1;

using Status = std::expected<void, std::string>;

constexpr std::array kKinds = {
    std::pair{TargetKind::kDaemon, std::string_view("daemon")},
    std::pair{TargetKind::kLocal, std::string_view("local")},
    std::pair{TargetKind::kLeased, std::string_view("leased")},
    std::pair{TargetKind::kExact, std::string_view("exact")},
    std::pair{TargetKind::kDirect, std::string_view("direct")},
    std::pair{TargetKind::kFloor, std::string_view("floor")},
};

std::string_view mode_of(TargetKind kind) {
  return kind == TargetKind::kExact || kind == TargetKind::kLeased ? to_string(kind) : "local";
}

Status keep(std::expected<ServerProcess, std::string> started, std::optional<ServerProcess>& kept) {
  if (!started) return std::unexpected(started.error());
  kept.emplace(*std::move(started));
  return {};
}

// A row of STATS: "name value".
double figure_of(const std::vector<std::string>& rows, std::string_view name) {
  for (const std::string_view row : rows) {
    if (!row.starts_with(name) || row.size() <= name.size() || row[name.size()] != ' ') continue;
    double value = 0;
    std::from_chars(row.begin() + name.size() + 1, row.end(), value);
    return value;
  }
  return 0;
}

}  // namespace

std::string_view to_string(TargetKind kind) {
  return std::ranges::find(kKinds, kind, [](const auto& named) { return named.first; })->second;
}

std::vector<std::string> target_names() {
  std::vector<std::string> names;
  for (const auto& [kind, name] : kKinds) names.emplace_back(name);
  return names;
}

bool runs_daemon(TargetKind kind) {
  return kind == TargetKind::kLocal || kind == TargetKind::kLeased || kind == TargetKind::kExact;
}

TargetKind target_kind(std::string_view name) {
  const auto* const found =
      std::ranges::find(kKinds, name, [](const auto& named) { return named.second; });
  assert(found != kKinds.end());
  return found->first;
}

std::expected<TargetServers, std::string> TargetServers::start(const TemporaryFolder& folder,
                                                               const TargetSpec& spec,
                                                               const ServerSettings& settings) {
  TargetServers servers;
  Status started = servers.start_all(folder, spec, settings);
  if (started) started = servers.render(spec);
  if (started && spec.filled_keys > 0) started = servers.fill(spec);
  if (!started) return std::unexpected(fmt::format("{}: {}", spec.name, started.error()));
  return servers;
}

Status TargetServers::start_all(const TemporaryFolder& folder, const TargetSpec& spec,
                                const ServerSettings& settings) {
  const TargetKind kind = spec.kind;
  target_.name = spec.name;
  if (kind == TargetKind::kLeased) target_.lead_in_s = kLeasedLeadInS;
  if (kind == TargetKind::kDaemon) {
    target_.socket_path = settings.socket_path;
    return {};
  }
  if (kind == TargetKind::kFloor) {
    target_.answers_by_kind = false;
    if (auto floor = keep(
            start_floor(folder, spec.name, settings.backend, spec.script.framing, settings.cpu),
            server_);
        !floor) {
      return floor;
    }
    target_.socket_path = server_->socket_path();
    return {};
  }
  if (kind != TargetKind::kLocal) {
    const bool alone = kind == TargetKind::kDirect;
    auto redis = keep(
        start_redis(folder, spec.name + "-redis", alone ? settings.cpu : std::nullopt), redis_);
    if (!redis) return redis;
    target_.redis_path = redis_->socket_path();
  }
  if (kind == TargetKind::kDirect) {
    target_.socket_path = target_.redis_path;
    if (is_direct_list(spec.script.mix)) target_.clients = 1;
    return {};
  }
  auto daemon = keep(start_daemon(folder, {.program = settings.daemon_program,
                                           .name = spec.name,
                                           .workers = spec.workers,
                                           .backend = settings.backend,
                                           .cpu = spec.workers == 1 ? settings.cpu : std::nullopt,
                                           .memory_mib = settings.memory_mib,
                                           .mode = mode_of(kind),
                                           .algorithm = spec.algorithm,
                                           .limit = spec.limit,
                                           .redis_path = target_.redis_path}),
                     server_);
  if (daemon) target_.socket_path = server_->socket_path();
  return daemon;
}

Status TargetServers::render(const TargetSpec& spec) {
  if (spec.kind != TargetKind::kDirect) {
    script_ = std::make_unique<RequestScript>(RequestScript::render(spec.script));
    return {};
  }
  auto script = render_direct(target_.redis_path, spec.algorithm, spec.limit, spec.script);
  if (!script) return std::unexpected(script.error());
  script_ = std::make_unique<RequestScript>(*std::move(script));
  return {};
}

Status TargetServers::fill(const TargetSpec& spec) {
  const auto before = read_usage(server_->pid());
  if (!before) return std::unexpected(before.error());
  const auto filled = fill_keys(target_.socket_path, spec.script.policy, spec.filled_keys);
  if (!filled) return filled;
  const auto after = read_usage(server_->pid());
  if (!after) return std::unexpected(after.error());
  const auto stats = ask_list(target_.socket_path, "STATS\n");
  if (!stats) return std::unexpected("STATS: " + stats.error());
  const double grown =
      static_cast<double>(after->resident_bytes) - static_cast<double>(before->resident_bytes);
  filled_ = {.keys = static_cast<uint64_t>(figure_of(*stats, "keys")),
             .resident_per_key = grown / spec.filled_keys,
             .accounted_per_key = figure_of(*stats, "key_bytes") / spec.filled_keys};
  return {};
}

Target TargetServers::target() const {
  Target target = target_;
  target.script = script_.get();
  return target;
}

}  // namespace toll::bench
