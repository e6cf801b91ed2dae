// What the workers share for costs: the journal with its thread, who we are in it, and what it
// remembers from before this start, dealt out to the workers as books.
//
// Made by main before the first worker starts, and gone after the last has ended.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "config/settings.h"
#include "daemon/journal.h"
#include "daemon/journal_keeper.h"
#include "engine/charge_keys.h"
#include "engine/key_hash.h"
#include "engine/ledger.h"
#include "net/file_system.h"
#include "net/machine.h"
#include "net/path_lock.h"
#include "net/post_office.h"

namespace toll::daemon {

struct Process;

// The place of a record: its frame, and how many records come before it there.
struct RecordPlace {
  engine::JournalPosition frame;
  uint64_t index = 0;
  auto operator<=>(const RecordPlace&) const = default;
};

// What one worker begins with. The worker's own, once it runs.
struct CostBook {
  CostBook(size_t accounts_max, size_t keys_max) : ledger(accounts_max), keys(keys_max) {}

  engine::Ledger ledger;
  engine::ChargeKeys keys;
  // Charges before it are counted as applied already, those behind it as accepted.
  RecordPlace counted_until;
  // When the first charge was accepted that the store is not known to have; 0: there is none.
  engine::TimeUs oldest_unapplied = 0;
};

// The key of an account, and of an idempotency key or a hold that was settled.
engine::KeyHash account_key(const engine::KeyHasher& hasher, std::string_view id);
engine::KeyHash charge_key(const engine::KeyHasher& hasher, std::string_view id, bool settles,
                           std::string_view text);
// The parts of a charge's key in one text, and out of it. REQUIRES: id and text within their
// bounds.
struct ChargeKeyParts {
  std::string_view id;
  bool settles = false;
  std::string_view text;
};
std::string text_of(const ChargeKeyParts& parts);
ChargeKeyParts parts_of(std::string_view text);

class Treasury {
 public:
  // Reads the journal. `files` are the directory of the journal; of `shape` the sizes of segments
  // count. Error: a sentence for the operator; the daemon must not start.
  static std::expected<std::unique_ptr<Treasury>, std::string> open(
      Process& process, const config::CostsSettings& settings,
      std::unique_ptr<net::FileSystem> files, const std::string& machine_id,
      Journal::Settings shape = {});
  ~Treasury();

  const config::CostsSettings& settings() const { return settings_; }
  const Identity& identity() const { return journal_->identity(); }
  // Tells this process from another that has our name and epoch.
  const std::string& token() const { return token_; }
  CostBook& book(uint32_t worker) { return *books_[worker]; }
  JournalKeeper& keeper() { return *keeper_; }
  const JournalFigures& journal() const { return keeper_->figures(); }
  // Where the journal ended when this process began.
  engine::JournalPosition end_at_start() const { return end_at_start_; }
  // Of the journal's thread in the post office.
  uint32_t desk() const { return static_cast<uint32_t>(books_.size()); }

  // The journal's thread. stop() after the last worker has ended.
  void start();
  void stop();

 private:
  Treasury(const Process& process, const config::CostsSettings& settings,
           std::unique_ptr<net::FileSystem> files, Journal::Settings shape);
  std::expected<void, std::string> recover(const Process& process);
  // `counts`: the store is not known to have it.
  void take(CostBook& book, const engine::KeyHash& key, const engine::JournalRecord& record,
            bool counts, const engine::KeyHasher& hasher, engine::TimeUs now);

  const config::CostsSettings settings_;
  const bool with_store_;  // Redis is the store of totals; else the journal is
  std::string token_;
  std::unique_ptr<Journal> journal_;
  engine::JournalPosition end_at_start_;
  std::vector<std::unique_ptr<CostBook>> books_;
  std::unique_ptr<JournalKeeper> keeper_;
  std::thread thread_;
};

}  // namespace toll::daemon
