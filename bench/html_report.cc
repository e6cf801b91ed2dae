#include "bench/html_report.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <ctime>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <fstream>
#include <iterator>
#include <string_view>
#include <sys/utsname.h>
#include <unistd.h>

#include "bench/redis_client.h"

namespace toll::bench {
namespace {

constexpr double kWidth = 720;
constexpr double kHeight = 260;
constexpr double kLeft = 70;
constexpr double kBottom = 30;
constexpr std::array kColours = {"#0072b2", "#d55e00", "#009e73", "#cc79a7",
                                 "#56b4e9"};  // told apart by everyone
constexpr std::array kPercentiles = {0.0, 50.0, 90.0, 99.0, 99.9, 99.99};
constexpr int kPointsPerNine = 40;

std::string escaped(std::string_view text) {
  std::string out;
  for (const char byte : text) {
    switch (byte) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      default:
        out += byte >= ' ' && byte <= '~' ? byte : '?';
    }
  }
  return out;
}

// Both axes from 0 to 1.
struct Point {
  double x = 0;
  double y = 0;
};

double at_x(double x) {
  return kLeft + x * (kWidth - kLeft);
}
double at_y(double y) {
  return (1 - y) * (kHeight - kBottom);
}

void append_line(const std::vector<Point>& points, size_t target, std::string& out) {
  auto to = std::back_inserter(out);
  fmt::format_to(to, "<polyline fill=\"none\" stroke=\"{}\" stroke-width=\"1.5\" points=\"",
                 kColours[target % kColours.size()]);
  for (const Point& point : points) {
    fmt::format_to(to, "{:.1f},{:.1f} ", at_x(point.x), at_y(point.y));
  }
  out += "\"/>\n";
}

void append_mark(Point at, bool of_x, std::string_view text, std::string& out) {
  const Point begin = of_x ? Point{at.x, 0} : Point{0, at.y};
  const Point end = of_x ? Point{at.x, 1} : Point{1, at.y};
  fmt::format_to(std::back_inserter(out),
                 "<path stroke=\"#ccc\" d=\"M{:.1f} {:.1f}L{:.1f} {:.1f}\"/>\n"
                 "<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\">{}</text>\n",
                 at_x(begin.x), at_y(begin.y), at_x(end.x), at_y(end.y),
                 of_x ? at_x(at.x) : kLeft - 6, of_x ? kHeight - 10 : at_y(at.y) + 4,
                 of_x ? "middle" : "end", text);
}

void open_drawing(std::string_view title, std::string& out) {
  fmt::format_to(std::back_inserter(out),
                 "<h3>{0}</h3>\n<svg viewBox=\"-5 -12 {1} {2}\" role=\"img\" aria-label=\"{0}\">\n",
                 title, kWidth + 30, kHeight + 16);
}

// 0, 90, 99, 99.9 ... at equal distances, so that the slow ones are seen.
double nines(double quantile) {
  return -std::log10(1 - quantile);
}

std::string time_text(double nanoseconds) {
  if (nanoseconds < 1e3) return fmt::format("{:g} ns", nanoseconds);
  if (nanoseconds < 1e6) return fmt::format("{:g} us", nanoseconds * 1e-3);
  if (nanoseconds < 1e9) return fmt::format("{:g} ms", nanoseconds * 1e-6);
  return fmt::format("{:g} s", nanoseconds * 1e-9);
}

void append_latency(const std::vector<TargetSlices>& measured, std::string& out) {
  std::vector<Histogram> all(measured.size());
  double low = 9;
  double high = 0;
  for (size_t at = 0; at < measured.size(); ++at) {
    for (const LoadResult& slice : measured[at].slices) all[at].merge(slice.latency_ns);
    const auto lowest = static_cast<double>(std::max<uint64_t>(all[at].quantile(0), 1));
    const auto highest = static_cast<double>(std::max<uint64_t>(all[at].max(), 1));
    low = std::min(low, std::floor(std::log10(lowest)));
    high = std::max(high, std::ceil(std::log10(highest)));
  }
  high = std::max(high, low + 1);
  const double last_nine = nines(kPercentiles.back() / 100);
  open_drawing("Latency by percentile", out);
  for (const double percentile : kPercentiles) {
    append_mark({nines(percentile / 100) / last_nine, 0}, true, fmt::format("{:g} %", percentile),
                out);
  }
  const int decades = static_cast<int>(high - low);
  for (int decade = 0; decade <= decades; ++decade) {
    append_mark({0, static_cast<double>(decade) / decades}, false,
                time_text(std::pow(10, low + decade)), out);
  }
  for (size_t at = 0; at < measured.size(); ++at) {
    std::vector<Point> points;
    const int count = static_cast<int>(last_nine * kPointsPerNine);
    for (int step = 0; step <= count; ++step) {
      const double quantile = 1 - std::pow(10, -static_cast<double>(step) / kPointsPerNine);
      const auto value = static_cast<double>(std::max<uint64_t>(all[at].quantile(quantile), 1));
      points.push_back(
          {static_cast<double>(step) / count, (std::log10(value) - low) / (high - low)});
    }
    append_line(points, at, out);
  }
  out += "</svg>\n";
}

// The step of an axis that ends at `high`: 1, 2 or 5 times a power of ten, four to ten of them.
double step_of(double high) {
  const double power = std::pow(10, std::floor(std::log10(high)));
  return high / power >= 5 ? power : high / power >= 2 ? power / 2 : power / 5;
}

// Some parts of a slice's time as one, so that a target is drawn with no more points than there are
// parts, however many slices it has.
std::vector<Point> thinned(const LoadResult& slice, size_t slices) {
  const size_t together = std::max<size_t>(1, slices);
  std::vector<Point> points;  // seconds since the slice began, replies a second
  for (size_t begin = 0; begin < slice.timeline.size(); begin += together) {
    const size_t end = std::min(slice.timeline.size(), begin + together);
    uint64_t replies = 0;
    for (size_t part = begin; part < end; ++part) replies += slice.timeline[part];
    points.push_back(
        {static_cast<double>(begin + end) / 2 * slice.part_s,
         static_cast<double>(replies) / (static_cast<double>(end - begin) * slice.part_s)});
  }
  return points;
}

void append_throughput(const std::vector<TargetSlices>& measured, std::string& out) {
  struct Line {
    size_t target;
    std::vector<Point> points;
  };
  std::vector<Line> lines;
  const int64_t origin_ns = measured.front().slices.front().begin_ns;
  double high = 1;
  double seconds = 0;
  for (size_t at = 0; at < measured.size(); ++at) {
    for (const LoadResult& slice : measured[at].slices) {
      const double begin_s = static_cast<double>(slice.begin_ns - origin_ns) * 1e-9;
      Line line{at, thinned(slice, measured[at].slices.size())};
      for (Point& point : line.points) {
        point.x += begin_s;
        high = std::max(high, point.y);
      }
      seconds = std::max(seconds, begin_s + slice.seconds);
      lines.push_back(std::move(line));
    }
  }
  open_drawing("Replies a second over the time, one line for each slice", out);
  const double step = step_of(high);
  for (int mark = 0; mark * step <= high; ++mark) {
    append_mark({0, mark * step / high}, false, fmt::format("{:g}", mark * step), out);
  }
  for (const double part : {0.0, 0.25, 0.5, 0.75, 1.0}) {
    append_mark({part, 0}, true, fmt::format("{:.3g} s", part * seconds), out);
  }
  for (Line& line : lines) {
    for (Point& point : line.points) point = {point.x / seconds, point.y / high};
    append_line(line.points, line.target, out);
  }
  out += "</svg>\n";
}

// A row's first cell has the colour of its lines, where `coloured`.
void append_table(const Rows& rows, bool coloured, std::string& out) {
  auto to = std::back_inserter(out);
  out += "<div><table>\n";
  for (size_t at = 0; at < rows.size(); ++at) {
    out += "<tr>";
    for (const std::string& cell : rows[at]) {
      const bool marked = coloured && at > 0 && &cell == &rows[at].front();
      if (marked) {
        fmt::format_to(to, "<td><b style=\"color:{}\">{}</b>", kColours[(at - 1) % kColours.size()],
                       escaped(cell));
      } else {
        fmt::format_to(to, "{}{}", at == 0 ? "<th>" : "<td>", escaped(cell));
      }
    }
    out += "</tr>\n";
  }
  out += "</table></div>\n";
}

void append_section(const PageSection& section, std::string& out) {
  fmt::format_to(std::back_inserter(out), "<h2>{}</h2>\n", escaped(section.title));
  append_table(figure_rows(section.measured, section.against), true, out);
  for (const TargetSlices& entry : section.measured) {
    if (entry.fault.empty()) continue;
    fmt::format_to(std::back_inserter(out), "<p>{}: {}</p>\n", escaped(entry.target.name),
                   escaped(entry.fault));
  }
  append_latency(section.measured, out);
  append_throughput(section.measured, out);
}

std::string first_words(const char* path, size_t words) {
  std::ifstream file(path);
  std::string out;
  for (std::string word; words > 0 && file >> word; --words) {
    out += (out.empty() ? "" : " ") + word;
  }
  return out;
}

std::string cpu_model() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const size_t colon = line.find(": ");
    if (line.starts_with("model name") && colon != line.npos) return line.substr(colon + 2);
  }
  return "unknown";
}

