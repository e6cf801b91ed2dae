#include "bench/report.h"

#include <array>
#include <fmt/format.h>
#include <iterator>
#include <string_view>

#include "bench/limits.h"

namespace toll::bench {
namespace {

// "7 local, 1 redis" of those that there are.
template <size_t kSize>
std::string counted_words(const std::array<std::string_view, kSize>& words,
                          const std::array<uint64_t, kSize>& counts) {
  std::string out;
  for (size_t at = 0; at < kSize; ++at) {
    if (counts[at] == 0) continue;
    fmt::format_to(std::back_inserter(out), "{}{} {}", out.empty() ? "" : ", ", counts[at],
                   words[at]);
  }
  return out;
}

// {"local":7,"redis":1}, of those that there are.
template <size_t kSize>
std::string json_words(const std::array<std::string_view, kSize>& words,
                       const std::array<uint64_t, kSize>& counts) {
  std::string out;
  for (size_t at = 0; at < kSize; ++at) {
    if (counts[at] == 0) continue;
    fmt::format_to(std::back_inserter(out), "{}\"{}\":{}", out.empty() ? "" : ",", words[at],
                   counts[at]);
  }
  return '{' + out + '}';
}

void append_text(const TargetRuns& entry, std::string& out) {
  const Summary summary = summarize(entry);
  const ReplyCounts& counts = summary.counts;
  auto to = std::back_inserter(out);
  fmt::format_to(to, "{} (median of {})\n", entry.target.name, entry.runs.size());
  fmt::format_to(to, "  throughput  {:.0f} requests/s\n", summary.throughput);
  if (const auto& open = summary.open_loop) {
    fmt::format_to(
        to,
        "  open loop   {:.1f} requests/s sent, {} in all, {} of them more than {} ms late, "
        "{} not sent; latency from when due\n",
        open->rate(), open->sent, open->late, kLateNs / 1'000'000, open->unsent);
  }
  fmt::format_to(to,
                 "  latency     p50 {:.1f} us  p90 {:.1f}  p99 {:.1f}  p99.9 {:.1f}  max {:.1f}\n",
                 summary.p50_us, summary.p90_us, summary.p99_us, summary.p999_us, summary.max_us);
  fmt::format_to(to, "  CPU         client {:.3f} us/request, server {:.3f} us/request\n",
                 summary.client_cpu_us, summary.server_cpu_us);
  fmt::format_to(to, "  replies     {} ALLOW, {} DENY, {} OK, {} ERR\n", counts.allow, counts.deny,
                 counts.ok, counts.error + counts.unknown);
  if (summary.pushed_per_s + summary.popped_per_s > 0) {
    fmt::format_to(to, "  records     {:.0f} pushed/s, {:.1f} MB/s; {:.0f} popped/s, {:.1f} MB/s\n",
                   summary.pushed_per_s, summary.pushed_bytes_per_s * 1e-6, summary.popped_per_s,
                   summary.popped_bytes_per_s * 1e-6);
  }
  const std::string sources = counted_words(kReplySources, counts.sources);
  if (!sources.empty()) fmt::format_to(to, "  sources     {}\n", sources);
  const std::string codes = counted_words(kErrorCodes, counts.codes);
  if (!codes.empty()) fmt::format_to(to, "  errors      {}\n", codes);
  if (summary.has_redis) {
    fmt::format_to(to,
                   "  Redis       {:.1f} EVALSHA per 1,000 requests, {:.3f} us/request in them, "
                   "CPU {:.3f} us/request\n",
                   summary.redis_calls_per_1000, summary.redis_script_us, summary.redis_cpu_us);
  }
  for (const Summary::Thread& thread : summary.threads) {
    fmt::format_to(to, "  thread      {:<15} {:5.1f} % busy, {:.1f} sleeps/s\n", thread.name,
                   thread.busy * 100, thread.sleeps_per_s);
  }
  if (!entry.fault.empty()) fmt::format_to(to, "  FAULT       {}\n", entry.fault);
}

void append_ratio(const TargetRuns& first, const TargetRuns& second, std::string& out) {
  const Ratio ratio = ratio_of(summarize(first), summarize(second));
  auto to = std::back_inserter(out);
  if (ratio.records > 0) {
    fmt::format_to(to, "{} / {}: records {:.1f} %, server CPU per record {:.2f} x\n",
                   first.target.name, second.target.name, ratio.records * 100,
                   ratio.cpu_per_record);
    return;
  }
  fmt::format_to(
      to, "{} / {}: throughput {:.1f} %, p50 {:.2f} x, server CPU per request {:.2f} x\n",
      first.target.name, second.target.name, ratio.throughput * 100, ratio.p50, ratio.server_cpu);
  if (ratio.redis_script > 0) {
    fmt::format_to(to, "  Redis per request: in scripts {:.3f} x, CPU {:.3f} x\n",
                   ratio.redis_script, ratio.redis_cpu);
  }
}

// Names and messages are ours or a server's: anything but plain ASCII is replaced.
std::string json_string(std::string_view text) {
  std::string out = "\"";
  for (const char byte : text) {
    const bool plain = byte >= ' ' && byte <= '~';
    if (byte == '"' || byte == '\\') out += '\\';
    out += plain ? byte : '?';
  }
  return out + '"';
}

void append_json(const TargetRuns& entry, std::string& out) {
  const Summary summary = summarize(entry);
  const ReplyCounts& counts = summary.counts;
  auto to = std::back_inserter(out);
  fmt::format_to(to, "{{\"name\":{},\"runs\":{},\"throughput\":{:.1f},",
                 json_string(entry.target.name), entry.runs.size(), summary.throughput);
  fmt::format_to(to,
                 "\"latency_us\":{{\"p50\":{:.3f},\"p90\":{:.3f},\"p99\":{:.3f},\"p99.9\":{:.3f},"
                 "\"max\":{:.3f}}},",
                 summary.p50_us, summary.p90_us, summary.p99_us, summary.p999_us, summary.max_us);
  if (const auto& open = summary.open_loop) {
    fmt::format_to(to, "\"open_loop\":{{\"rate\":{:.2f},\"sent\":{},\"late\":{},\"unsent\":{}}},",
                   open->rate(), open->sent, open->late, open->unsent);
  }
  fmt::format_to(to, "\"client_cpu_us\":{:.4f},\"server_cpu_us\":{:.4f},", summary.client_cpu_us,
                 summary.server_cpu_us);
  fmt::format_to(to, "\"replies\":{{\"allow\":{},\"deny\":{},\"ok\":{},\"error\":{}}},",
                 counts.allow, counts.deny, counts.ok, counts.error + counts.unknown);
  if (summary.pushed_per_s + summary.popped_per_s > 0) {
    fmt::format_to(to,
                   "\"records\":{{\"pushed_per_s\":{:.1f},\"pushed_bytes_per_s\":{:.1f},"
                   "\"popped_per_s\":{:.1f},\"popped_bytes_per_s\":{:.1f}}},",
                   summary.pushed_per_s, summary.pushed_bytes_per_s, summary.popped_per_s,
                   summary.popped_bytes_per_s);
  }
  fmt::format_to(to, "\"sources\":{},\"errors\":{},\"threads\":[",
                 json_words(kReplySources, counts.sources), json_words(kErrorCodes, counts.codes));
  std::string_view comma;
  for (const Summary::Thread& thread : summary.threads) {
    fmt::format_to(to, "{}{{\"name\":{},\"busy\":{:.4f},\"sleeps_per_s\":{:.2f}}}", comma,
                   json_string(thread.name), thread.busy, thread.sleeps_per_s);
    comma = ",";
  }
  fmt::format_to(to, "],");
  if (summary.has_redis) {
    fmt::format_to(
        to, "\"redis\":{{\"calls_per_1000\":{:.4f},\"script_us\":{:.4f},\"cpu_us\":{:.4f}}},",
        summary.redis_calls_per_1000, summary.redis_script_us, summary.redis_cpu_us);
  }
  fmt::format_to(to, "\"fault\":{}}}", json_string(entry.fault));
}

}  // namespace

Ratio ratio_of(const Summary& first, const Summary& second) {
  const auto over = [](double one, double other) { return other > 0 ? one / other : 0; };
  const auto cpu_per_record = [over](const Summary& summary) {
    return over(summary.server_cpu_us * summary.throughput, summary.pushed_per_s);
  };
  return {over(first.throughput, second.throughput),
          over(first.p50_us, second.p50_us),
          over(first.server_cpu_us, second.server_cpu_us),
          over(first.redis_script_us, second.redis_script_us),
          over(first.redis_cpu_us, second.redis_cpu_us),
          over(first.pushed_per_s, second.pushed_per_s),
          over(cpu_per_record(first), cpu_per_record(second))};
}

std::string text_report(const std::vector<TargetRuns>& measured) {
  std::string out;
  for (const TargetRuns& entry : measured) append_text(entry, out);
  for (size_t other = 1; other < measured.size(); ++other) {
    append_ratio(measured[0], measured[other], out);
  }
  return out;
}

std::string json_report(const std::vector<TargetRuns>& measured) {
  std::string out = "{\"targets\":[";
  for (const TargetRuns& entry : measured) {
    if (&entry != &measured.front()) out += ',';
    append_json(entry, out);
  }
  out += ']';
  if (measured.size() > 1) {
    const Ratio ratio = ratio_of(summarize(measured.front()), summarize(measured.back()));
    fmt::format_to(std::back_inserter(out),
                   ",\"ratio\":{{\"throughput\":{:.4f},\"p50\":{:.4f},\"server_cpu\":{:.4f},"
                   "\"redis_script\":{:.4f},\"redis_cpu\":{:.4f},\"records\":{:.4f},"
                   "\"cpu_per_record\":{:.4f}}}",
                   ratio.throughput, ratio.p50, ratio.server_cpu, ratio.redis_script,
                   ratio.redis_cpu, ratio.records, ratio.cpu_per_record);
  }
  return out + "}\n";
}

}  // namespace toll::bench
