// Transactions: commands are kept until EXEC runs them, one behind the other.
#include <array>
#include <utility>

#include "tests/sim/redis_core.h"

namespace toll::sim {

namespace {

void multi(Call& call) {
  if (call.session.transaction) return call.reply.error("ERR MULTI calls can not be nested");
  call.session.transaction.emplace();
  call.reply.status("OK");
}

void discard(Call& call) {
  if (!call.session.transaction) return call.reply.error("ERR DISCARD without MULTI");
  call.session.transaction.reset();
  call.reply.status("OK");
}

void exec(Call& call) {
  if (!call.session.transaction) return call.reply.error("ERR EXEC without MULTI");
  const Transaction transaction = *std::exchange(call.session.transaction, std::nullopt);
  if (transaction.spoiled) {
    return call.reply.error("EXECABORT Transaction discarded because of previous errors.");
  }
  call.reply.array(transaction.calls.size());
  call.session.executing = true;
  for (const auto& words : transaction.calls) run_queued(call, words);
  call.session.executing = false;
}

constexpr std::array kTransactionCommands{
    Command{"discard", 1, kNoScript | kLoading | kStale | kAllowBusy, discard},
    Command{"exec", 1, kNoScript | kLoading | kStale, exec},
    Command{"multi", 1, kNoScript | kLoading | kStale | kAllowBusy, multi},
};

}  // namespace

std::span<const Command> transaction_commands() {
  return kTransactionCommands;
}

}  // namespace toll::sim
