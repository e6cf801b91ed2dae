"""A run: a fleet under load, rounds of faults drawn from a seed, and after each round the promises
held against all that the clients were told.

A round: the load flows and all is well; then the faults, one after the other or two at a time; then
all must settle; then nothing is done for a moment; then the load rests and everything is judged.
"""

import collections
import os
import random
import secrets
import time
import typing

import support_path  # noqa: F401  pylint: disable=unused-import
from support import binaries
from support.process import descriptors, resident_bytes
from support.store import hears
from support.waiting import eventually

import faults
import mix
import promises
from client import FRAMINGS
from fleet import Fleet


class Profile(typing.NamedTuple):
    """What is done in a round: each of the kinds so many times, in a drawn order."""

    kinds: tuple
    times: int
    at_once: int
    daemons: int


PROFILES = {
    "daemons": Profile(faults.DAEMONS + faults.CLIENTS, times=1, at_once=1, daemons=3),
    "redis": Profile(faults.REDIS, times=1, at_once=1, daemons=2),
    "links": Profile(faults.LINKS, times=2, at_once=1, daemons=2),
    "everything": Profile(faults.DAEMONS + faults.CLIENTS + faults.REDIS + faults.LINKS,
                          times=2, at_once=2, daemons=3),
}

FLOWS = 100         # answers of each daemon's clients, before the first fault and while they last
SETTLED_S = mix.CALL_TIMEOUT_S + 0.2  # of Redis' answers alone: no call from before is under way
QUIET_S = 0.6
BACK_WITHIN_S = 5.0
HOSTS_WITHIN_S = 10.0  # five seconds of a dead daemon's life, and some heartbeats
FIRES_WITHIN_S = 10.0
GAP_S = (0.05, 0.4)    # between two faults
TICK_S = 0.02
# What is freed is kept by a sanitizer for a while.
GROWTH_MAX = (24 << 20) * (12 if binaries.sanitized() else 1)
SHOWN_MAX = 20  # violations


class Violation(AssertionError):
    """A promise was broken, or the run was none. The text has the seed and what happened."""


def drawn_seed():
    """TOLL_SEED, or a new one."""
    return int(os.environ.get("TOLL_SEED") or secrets.randbelow(10**9))


