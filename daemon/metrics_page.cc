#include "daemon/metrics_page.h"

#include <cstdint>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <spdlog/spdlog.h>
#include <utility>

#include "config/keys.h"
#include "daemon/control.h"
#include "daemon/metrics.h"
#include "daemon/report.h"

namespace toll::daemon {
namespace {

// A loop that has not turned for so long will not.
constexpr int64_t kStuckNs = 10'000'000'000;

net::HttpReply live(const Process& process) {
  const int64_t turn_ns = longest_turn_ns(process);
  if (turn_ns < kStuckNs) return {.body = "live\n"};
  return {
      .status = 503,
      .body = fmt::format("a worker's loop has stood still for {} s\n", turn_ns / 1'000'000'000)};
}

net::HttpReply ready(const Process& process, const engine::PolicyTable& policies) {
  const auto fields = health_fields(process, policies);
  const bool answers = fields.front() == "ready" || fields.front() == "degraded";
  return {.status = answers ? 200 : 503, .body = fmt::format("{}\n", fmt::join(fields, " "))};
}

}  // namespace

net::HttpReply metrics_page(std::string_view path, const Process& process,
                            const engine::PolicyTable& policies) {
  if (path == "/metrics") {
    return {.type = "text/plain; version=0.0.4; charset=utf-8",
            .body = metrics_text(process, policies)};
  }
  if (path == "/livez") return live(process);
  if (path == "/readyz") return ready(process, policies);
  return {.status = 404, .body = "there are /metrics, /livez and /readyz\n"};
}

std::expected<std::unique_ptr<net::HttpServer>, std::string> serve_metrics(
    const config::MetricsSettings& settings, const Process& process) {
  if (settings.host.empty()) return nullptr;
  auto server =
      net::HttpServer::open(settings.host, settings.port, [&process](std::string_view path) {
        return metrics_page(path, process, *process.control->policies());
      });
  if (server) {
    config::MetricsSettings found = settings;
    found.port = (*server)->port();
    spdlog::info("metrics: http://{}/metrics", config::format_listen(found));
    return server;
  }
  const std::string reason = fmt::format(
      "the metrics page {}; set metrics.listen (TOLLKEEPER_METRICS_LISTEN) to another address, or "
      "to \"\" for none",
      server.error());
  if (settings.named) return std::unexpected(reason);
  spdlog::warn("{}", reason);
  return nullptr;
}

}  // namespace toll::daemon
