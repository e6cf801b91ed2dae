#include "bench/report.h"

#include <algorithm>
#include <array>
#include <cassert>
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

void append_text(const TargetSlices& entry, std::string& out) {
  const Summary summary = summarize(entry);
  const ReplyCounts& counts = summary.counts;
  auto to = std::back_inserter(out);
  fmt::format_to(to, "{} (medians of {})\n", entry.target.name, entry.slices.size());
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
  fmt::format_to(to,
                 "  CPU         client {:.3f} us/request, server {:.3f} us/request; {:.1f} MB\n",
                 summary.client_cpu_us, summary.server_cpu_us, summary.server_bytes * 1e-6);
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
                   "  Redis       {:.4f} calls/request, {:.3f} us/request in them, CPU {:.3f} "
                   "us/request, {:.2f} bytes in, {:.2f} out\n",
                   summary.redis_calls, summary.redis_call_us, summary.redis_cpu_us,
                   summary.redis_input_bytes, summary.redis_output_bytes);
  }
  for (const Summary::Thread& thread : summary.threads) {
    if (thread.busy == 0 && thread.sleeps_per_s == 0) continue;
    fmt::format_to(to, "  thread      {:<15} {:5.1f} % busy, {:.1f} sleeps/s\n", thread.name,
                   thread.busy * 100, thread.sleeps_per_s);
  }
  if (!entry.fault.empty()) fmt::format_to(to, "  FAULT       {}\n", entry.fault);
}

const TargetSlices& target_named(const std::vector<TargetSlices>& measured, std::string_view name) {
  const auto found = std::ranges::find(measured, name, [](const TargetSlices& entry) {
    return std::string_view(entry.target.name);
  });
  assert(found != measured.end());
  return *found;
}

// A table of words and spaces.
std::string aligned(const Rows& rows) {
  std::vector<size_t> widths(rows.front().size());
  for (const auto& row : rows) {
    for (size_t at = 0; at < row.size(); ++at) widths[at] = std::max(widths[at], row[at].size());
  }
  std::string out;
  for (const auto& row : rows) {
    std::string line;
    for (size_t at = 0; at < row.size(); ++at) {
      line += at == 0 ? fmt::format("{:<{}}", row[at], widths[at])
                      : fmt::format("  {:>{}}", row[at], widths[at]);
    }
    out += line + '\n';
  }
  return out;
}

// All but what follows in json_report().
void append_json(const TargetSlices& entry, const Summary& other, std::string& out) {
  const Summary summary = summarize(entry);
  const ReplyCounts& counts = summary.counts;
  auto to = std::back_inserter(out);
  fmt::format_to(to, "{{\"name\":{},\"throughput\":{:.1f},", json_string(entry.target.name),
                 summary.throughput);
  fmt::format_to(to,
                 "\"latency_us\":{{\"p50\":{:.3f},\"p90\":{:.3f},\"p99\":{:.3f},\"p99.9\":{:.3f},"
                 "\"max\":{:.3f}}},",
                 summary.p50_us, summary.p90_us, summary.p99_us, summary.p999_us, summary.max_us);
  if (const auto& open = summary.open_loop) {
    fmt::format_to(to, "\"open_loop\":{{\"rate\":{:.2f},\"sent\":{},\"late\":{},\"unsent\":{}}},",
                   open->rate(), open->sent, open->late, open->unsent);
  }
  fmt::format_to(to, "\"client_cpu_us\":{:.4f},\"server_cpu_us\":{:.4f},\"server_bytes\":{:.0f},",
                 summary.client_cpu_us, summary.server_cpu_us, summary.server_bytes);
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
    fmt::format_to(to,
                   "\"redis\":{{\"calls_per_request\":{:.6f},\"call_us\":{:.4f},\"cpu_us\":{:.4f},"
                   "\"bytes_in\":{:.3f},\"bytes_out\":{:.3f}}},",
                   summary.redis_calls, summary.redis_call_us, summary.redis_cpu_us,
                   summary.redis_input_bytes, summary.redis_output_bytes);
  }
  const Ratio ratio = ratio_of(summary, other);
  fmt::format_to(to,
                 "\"ratio\":{{\"throughput\":{:.4f},\"p50\":{:.4f},\"server_cpu\":{:.4f},"
                 "\"redis_call\":{:.4f},\"redis_cpu\":{:.4f},\"records\":{:.4f},"
                 "\"cpu_per_record\":{:.4f}}},",
                 ratio.throughput, ratio.p50, ratio.server_cpu, ratio.redis_call, ratio.redis_cpu,
                 ratio.records, ratio.cpu_per_record);
}

