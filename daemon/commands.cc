#include "daemon/commands.h"

#include <algorithm>
#include <array>
#include <utility>

#include "daemon/happening.h"
#include "daemon/limits.h"

namespace toll::daemon {

namespace {

constexpr uint16_t kAny = kWordsMax - 1;
constexpr auto kAnyone = Permission::kAnyone;
constexpr auto kAdmin = Permission::kAdmin;

// In the order HELP lists them.
constexpr auto kCommands = std::to_array<CommandInfo>({
    {"CHECK", Command::kCheck, kAnyone, 2, 3 * kChecksMax, 3,
     "CHECK policy id [units] | CHECK policy id units policy id units ...",
     "Asks whether a request may pass and charges it if so; of several, all are charged or none."},
    {"PEEK", Command::kPeek, kAnyone, 2, kAny, 0, "PEEK policy id [id ...]",
     "Tells limit, remaining, reset and source of each id, and uses nothing."},
    {"REFUND", Command::kRefund, kAnyone, 3, 3, 0, "REFUND policy id units",
     "Gives units back, never above the limit, and tells what remains."},
    {"CHARGE", Command::kCharge, kAnyone, 3, 3, 0, "CHARGE policy id units",
     "Uses units whatever is left, for what is known only afterwards; remaining may be negative."},
    {"RESET", Command::kReset, kAdmin, 2, 2, 0, "RESET policy id",
     "Forgets what an id has used. For administrators."},
    {"ACQUIRE", Command::kAcquire, kAnyone, 2, 4, 0, "ACQUIRE policy id [units [ttl]]",
     "Takes a ticket of a concurrency policy, held until RELEASE or for ttl (30s; a bare number is "
     "milliseconds)."},
    {"RELEASE", Command::kRelease, kAnyone, 3, 3, 0, "RELEASE policy id ticket",
     "Returns a ticket that ACQUIRE gave."},
    {"CL.THROTTLE", Command::kThrottle, kAnyone, 4, 5, 0,
     "CL.THROTTLE key max_burst count period [units]",
     "Answers as redis-cell does: limited, limit, remaining, retry and reset in seconds; -1 is no "
     "retry needed."},
    {"COST", Command::kCost, kAnyone, 2, 4, 0,
     "COST ADD id amount [key] | GET id [YYYY-MM] | CHECK id [amount] | HOLD id amount [ttl] | "
     "SETTLE id hold actual | CANCEL id hold",
     "Charges an id's month, tells what it spent, asks its budget, or sets an amount aside until "
     "the true one is known. Dollars with up to 9 decimals."},
    {"BUDGET", Command::kBudget, kAnyone, 2, 3, 0, "BUDGET SET id amount|none | GET id | CLEAR id",
     "An id's own monthly budget, over the configuration's. SET and CLEAR for administrators."},
    {"LOG", Command::kLog, kAnyone, 1, 3, 0,
     "LOG PUSH record | POP [n] | PEEK [n] | WAIT ms [n] | SIZE | CLEAR | STATS",
     "Keeps a record for whoever archives them, or takes the oldest. CLEAR for administrators."},
    {"WATCH", Command::kWatch, kAnyone, 1, kTopics, 0, "WATCH topic ...",
     "Tells what happens, an EVENT a line, until the connection closes: refusals, breaker, budget, "
     "config. Ids are hashed. Then only PING, QUIT and WATCH are answered."},
    {"PING", Command::kPing, kAnyone, 0, 1, 0, "PING [text]",
     "Answers pong, or the text: the daemon is there."},
    {"HEALTH", Command::kHealth, kAnyone, 0, 0, 0, "HEALTH",
     "Tells the state (ready, degraded, starting or draining) and what it rests on."},
    {"STATS", Command::kStats, kAnyone, 0, 0, 0, "STATS",
     "Lists the daemon's counters, one name and value a line."},
    {"POLICIES", Command::kPolicies, kAnyone, 0, 0, 0, "POLICIES",
     "Lists the policies in force: name, algorithm, limits, mode and on_outage."},
    {"HOT", Command::kHot, kAnyone, 0, 1, 0, "HOT [n]",
     "Lists the keys that were decided on most lately: policy, a hash in the id's place, and the "
     "share of all decisions."},
    {"CONFIG", Command::kConfig, kAdmin, 0, 0, 0, "CONFIG",
     "Lists the configuration in force: key, value and where it came from; secrets are masked. For "
     "administrators."},
    {"RELOAD", Command::kReload, kAdmin, 0, 0, 0, "RELOAD",
     "Reads the configuration again; a bad file changes nothing. For administrators."},
    {"LEVEL", Command::kLevel, kAdmin, 1, 1, 0, "LEVEL trace|debug|info|warn|error|off",
     "Sets the level of the daemon's own log until it stops. For administrators."},
    {"DRAIN", Command::kDrain, kAdmin, 0, 0, 0, "DRAIN",
     "Takes no new clients and serves those that are there until they leave. For administrators."},
    {"VERSION", Command::kVersion, kAnyone, 0, 0, 0, "VERSION", "Tells the daemon's version."},
    {"HELP", Command::kHelp, kAnyone, 0, 1, 0, "HELP [verb]",
     "Lists what can be asked, or explains one verb."},
    {"ECHO", Command::kEcho, kAnyone, 1, 1, 0, "ECHO text", "Answers the text."},
    {"QUIT", Command::kQuit, kAnyone, 0, 0, 0, "QUIT", "Answers OK and closes the connection."},
    {"SELECT", Command::kSelect, kAnyone, 1, 1, 0, "SELECT 0",
     "Accepted for Redis clients; there is only database 0."},
    {"COMMAND", Command::kCommandDocs, kAnyone, 0, kAny, 0, "COMMAND [...]",
     "Accepted for Redis clients, which ask for the list of commands."},
    {"CLIENT", Command::kClient, kAnyone, 1, kAny, 0, "CLIENT ...",
     "Accepted for Redis clients, which name themselves."},
    {"HELLO", Command::kHello, kAnyone, 0, kAny, 0, "HELLO [2|3]",
     "Accepted for Redis clients; the protocol is RESP2 and stays so."},
});

constexpr size_t kNameMin = 3;
constexpr size_t kNameMax = 12;
constexpr size_t kSlotBits = 6;
constexpr uint8_t kNoCommand = UINT8_MAX;
static_assert(kCommands.size() < kNoCommand);

// Written out, because the compiler makes one load of this and not of a loop.
constexpr uint64_t load_4(const char* at) {
  const auto byte = [at](size_t index) {
    return uint64_t{static_cast<unsigned char>(at[index])} << (8 * index);
  };
  return byte(0) | byte(1) | byte(2) | byte(3);
}

// Eight letters at once: those from 'a' to 'z' lose their bit 0x20, all other bytes stay.
constexpr uint64_t upper_8(uint64_t bytes) {
  constexpr uint64_t kOnes = ~uint64_t{0} / 255;
  const uint64_t low_bits = bytes & kOnes * 0x7f;
  const uint64_t from_a = low_bits + kOnes * (0x80 - 'a');
  const uint64_t past_z = low_bits + kOnes * (0x7f - 'z');
  const uint64_t letters = (from_a ^ past_z) & ~bytes & kOnes * 0x80;
  return bytes ^ letters >> 2;
}

// A word of kNameMin to kNameMax bytes in upper case and without a loop over its letters: its
// first, middle and last four bytes, which overlap in words of less than 12; or all it has.
struct Name {
  uint64_t ends = 0;
  uint64_t middle = 0;
  size_t size;

