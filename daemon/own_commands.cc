#include "daemon/own_commands.h"

#include <algorithm>
#include <array>
#include <cstdio>

#include "daemon/audit_command.h"
#include "daemon/config_command.h"
#include "daemon/health_command.h"
#include "daemon/journal_command.h"
#include "daemon/reply_printer.h"
#include "daemon/status_command.h"
#include "daemon/top_command.h"
#include "daemon/watch_command.h"

namespace toll::daemon {
namespace {

// In the order in which --help lists them.
constexpr auto kOwnCommands = std::to_array<OwnCommand>({
    {"status", "status", "How the daemon is, on one screen. Exit status as health.",
     run_status_command},
    {"top", "top [--once] [--interval TIME]",
     "What the daemon does, live; q leaves. --once, or without a terminal: once, as plain text.",
     run_top_command},
    {"health", "health [--wait [TIME]]",
     "Asks, or waits, whether it is ready. Exit status: 0 ready, 1 degraded, 2 down.",
     run_health_command},
    {"config", "config check|show|diff [FILE]",
     "Checks a configuration, prints what is in force by it, or tells in what the daemon that runs "
     "differs. Exit status: 0 good or the same; 1 faults or differences; 2, 3 as of a request.",
     run_config_command},
    {"journal", "journal ls|verify|dump [DIRECTORY]",
     "Looks into the journal of costs, from its files. Exit status: 0 sound, 1 damaged.",
     [](const CommandOptions& options, std::span<const std::string> words) {
       return run_journal_command(words, options.json, stdout);
     }},
    {"watch", "watch TOPIC...", "Prints events as they happen, until it is interrupted.",
     [](const CommandOptions& options, std::span<const std::string> words) {
       ReplyPrinter printer(options.json);
       return static_cast<int>(run_watch_command(options.client, words, printer));
     }},
    {"audit", "audit verify [FILE...]",
     "Walks the chain of the audit log, from its files. Exit status: 0 whole, 1 broken.",
     [](const CommandOptions&, std::span<const std::string> words) {
       return run_audit_command(words, stdout);
     }},
    {"pseudonymize", "pseudonymize [--key-file FILE] [ID...]",
     "What the audit log and events have for these ids, or for each line of standard input.",
     [](const CommandOptions&, std::span<const std::string> words) {
       return run_pseudonymize_command(words, stdout);
     }},
});

}  // namespace

std::span<const OwnCommand> own_commands() {
  return kOwnCommands;
}

const OwnCommand* find_own_command(std::string_view name) {
  const auto found = std::ranges::find(kOwnCommands, name, &OwnCommand::name);
  return found == kOwnCommands.end() ? nullptr : &*found;
}

}  // namespace toll::daemon
