// What reaches a worker from others: letters of the other workers and of the journal, and tasks.
#include <array>
#include <cassert>
#include <mutex>
#include <utility>

#include "daemon/costs.h"
#include "daemon/log_home.h"
#include "daemon/log_spill.h"
#include "daemon/logs.h"
#include "daemon/session.h"
#include "daemon/store.h"
#include "daemon/worker.h"

namespace toll::daemon {
namespace {

void prefetch_answer(const Letter* letter) {
  __builtin_prefetch(letter);
  __builtin_prefetch(reinterpret_cast<const char*>(letter) + net::kCacheLineBytes);
}

}  // namespace

// What comes lies in another core's cache: all of it is fetched before the first is looked at.
void Worker::collect_mail() {
  std::array<Letter*, kBatchMax> replies;
  size_t count = 0;
  const auto read_replies = [&] {
    for (size_t i = 0; i < count; ++i) answered(replies[i]);
    count = 0;
  };
  process_.post.collect(
      index_,
      [this](uint32_t from, Letter* letter) {
        __builtin_prefetch(letter);
        serve(from, letter);
      },
      [&](Letter* letter) {
        prefetch_answer(letter);
        replies[count] = letter;
        if (++count == replies.size()) read_replies();
      });
  read_replies();
}

void Worker::serve(uint32_t from, Letter* letter) {
  switch (letter->kind) {
    case LetterKind::kAsk: {
      Ask& ask = *static_cast<Ask*>(letter);
      if (ask.by_store) {
        ask.from = from;
        return store_->ask(ask);
      }
      return collect(ask, from);
    }
    case LetterKind::kWhole: {
      Together& together = *static_cast<Part*>(letter)->together;
      together.from = from;
      return store_->ask(together);
    }
    case LetterKind::kPart:
    case LetterKind::kUndo:
    case LetterKind::kNote:
      decide_batch();  // what came before is decided before
      decide_part(*static_cast<Part*>(letter));
      break;
    case LetterKind::kCost: {
      CostRequest& request = *static_cast<CostRequest*>(letter);
      request.from = from;
      return costs_->ask(request);
    }
    case LetterKind::kLogBatch:
      log_home_->take(*static_cast<LogBatch*>(letter));
      break;
    case LetterKind::kLogRequest: {
      LogRequest& request = *static_cast<LogRequest*>(letter);
      request.from = from;
      return log_home_->ask(request);
    }
    case LetterKind::kConnection:
      add_session(static_cast<Connection*>(letter)->fd);
      break;
    case LetterKind::kJournalCommit:
    case LetterKind::kJournalRead:
    case LetterKind::kSpill:
    case LetterKind::kSpillRead:
    case LetterKind::kRepayment:
    case LetterKind::kLease:
      assert(false);  // never sent
      return;
  }
  process_.post.reply(index_, from, letter);
}

void Worker::answered(Letter* letter) {
  switch (letter->kind) {
    case LetterKind::kAsk: {
      Ask* ask = static_cast<Ask*>(letter);
      ask->session->answered(*ask);
      return;
    }
    case LetterKind::kPart:
    case LetterKind::kUndo:
    case LetterKind::kNote:
      part_answered(*static_cast<Part*>(letter));
      return;
    case LetterKind::kWhole:
      whole_answered(*static_cast<Part*>(letter)->together);
      return;
    case LetterKind::kCost: {
      Ask* ask = static_cast<CostRequest*>(letter)->ask;
      ask->session->answered(*ask);
      return;
    }
    case LetterKind::kJournalCommit:
      return costs_->answered(*static_cast<JournalCommit*>(letter));
    case LetterKind::kJournalRead:
      return costs_->answered(*static_cast<JournalRead*>(letter));
    case LetterKind::kLogBatch:
      return logs_->answered(*static_cast<LogBatch*>(letter));
    case LetterKind::kLogRequest:
      return log_answered(*static_cast<LogRequest*>(letter));
    case LetterKind::kSpill: {
      SpillCommit& commit = *static_cast<SpillCommit*>(letter);
      if (log_home_ != nullptr && log_home_->answered(commit)) return;
      return logs_->answered(commit);
    }
    case LetterKind::kSpillRead:
      return log_home_->answered(*static_cast<JournalRead*>(letter));
    case LetterKind::kConnection:
      connections_.give(static_cast<Connection*>(letter));
      return;
    case LetterKind::kRepayment:
    case LetterKind::kLease:
      assert(false);
      return;
  }
}

void Worker::post(std::function<void(Worker&)> task) {
  {
    const std::lock_guard lock(tasks_mutex_);
    tasks_.push_back(std::move(task));
  }
  tasks_pending_.store(true);
  process_.post.wake(index_);
}

void Worker::run_tasks() {
  if (!tasks_pending_.load(std::memory_order_relaxed)) return;
  tasks_pending_.store(false);
  std::vector<std::function<void(Worker&)>> tasks;
  {
    const std::lock_guard lock(tasks_mutex_);
    tasks.swap(tasks_);
  }
  for (const auto& task : tasks) task(*this);
}

// ---- costs ----

CostRequest* Worker::new_cost(Ask* ask) {
  CostRequest* request = costs_pool_.take();
  request->ask = ask;
  request->from = index_;
  request->budget = engine::kNoBudget;
  ask->cost = request;
  return request;
}

void Worker::ask(CostRequest* request) {
  const uint32_t owner = request->key.owner(process_.workers_count);
  if (owner == index_) return costs_->ask(*request);
  counters_.forwarded.add();
  process_.post.send(index_, owner, request);
}

void Worker::answer(CostRequest& request) {
  if (request.from == index_) {
    request.ask->session->answered(*request.ask);
  } else {
    process_.post.reply(index_, request.from, &request);
  }
}

void Worker::send_to_journal(Letter& letter) {
  process_.post.send(index_, process_.workers_count, &letter);
}

// ---- log records ----

LogRequest* Worker::new_log_request(Ask* ask) {
  LogRequest* request = log_requests_.take();
  request->ask = ask;
  request->session = nullptr;
  request->from = index_;
  request->result = LogResult::kDone;
  request->records.clear();
  request->number = 0;
  request->oldest_ms = -1;
  request->takes = 0;
  request->abandoned.store(false, std::memory_order_relaxed);
  ask->log = request;
  return request;
}

void Worker::ask(LogRequest* request) {
  if (index_ == 0) return log_home_->ask(*request);
  process_.post.send(index_, 0, request);
}

void Worker::answer(LogRequest& request) {
  if (request.from == index_) return log_answered(request);
  process_.post.reply(index_, request.from, &request);
}

void Worker::log_answered(LogRequest& request) {
  if (request.ask == nullptr) return log_requests_.give(&request);
  request.ask->session->answered(*request.ask);
}

// The reply is written, or never will be: its client is gone.
void Worker::release(LogRequest& request) {
  request.ask = nullptr;
  if (request.gives_records() && !request.records.empty()) return logs_->unwritten(request);
  log_requests_.give(&request);
}

void Worker::send_to_spill(Letter& letter) {
  process_.post.send(index_, process_.spill->desk(), &letter);
}

void Worker::send_to_home(LogBatch& batch) {
  process_.post.send(index_, 0, &batch);
}

}  // namespace toll::daemon
