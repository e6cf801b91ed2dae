// The table of log records of the protocol: from words to records and requests, and from answers to
// replies.

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "config/limits.h"
#include "daemon/error_text.h"
#include "daemon/json_check.h"
#include "daemon/log_letters.h"
#include "daemon/log_spill.h"
#include "daemon/logs.h"
#include "daemon/numbers.h"
#include "daemon/report.h"
#include "daemon/session.h"
#include "daemon/subcommand.h"
#include "daemon/worker.h"

namespace toll::daemon {
namespace {

using LogKind = LogRequestKind;

constexpr size_t kTakenMax = 1000;
constexpr int64_t kWaitMaxUs = 3'600'000'000;
constexpr std::string_view kCountExpected = "the number of records must be from 1 to 1000";
constexpr std::string_view kWaitExpected =
    "the time to wait must be milliseconds, or a duration such as 30s, up to 1h";

using LogSubcommand = Subcommand<LogRequestKind>;

constexpr std::array kLogSubcommands = {
    LogSubcommand{"PUSH", LogKind::kPush, 3, 3, "LOG PUSH record"},
    LogSubcommand{"POP", LogKind::kPop, 2, 3, "LOG POP [n]"},
    LogSubcommand{"PEEK", LogKind::kPeek, 2, 3, "LOG PEEK [n]"},
    LogSubcommand{"WAIT", LogKind::kWait, 3, 4, "LOG WAIT ms [n]"},
    LogSubcommand{"SIZE", LogKind::kSize, 2, 2, "LOG SIZE"},
    LogSubcommand{"CLEAR", LogKind::kClear, 2, 2, "LOG CLEAR"},
    LogSubcommand{"STATS", LogKind::kStats, 2, 2, "LOG STATS"},
};

}  // namespace

void Session::ask_log(Framing framing, Request words) {
  const LogSubcommand* what = find_subcommand(kLogSubcommands, words[1]);
  if (what == nullptr) {
    return refuse(framing, ErrorCode::kBadRequest,
                  ErrorText("no LOG ").quote(words[1]).add(
                      "; there are PUSH, POP, PEEK, WAIT, SIZE, CLEAR and STATS"));
  }
  if (!what->arity_ok(words.size())) {
    return refuse(framing, ErrorCode::kBadRequest, ErrorText("usage: ").add(what->usage));
  }
  if (worker_.process().spill == nullptr) {
    return refuse(framing, ErrorCode::kUnavailable, "log records are switched off: logs.enabled");
  }
  if (what->kind == LogKind::kPush) return push_log(framing, words[2]);
  if (what->kind == LogKind::kClear) administering_ = AdminRequest::kLogClear;
  if (what->kind == LogKind::kClear && !is_admin()) {
    return refuse(framing, ErrorCode::kNoPermission,
                  "LOG CLEAR is for root, the daemon's user and the admin group");
  }
  const size_t count_at = what->kind == LogKind::kWait ? 3 : 2;
  int64_t count = 1;
  if (words.size() > count_at && !parse_integer(words[count_at], 1, kTakenMax, count)) {
    return refuse(framing, ErrorCode::kBadRequest, kCountExpected);
  }
  int64_t wait_us = 0;
  if (what->kind == LogKind::kWait && words[2] != "0" &&
      (!parse_ttl(words[2], wait_us) || wait_us > kWaitMaxUs)) {
    return refuse(framing, ErrorCode::kBadRequest, kWaitExpected);
  }
  if (!worker_.has_log_request()) {
    return refuse(framing, ErrorCode::kBusy, "too many requests for log records under way");
  }
  LogRequest* request = worker_.new_log_request(add_ask(framing, Form::kLogs));
  request->kind = what->kind;
  request->wanted = static_cast<size_t>(count);
  request->wait_ns = wait_us * 1'000;
  worker_.ask(request);
}

void Session::push_log(Framing framing, std::string_view record) {
  const config::LogsSettings& settings = worker_.process().logs;
  if (record.empty() || record.size() > static_cast<size_t>(settings.record_bytes_max)) {
    return refuse(framing, ErrorCode::kBadRequest,
                  ErrorText("a record has 1 byte to ")
                      .add(std::to_string(settings.record_bytes_max))
                      .add(" (logs.max_record)"));
  }
  if (settings.format == config::LogRecordFormat::kJson) {
    if (const auto fault = worker_.json().check(record)) {
      return refuse(framing, ErrorCode::kBadRequest,
                    ErrorText("the record is no JSON object: at byte ")
                        .add(std::to_string(fault->offset))
                        .add(": ")
                        .add(fault->reason));
    }
  }
  worker_.logs()->push(*add_ask(framing, Form::kPushed), record);
}

void Session::write_pushed(const Ask& ask, ReplyWriter& reply) {
  switch (ask.fate) {
    case LogFate::kRedis:
      return reply.ok("redis");
    case LogFate::kSpill:
      return reply.ok("spill");
    case LogFate::kLocal:
      return reply.ok("local");
    case LogFate::kTooMany:
      worker_.counters().errors.add();
      return reply.error(ErrorCode::kBusy, "too many log records wait on this worker");
    case LogFate::kNoDisk:
      worker_.counters().errors.add();
      return reply.error(ErrorCode::kUnavailable,
                         "redis does not take the record, and the disk cannot; the daemon's log "
                         "says why");
  }
}

void Session::write_log(Ask& ask, ReplyWriter& reply) {
  LogRequest& request = *ask.log;
  if (request.result == LogResult::kBusy) {
    worker_.counters().errors.add();
    return reply.error(ErrorCode::kBusy,
                       "too many replies with log records wait for their clients");
  }
  if (request.result != LogResult::kDone) {
    worker_.counters().errors.add();
    return reply.error(ErrorCode::kUnavailable, "redis is away, and the records are there");
  }
  switch (request.kind) {
    case LogKind::kSize:
    case LogKind::kClear:
      return reply.ok(static_cast<int64_t>(request.number));
    case LogKind::kStats: {
      const auto rows = log_statistics(worker_.process(), request.number, request.oldest_ms);
      reply.list(rows.size());
      for (const auto& [name, value] : rows) reply.row({name, value});
      return;
    }
    default:
      break;
  }
  reply.list(request.records.count());
  for (size_t i = 0; i < request.records.count(); ++i) reply.row(request.records.at(i));
  if (!request.gives_records() || request.records.empty()) return;
  ask.log = nullptr;
  request.ask = nullptr;
  worker_.logs()->written(request, *this);
}

}  // namespace toll::daemon
