"""Never over: what a fleet admits by Redis is within the limit, as its clients count it.

A client knows when it asked and when it was told, and the decision lies in between. So an admission
is counted to a window only if both lie within it: what is then over the limit is surely over.
"""

import bisect
import itertools
import math
import random
import time

import pytest

from support.load import Load
from support.store import joined, table
from support.waiting import eventually

ALGORITHMS = ("gcra", "token_bucket", "sliding_log", "sliding_window", "fixed_window")
COUNT = 40
WINDOW_S = 0.5
ONE_SHOT = 150  # per 365 days: within a test nothing comes back
HELD = 5
SEED = 20_240_611

POLICIES = '[defaults]\ndeadline = "2s"\non_outage = "deny"\n' + "".join(
    f'[policies.{name}]\nalgorithm = "{name}"\nlimits = ["{COUNT}/{int(WINDOW_S * 1000)}ms"]\n'
    f'[policies.{name}_once]\nalgorithm = "{name}"\nlimits = ["{ONE_SHOT}/365d"]\n'
    for name in ALGORITHMS) + f"""
[policies.inflight]
algorithm = "concurrency"
limit = {HELD}
ttl = "1h"
"""
QUICK = {"call_timeout": "2s", "dial_timeout": "2s"}
IDS = 8
CLIENTS = 4  # of each daemon
SLACK_S = 0.002  # Redis counts in whole milliseconds

pytestmark = pytest.mark.bound(60)


@pytest.fixture(name="fleet")
def _fleet(daemon, redis):
    config = table(redis.url(), **QUICK) + POLICIES
    daemons = [daemon(config, workers=workers) for workers in (1, 2, 3)]
    return [joined(one, hosts=3) for one in daemons]


def skewed(rng):
    """Ids of which the first is asked for most."""
    weights = [1 / (1 + number) for number in range(IDS)]
    while True:
        yield from (f"id{number}" for number in rng.choices(range(IDS), weights, k=64))


def requests(policy, rng):
    return (f"CHECK {policy} {id_} {rng.choice((1, 1, 1, 2, 5))}" for id_ in skewed(rng))


def load_of(fleet, make, depth=4, **options):
    rng = random.Random(SEED)
    print("seed", SEED)
    clients = [(one.socket, make(random.Random(rng.random())))
               for one in fleet for _ in range(CLIENTS)]
    return Load(clients, pause=0.001, depth=depth, **options)


def by_redis(answer):
    return answer.reply.word == "ALLOW" and answer.reply.source in ("redis", "lease")


def admissions(load):
    """Of each key: (asked, told, units), in the order of asking."""
    of_key = {}
    for answer in filter(by_redis, load.answers):
        words = answer.request.split()
        of_key.setdefault(words[2], []).append((answer.sent, answer.received, int(words[3])))
    return {id_: sorted(each) for id_, each in of_key.items()}


def most_within(admitted, length_s):
    """The most units whose asking and telling lie within any stretch of that length."""
    asked = [sent for sent, _, _ in admitted]
    most = 0
    for first, start in enumerate(asked):
        last = bisect.bisect_left(asked, start + length_s)
        most = max(most, sum(units for _, told, units in admitted[first:last]
                             if told < start + length_s))
    return most


def most_in_one_window(admitted, offset_s):
    """The most units within one of the windows that Redis' clock divides time into."""
    totals = {}
    for sent, told, units in admitted:
        first = math.floor((sent + offset_s - SLACK_S) / WINDOW_S)
        if first == math.floor((told + offset_s + SLACK_S) / WINDOW_S):
            totals[first] = totals.get(first, 0) + units
    return max(totals.values(), default=0)


