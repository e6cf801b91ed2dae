// What is served at the address of metrics.listen.
//
//   /metrics  the figures, in Prometheus' text format
//   /livez    200 while every worker's loop turns; touches nothing but this process' memory
//   /readyz   200 while requests are answered, also without Redis; else 503. What HEALTH says
#pragma once

#include <expected>
#include <memory>
#include <string>
#include <string_view>

#include "config/settings.h"
#include "daemon/process.h"
#include "engine/policy.h"
#include "net/http_server.h"

namespace toll::daemon {

// The reply to a GET of that path. Any thread but a worker's.
net::HttpReply metrics_page(std::string_view path, const Process& process,
                            const engine::PolicyTable& policies);

// Serves it on a thread of its own, until it is destroyed; `process` and its control outlive it.
// Null: it is off, or the address that nobody named could not be had, which is logged. Error: a
// sentence for the operator; the daemon must not start.
std::expected<std::unique_ptr<net::HttpServer>, std::string> serve_metrics(
    const config::MetricsSettings& settings, const Process& process);

}  // namespace toll::daemon
