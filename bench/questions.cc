#include "bench/questions.h"

#include <array>
#include <fmt/format.h>
#include <string_view>
#include <utility>

#include "bench/bench_policy.h"

namespace toll::bench {
namespace {

constexpr double kZipfExponent = 0.99;
constexpr uint32_t kFewIds = 10'000;
constexpr uint32_t kManyIds = 1'000'000;
constexpr uint32_t kMostIds = 10'000'000;
// With two workers, and keys distributed by a hash.
constexpr double kPartCrossing = 0.5;

using Value = std::function<double(const Answers&)>;

double over(double one, double other) {
  return other > 0 ? one / other : 0;
}

Value of(std::string_view target, double Summary::* figure) {
  return [name = std::string(target), figure](const Answers& answers) {
    return answers.at(name).summary.*figure;
  };
}

Value ratio(std::string_view one, std::string_view other, double Summary::* figure) {
  return [first = of(one, figure), second = of(other, figure)](const Answers& answers) {
    return over(first(answers), second(answers));
  };
}

FigureSpec throughput(std::string_view one, std::string_view other, Unit unit, Wanted wanted) {
  return {fmt::format("throughput, {} / {}", one, other), unit, wanted,
          ratio(one, other, &Summary::throughput)};
}

FigureSpec rate(std::string_view target) {
  return {fmt::format("requests, {}", target), Unit::kRate, kAsItIs,
          of(target, &Summary::throughput)};
}

class Questions {
 public:
  explicit Questions(ScriptSettings script) : script_(std::move(script)) {
    script_.policy = kBenchPolicy;
    script_.mix = {{Verb::kCheck, 1}};
  }

  std::vector<Question> all() && {
    against_floor(8, 64, at_least(0.6));
    against_floor(50, 1, at_least(0.95));
    many_ids();
    half_of_top_rate();
    crossing();
    leased();
    for (const Algorithm algorithm : {Algorithm::kGcra, Algorithm::kSlidingLog}) {
      before_redis(algorithm);
    }
    costs();
    log_records();
    return std::move(questions_);
  }

 private:
  TargetSpec target(TargetKind kind) const {
    return {.kind = kind, .name = std::string(to_string(kind)), .script = script_};
  }

  std::vector<TargetSpec> exact_and_direct() const {
    return {target(TargetKind::kExact), target(TargetKind::kDirect)};
  }

  void against_floor(uint32_t clients, uint32_t depth, Wanted wanted) {
    questions_.push_back(
        {.title = fmt::format("{} x {} against the floor", clients, depth),
         .note = "One worker; a limit that refuses nothing.",
         .clients = clients,
         .depth = depth,
         .pinned = true,
         .targets = {target(TargetKind::kLocal), target(TargetKind::kLeased),
                     target(TargetKind::kFloor)},
         .against = "floor",
         .figures = {throughput("local", "floor", Unit::kPercent, wanted),
                     throughput("leased", "floor", Unit::kPercent, wanted),
                     throughput("leased", "local", Unit::kPercent, at_least(0.9)), rate("local")}});
  }

  void many_ids() {
    Question question{.title = "Ten million ids",
                      .note =
                          "8 x 64, one worker, ids drawn uniformly; each was checked once "
                          "before, and stays for the whole time.",
                      .pinned = true,
                      .targets = {},
                      .against = "10000-ids",
                      .figures = {}};
    const auto named = [](uint32_t ids) { return fmt::format("{}-ids", ids); };
    for (const uint32_t ids : {kFewIds, kManyIds, kMostIds}) {
      TargetSpec spec = target(TargetKind::kLocal);
      spec.name = named(ids);
      spec.script.ids = ids;
      spec.limit = lasting_limit();
      spec.filled_keys = ids;
      question.targets.push_back(std::move(spec));
    }
    question.figures.push_back(
        throughput(named(kMostIds), named(kFewIds), Unit::kPercent, at_least(0.75)));
    for (const uint32_t ids : {kManyIds, kMostIds}) {
      const auto filled = [name = named(ids)](double FilledKeys::* figure) {
        return
            [name, figure](const Answers& answers) { return (*answers.at(name).filled).*figure; };
      };
      question.figures.push_back({fmt::format("resident memory per key, {} keys", ids),
                                  Unit::kBytes, at_most(48),
                                  filled(&FilledKeys::resident_per_key)});
      question.figures.push_back({fmt::format("the same by STATS, {} keys", ids), Unit::kBytes,
                                  at_most(48), filled(&FilledKeys::accounted_per_key)});
      question.figures.push_back({fmt::format("keys held, of {}", ids), Unit::kPercent, at_least(1),
                                  [name = named(ids), ids](const Answers& answers) {
                                    return static_cast<double>(answers.at(name).filled->keys) / ids;
                                  }});
    }
    questions_.push_back(std::move(question));
  }

