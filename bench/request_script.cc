#include "bench/request_script.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <charconv>
#include <fmt/format.h>
#include <initializer_list>
#include <optional>
#include <strings.h>

#include "bench/limits.h"
#include "bench/random.h"
#include "bench/zipf.h"

namespace toll::bench {
namespace {

constexpr std::array kVerbs = {Verb::kCheck, Verb::kPeek, Verb::kRefund, Verb::kCharge,
                               Verb::kReset, Verb::kPing, Verb::kCost,   Verb::kBudget,
                               Verb::kHold,  Verb::kPush, Verb::kPop};
constexpr uint32_t kWeightMax = 1'000'000;

std::optional<Verb> parse_verb(std::string_view text) {
  for (const Verb verb : kVerbs) {
    const std::string_view name = to_string(verb);
    if (name.size() == text.size() && strncasecmp(name.data(), text.data(), text.size()) == 0) {
      return verb;
    }
  }
  return std::nullopt;
}

std::expected<MixPart, std::string> parse_part(std::string_view part) {
  const size_t equals = part.find('=');
  if (equals == std::string_view::npos) {
    return std::unexpected(fmt::format("'{}': expected verb=weight", part));
  }
  const auto verb = parse_verb(part.substr(0, equals));
  if (!verb) {
    return std::unexpected(
        fmt::format("'{}': the verb is one of check, peek, refund, charge, reset, ping, cost, "
                    "budget, hold, push, "
                    "pop",
                    part));
  }
  const std::string_view digits = part.substr(equals + 1);
  uint32_t weight = 0;
  const auto [end, error] = std::from_chars(digits.begin(), digits.end(), weight);
  if (error != std::errc() || end != digits.end() || weight > kWeightMax) {
    return std::unexpected(
        fmt::format("'{}': the weight is a whole number up to {}", part, kWeightMax));
  }
  return MixPart{*verb, weight};
}

void append_bulk(std::string_view word, std::string& out) {
  fmt::format_to(std::back_inserter(out), "${}\r\n{}\r\n", word.size(), word);
}

void append_resp(std::initializer_list<std::string_view> words, std::string& out) {
  fmt::format_to(std::back_inserter(out), "*{}\r\n", words.size());
  for (const std::string_view word : words) append_bulk(word, out);
}

void append_line(std::initializer_list<std::string_view> words, std::string& out) {
  std::string_view blank;
  for (const std::string_view word : words) {
    out += blank;
    out += word;
    blank = " ";
  }
  out += '\n';
}

void append_direct(const DirectCall& call, std::string_view id, std::string& out) {
  constexpr std::string_view kId = "{id}";
  fmt::format_to(std::back_inserter(out), "*{}\r\n", call.words.size());
  for (std::string word : call.words) {
    const size_t found = word.find(kId);
    if (found != std::string::npos) word.replace(found, kId.size(), id);
    append_bulk(word, out);
  }
}

// Which ids are asked for.
class IdSampler {
 public:
  explicit IdSampler(const ScriptSettings& settings) : ids_(settings.ids), hot_(settings.hot) {
    if (settings.zipf_exponent > 0) zipf_.emplace(settings.ids, settings.zipf_exponent);
  }

  uint32_t sample(Random& random) const {
    if (zipf_) return zipf_->sample(random);
    if (hot_.part == 0) return random.below(ids_);
    if (random.unit() < hot_.part) return random.below(hot_.ids);
    return hot_.ids + random.below(ids_ - hot_.ids);
  }

