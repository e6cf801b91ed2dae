"""What the clients of a run ask, and the policies they ask about.

Each policy has a count of its own, so that a reply that went to the wrong request is seen. Ids
change every second or so: there is always something left to be admitted, by Redis or without it.
"""

import dataclasses
import time
import typing

import support_path  # noqa: F401  pylint: disable=unused-import
from support.store import table

DEADLINE_S = 0.2
CALL_TIMEOUT_S = 0.4
SHORT_WINDOW_S = 0.5
SLOT_S = 1.5  # how long the clients stay with an id
IDS = 2       # of one policy at a time
HELD = 5      # tickets

ALGORITHMS = ("gcra", "token_bucket", "sliding_log", "sliding_window", "fixed_window")


@dataclasses.dataclass(frozen=True)
class Policy:
    """`family` says what is asked about it, and so what may be said of its counts at the end."""

    name: str
    family: str
    algorithm: str
    count: int
    window: str = "365d"  # longer than any run: nothing comes back
    on_outage: str = "local"

    def toml(self):
        lines = [f"[policies.{self.name}]", f'algorithm = "{self.algorithm}"']
        if self.algorithm == "concurrency":
            lines += [f"limit = {self.count}", 'ttl = "1h"']
        else:
            lines.append(f'limits = ["{self.count}/{self.window}"]')
        return "\n".join([*lines, f'on_outage = "{self.on_outage}"', ""])

    @property
    def only_checked(self):
        """Nothing is given back, and nothing charged but what was used without Redis."""
        return self.family in ("once", "ledger", "denied", "opened")


def _policies():
    for number, algorithm in enumerate(ALGORITHMS):
        yield Policy(f"once_{algorithm}", "once", algorithm, 100 + number)
        yield Policy(f"short_{algorithm}", "short", algorithm, 40 + number,
                     f"{round(SHORT_WINDOW_S * 1000)}ms")
        yield Policy(f"mixed_{algorithm}", "mixed", algorithm, 70 + number)
    yield Policy("ledger", "ledger", "fixed_window", 1200)
    yield Policy("denied", "denied", "fixed_window", 90, on_outage="deny")
    yield Policy("opened", "opened", "fixed_window", 91, on_outage="allow")
    yield Policy("inflight", "inflight", "concurrency", HELD)


POLICIES = {policy.name: policy for policy in _policies()}
FAMILIES = {family: [policy.name for policy in POLICIES.values() if policy.family == family]
            for family in {policy.family for policy in POLICIES.values()}}


def config(url):
    """Of a daemon whose Redis is at `url`. What is slow counts as a failure late, so that a busy
    machine is not taken for a fault; what has failed is tried again soon."""
    milliseconds = {"deadline": DEADLINE_S, "call_timeout": CALL_TIMEOUT_S}
    bounds = {name: f"{round(1000 * seconds)}ms" for name, seconds in milliseconds.items()}
    return (table(url, health_interval="200ms", call_timeout=bounds["call_timeout"])
            + '[redis.breaker]\nslow_call = "200ms"\nopen = "50ms"\nopen_max = "400ms"\n'
            + f'[defaults]\ndeadline = "{bounds["deadline"]}"\n'
            + "".join(policy.toml() for policy in POLICIES.values()))


class Request(typing.NamedTuple):
    verb: str
    parts: tuple  # of (policy, id, units)
    ticket: str = ""

    def words(self):
        if self.verb in ("CHECK", "REFUND", "CHARGE"):
            return [self.verb, *(str(word) for part in self.parts for word in part)]
        ((policy, id_, _),) = self.parts
        return [self.verb, policy, id_, *([self.ticket] if self.ticket else [])]


class Mix:
    """The requests of one connection, drawn at random from a seeded generator."""

    def __init__(self, rng):
        self._rng = rng
        self._round = 0
        self._held = []  # (policy, id, ticket) to be given back
        self._kinds = {self._once: 30, self._short: 12, self._ledger: 16, self._mixed: 16,
                       self._of("denied"): 5, self._of("opened"): 5, self._peek: 10,
                       self._ticket: 6}

    def begin(self, round_):
        """From now on under ids of that round."""
        self._round = round_
        self._held.clear()

    def batch(self):
        """What is asked in one go. At most one check of several policies: on one connection they
        wait for each other."""
        count = self._rng.choice((1, 1, 2, 4, 8, 16))
        kinds = self._rng.choices(list(self._kinds), self._kinds.values(), k=count)
        requests = [kind() for kind in kinds]
        if self._rng.random() < 0.2:
            requests.insert(self._rng.randrange(count + 1), self._together())
        return requests

    def told(self, request, ticket):
        """A ticket was given out."""
        ((policy, id_, _),) = request.parts
        self._held.append((policy, id_, ticket))

    def _id(self):
        slot = int(time.monotonic() / SLOT_S)
        return f"r{self._round}s{slot}k{self._rng.randrange(IDS)}"

    def _check(self, policy, most):
        return Request("CHECK", ((policy, self._id(), self._rng.randint(1, most)),))

    def _once(self):
        return self._check(self._rng.choice(FAMILIES["once"]), 5)

    def _short(self):
        return self._check(self._rng.choice(FAMILIES["short"]), 3)

    def _ledger(self):
        return self._check("ledger", 40)

    def _of(self, policy):
        return lambda: self._check(policy, 3)

    def _mixed(self):
        verb = self._rng.choice(("CHECK", "CHECK", "CHECK", "REFUND", "CHARGE"))
        policy = self._rng.choice(FAMILIES["mixed"])
        return Request(verb, ((policy, self._id(), self._rng.randint(1, 5)),))

    def _peek(self):
        return Request("PEEK", ((self._rng.choice(list(POLICIES)), self._id(), 0),))

    def _ticket(self):
        if self._held and self._rng.random() < 0.6:
            policy, id_, ticket = self._held.pop(0)
            return Request("RELEASE", ((policy, id_, 0),), ticket)
        return Request("ACQUIRE", (("inflight", self._id(), 1),))

    def _together(self):
        id_, units = self._id(), self._rng.randint(1, 5)
        return Request("CHECK", (("ledger", id_, units), ("once_fixed_window", id_, units)))