def within_the_limit(algorithm, admitted):
    offset_s = time.time() - time.monotonic()
    if algorithm in ("fixed_window", "sliding_window"):
        return most_in_one_window(admitted, offset_s) <= COUNT
    if algorithm == "sliding_log":
        return most_within(admitted, WINDOW_S - SLACK_S) <= COUNT
    # A full burst, and what comes back meanwhile.
    return all(most_within(admitted, length_s) <= COUNT + COUNT * length_s / WINDOW_S + 1
               for length_s in (0.01, WINDOW_S / 4, WINDOW_S, 3 * WINDOW_S))


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_in_every_window(fleet, algorithm):
    with load_of(fleet, lambda rng: requests(algorithm, rng)) as load:
        time.sleep(2)
    admitted = admissions(load)
    assert all(within_the_limit(algorithm, each) for each in admitted.values())
    total = sum(units for _, _, units in admitted["id0"])
    assert total > 2 * COUNT, "a limit that is used up and comes back"
    sources = load.sources()
    assert sources["redis"] > 100 and set(sources) <= {"redis", "cache"}


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_used_up_to_the_last_unit_and_never_over(fleet, algorithm):
    with load_of(fleet, lambda rng: requests(f"{algorithm}_once", rng)) as load:
        eventually(lambda: load.sources(since=time.monotonic() - 0.3).keys() == {"cache"},
                   "nothing is left", within=20)
    admitted = admissions(load)
    totals = {id_: sum(units for _, _, units in each) for id_, each in admitted.items()}
    assert totals == {f"id{number}": ONE_SHOT for number in range(IDS)}
    with fleet[0].line() as client:
        assert {client.ask(f"PEEK {algorithm}_once id{n}").values[1] for n in range(IDS)} == {0}


class Holder:
    """Takes a ticket and gives it back, again and again."""

    def __init__(self):
        self.ticket = None

    def __iter__(self):
        return self

    def __next__(self):
        if self.ticket is None:
            return "ACQUIRE inflight job"
        ticket, self.ticket = self.ticket, None
        return f"RELEASE inflight job {ticket}"

    def told(self, reply):
        if reply.word == "ALLOW":
            self.ticket = reply.ticket


def test_tickets_held_at_once(fleet):
    with Load([(one.socket, Holder()) for one in fleet * CLIENTS], pause=0.002) as load:
        time.sleep(2)
    events = []
    for answer in load.answers:
        if answer.request.startswith("ACQUIRE"):
            if answer.reply.allowed:
                events.append((answer.received, 1))
        else:
            assert answer.reply.word == "OK"
            events.append((answer.sent, -1))
    held = list(itertools.accumulate(step for _, step in sorted(events)))
    assert max(held) <= HELD and held.count(HELD) > 20


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_while_daemons_are_killed_and_started(fleet, algorithm):
    with load_of(fleet, lambda rng: requests(algorithm, rng), reconnect=True) as load, \
            load_of(fleet, lambda rng: requests(f"{algorithm}_once", rng), depth=1,
                    reconnect=True) as once:
        for number in range(4):
            one = fleet[number % 3]
            time.sleep(0.3)
            one.kill()
            time.sleep(0.1)
            one.start()
        time.sleep(0.5)
    assert load.unanswered + once.unanswered > 0, "daemons went with replies owed"
    assert all(within_the_limit(algorithm, each) for each in admissions(load).values())
    totals = {id_: sum(units for _, _, units in each) for id_, each in admissions(once).items()}
    assert max(totals.values()) <= ONE_SHOT and totals["id0"] > ONE_SHOT / 2


def test_a_check_of_several_limits_over_the_fleet(fleet):
    """Each pair of keys is charged alike, so that what is left of both is the same."""
    def make(rng):
        return (f"CHECK gcra_once {id_} 3 sliding_log_once {id_} 3" for id_ in skewed(rng))

    def nothing_left():
        last = load.since(time.monotonic() - 0.3)
        return len(last) > 100 and not any(answer.reply.allowed for answer in last)

    with load_of(fleet, make) as load:
        eventually(nothing_left, "nothing is left", within=20)
    totals = {id_: sum(units for _, _, units in each)
              for id_, each in admissions(load).items()}
    assert totals == {f"id{number}": ONE_SHOT for number in range(IDS)}
    with fleet[0].line() as client:
        for policy in ("gcra_once", "sliding_log_once"):
            assert {client.ask(f"PEEK {policy} id{n}").values[1] for n in range(IDS)} == {0}