  constexpr explicit Name(std::string_view word) : size(word.size()) {
    if (size < 4) [[unlikely]] {
      for (size_t i = 0; i < size; ++i) {
        ends |= uint64_t{static_cast<unsigned char>(word[i])} << (8 * i);
      }
      ends = upper_8(ends);
      return;
    }
    ends = upper_8(load_4(word.data()) | load_4(word.data() + size - 4) << 32);
    middle = upper_8(load_4(word.data() + (size - 4) / 2));
  }
  constexpr bool operator==(const Name&) const = default;

  constexpr size_t slot(uint64_t multiplier) const {
    return (ends ^ size << 7) * multiplier >> (64 - kSlotBits);
  }
};

struct Slots {
  uint64_t multiplier = 0;
  std::array<uint8_t, size_t{1} << kSlotBits> command{};
};

// Tries odd multipliers until no two names meet in a slot.
consteval Slots make_slots() {
  Slots slots;
  for (slots.multiplier = 0x9E3779B97F4A7C15;; slots.multiplier += 2) {
    slots.command.fill(kNoCommand);
    bool met = false;
    for (size_t index = 0; index < kCommands.size() && !met; ++index) {
      uint8_t& slot = slots.command[Name(kCommands[index].name).slot(slots.multiplier)];
      met = slot != kNoCommand;
      slot = static_cast<uint8_t>(index);
    }
    if (!met) return slots;
  }
}

template <size_t... kIndex>
consteval auto make_names(std::index_sequence<kIndex...>) {
  return std::array{Name(kCommands[kIndex].name)...};
}

constexpr Slots kSlots = make_slots();
constexpr auto kNames = make_names(std::make_index_sequence<kCommands.size()>());

// The first, middle and last four bytes of a name cover all of it up to 12 bytes.
static_assert(kNameMin > 0 && kNameMax <= 12);
static_assert(std::ranges::all_of(kCommands, [](const CommandInfo& info) {
  return info.name.size() >= kNameMin && info.name.size() <= kNameMax;
}));

}  // namespace

bool CommandInfo::arity_ok(size_t arguments) const {
  if (arguments < arguments_min || arguments > arguments_max) return false;
  return arguments_step == 0 || arguments <= 3 || arguments % arguments_step == 0;
}

std::span<const CommandInfo> commands() {
  return kCommands;
}

const CommandInfo* find_command(std::string_view word) {
  if (word.size() < kNameMin || word.size() > kNameMax) return nullptr;
  const Name name(word);
  const uint8_t index = kSlots.command[name.slot(kSlots.multiplier)];
  if (index == kNoCommand || name != kNames[index]) return nullptr;
  return &kCommands[index];
}

}  // namespace toll::daemon
