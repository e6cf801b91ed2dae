// Runs a fuzz target without a fuzzer: every file of its corpus, then random mutations of them.
//
//   <target>_replay [--runs N] [--seed S] CORPUS_DIRECTORY...
//
// Made for the test run: the same seed gives the same inputs. When an input breaks the target, the
// run's number and the input's bytes are printed, as a C string, before the process dies.

#include <algorithm>
#include <charconv>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <string_view>
#include <vector>

// The names are the fuzzer's and the sanitizers'.
// NOLINTBEGIN(readability-identifier-naming,bugprone-reserved-identifier)
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);
// There with a sanitizer, null without.
extern "C" [[gnu::weak]] void __sanitizer_set_death_callback(void (*callback)());
// NOLINTEND(readability-identifier-naming,bugprone-reserved-identifier)

namespace {

constexpr size_t kInputMax = 16 * 1024;
constexpr uint64_t kDefaultRuns = 20'000;
constexpr uint64_t kDefaultSeed = 20'240'614;

// What is running, for the message if it breaks.
uint64_t running_seed = 0;
uint64_t running_run = 0;
std::string running_input;

// As much as can be said from a signal handler of a process that is dying anyway.
void report_input() {
  std::fprintf(stderr, "\nbroken by run %llu of seed %llu, %zu bytes:\n\"",
               static_cast<unsigned long long>(running_run),
               static_cast<unsigned long long>(running_seed), running_input.size());
  for (const char byte : running_input) {
    std::fprintf(stderr, "\\x%02x", static_cast<unsigned>(static_cast<unsigned char>(byte)));
  }
  std::fprintf(stderr, "\"\n");
}

void on_fatal_signal(int number) {
  std::signal(number, SIG_DFL);
  report_input();
  std::raise(number);
}

void report_when_dying() {
  if (&__sanitizer_set_death_callback != nullptr) {
    __sanitizer_set_death_callback(&report_input);
    std::signal(SIGABRT, &on_fatal_signal);
    return;
  }
  for (const int number : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL}) {
    std::signal(number, &on_fatal_signal);
  }
}

class Mutator {
 public:
  Mutator(const std::vector<std::string>& corpus, uint64_t seed) : corpus_(corpus), random_(seed) {}

  std::string next() {
    std::string input = pick();
    for (size_t steps = 1 + below(4); steps > 0; --steps) mutate(input);
    if (input.size() > kInputMax) input.resize(kInputMax);
    return input;
  }

 private:
  // Bytes that mean something to one reader or another, and numbers at the edges.
  static constexpr std::string_view kTokens[] = {
      "\r\n",
      "\n",
      "\r",
      " ",
      "\t",
      "\"",
      "\\",
      "\\x",
      "\\\"",
      "*",
      "$",
      ":",
      "-",
      "+",
      "0",
      "1",
      "-1",
      "1024",
      "1025",
      "65536",
      "2147483647",
      "2147483648",
      "9223372036854775808",
      "99999999999999999999",
      "*1\r\n",
      "$0\r\n\r\n",
      "$1\r\n",
      "[",
      "]",
      "=",
      "#",
      "\"\"\"",
      "CHECK",
      "PING",
      {"\0", 1},
      "\xff",
      "\xef\xbb\xbf",
  };

  size_t below(size_t bound) {
    return std::uniform_int_distribution<size_t>(0, bound - 1)(random_);
  }
  const std::string& pick() { return corpus_[below(corpus_.size())]; }

  void mutate(std::string& input) {
    const size_t at = below(input.size() + 1);
    switch (below(6)) {
      case 0:  // flip a bit
        if (at < input.size()) input[at] = static_cast<char>(input[at] ^ 1 << below(8));
        break;
      case 1:  // cut off
        input.resize(at);
        break;
      case 2:  // leave out
        input.erase(at, 1 + below(8));
        break;
      case 3:  // insert a token
        input.insert(at, kTokens[below(std::size(kTokens))]);
        break;
      case 4:  // repeat a piece
        input.insert(at, input.substr(at, 1 + below(32)));
        break;
      default: {  // go on as another input
        const std::string& other = pick();
        input = input.substr(0, at) + other.substr(below(other.size() + 1));
      }
    }
  }

  const std::vector<std::string>& corpus_;
  std::mt19937_64 random_;
};

std::vector<std::string> read_corpus(const std::vector<std::string>& directories) {
  std::vector<std::filesystem::path> paths;
  for (const std::string& directory : directories) {
    for (const auto& entry : std::filesystem::directory_iterator(directory)) {
      if (entry.is_regular_file()) paths.push_back(entry.path());
    }
  }
  std::ranges::sort(paths);  // a directory's own order differs between machines
  std::vector<std::string> corpus;
  for (const auto& path : paths) {
    std::ifstream file(path, std::ios::binary);
    corpus.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  return corpus;
}

// From heap memory of exactly its size, so that the address sanitizer sees a read past the end.
void run(const std::string& input) {
  running_input = input;
  const std::vector<uint8_t> bytes(input.begin(), input.end());
  LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
  ++running_run;
}

bool parse(std::string_view text, uint64_t& value) {
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  return error == std::errc{} && stop == end && !text.empty();
}

}  // namespace

int main(int argc, char** argv) {
  uint64_t runs = kDefaultRuns;
  running_seed = kDefaultSeed;
  std::vector<std::string> directories;
  for (int index = 1; index < argc; ++index) {
    const std::string_view argument = argv[index];
    const bool is_runs = argument == "--runs";
    if (!is_runs && argument != "--seed") {
      directories.emplace_back(argument);
      continue;
    }
    ++index;
    if (index == argc || !parse(argv[index], is_runs ? runs : running_seed)) {
      std::fprintf(stderr, "%s needs a number\n", is_runs ? "--runs" : "--seed");
      return 2;
    }
  }
  const std::vector<std::string> corpus = read_corpus(directories);
  if (corpus.empty()) {
    std::fprintf(stderr, "usage: %s [--runs N] [--seed S] CORPUS_DIRECTORY...\n", argv[0]);
    return 2;
  }
  std::printf("seed %llu: %zu files, then %llu mutations\n",
              static_cast<unsigned long long>(running_seed), corpus.size(),
              static_cast<unsigned long long>(runs));
  std::fflush(stdout);
  report_when_dying();
  for (const std::string& input : corpus) run(input);
  Mutator mutator(corpus, running_seed);
  for (uint64_t done = 0; done < runs; ++done) run(mutator.next());
  return 0;
}
