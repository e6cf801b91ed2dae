#include "tests/sim/redis_trouble.h"

namespace toll::sim {

namespace {

constexpr std::string_view kMisconfError =
    "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to "
    "disk. Commands that may modify the data set are disabled, because this instance is configured "
    "to report errors during writes if RDB snapshotting fails (stop-writes-on-bgsave-error option)."
    " Please check the Redis logs for details about the RDB error.";
constexpr std::string_view kOomError = "OOM command not allowed when used memory > 'maxmemory'.";
constexpr std::string_view kReadonlyError = "READONLY You can't write against a read only replica.";
constexpr std::string_view kMasterdownError =
    "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.";
constexpr std::string_view kNoreplicasError = "NOREPLICAS Not enough good replicas to write.";

}  // namespace

uint32_t flags_with(uint32_t flags, const ScriptTraits& traits) {
  if (!traits.declared) return flags;
  flags &= ~(kWrite | kDenyOom | kStale);
  if (!traits.no_writes) flags |= kWrite;
  if (!traits.no_writes && !traits.allow_oom) flags |= kDenyOom;
  if (traits.allow_stale) flags |= kStale;
  return flags;
}

std::string refusal(Trouble trouble, std::string_view name, uint32_t flags) {
  const bool writes = (flags & kWrite) != 0;
  std::string_view error;
  switch (trouble) {
    case Trouble::kNone:
    case Trouble::kMaxclients:
      break;
    case Trouble::kLoading:
      if ((flags & kLoading) == 0) error = "LOADING Redis is loading the dataset in memory";
      break;
    case Trouble::kBusy:
      if ((flags & kAllowBusy) == 0) {
        error =
            "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN "
            "NOSAVE.";
      }
      break;
    case Trouble::kMisconf:
      if (writes || name == "ping") error = kMisconfError;
      break;
    case Trouble::kOom:
      if ((flags & kDenyOom) != 0) error = kOomError;
      break;
    case Trouble::kReadonly:
      if (writes) error = kReadonlyError;
      break;
    case Trouble::kMasterdown:
      if (writes) {
        error = kReadonlyError;
      } else if ((flags & kStale) == 0) {
        error = kMasterdownError;
      }
      break;
    case Trouble::kNoreplicas:
      if (writes) error = kNoreplicasError;
      break;
    case Trouble::kNoauth:
      if ((flags & kNoAuth) == 0) error = "NOAUTH Authentication required.";
      break;
    case Trouble::kNoperm:
      if ((flags & kNoAuth) != 0) break;
      return "NOPERM this user has no permissions to run the '" + std::string(name) + "' command";
  }
  return std::string(error);
}

std::string_view refusal_of_undeclared(Trouble trouble) {
  return trouble == Trouble::kMasterdown ? kMasterdownError : "";
}

std::string_view refusal_in_script(Trouble trouble, const ScriptTraits& traits,
                                   const Command& command, bool has_written) {
  if (trouble == Trouble::kMasterdown && !command.has(kStale)) {
    return "ERR Can not execute the command on a stale replica";
  }
  const bool writes = command.has(kWrite);
  if (writes && traits.no_writes) {
    return "ERR Write commands are not allowed from read-only scripts.";
  }
  // Once it has written, it is not stopped halfway.
  if (has_written) return {};
  switch (trouble) {
    case Trouble::kReadonly:
    case Trouble::kMasterdown:
      return writes ? kReadonlyError : "";
    case Trouble::kMisconf:
      return writes ? kMisconfError : "";
    case Trouble::kNoreplicas:
      return writes ? kNoreplicasError : "";
    case Trouble::kOom:
      return command.has(kDenyOom) && !traits.allow_oom ? kOomError : "";
    default:
      return {};
  }
}

}  // namespace toll::sim
