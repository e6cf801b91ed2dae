// Requests that are answered where they arrive: administration and help.

#include <algorithm>
#include <cassert>
#include <fmt/format.h>
#include <optional>
#include <span>
#include <spdlog/spdlog.h>
#include <string>
#include <string_view>
#include <utility>

#include "config/load.h"
#include "daemon/control.h"
#include "daemon/error_text.h"
#include "daemon/logger.h"
#include "daemon/numbers.h"
#include "daemon/report.h"
#include "daemon/session.h"
#include "daemon/version.h"
#include "daemon/worker.h"

namespace toll::daemon {
namespace {

constexpr int64_t kHotRows = 10;
constexpr int64_t kHotRowsMax = 1'000;

AdminRequest administration_of(Command command) {
  switch (command) {
    case Command::kReset:
      return AdminRequest::kReset;
    case Command::kReload:
      return AdminRequest::kReload;
    case Command::kLevel:
      return AdminRequest::kLevel;
    case Command::kDrain:
      return AdminRequest::kDrain;
    case Command::kConfig:
      return AdminRequest::kConfig;
    default:
      return AdminRequest::kNone;  // BUDGET and LOG are by what follows them
  }
}

// Replies to others could stand between the lines of a list, or an event there.
bool may_be_asked_while_watching(Command command) {
  return command == Command::kPing || command == Command::kQuit || command == Command::kWatch;
}

}  // namespace

void Session::handle(Framing framing, Request words) {
  const CommandInfo* info = find_command(words[0]);
  if (info == nullptr) {
    return refuse(framing, ErrorCode::kUnknown,
                  ErrorText("no verb ").quote(words[0]).add("; HELP lists them"));
  }
  if (topics_ != 0 && !may_be_asked_while_watching(info->command)) [[unlikely]] {
    return refuse(framing, ErrorCode::kBadRequest,
                  "this connection watches: WATCH, PING and QUIT are answered");
  }
  if (info->permission == Permission::kAdmin) administering_ = administration_of(info->command);
  judge(*info, framing, words);
  administering_ = AdminRequest::kNone;
}

void Session::judge(const CommandInfo& info, Framing framing, Request words) {
  if (!info.arity_ok(words.size() - 1)) {
    return refuse(framing, ErrorCode::kBadRequest, ErrorText("usage: ").add(info.usage));
  }
  if (info.permission == Permission::kAdmin && !is_admin()) {
    return refuse(framing, ErrorCode::kNoPermission,
                  ErrorText(info.name).add(" is for root, the daemon's user and the admin group"));
  }
  dispatch(info, framing, words);
}

void Session::dispatch(const CommandInfo& info, Framing framing, Request words) {
  switch (info.command) {
    case Command::kCheck:
      return ask_check(framing, words);
    case Command::kPeek:
      return ask_peek(framing, words);
    case Command::kRefund:
      return ask_amount(framing, words, engine::Verb::kRefund);
    case Command::kCharge:
      return ask_amount(framing, words, engine::Verb::kCharge);
    case Command::kReset:
      return ask_reset(framing, words);
    case Command::kAcquire:
      return ask_acquire(framing, words);
    case Command::kRelease:
      return ask_release(framing, words);
    case Command::kThrottle:
      return ask_throttle(framing, words);
    case Command::kCost:
      return ask_cost(framing, words, false);
    case Command::kBudget:
      return ask_cost(framing, words, true);
    case Command::kLog:
      return ask_log(framing, words);
    default:
      break;
  }
  if (!replies_written()) return defer(framing, words);
  if (info.command == Command::kWatch) return ask_watch(framing, words);
  if (info.command == Command::kReload || info.command == Command::kDrain) {
    return start_control(framing, info.command);
  }
  ReplyWriter reply(stream_.output(), framing);
  if (!answer_administration(info, reply, words)) answer_handshake(info, reply, words, framing);
  if (administering_ == AdminRequest::kNone) return;
  tell_administration(administering_, reply.error_code(), nullptr);
}

bool Session::answer_administration(const CommandInfo& info, ReplyWriter& reply, Request words) {
  switch (info.command) {
    case Command::kHealth:
      reply.ok_fields(health_fields(worker_.process(), worker_.policies()));
      return true;
    case Command::kStats: {
      const auto rows = statistics(worker_.process(), worker_.policies());
      reply.list(rows.size());
      for (const auto& [name, value] : rows) reply.row({name, value});
      return true;
    }
    case Command::kPolicies: {
      const auto rows = policy_rows(worker_.policies());
      reply.list(rows.size());
      for (const auto& row : rows) reply.row({row[0], row[1], row[2], row[3], row[4]});
      return true;
    }
    case Command::kHot:
      answer_hot(reply, words);
      return true;
    case Command::kConfig: {
      const auto settings = worker_.process().control->configuration();
      reply.list(settings->size());
      for (const config::Setting& each : *settings) reply.row({each.key, each.value, each.origin});
      return true;
    }
    case Command::kLevel:
      answer_level(reply, words[1]);
      return true;
    case Command::kVersion:
      reply.ok(std::string("tollkeeper ").append(kProgramVersion));
      return true;
    case Command::kHelp:
      answer_help(reply, words);
      return true;
    default:
      return false;
  }
}

void Session::answer_help(ReplyWriter& reply, Request words) {
  if (words.size() > 1) {
    const CommandInfo* info = find_command(words[1]);
    if (info == nullptr) {
      reply.error(ErrorCode::kUnknown, ErrorText("no verb ").quote(words[1]));
      return;
    }
    reply.list(2);
    reply.row(info->usage);
    reply.row(info->help);
    return;
  }
  reply.list(commands().size());
  for (const CommandInfo& info : commands()) reply.row(info.usage);
}

void Session::answer_hot(ReplyWriter& reply, Request words) {
  int64_t most = kHotRows;
  if (words.size() > 1 && !parse_integer(words[1], 1, kHotRowsMax, most)) {
    reply.error(ErrorCode::kBadRequest, "n is a whole number from 1 to 1000");
    return;
  }
  const auto rows = hot_rows(worker_.process(), worker_.policies(), static_cast<size_t>(most));
  reply.list(rows.size());
  for (const auto& row : rows) reply.row({row[0], row[1], row[2]});
}

void Session::answer_level(ReplyWriter& reply, std::string_view text) {
  const std::optional<config::LogLevel> level = config::parse_level(text);
  if (!level) {
    reply.error(
        ErrorCode::kBadRequest,
        ErrorText("no level ").quote(text).add("; wanted: trace debug info warn error off"));
    return;
  }
  set_log_level(*level);
  tell_level(config::to_string(*level));
  reply.ok();
}

// The control thread does it; the answer takes its place in the queue meanwhile.
void Session::start_control(Framing framing, Command command) {
  Ask* ask = add_ask(framing, Form::kControl);
  ControlDone done = [worker = &worker_, ask, this](ControlResult result) {
    worker->post([ask, this, result = std::move(result)](Worker&) {
      control_error_ = result.error;
      control_notice_ = result.notice;
      answered(*ask);
    });
  };
  Control& control = *worker_.process().control;
  command == Command::kDrain ? control.close_entrance(std::move(done))
                             : control.reload(std::move(done));
}

void Session::write_control_result(ReplyWriter& reply) {
  if (!control_error_.empty()) {
    worker_.counters().errors.add();
    reply.error(ErrorCode::kBadRequest, control_error_);
  } else if (control_notice_.empty()) {
    reply.ok();
  } else {
    reply.ok(std::string_view(control_notice_));
  }
}

bool Session::is_admin() {
  if (admin_ == Admin::kUnasked) {
    admin_ = worker_.loop().peer_is_privileged(stream_.fd(), worker_.process().admin_group)
                 ? Admin::kYes
                 : Admin::kNo;
    peer_ = worker_.loop().peer(stream_.fd());
  }
  return admin_ == Admin::kYes;
}

}  // namespace toll::daemon
