#include "daemon/logging_format.h"

#include <algorithm>
#include <fmt/format.h>
#include <iterator>
#include <spdlog/pattern_formatter.h>
#include <string>
#include <string_view>

#include "config/text.h"
#include "daemon/limits.h"

namespace toll::daemon {
namespace {

using config::LogFormat;

// U+2028 and U+2029, which some readers of lines end a line at.
bool ends_a_line(std::string_view character) {
  return character == "\u2028" || character == "\u2029";
}

// The message, made fit for a line; as JSON, for the inside of a string.
class LogMessage final : public spdlog::custom_flag_formatter {
 public:
  explicit LogMessage(bool json) : json_(json) {}

  void format(const spdlog::details::log_msg& message, const std::tm&,
              spdlog::memory_buf_t& out) override {
    std::string_view text(message.payload.data(), message.payload.size());
    const bool cut = text.size() > kLogMessageMax;
    if (cut) text = text.substr(0, kLogMessageMax);
    while (!text.empty()) {
      const size_t length = config::plain_character(text);
      const std::string_view character = text.substr(0, std::max<size_t>(length, 1));
      if (length == 0) {
        escape(static_cast<unsigned char>(character[0]), out);
      } else if (ends_a_line(character)) {
        const std::string_view name = character == "\u2028" ? "\\u2028" : "\\u2029";
        out.append(name.data(), name.data() + name.size());
      } else {
        if (json_ && (character == "\"" || character == "\\")) out.push_back('\\');
        out.append(character.data(), character.data() + character.size());
      }
      text.remove_prefix(character.size());
    }
    if (cut) fmt::format_to(std::back_inserter(out), "...");
  }

  std::unique_ptr<custom_flag_formatter> clone() const override {
    return std::make_unique<LogMessage>(json_);
  }

 private:
  // JSON knows characters alone: a byte that is none of them has no name there.
  void escape(unsigned char byte, spdlog::memory_buf_t& out) const {
    if (json_ && byte >= 0x80) {
      fmt::format_to(std::back_inserter(out), "\\ufffd");
    } else if (json_) {
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", byte);
    } else {
      fmt::format_to(std::back_inserter(out), "\\x{:02x}", byte);
    }
  }

  bool json_;
};

// The priority that systemd-journald takes from the front of a line (sd-daemon(3)).
class LogPriority final : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& message, const std::tm&,
              spdlog::memory_buf_t& out) override {
    const std::string_view prefix = priority(message.level);
    out.append(prefix.data(), prefix.data() + prefix.size());
  }
  std::unique_ptr<custom_flag_formatter> clone() const override {
    return std::make_unique<LogPriority>();
  }

 private:
  static std::string_view priority(spdlog::level::level_enum level) {
    switch (level) {
      case spdlog::level::critical:
        return "<2>";
      case spdlog::level::err:
        return "<3>";
      case spdlog::level::warn:
        return "<4>";
      case spdlog::level::info:
        return "<6>";
      default:
        return "<7>";
    }
  }
};

std::string_view log_pattern(LogFormat format) {
  switch (format) {
    case LogFormat::kJson:
      return R"({"time":"%Y-%m-%dT%H:%M:%S.%f%z","level":"%l","message":"%*"})";
    case LogFormat::kJournal:
      return "%&%*";
    case LogFormat::kText:
    case LogFormat::kAuto:
      break;
  }
  return "%Y-%m-%d %H:%M:%S.%e %-5l %*";
}

}  // namespace

std::unique_ptr<spdlog::formatter> make_log_formatter(LogFormat format) {
  auto formatter = std::make_unique<spdlog::pattern_formatter>();
  formatter->add_flag<LogMessage>('*', format == LogFormat::kJson)
      .add_flag<LogPriority>('&')
      .set_pattern(std::string(log_pattern(format)));
  return formatter;
}

}  // namespace toll::daemon
