#include "daemon/logger.h"

#include <cstdlib>
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

#include "daemon/logging_format.h"
#include "daemon/logging_sink.h"

namespace toll::daemon {
namespace {

using config::LogFormat;
using config::LogLevel;

// Is standard error the journal's? systemd says so in JOURNAL_STREAM, as device:inode.
bool stderr_is_journal() {
  const char* stream = std::getenv("JOURNAL_STREAM");
  if (stream == nullptr) return false;
  struct stat status{};
  if (fstat(STDERR_FILENO, &status) != 0) return false;
  return stream == fmt::format("{}:{}", status.st_dev, status.st_ino);
}

spdlog::level::level_enum level_of(LogLevel level) {
  switch (level) {
    case LogLevel::kTrace:
      return spdlog::level::trace;
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarn:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
    case LogLevel::kOff:
      return spdlog::level::off;
  }
  return spdlog::level::info;
}

}  // namespace

Log::Log(const config::LogSettings& settings) {
  LogFormat format = settings.format;
  if (format == LogFormat::kAuto) {
    format = stderr_is_journal() ? LogFormat::kJournal : LogFormat::kText;
  }
  sink_ = std::make_shared<LoggingSink>(STDERR_FILENO, make_log_formatter(format));
  spdlog::set_default_logger(std::make_shared<spdlog::logger>("tollkeeper", sink_));
  set_log_level(settings.level);
}

Log::~Log() {
  sink_->finish();
}

uint64_t Log::dropped() const {
  return sink_->dropped();
}

void set_log_level(LogLevel level) {
  spdlog::set_level(level_of(level));
}

}  // namespace toll::daemon
