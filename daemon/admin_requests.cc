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

}  // namespace

void Session::handle(Framing framing, Request words) {
  const CommandInfo* info = find_command(words[0]);
  if (info == nullptr) {
    return refuse(framing, ErrorCode::kUnknown,
                  ErrorText("no verb ").quote(words[0]).add("; HELP lists them"));
  }
  if (!info->arity_ok(words.size() - 1)) {
    return refuse(framing, ErrorCode::kBadRequest, ErrorText("usage: ").add(info->usage));
  }
  if (info->permission == Permission::kAdmin && !is_admin()) {
    return refuse(framing, ErrorCode::kNoPermission,
                  ErrorText(info->name).add(" is for root, the daemon's user and the admin group"));
  }
  dispatch(*info, framing, words);
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
  if (info.command == Command::kReload || info.command == Command::kDrain) {
    return start_control(framing, info.command);
  }
  ReplyWriter reply(stream_.output(), framing);
  if (!answer_administration(info, reply, words)) answer_handshake(info, reply, words, framing);
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
  }
  return admin_ == Admin::kYes;
}

}  // namespace toll::daemon
