#include "daemon/happening.h"

#include <fmt/format.h>
#include <iterator>

#include "daemon/json_string.h"
#include "daemon/pseudonyms.h"
#include "daemon/reply_writer.h"
#include "net/output_buffer.h"

namespace toll::daemon {
namespace {

constexpr std::array<std::string_view, kTopics> kTopicNames = {"pain",    "pleasure", "refusals",
                                                               "breaker", "budget",   "config"};

// Writes the words as a reply of that framing is written.
std::string framed(std::span<const std::string> words, Framing framing) {
  net::ChunkPool chunks;
  net::OutputBuffer out(chunks);
  ReplyWriter(out, framing).words(words);
  std::string text;
  while (!out.empty()) {
    const std::span<const char> front = out.front();
    text.append(front.data(), front.size());
    out.consume(front.size());
  }
  return text;
}

class Fields {
 public:
  void text(std::string_view name, std::string_view value) {
    if (!value.empty()) fields_.push_back({name, std::string(value), false});
  }
  void number(std::string_view name, int64_t value) {
    fields_.push_back({name, fmt::format("{}", value), true});
  }
  // Dollars are texts: their digits would not survive in a floating-point number.
  void dollars(std::string_view name, engine::NanoDollars value) {
    fields_.push_back({name, engine::format_dollars(value), false});
  }
  std::vector<HappeningField> take() { return std::move(fields_); }

 private:
  std::vector<HappeningField> fields_;
};

}  // namespace

std::string_view to_string(Topic topic) {
  return kTopicNames[static_cast<size_t>(topic)];
}

std::optional<Topic> find_topic(std::string_view word) {
  const auto found = std::ranges::find(kTopicNames, word);
  if (found == kTopicNames.end()) return std::nullopt;
  return static_cast<Topic>(found - kTopicNames.begin());
}

std::string_view to_string(AdminRequest request) {
  switch (request) {
    case AdminRequest::kNone:
      return "";
    case AdminRequest::kReset:
      return "RESET";
    case AdminRequest::kReload:
      return "RELOAD";
    case AdminRequest::kLevel:
      return "LEVEL";
    case AdminRequest::kDrain:
      return "DRAIN";
    case AdminRequest::kConfig:
      return "CONFIG";
    case AdminRequest::kBudgetSet:
      return "BUDGET SET";
    case AdminRequest::kBudgetClear:
      return "BUDGET CLEAR";
    case AdminRequest::kLogClear:
      return "LOG CLEAR";
  }
  return "";
}

std::string_view to_string(HappeningKind kind) {
  switch (kind) {
    case HappeningKind::kRefusal:
      return "refusal";
    case HappeningKind::kBudget:
      return "budget";
    case HappeningKind::kBreaker:
      return "breaker";
    case HappeningKind::kConfig:
      return "config";
    case HappeningKind::kAdmin:
      return "admin";
  }
  return "";
}

std::optional<Topic> topic_of(HappeningKind kind) {
  switch (kind) {
    case HappeningKind::kRefusal:
      return Topic::kRefusals;
    case HappeningKind::kBudget:
      return Topic::kBudget;
    case HappeningKind::kBreaker:
      return Topic::kBreaker;
    case HappeningKind::kConfig:
      return Topic::kConfig;
    case HappeningKind::kAdmin:
      return std::nullopt;
  }
  return std::nullopt;
}

std::vector<HappeningField> fields_of(const Happening& happening, const Pseudonyms& pseudonyms) {
  Fields fields;
  fields.text("request", to_string(happening.request));
  switch (happening.kind) {
    case HappeningKind::kBudget:
      fields.text("request", happening.what);
      break;
    case HappeningKind::kBreaker:
      fields.text("state", happening.what);
      fields.text("cause", happening.reason.view());
      break;
    case HappeningKind::kConfig:
      fields.text("change", happening.what);
      fields.text("level", happening.level);
      break;
    case HappeningKind::kRefusal:
    case HappeningKind::kAdmin:
      break;
  }
  fields.text("policy", happening.policy.view());
  if (!happening.id.view().empty()) fields.text("id", pseudonyms.of(happening.id.view()));
  if (happening.kind == HappeningKind::kRefusal) {
    fields.number("units", happening.units);
    fields.number("retry", happening.retry_ms);
  }
  if (happening.kind == HappeningKind::kBudget) {
    fields.dollars("spent", happening.spent);
    fields.dollars("held", happening.held);
  }
  if (happening.budget) {
    const bool none = *happening.budget == engine::kNoBudget;
    fields.text("budget", none ? "none" : engine::format_dollars(*happening.budget));
  }
  fields.text("source", happening.source);
  if (happening.kind == HappeningKind::kAdmin && happening.peer) {
    fields.number("uid", happening.peer->uid);
    fields.number("gid", happening.peer->gid);
    fields.number("pid", happening.peer->pid);
  }
  fields.text("outcome", happening.outcome);
  if (happening.kind == HappeningKind::kConfig) fields.text("reason", happening.reason.view());
  return fields.take();
}

std::string json_fields(const std::vector<HappeningField>& fields) {
  std::string json;
  for (const HappeningField& field : fields) {
    fmt::format_to(std::back_inserter(json), ",\"{}\":{}", field.name,
                   field.is_number ? field.text : json_string(field.text));
  }
  return json;
}

std::string event_text(Topic topic, const std::vector<HappeningField>& fields, Framing framing) {
  std::vector<std::string> words = {"EVENT", std::string(to_string(topic))};
  for (const HappeningField& field : fields) {
    words.push_back(fmt::format("{}={}", field.name, field.text));
  }
  return framed(words, framing);
}

std::string gap_text(uint64_t lost, Framing framing) {
  return framed(std::vector<std::string>{"EVENT", "gap", fmt::format("lost={}", lost)}, framing);
}

}  // namespace toll::daemon