// The floor knows no questions; Redis is asked for what the daemon calls VERSION.
std::string version_of(const Target& target) {
  if (!target.answers_by_kind) return "that of tollkeeper-bench";
  auto client = RedisClient::connect(target.socket_path);
  if (!client) return client.error();
  if (target.redis_path != target.socket_path) return client->ask({"VERSION"}).value_or("unknown");
  const std::string info = client->ask({"INFO", "server"}).value_or("");
  constexpr std::string_view kName = "redis_version:";
  const size_t begin = info.find(kName);
  if (begin == info.npos) return "unknown";
  const size_t number = begin + kName.size();
  return "redis " + info.substr(number, info.find('\r', number) - number);
}

}  // namespace

std::vector<Fact> machine_facts() {
  utsname host{};
  uname(&host);
  return {
      {"date", fmt::format("{:%Y-%m-%d %H:%M} UTC", fmt::gmtime(std::time(nullptr)))},
      {"machine",
       fmt::format("{}, {}, {} CPUs", cpu_model(), host.machine, sysconf(_SC_NPROCESSORS_ONLN))},
      {"kernel", fmt::format("{} {}", host.sysname, host.release)},
      {"load before", first_words("/proc/loadavg", 3)},
      {"compiler", "GCC " __VERSION__},
  };
}