class FleetRun:
    """A context that has a fleet up. `tell(text)` hears of each thing as it happens."""

    def __init__(self, seed, profile, tell=lambda text: None):
        self.seed = seed
        self.profile = profile
        self._tell = tell
        self._rng = random.Random(f"{seed} {profile}")
        self._fleet = Fleet(seed, PROFILES[profile].daemons)
        self._footing = {}  # by member: (descriptors, bytes) at first
        self.fired = collections.Counter()
        self.requests = 0
        self.rounds = 0

    def __enter__(self):
        self._fleet.__enter__()
        return self

    def __exit__(self, *what):
        try:
            self._fleet.__exit__(*what)
        except AssertionError as error:
            raise Violation(self._report([f"at the end: {error}"])) from error

    def round(self):
        """Raises a Violation."""
        try:
            violations = self._round()
        except Exception as error:
            raise Violation(self._report([f"{type(error).__name__}: {error}"])) from error
        if violations:
            raise Violation(self._report(violations))
        self.rounds += 1

    # -- its parts

    def _round(self):
        fleet = self._fleet
        self._know_each_other("to begin with")
        began, wall_ahead = time.monotonic(), [_wall_ahead_s()]
        self._note(f"round {self.rounds} begins")
        for member in fleet.members:
            member.clients.call("ask", self.rounds)
        self._settled(began, "at first")
        self._flows(began, "before the first fault")
        self._know_footing()
        harmed = time.monotonic()
        self._harm()
        self._flows(harmed, "while faults last")
        self._settled(time.monotonic(), "after the last fault")
        quiet = time.monotonic()
        time.sleep(QUIET_S)
        quiet = (quiet, time.monotonic())
        grown = self._grown()
        told = self._rest()
        wall_ahead.append(_wall_ahead_s())
        round_ = promises.Round(
            told, began, quiet, time.monotonic(), fleet.redis_starts, len(fleet.members),
            (min(wall_ahead), max(wall_ahead)))
        self.requests += len(round_.answers)
        return promises.checks(round_, self._used(round_)) + grown

    def _flows(self, since, when):
        for member in self._fleet.members:
            eventually(lambda member=member: member.recent(since).answers >= FLOWS,
                       f"the load of daemon {member.number} flows {when}")

    def _settled(self, since, when):
        """Liveness: Redis is there for everyone, everyone answers by it, and knows of everyone."""
        for member in self._fleet.members:
            eventually(lambda member=member: self._by_redis(member, since),
                       f"daemon {member.number} has its redis {when}",
                       within=BACK_WITHIN_S + SETTLED_S)
        self._know_each_other(when)
        self._note(f"all is well {when}")

    def _know_each_other(self, when):
        hosts = len(self._fleet.members)
        for member in self._fleet.members:
            eventually(lambda member=member: member.health()["hosts"] == str(hosts),
                       f"daemon {member.number} knows of {hosts} hosts {when}",
                       within=HOSTS_WITHIN_S)

    @staticmethod
    def _by_redis(member, since):
        recent = member.recent(max(since, time.monotonic() - SETTLED_S))
        return (recent.by_source["redis"] > 10 and not recent.without_redis
                and time.monotonic() - since > SETTLED_S
                and member.health()["redis"] == "up")

    def _rest(self):
        for member in self._fleet.members:
            member.clients.send("rest")
        return [promises.Told(member, member.clients.receive()) for member in self._fleet.members]

    def _used(self, round_):
        """What Redis says of every key that was only checked, as (policy, id): units."""
        ids = collections.defaultdict(set)
        for answer in round_.answers:
            for policy, id_, _ in answer.request.parts:
                if mix.POLICIES[policy].only_checked:
                    ids[policy].add(id_)
        found = {}
        with self._fleet.members[0].daemon.line() as client:
            for policy in sorted(ids):
                asked = [*sorted(ids[policy]), "nobody"]
                rows = eventually(lambda asked=asked, policy=policy: _by_redis(
                    client.ask(f"PEEK {policy} {' '.join(asked)}").rows), "redis is asked")
                found.update({(policy, id_): row[0] - row[1] for id_, row in zip(asked, rows)})
        return found

    # -- faults

    def _harm(self):
        active, waiting, next_at = [], self._drawn(), 0.0
        while waiting or active:
            fault, gap_s = waiting[0] if waiting else (None, 0.0)
            if fault and time.monotonic() >= next_at and self._has_room(fault, active):
                waiting.pop(0)
                self._note(f"begin {fault}")
                fault.start()
                active.append(fault)
                next_at = time.monotonic() + gap_s
            for one in [one for one in active if self._over(one)]:
                active.remove(one)
                next_at = max(next_at, time.monotonic() + gap_s)
            self._nobody_died(active)
            time.sleep(TICK_S)

    def _drawn(self):
        """The faults of a round in their order, and the pause behind each."""
        profile = PROFILES[self.profile]
        kinds = list(profile.kinds * profile.times)
        self._rng.shuffle(kinds)
        # Each has its own numbers, since it may draw more of them the longer it lasts.
        return [(kind(self._fleet, random.Random(self._rng.random())), self._rng.uniform(*GAP_S))
                for kind in kinds]

    def _has_room(self, fault, active):
        taken = {resource for one in active for resource in one.resources}
        return len(active) < PROFILES[self.profile].at_once and not taken & set(fault.resources)

    def _over(self, fault):
        fault.tick()
        lasted = time.monotonic() - fault.began
        if lasted < fault.lasts_s:
            return False
        if not fault.fired():
            within = fault.lasts_s + FIRES_WITHIN_S * binaries.patience()
            assert lasted < within, f"{fault} did not fire"
            return False
        fault.end()
        self.fired[fault.name()] += 1
        self._note(f"end {fault}")
        return True

    def _nobody_died(self, active):
        ended = [member.daemon for member in self._fleet.members if not member.daemon.running()
                 and not any(fault.ends(member) for fault in active)]
        for daemon in ended:
            raise AssertionError(f"a daemon ended by itself, with {daemon.process.returncode}")

    # -- memory and descriptors

    def _know_footing(self):
        """Once, with every connection there that will be."""
        if self._footing:
            return
        members = self._fleet.members
        clients = len(FRAMINGS) + 2  # who watches, and who asks this
        hears(self._fleet.redis, daemons=len(members))
        for member in members:
            eventually(lambda member=member: int(member.health()["clients"]) >= clients,
                       f"the clients of daemon {member.number} are connected")
            pid = member.daemon.pid
            self._footing[member] = (descriptors(pid), resident_bytes(pid))

    def _grown(self):
        violations = []
        for member in self._fleet.members:
            pid = member.daemon.pid
            open_files, resident = self._footing[member]
            eventually(lambda pid=pid, most=open_files: descriptors(pid) <= most,
                       f"promise 8, daemon {member.number}: {open_files} descriptors as at first")
            grown = resident_bytes(pid) - resident
            if grown > GROWTH_MAX:
                violations.append(f"promise 8, daemon {member.number}: grown by {grown} bytes")
        return violations

    # -- what it tells

    def _note(self, text):
        self._fleet.note(text)
        self._tell(text)

    def _report(self, violations):
        lines = [f"{len(violations)} violations; TOLL_SEED={self.seed}, {self.profile}, "
                 f"round {self.rounds}", *violations[:SHOWN_MAX], "what was done:",
                 *self._fleet.history]
        for member in self._fleet.members:
            lines += [f"daemon {member.number} says:", member.daemon.output()[-4000:]]
        return "\n".join(lines)


def _by_redis(rows):
    return all(row[3] == "redis" for row in rows) and rows


def _wall_ahead_s():
    return time.time() - time.monotonic()
