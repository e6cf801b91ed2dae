// What befalls a host's disk, and the state directory on it.
#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>

#include "daemon/journal.h"
#include "daemon/journal_identity.h"
#include "tests/sim/world.h"

namespace toll::sim {

using test::FileOperation;

namespace {

constexpr uint64_t kSoonOperations = 12;
// How long an operator takes to see what was done, beside what happens meanwhile.
constexpr int64_t kOperatorNs = 2 * kNsPerS;

std::string node_of(const DiskFiles& files) {
  const auto identity = files.find("identity");
  if (identity == files.end()) return "";
  const auto read = daemon::read_identity(identity->second);
  return read ? engine::hexadecimal(read->node) : "";
}

}  // namespace

void World::begin_at_disk(Fault fault, size_t number, int64_t for_ns) {
  DaemonHost& host = *hosts_[number];
  switch (fault) {
    case Fault::kPowerCut:
      host.cut_power();
      return start_again(host, for_ns);
    case Fault::kDieWhileWriting:
      host.die_at(any_disk(host), 1 + cost_random_.below(kSoonOperations), cost_random_.chance(60));
      return start_again(host, kNsPerS + for_ns);
    case Fault::kDiskErrors:
      return disk_errors(host, for_ns);
    case Fault::kDiskFull: {
      const uint64_t room = cost_random_.chance(50) ? 0 : cost_random_.below(16 << 10);
      history_.tell("the disk of {} has {} bytes left for {} us", host.settings().name, room,
                    for_ns / kNsPerUs);
      test::MemoryDisk& disk = any_disk(host);
      disk.fill(disk.bytes_used() + room);
      return scheduler_.after(for_ns, [&disk] { disk.fill(std::nullopt); });
    }
    case Fault::kCopiedState:
      return copy_state(number, for_ns);
    default:
      return restore_state(number, for_ns);
  }
}

void World::disk_errors(DaemonHost& host, int64_t for_ns) {
  constexpr std::array kKinds = {FileOperation::kWrite,  FileOperation::kSync,
                                 FileOperation::kCreate, FileOperation::kRename,
                                 FileOperation::kRead,   FileOperation::kSyncDirectory};
  test::MemoryDisk& disk = any_disk(host);
  if (cost_random_.chance(50)) {
    history_.tell("one operation of the disk of {} fails", host.settings().name);
    disk.fail_at(1 + cost_random_.below(kSoonOperations), EIO);
    if (cost_random_.chance(50)) disk.fail_again_after(1 + cost_random_.below(4));
    return;
  }
  history_.tell("the disk of {} fails for {} us", host.settings().name, for_ns / kNsPerUs);
  for (const FileOperation kind : kKinds) {
    if (cost_random_.chance(40)) disk.fail_each(kind, EIO);
  }
  scheduler_.after(for_ns, [&disk] { disk.heal(); });
}

// ---- two daemons of one name ----

// Does Redis know that name as one of this host's, since then?
bool World::owns_name(const DaemonHost& host, uint64_t from_life) const {
  const std::string owner = oracle_->costs().owner_of_epoch(mischief_.node);
  const size_t colon = owner.find(':');
  return colon != std::string::npos && host.had_token(owner.substr(colon + 1), from_life);
}

// Another host runs with a copy of the directory, in place of its own.
void World::copy_state(size_t number, int64_t for_ns) {
  if (mischief_.under_way || hosts_.size() < 2) return;
  DaemonHost& host = *hosts_[number];
  const size_t other = (number + 1) % hosts_.size();
  DaemonHost& thief = *hosts_[other];
  const DiskFiles copy = host.files();
  if (node_of(copy).empty()) return;
  history_.tell("{} goes on with a copy of the state of {}", thief.settings().name,
                host.settings().name);
  if (thief.running()) thief.crash();
  mischief_ = {.under_way = true,
               .since_ns = scheduler_.now_ns(),
               .node = node_of(copy),
               .files = thief.files(),
               .from_life = thief.life() + 1};
  for (const size_t each : {number, other}) {
    oracle_->costs().shared_name(each, mischief_.since_ns);
  }
  thief.replace_files(copy);
  start_again(thief, kNsPerMs);
  const int64_t until_ns = for_ns + kOperatorNs;
  disturb_until(scheduler_.now_ns() + until_ns + kNsPerS);
  scheduler_.after(until_ns, [this, number, other] { end_copy(number, other); });
}

// The operator leaves the directory to whom Redis knows by its name, and the other one's is gone.
void World::end_copy(size_t of, size_t to) {
  DaemonHost& host = *hosts_[of];
  DaemonHost& thief = *hosts_[to];
  const bool thief_won = owns_name(thief, mischief_.from_life);
  history_.tell("an operator finds the copy, which {} fenced", thief_won ? "is not" : "may be");
  for (DaemonHost* each : {&host, &thief}) {
    if (each->running()) each->crash();
  }
  if (thief_won) host.replace_files(thief.files());
  // Where Redis was away meanwhile, both may have charged under the same numbers: of the winner's,
  // too, some then pass for what the other's were.
  oracle_->costs().given_up(of, mischief_.since_ns, 0, host.life());
  oracle_->costs().given_up(to, mischief_.since_ns, mischief_.from_life, thief.life());
  thief.replace_files(mischief_.files);
  mischief_ = {};
  start_again(host, kNsPerMs);
  start_again(thief, kNsPerMs);
}

// The directory of some time ago is put back.
void World::restore_state(size_t number, int64_t for_ns) {
  if (mischief_.under_way) return;
  DaemonHost& host = *hosts_[number];
  const DiskFiles backup = host.files();
  if (node_of(backup).empty()) return;
  mischief_ = {.under_way = true,
               .since_ns = scheduler_.now_ns(),
               .node = node_of(backup),
               .files = {},
               .from_life = 0};
  oracle_->costs().shared_name(number, mischief_.since_ns);
  disturb_until(scheduler_.now_ns() + for_ns + kOperatorNs + kNsPerS);
  scheduler_.after(for_ns, [this, number, backup, for_ns] {
    DaemonHost& restored = *hosts_[number];
    history_.tell("the state of {} is put back to what it was {} us ago", restored.settings().name,
                  for_ns / kNsPerUs);
    if (restored.running()) restored.crash();
    mischief_.files = restored.files();
    mischief_.from_life = restored.life() + 1;
    restored.replace_files(backup);
    start_again(restored, kNsPerMs);
    scheduler_.after(kOperatorNs, [this, number] { end_restore(number); });
  });
}

// Where Redis knows the newer one's name, the operator takes the older one away again.
void World::end_restore(size_t number) {
  DaemonHost& host = *hosts_[number];
  const bool older_won = owns_name(host, mischief_.from_life);
  history_.tell("an operator finds the older state of {}, which {} fenced", host.settings().name,
                older_won ? "is not" : "may be");
  oracle_->costs().given_up(number, mischief_.since_ns, 0, host.life());
  if (older_won) {
    mischief_ = {};
    return;
  }
  if (host.running()) host.crash();
  host.replace_files(mischief_.files);
  mischief_ = {};
  start_again(host, kNsPerMs);
}

}  // namespace toll::sim