 private:
  uint32_t ids_;
  HotSet hot_;
  std::optional<ZipfSampler> zipf_;
};

Verb draw_verb(const std::vector<MixPart>& mix, uint32_t total_weight, Random& random) {
  uint32_t ticket = random.below(total_weight);
  for (const MixPart& part : mix) {
    if (ticket < part.weight) return part.verb;
    ticket -= part.weight;
  }
  return mix.back().verb;
}

}  // namespace

std::string_view to_string(Verb verb) {
  switch (verb) {
    case Verb::kCheck:
      return "CHECK";
    case Verb::kPeek:
      return "PEEK";
    case Verb::kRefund:
      return "REFUND";
    case Verb::kCharge:
      return "CHARGE";
    case Verb::kReset:
      return "RESET";
    case Verb::kPing:
      return "PING";
    case Verb::kCost:
      return "COST";
    case Verb::kBudget:
      return "BUDGET";
    case Verb::kHold:
      return "HOLD";
    case Verb::kPush:
      return "PUSH";
    case Verb::kPop:
      return "POP";
  }
  return "";
}

std::expected<std::vector<MixPart>, std::string> parse_mix(std::string_view text) {
  std::vector<MixPart> mix;
  uint64_t total = 0;
  while (!text.empty()) {
    const size_t comma = std::min(text.find(','), text.size());
    const auto part = parse_part(text.substr(0, comma));
    if (!part) return std::unexpected(part.error());
    mix.push_back(*part);
    total += part->weight;
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  if (total == 0 || total > kWeightMax * kVerbs.size()) {
    return std::unexpected(std::string("a mix needs at least one weight above 0"));
  }
  return mix;
}

bool has_only(const std::vector<MixPart>& mix, std::span<const Verb> verbs) {
  return std::ranges::all_of(mix, [verbs](const MixPart& part) {
    return part.weight == 0 || std::ranges::find(verbs, part.verb) != verbs.end();
  });
}

bool has_any(const std::vector<MixPart>& mix, Verb verb) {
  return std::ranges::any_of(
      mix, [verb](const MixPart& part) { return part.verb == verb && part.weight > 0; });
}

bool is_decision(Verb verb) {
  return verb == Verb::kCheck || verb == Verb::kBudget || verb == Verb::kHold;
}

std::expected<HotSet, std::string> parse_hot_set(std::string_view text) {
  HotSet hot;
  const auto [colon, error] = std::from_chars(text.begin(), text.end(), hot.part);
  if (error == std::errc() && colon != text.end() && *colon == ':') {
    const auto [end, wrong] = std::from_chars(colon + 1, text.end(), hot.ids);
    const bool sound = wrong == std::errc() && end == text.end() && hot.ids > 0;
    if (sound && hot.part > 0 && hot.part < 1) return hot;
  }
  return std::unexpected(fmt::format("'{}': expected part:ids, such as 0.9:100", text));
}

std::string id_text(uint32_t number) {
  return fmt::format("user-{:011}", number);
}

std::string record_text(std::string_view id, size_t bytes) {
  constexpr std::string_view kValue = "0123456789abcdef";
  std::string text = fmt::format(R"({{"user":"{}","status":200)", id);
  for (int field = 10;; ++field) {
    std::string more = fmt::format(R"(,"field{}":"{}")", field, kValue);
    // The last field takes what is left, so it must not be less than its name needs.
    if (text.size() + 2 * more.size() > bytes) break;
    text += more;
  }
  text += R"(,"rest":")";
  assert(text.size() + 2 <= bytes);
  text.append(bytes - text.size() - 2, 'x');
  return text + "\"}";
}

void append_request(Framing framing, Verb verb, std::string_view policy, std::string_view id,
                    std::string_view record, std::string& out) {
  const auto append = framing == Framing::kLine ? append_line : append_resp;
  const std::string_view name = to_string(verb);
  switch (verb) {
    case Verb::kCheck:
    case Verb::kPeek:
    case Verb::kReset:
      return append({name, policy, id}, out);
    case Verb::kRefund:
    case Verb::kCharge:
      return append({name, policy, id, "1"}, out);
    case Verb::kPing:
      return append({name}, out);
    case Verb::kCost:
      return append({name, "ADD", id, "0.001"}, out);
    case Verb::kBudget:
      return append({"COST", "CHECK", id, "0.001"}, out);
    case Verb::kHold:
      return append({"COST", "HOLD", id, "0.001", "1s"}, out);
    case Verb::kPush:
      return append({"LOG", name, record}, out);
    case Verb::kPop:
      return append({"LOG", name, fmt::format("{}", kRecordsPerCall)}, out);
  }
}

RequestScript RequestScript::render(const ScriptSettings& settings) {
  assert(!settings.mix.empty() && settings.ids > 0 && settings.ids <= kIdsMax);
  size_t count = std::clamp(size_t{settings.ids} * 4, kScriptRequestsMin, kScriptRequestsMax);
  if (has_any(settings.mix, Verb::kPush)) {
    count = std::min(count, kScriptRecordBytesMax / settings.record_bytes);
  }
  uint32_t total_weight = 0;
  for (const MixPart& part : settings.mix) total_weight += part.weight;

  RequestScript script;
  script.framing_ = settings.direct.empty() ? settings.framing : Framing::kResp;
  script.record_bytes_ = settings.record_bytes;
  script.offsets_.reserve(count + 1);
  script.decisions_before_.reserve(count + 1);
  script.records_before_.reserve(count + 1);
  Random random(settings.seed);
  const IdSampler ids(settings);
  uint32_t decisions = 0;
  uint32_t records = 0;
  for (size_t request = 0; request < count; ++request) {
    script.begin_request(decisions, records);
    const Verb verb = draw_verb(settings.mix, total_weight, random);
    const std::string id = id_text(ids.sample(random));
    if (settings.direct.empty()) {
      const bool has_record = verb == Verb::kPush;
      append_request(settings.framing, verb, settings.policy, id,
                     has_record ? record_text(id, settings.record_bytes) : std::string(),
                     script.bytes_);
      if (has_record) ++records;
    } else {
      const auto call = std::ranges::find(settings.direct, verb, &DirectCall::verb);
      assert(call != settings.direct.end());
      append_direct(*call, id, script.bytes_);
    }
    if (is_decision(verb)) ++decisions;
  }
  script.begin_request(decisions, records);
  return script;
}

RequestScript RequestScript::render_list_calls(const ScriptSettings& settings,
                                               std::string_view key) {
  RequestScript script;
  script.framing_ = Framing::kResp;
  script.record_bytes_ = settings.record_bytes;
  script.begin_request(0, 0);
  append_resp({"DEL", key}, script.bytes_);
  Random random(settings.seed);
  const IdSampler ids(settings);
  const size_t calls = kScriptRecordBytesMax / settings.record_bytes / kRecordsPerCall;
  uint32_t records = 0;
  for (size_t call = 0; call < calls; ++call) {
    script.begin_request(0, records);
    fmt::format_to(std::back_inserter(script.bytes_), "*{}\r\n", kRecordsPerCall + 2);
    append_bulk("RPUSH", script.bytes_);
    append_bulk(key, script.bytes_);
    for (uint32_t record = 0; record < kRecordsPerCall; ++record) {
      const std::string id = id_text(ids.sample(random));
      append_bulk(record_text(id, settings.record_bytes), script.bytes_);
    }
    records += kRecordsPerCall;
    if (!has_any(settings.mix, Verb::kPop)) continue;
    script.begin_request(0, records);
    append_resp({"LPOP", key, fmt::format("{}", kRecordsPerCall)}, script.bytes_);
  }
  script.begin_request(0, records);
  return script;
}

// Or the end of the last one.
void RequestScript::begin_request(uint32_t decisions, uint32_t records) {
  offsets_.push_back(bytes_.size());
  decisions_before_.push_back(decisions);
  records_before_.push_back(records);
}

}  // namespace toll::bench
