#include "daemon/worker_figures.h"

#include <array>

namespace toll::daemon {
namespace {

using W = WorkerCounters;

template <Counter W::* kCounter>
uint64_t read(const W& counters) {
  return (counters.*kCounter).get();
}

uint64_t errors_of(const CallCounters& calls) {
  return sum(calls.errors) + calls.malformed.get();
}

constexpr auto kFigures = std::to_array<WorkerFigure>({
    {"connections", "tollkeeper_connections_total", "Client connections that were taken.",
     read<&W::connections_opened>},
    {"connections_refused", "tollkeeper_connections_refused_total",
     "Client connections that were turned away: server.max_clients, or no descriptors.",
     read<&W::connections_refused>},
    {"requests", "tollkeeper_requests_total", "Requests that were read, malformed ones too.",
     read<&W::requests>},
    {"allowed", "", "", [](const W& c) { return c.decisions.sum(true) + c.budget_admitted.get(); }},
    {"denied", "", "", [](const W& c) { return c.decisions.sum(false) + c.budget_refused.get(); }},
    {"errors", "tollkeeper_request_errors_total", "Requests that were answered with an error.",
     read<&W::errors>},
    {"", "tollkeeper_budget_checks_total", "Decisions on budgets: COST CHECK and COST HOLD.",
     read<&W::budget_admitted>, "result", "allow"},
    {"", "tollkeeper_budget_checks_total", "", read<&W::budget_refused>, "result", "deny"},
    {"forwarded", "tollkeeper_requests_forwarded_total",
     "Requests whose key belongs to another worker than their connection.", read<&W::forwarded>},
    {"doorbells", "tollkeeper_doorbells_total", "Times that a worker had to wake another.",
     read<&W::doorbells>},
    {"stalls", "tollkeeper_session_waits_total",
     "Times that a connection was not read from, for its unread replies or its requests under way.",
     read<&W::stalls>},
    {"keys", "tollkeeper_keys", "Keys held in memory.", read<&W::keys>},
    {"key_bytes", "tollkeeper_key_bytes", "Memory taken by keys.", read<&W::key_bytes>},
    {"key_slots", "tollkeeper_key_slots",
     "Slots of the tables of keys, which grow before they are full.", read<&W::key_slots>},
    {"keys_expired", "tollkeeper_keys_expired_total", "Keys freed because nothing was used.",
     read<&W::expired>},
    {"keys_evicted", "tollkeeper_keys_evicted_total",
     "Keys freed for memory while something was still used.", read<&W::evicted>},
    {"refused_for_memory", "tollkeeper_requests_without_memory_total",
     "Requests that were refused because there was no memory for their key.", read<&W::full>},
    {"redis_calls", "tollkeeper_redis_calls_total", "Calls that were sent to Redis.",
     [](const W& c) { return c.store_calls.sent.get(); }, "purpose", "limits"},
    {"redis_requests", "", "", [](const W& c) { return c.store_batches.sum(); }},
    {"redis_merged", "tollkeeper_redis_requests_merged_total",
     "Requests that were merged with an equal one in the same batch.", read<&W::store_merged>},
    {"redis_errors", "", "", [](const W& c) { return errors_of(c.store_calls); }},
    {"redis_lost", "", "", [](const W& c) { return sum(c.store_calls.lost); }},
    {"redis_away", "tollkeeper_fallback_answers_total",
     "Requests for Redis that were answered without it: it was away or late, too many waited for "
     "it, or its key held something else.",
     read<&W::store_away>, "reason", "away"},
    {"redis_full", "tollkeeper_fallback_answers_total", "", read<&W::store_full>, "reason", "full"},
    {"redis_poisoned", "tollkeeper_fallback_answers_total", "", read<&W::store_poisoned>, "reason",
     "poisoned"},
    {"redis_repaid", "tollkeeper_redis_repaid_total",
     "Keys whose use while Redis was away was charged to it later.", read<&W::store_repaid>},
    {"leases_asked", "tollkeeper_leases_asked_total",
     "Times that Redis was asked to set units aside.", read<&W::leases_asked>},
    {"lease_units", "tollkeeper_lease_units_total", "Units that Redis set aside for this host.",
     read<&W::lease_units>},
    {"lease_units_returned", "tollkeeper_lease_units_returned_total",
     "Units set aside that were not used and given back.", read<&W::lease_units_returned>},
    {"lease_units_lapsed", "tollkeeper_lease_units_lapsed_total",
     "Units set aside that were not used and too few to be given back.",
     read<&W::lease_units_lapsed>},
    {"lease_units_lost", "tollkeeper_lease_units_lost_total",
     "Units set aside that were not used and could not be given back.", read<&W::lease_units_lost>},
    {"lease_units_held", "tollkeeper_lease_units_held", "Units set aside and not used yet.",
     read<&W::lease_units_held>},
    {"breaker_trips", "tollkeeper_redis_breaker_trips_total",
     "Times that a worker's breaker opened.", read<&W::breaker_trips>},
    {"costs_accepted", "tollkeeper_charges_accepted_total", "Charges that were taken.",
     read<&W::costs_accepted>},
    {"costs_applied", "tollkeeper_charges_applied_total",
     "Charges that Redis was found to have, again after each replay.", read<&W::costs_applied>},
    {"costs_duplicates", "tollkeeper_charges_duplicate_total",
     "Times that charges were sent which Redis had already.", read<&W::costs_duplicates>},
    {"costs_gaps", "tollkeeper_charges_gap_total",
     "Times that Redis lacked what the charges sent were to follow.", read<&W::costs_gaps>},
    {"costs_rewinds", "tollkeeper_journal_replays_total",
     "Times that all of the journal was sent again, as Redis may have forgotten.",
     read<&W::costs_rewinds>},
    {"costs_given_up", "tollkeeper_charges_given_up_total",
     "Times that Redis could not add an account's charges, and they were given up.",
     read<&W::costs_given_up>},
    {"costs_calls", "tollkeeper_redis_calls_total", "",
     [](const W& c) { return c.costs_calls.sent.get(); }, "purpose", "costs"},
    {"costs_errors", "", "", [](const W& c) { return errors_of(c.costs_calls); }},
    {"costs_lost", "", "", [](const W& c) { return sum(c.costs_calls.lost); }},
    {"costs_by_ledger", "tollkeeper_costs_by_ledger_total",
     "Questions about costs that were answered without Redis.", read<&W::costs_by_ledger>},
    {"logs_pushed", "tollkeeper_log_records_pushed_total", "Log records that were acknowledged.",
     read<&W::logs_pushed>},
    {"logs_refused", "tollkeeper_log_records_refused_total",
     "Log records that neither Redis nor the disk took.", read<&W::logs_refused>},
    {"logs_popped", "tollkeeper_log_records_popped_total",
     "Log records that were given to consumers.", read<&W::logs_popped>},
    {"logs_returned", "tollkeeper_log_records_returned_total",
     "Log records whose consumer was gone, so that they are in the queue again.",
     read<&W::logs_returned>},
    {"logs_spilled", "tollkeeper_log_records_spilled_total",
     "Log records that were written to the disk, as Redis was away.", read<&W::logs_spilled>},
    {"logs_drained", "tollkeeper_log_records_drained_total",
     "Log records that went from the disk to Redis.", read<&W::logs_drained>},
    {"logs_calls", "tollkeeper_redis_calls_total", "", read<&W::logs_calls>, "purpose", "logs"},
    {"logs_errors", "", "", read<&W::logs_errors>},
    {"logs_lost", "", "", read<&W::logs_lost>},
    {"watchers", "tollkeeper_watchers", "Connections that watch.", read<&W::watchers>},
    {"events_sent", "tollkeeper_events_sent_total", "Events that were written to watchers.",
     read<&W::events_sent>},
    {"events_lost", "tollkeeper_events_lost_total",
     "Events that a watcher did not get: it was slow, or they were too many.",
     read<&W::events_lost>},
    {"turns", "tollkeeper_loop_turns_total", "Turns of the workers' loops.", read<&W::turns>},
    {"long_turns", "tollkeeper_loop_stalls_total",
     "Turns that took longer than 10 ms, so that requests waited for others.",
     read<&W::long_turns>},
    {"", "tollkeeper_loop_stall_seconds_total", "How long those turns took.",
     read<&W::long_turns_us>, "", "", 1e6},
    {"receives_starved", "tollkeeper_loop_receives_starved_total",
     "Receives that found no free buffer and were begun again.", read<&W::starved>},
    {"completion_overflows", "tollkeeper_loop_overflows_total",
     "Turns in which the kernel had more completions than the ring holds.", read<&W::overflows>},
});

}  // namespace

std::span<const WorkerFigure> worker_figures() {
  return kFigures;
}

uint64_t sum(const Process& process, const WorkerFigure& figure) {
  uint64_t total = 0;
  for (const auto& counters : process.counters) total += figure.read(*counters);
  return total;
}

}  // namespace toll::daemon