  void half_of_top_rate() {
    questions_.push_back({.title = "Half of the top rate",
                          .note = "Open loop over 8 connections, at half of what local does in a "
                                  "closed one of 8 x 64; latency "
                                  "counts from when a request was due.",
                          .pinned = true,
                          .part_of_top_rate = 0.5,
                          .targets = {target(TargetKind::kLocal), target(TargetKind::kFloor)},
                          .against = "floor",
                          .figures = {{"p99.9, local / floor", Unit::kTimes, at_most(2),
                                       ratio("local", "floor", &Summary::p999_us)},
                                      {"p99.9, local", Unit::kMicroseconds, kAsItIs,
                                       of("local", &Summary::p999_us)}}});
  }

  void crossing() {
    for (const auto& [clients, depth] : {std::pair{8U, 64U}, std::pair{50U, 1U}}) {
      TargetSpec one = target(TargetKind::kLocal);
      one.name = "one-worker";
      TargetSpec two = one;
      two.name = "two-workers";
      two.workers = 2;
      const Value more_ns = [](const Answers& answers) {
        const double more_us = answers.at("two-workers").summary.server_cpu_us -
                               answers.at("one-worker").summary.server_cpu_us;
        return more_us * 1e3 / kPartCrossing;
      };
      questions_.push_back(
          {.title = fmt::format("{} x {}, two workers against one", clients, depth),
           .note = "Half of the requests cross from one core to the other. The two workers may use "
                   "all CPUs and share one with the load.",
           .clients = clients,
           .depth = depth,
           .pinned = true,
           .targets = {std::move(one), std::move(two)},
           .against = "one-worker",
           .figures = {{"more CPU for a request that crosses", Unit::kNanoseconds,
                        depth > 1 ? at_most(150) : kAsItIs, more_ns}}});
    }
  }

  void leased() {
    questions_.push_back(
        {.title = "Leased against Redis itself",
         .note = "8 x 64; gcra, a limit that refuses nothing.",
         .targets = {target(TargetKind::kLeased), target(TargetKind::kDirect)},
         .against = "direct",
         .figures = {throughput("leased", "direct", Unit::kTimes, at_least(30)),
                     {"Redis' CPU per decision, leased / direct", Unit::kPercent, at_most(0.01),
                      ratio("leased", "direct", &Summary::redis_cpu_us)},
                     {"calls of Redis per decision, leased", Unit::kNumber, kAsItIs,
                      of("leased", &Summary::redis_calls)}}});
  }

  Question exact(Algorithm algorithm, std::string_view what, uint32_t clients, uint32_t depth) {
    Question question{.title = fmt::format("{}, {}", to_string(algorithm), what),
                      .note = "Exact against Redis itself, 100/1s",
                      .clients = clients,
                      .depth = depth,
                      .targets = exact_and_direct(),
                      .against = "direct",
                      .figures = {}};
    for (TargetSpec& spec : question.targets) {
      spec.algorithm = algorithm;
      spec.limit = usual_limit();
    }
    return question;
  }