void append_slices(const TargetSlices& entry, int64_t origin_ns, std::string& out) {
  out += "\"slices\":[";
  std::string_view comma;
  for (const LoadResult& slice : entry.slices) {
    fmt::format_to(std::back_inserter(out),
                   "{}{{\"begin_s\":{:.4f},\"seconds\":{:.4f},\"replies\":{},\"p99_us\":{:.3f}}}",
                   comma, static_cast<double>(slice.begin_ns - origin_ns) * 1e-9, slice.seconds,
                   slice.replies, static_cast<double>(slice.latency_ns.quantile(0.99)) * 1e-3);
    comma = ",";
  }
  out += "],";
}

}  // namespace

std::string count_text(double count) {
  if (count >= 1e6) return fmt::format("{:.2f} M", count * 1e-6);
  if (count >= 1e3) return fmt::format("{:.1f} k", count * 1e-3);
  return fmt::format("{:.0f}", count);
}

std::string json_string(std::string_view text) {
  std::string out = "\"";
  for (const char byte : text) {
    const bool plain = byte >= ' ' && byte <= '~';
    if (byte == '"' || byte == '\\') out += '\\';
    out += plain ? byte : '?';
  }
  return out + '"';
}

Ratio ratio_of(const Summary& first, const Summary& second) {
  const auto over = [](double one, double other) { return other > 0 ? one / other : 0; };
  const auto cpu_per_record = [over](const Summary& summary) {
    return over(summary.server_cpu_us * summary.throughput, summary.pushed_per_s);
  };
  return {over(first.throughput, second.throughput),
          over(first.p50_us, second.p50_us),
          over(first.server_cpu_us, second.server_cpu_us),
          over(first.redis_call_us, second.redis_call_us),
          over(first.redis_cpu_us, second.redis_cpu_us),
          over(first.pushed_per_s, second.pushed_per_s),
          over(cpu_per_record(first), cpu_per_record(second))};
}

Rows figure_rows(const std::vector<TargetSlices>& measured, std::string_view against) {
  const Summary other = summarize(target_named(measured, against));
  const bool records = std::ranges::any_of(measured, [](const TargetSlices& entry) {
    return std::ranges::any_of(entry.slices,
                               [](const LoadResult& slice) { return slice.pushed_records > 0; });
  });
  const std::string over = fmt::format("/ {}", against);
  Rows rows = {{"target", "requests/s", over, "p50 us", over, "p99 us", "p99.9 us",
                "CPU us/request: client", "server", "Redis", "Redis calls/request", "bytes in",
                "bytes out", "memory MB", "answered by", "errors"}};
  if (records) rows.front().insert(rows.front().begin() + 1, {"records/s", over});
  for (const TargetSlices& entry : measured) {
    const Summary one = summarize(entry);
    const Ratio ratio = ratio_of(one, other);
    const auto redis = [&one](double figure, int digits) {
      return one.has_redis ? fmt::format("{:.{}f}", figure, digits) : "";
    };
    const ReplyCounts& counts = one.counts;
    std::string errors = counted_words(kErrorCodes, counts.codes);
    if (counts.unknown > 0) errors += fmt::format(" {} unknown", counts.unknown);
    rows.push_back(
        {entry.target.name, count_text(one.throughput), fmt::format("{:.3g} x", ratio.throughput),
         fmt::format("{:.1f}", one.p50_us), fmt::format("{:.2f} x", ratio.p50),
         fmt::format("{:.1f}", one.p99_us), fmt::format("{:.1f}", one.p999_us),
         fmt::format("{:.3f}", one.client_cpu_us), fmt::format("{:.3f}", one.server_cpu_us),
         redis(one.redis_cpu_us, 3), redis(one.redis_calls, 4), redis(one.redis_input_bytes, 2),
         redis(one.redis_output_bytes, 2), fmt::format("{:.1f}", one.server_bytes * 1e-6),
         counted_words(kReplySources, counts.sources), errors});
    if (!records) continue;
    rows.back().insert(rows.back().begin() + 1,
                       {count_text(one.pushed_per_s), fmt::format("{:.3g} x", ratio.records)});
  }
  return rows;
}

std::string text_report(const std::vector<TargetSlices>& measured, std::string_view against) {
  std::string out;
  for (const TargetSlices& entry : measured) append_text(entry, out);
  if (measured.size() > 1) out += aligned(figure_rows(measured, against));
  return out;
}

std::string json_report(const std::vector<TargetSlices>& measured, std::string_view against) {
  std::string out = fmt::format("{{\"against\":{},\"targets\":[", json_string(against));
  const Summary other = summarize(target_named(measured, against));
  const int64_t origin_ns = measured.front().slices.front().begin_ns;
  for (const TargetSlices& entry : measured) {
    if (&entry != &measured.front()) out += ',';
    append_json(entry, other, out);
    append_slices(entry, origin_ns, out);
    fmt::format_to(std::back_inserter(out), "\"fault\":{}}}", json_string(entry.fault));
  }
  return out + "]}";
}

}  // namespace toll::bench