Fact version_fact(const Target& target) {
  return {target.name, version_of(target)};
}

std::string html_report(const std::vector<Fact>& facts, const Rows& figures,
                        const std::vector<PageSection>& sections) {
  std::string out =
      "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
      "<title>tollkeeper-bench</title>\n<style>body{font:15px sans-serif;max-width:70em;"
      "margin:2em auto;padding:0 1em}td,th{text-align:left;padding:.2em .8em .2em 0}"
      "div{overflow-x:auto}svg{width:100%;font-size:11px}code{word-break:break-all}"
      "</style></head>\n<body><h1>tollkeeper-bench</h1>\n<table>\n";
  for (const Fact& fact : facts) {
    fmt::format_to(std::back_inserter(out), "<tr><th>{}<td><code>{}</code></tr>\n",
                   escaped(fact.name), escaped(fact.text));
  }
  out += "</table>\n";
  if (!figures.empty()) append_table(figures, false, out);
  for (const PageSection& section : sections) append_section(section, out);
  return out + "</body></html>\n";
}

std::expected<void, std::string> write_file(const std::string& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << text;
  file.close();
  if (file.good()) return {};
  return std::unexpected(fmt::format("cannot write {}: {}", path, std::strerror(errno)));
}

}  // namespace toll::bench