  // Of a sliding log less is wanted: it is the same three commands for both sides.
  void before_redis(Algorithm algorithm) {
    const bool gcra = algorithm == Algorithm::kGcra;
    const auto called = [](Wanted wanted) -> FigureSpec {
      return {"time in Redis' calls per decision, exact / direct", Unit::kTimes, wanted,
              ratio("exact", "direct", &Summary::redis_call_us)};
    };
    Question many = exact(algorithm, "8 x 64", 8, 64);
    many.figures = {throughput("exact", "direct", Unit::kTimes, at_least(gcra ? 4 : 3)),
                    called(at_most(0.33)), rate("exact")};
    Question single = exact(algorithm, "50 x 1", 50, 1);
    single.figures = {throughput("exact", "direct", Unit::kTimes, at_least(gcra ? 2 : 1.8))};
    Question alone = exact(algorithm, "1 x 1", 1, 1);
    alone.figures = {{"median latency, exact / direct", Unit::kTimes, at_most(1.6),
                      ratio("exact", "direct", &Summary::p50_us)}};
    Question zipf = exact(algorithm, "8 x 64, Zipf 0.99", 8, 64);
    zipf.note += "; the hot ids are refused";
    zipf.figures = {throughput("exact", "direct", Unit::kTimes, kAsItIs), called(at_most(0.1))};
    for (TargetSpec& spec : zipf.targets) spec.script.zipf_exponent = kZipfExponent;
    Question refused = exact(algorithm, "8 x 64, refused", 8, 64);
    refused.note = "Exact against Redis itself, 1/1h, which each id has used up";
    refused.figures = {
        throughput("exact", "direct", Unit::kTimes, at_least(50)),
        {"calls of Redis for 1,000 decisions", Unit::kNumber, at_most(1),
         [](const Answers& answers) { return answers.at("exact").summary.redis_calls * 1e3; }}};
    for (TargetSpec& spec : refused.targets) spec.script.policy = kRefusePolicy;
    for (Question* question : {&many, &single, &alone, &zipf, &refused}) {
      question->note += ".";
      questions_.push_back(std::move(*question));
    }
  }

  void costs() {
    constexpr std::array kAsked = {std::pair{Verb::kCost, "COST ADD"},
                                   std::pair{Verb::kBudget, "COST CHECK"},
                                   std::pair{Verb::kHold, "COST HOLD"}};
    for (const auto& [verb, name] : kAsked) {
      Question question{.title = name,
                        .note =
                            "8 x 64. The daemon has each charge on disk before it answers; "
                            "Redis itself keeps nothing on disk and forgets with its process.",
                        .targets = exact_and_direct(),
                        .against = "direct",
                        .figures = {throughput("exact", "direct", Unit::kTimes, kAsItIs)}};
      for (TargetSpec& spec : question.targets) spec.script.mix = {{verb, 1}};
      questions_.push_back(std::move(question));
    }
  }

  void log_records() {
    const auto add = [this](std::string title, const std::vector<MixPart>& mix,
                            std::string_view taken) {
      Question question{
          .title = std::move(title),
          .note = fmt::format("Records of {} bytes, pushed one by one by 8 x 64; Redis itself has "
                              "one connection that pushes 100 with each RPUSH{}.",
                              script_.record_bytes, taken),
          .targets = exact_and_direct(),
          .against = "direct",
          .figures = {{"records pushed a second, exact / direct", Unit::kTimes, kAsItIs,
                       ratio("exact", "direct", &Summary::pushed_per_s)},
                      {"records pushed, exact", Unit::kRate, kAsItIs,
                       of("exact", &Summary::pushed_per_s)}}};
      for (TargetSpec& spec : question.targets) spec.script.mix = mix;
      questions_.push_back(std::move(question));
    };
    add("LOG PUSH", {{Verb::kPush, 1}}, "");
    add("LOG PUSH and LOG POP", {{Verb::kPush, 100}, {Verb::kPop, 1}},
        ", and takes them with LPOP of 100; the daemon keeps what it hands out until it is sent");
  }

  ScriptSettings script_;
  std::vector<Question> questions_;
};

}  // namespace

std::vector<Question> comparison(const ScriptSettings& script) {
  return Questions(script).all();
}

}  // namespace toll::bench
