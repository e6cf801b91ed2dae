// What it costs to read a request and to write its reply, in nanoseconds, with nothing around it.
//
//   framing_bench [operations]      default 200000; a few million for steady figures
//
// Prints the best of several rounds for each step, and a hash of what was read or written, so that
// nothing can be optimised away and two builds can be compared. The first row is a floor to hold
// the others against on a machine whose speed is not known: finding the line's end and copying the
// line. Ids differ in length, because equal ones would let the branch predictor learn the answer.

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/commands.h"
#include "daemon/framing.h"
#include "daemon/numbers.h"
#include "daemon/reply_writer.h"
#include "net/output_buffer.h"

namespace {

using toll::daemon::Frame;
using toll::daemon::Framing;
using toll::daemon::ReplyWriter;
using toll::daemon::Words;

constexpr size_t kRequests = 1024;
constexpr size_t kRequestMax = 65'536;
constexpr int kRounds = 5;
constexpr uint64_t kHashPrime = 0x100000001b3;

struct Result {
  double best_ns = 1e9;
  uint64_t hash = 0xcbf29ce484222325;

  void mix(uint64_t value) { hash = (hash ^ value) * kHashPrime; }
};

template <typename Step>
Result measure(size_t operations, Step step) {
  Result result;
  for (int round = 0; round < kRounds; ++round) {
    const auto start = std::chrono::steady_clock::now();
    for (size_t done = 0; done < operations; done += kRequests) step(result);
    const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - start;
    const size_t whole = (operations + kRequests - 1) / kRequests * kRequests;
    result.best_ns = std::min(result.best_ns, took.count() / static_cast<double>(whole));
  }
  return result;
}

void print(const char* name, const Result& result) {
  std::printf("%-28s %7.1f ns/op   hash %016llx\n", name, result.best_ns,
              static_cast<unsigned long long>(result.hash));
}

std::string id_of(size_t request) {
  return "user:" + std::string(request * 7 % 11, 'x') + std::to_string(request * 2654435761 % 997);
}

std::string line_requests() {
  std::string bytes;
  for (size_t request = 0; request < kRequests; ++request) {
    bytes += "CHECK api " + id_of(request) + " 1\n";
  }
  return bytes;
}

std::string resp_requests() {
  std::string bytes;
  for (size_t request = 0; request < kRequests; ++request) {
    const std::string id = id_of(request);
    bytes += "*4\r\n$5\r\nCHECK\r\n$3\r\napi\r\n$" + std::to_string(id.size()) + "\r\n" + id +
             "\r\n$1\r\n1\r\n";
  }
  return bytes;
}

// Reads all requests in `bytes`, as a session does after one large receive.
void read_all(std::string& bytes, Words& words, Result& result) {
  std::span<char> rest(bytes);
  size_t scanned = 0;
  while (!rest.empty()) {
    const Frame frame = toll::daemon::read_frame(rest, kRequestMax, scanned, words);
    if (frame.kind != Frame::Kind::kRequest) std::abort();
    result.mix(words.count + words[2].size());
    rest = rest.subspan(frame.consumed);
  }
}

void bench_reading(size_t operations, const char* name, std::string bytes) {
  Words words;
  print(name, measure(operations, [&](Result& result) { read_all(bytes, words, result); }));
}

void bench_floor(size_t operations) {
  const std::string bytes = line_requests();
  std::array<char, 256> copy{};
  print("floor: memchr and memcpy", measure(operations, [&](Result& result) {
          for (std::string_view rest = bytes; !rest.empty();) {
            const size_t line = rest.find('\n') + 1;
            std::memcpy(copy.data(), rest.data(), line);
            result.mix(static_cast<unsigned char>(copy[line / 2]));
            rest.remove_prefix(line);
          }
        }));
}

void bench_words(size_t operations) {
  const std::vector<std::string> verbs = {"CHECK", "check", "PEEK", "CHARGE", "REFUND", "Nothing"};
  print("find_command", measure(operations, [&](Result& result) {
          for (size_t request = 0; request < kRequests; ++request) {
            const auto* info = toll::daemon::find_command(verbs[request * 5 % verbs.size()]);
            result.mix(info == nullptr ? 99 : static_cast<uint64_t>(info->command));
          }
        }));
  const std::vector<std::string> units = {"1", "10", "250", "2147483647", "x"};
  print("parse_units", measure(operations, [&](Result& result) {
          for (size_t request = 0; request < kRequests; ++request) {
            int64_t value = 0;
            result.mix(toll::daemon::parse_units(units[request % units.size()], value));
            result.mix(static_cast<uint64_t>(value));
          }
        }));
}

void bench_writing(size_t operations, const char* name, Framing framing) {
  toll::net::ChunkPool pool;
  toll::net::OutputBuffer out(pool);
  print(name, measure(operations, [&](Result& result) {
          for (size_t request = 0; request < kRequests; ++request) {
            const auto left = static_cast<int64_t>(request * 2654435761 % 5000);
            ReplyWriter(out, framing)
                .decision(left % 8 != 0,
                          {.limit = 5000,
                           .remaining = left,
                           .retry_us = left % 8 != 0 ? 0 : left * 10,
                           .reset_us = left * 720},
                          toll::engine::Source::kLocal);
          }
          result.mix(out.size());
          while (!out.empty()) {
            result.mix(static_cast<unsigned char>(out.front()[out.front().size() / 2]));
            out.consume(out.front().size());
          }
        }));
}

}  // namespace

int main(int argc, char** argv) {
  const size_t operations = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 200'000;
  bench_floor(operations);
  bench_reading(operations, "read line CHECK", line_requests());
  bench_reading(operations, "read RESP CHECK", resp_requests());
  bench_words(operations);
  bench_writing(operations, "write line decision", Framing::kLine);
  bench_writing(operations, "write RESP decision", Framing::kResp);
  return 0;
}
