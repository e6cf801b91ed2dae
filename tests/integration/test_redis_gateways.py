"""Beside gateways that keep their own counts in the same Redis: each side sees what the other does.

A gateway here is its plain commands on the keys it has always used.
"""

import itertools
import re
import time

import pytest

from support.load import Load
from support.store import hears, joined, patient

POLICIES = """
[policies.log]
algorithm = "sliding_log"
limits = ["10/1h"]
key = "ratelimit:{id}"
[policies.brief_log]
algorithm = "sliding_log"
limits = ["10/2s"]
key = "ratelimit:{id}"
[policies.bucket]
algorithm = "token_bucket"
limits = ["10/365d"]
key = "tokenbucket:{id}"
[policies.quick_bucket]
algorithm = "token_bucket"
limits = ["600/1m"]
burst = 10
key = "tokenbucket:{id}"
[policies.counter]
algorithm = "fixed_window"
limits = ["10/365d"]
key = "ratelimit:{id}:{window}"
[policies.minutes]
algorithm = "fixed_window"
limits = ["10/1m"]
key = "ratelimit:{id}:{window}"
"""

HOUR_MS = 3600 * 1000
YEAR_S = 365 * 24 * 3600
MEMBER = re.compile(rb"(\d+):\d+")


@pytest.fixture(name="line")
def _line(daemon, redis, shape):
    one = joined(daemon(patient(redis.url(), POLICIES), **shape))
    hears(redis)
    with one.line() as client:
        yield client


@pytest.fixture(name="store")
def _store(redis):
    return redis.client()


def now_ms():
    return int(time.time() * 1000)


def admitted(client, policy, id_):
    """How many more it admits, one by one."""
    replies = itertools.takewhile(lambda reply: reply.allowed, (
        client.ask(f"CHECK {policy} {id_}") for _ in itertools.count()))
    return sum(1 for _ in replies)


class LogGateway:
    """ZSET ratelimit:<id>: a member <ms>:<seq> for each request, its score the ms."""

    sequence = itertools.count()

    def __init__(self, store, limit, window_ms):
        self.store, self.limit, self.window_ms = store, limit, window_ms

    def used(self, id_):
        return self.store.zcount(f"ratelimit:{id_}", f"({now_ms() - self.window_ms}", "+inf")

    def check(self, id_):
        key, now = f"ratelimit:{id_}", now_ms()
        self.store.zremrangebyscore(key, "-inf", now - self.window_ms)
        if self.store.zcard(key) >= self.limit:
            return False
        self.store.zadd(key, {f"{now}:{next(self.sequence)}": now})
        self.store.pexpire(key, 2 * self.window_ms)
        return True


class BucketGateway:
    """STRINGs tokenbucket:<id>:tokens and tokenbucket:<id>:last, the time in ms."""

    def __init__(self, store, burst, per_ms):
        self.store, self.burst, self.per_ms = store, burst, per_ms

    def tokens(self, id_):
        tokens = self.store.get(f"tokenbucket:{id_}:tokens")
        last = self.store.get(f"tokenbucket:{id_}:last")
        if tokens is None or last is None:
            return float(self.burst)
        passed_ms = max(0.0, now_ms() - float(last))
        return min(float(self.burst), float(tokens) + passed_ms * self.per_ms)

    def check(self, id_):
        tokens = self.tokens(id_)
        if tokens < 1:
            return False
        self.store.set(f"tokenbucket:{id_}:tokens", repr(tokens - 1), ex=3600)
        self.store.set(f"tokenbucket:{id_}:last", now_ms(), ex=3600)
        return True


class CounterGateway:
    """STRING ratelimit:<ip>:<window>, counted up and compared."""

    def __init__(self, store, limit, window_s):
        self.store, self.limit, self.window_s = store, limit, window_s

    def key(self, id_):
        return f"ratelimit:{id_}:{int(time.time()) // self.window_s}"

    def check(self, id_):
        used = self.store.incr(self.key(id_))
        if used == 1:
            self.store.expire(self.key(id_), self.window_s)
        return used <= self.limit


# -- logs


def test_both_add_to_one_log(line, store):
    gateway = LogGateway(store, 10, HOUR_MS)
    assert [gateway.check("ann") for _ in range(3)] == [True] * 3
    reply = line.ask("CHECK log ann 2")
    assert (reply.word, reply.remaining, reply.source) == ("ALLOW", 5, "redis")
    assert gateway.used("ann") == 5
    assert gateway.check("ann")
    assert line.ask("PEEK log ann").values[1] == 4
    assert admitted(line, "log", "ann") == 4
    assert not gateway.check("ann") and gateway.used("ann") == 10


def test_what_we_write_to_a_log_is_what_a_gateway_writes(line, store):
    before = now_ms()
    line.ask("CHECK log bob 4")
    line.ask("CHECK log bob")
    after = now_ms()
    members = store.zrange("ratelimit:bob", 0, -1, withscores=True)
    assert len(members) == 5
    for member, score in members:
        assert int(MEMBER.fullmatch(member).group(1)) == score
        assert before <= score <= after
    assert HOUR_MS < store.pttl("ratelimit:bob") <= 2 * HOUR_MS
    assert store.type("ratelimit:bob") == b"zset"


def test_what_a_gateway_logged_before_leaves_the_window_for_us_too(line, store):
    now = now_ms()
    store.zadd("ratelimit:old", {f"{now - HOUR_MS - 5}:1": now - HOUR_MS - 5,
                                 f"{now - HOUR_MS + 60_000}:2": now - HOUR_MS + 60_000})
    peeked = line.ask("PEEK log old").values
    assert peeked[1] == 9 and 30_000 < peeked[2] <= 60_000
    assert line.ask("CHECK log old 9").allowed
    refused = line.ask("CHECK log old")
    assert 30_000 < refused.retry <= 60_000, "the gateway's is the first to leave"


def test_a_gateways_members_of_any_form_are_counted(line, store):
    now = now_ms()
    store.zadd("ratelimit:odd", {"3f2b-uuid": now, "x": now - 1.5, f"{now}": now, "": now})
    assert line.ask("CHECK log odd").remaining == 5
    assert store.zcard("ratelimit:odd") == 5


def test_both_never_over_in_a_log(line, store, redis):
    del redis
    gateway = LogGateway(store, 10, 2000)
    turns = [gateway.check("hot") if number % 3 else line.ask("CHECK brief_log hot").allowed
             for number in range(60)]
    assert turns.count(True) == 10
    assert gateway.used("hot") == 10


def test_a_log_reset_by_a_gateway_is_empty_for_us(line, store):
    line.ask("CHECK log cleared 7")
    store.delete("ratelimit:cleared")
    assert line.ask("PEEK log cleared").values[1] == 10


# -- buckets


def test_both_take_from_one_bucket(line, store):
    gateway = BucketGateway(store, 10, 10 / (YEAR_S * 1000))
    assert [gateway.check("ann") for _ in range(3)] == [True] * 3
    assert line.ask("CHECK bucket ann 2").remaining == 5
    assert 5 <= gateway.tokens("ann") < 5.01
    assert gateway.check("ann")
    assert admitted(line, "bucket", "ann") == 4
    assert not gateway.check("ann")
    assert line.ask("REFUND bucket ann 3").values == [3]
    assert [gateway.check("ann") for _ in range(4)] == [True] * 3 + [False]


def test_what_we_write_to_a_bucket_is_what_a_gateway_writes(line, store):
    before = now_ms()
    line.ask("CHECK bucket bob 4")
    assert 6 <= float(store.get("tokenbucket:bob:tokens")) < 6.01
    assert before <= float(store.get("tokenbucket:bob:last")) <= now_ms() + 1
    assert store.ttl("tokenbucket:bob:tokens") > 0 and store.ttl("tokenbucket:bob:last") > 0


@pytest.mark.parametrize("tokens", ["7", "7.25", "7.999", "0.7e1", "7e0"])
@pytest.mark.parametrize("last", ["{}", "{}.125", "{}.0"])
def test_a_gateways_figures_are_understood(line, store, tokens, last):
    store.set("tokenbucket:fig:tokens", tokens, ex=60)
    store.set("tokenbucket:fig:last", last.format(now_ms() - 1000), ex=60)
    assert line.ask("CHECK bucket fig 2").remaining == 5
    assert admitted(line, "bucket", "fig") == 5


def test_a_bucket_fills_for_both_alike(line, store):
    gateway = BucketGateway(store, 10, 600 / 60_000)
    assert line.ask("CHECK quick_bucket filling 10").allowed
    time.sleep(0.5)
    peeked = line.ask("PEEK quick_bucket filling").values[1]
    assert abs(gateway.tokens("filling") - peeked) <= 1.5 and peeked >= 4


def test_both_never_over_in_a_bucket(line, store):
    gateway = BucketGateway(store, 10, 10 / (YEAR_S * 1000))
    turns = [gateway.check("hot") if number % 3 else line.ask("CHECK bucket hot").allowed
             for number in range(60)]
    assert turns.count(True) == 10


# -- counters


def test_both_count_in_one_window(line, store):
    gateway = CounterGateway(store, 10, YEAR_S)
    assert [gateway.check("10.0.0.1") for _ in range(3)] == [True] * 3
    assert line.ask("CHECK counter 10.0.0.1 2").remaining == 5
    assert store.get(gateway.key("10.0.0.1")) == b"5"
    assert gateway.check("10.0.0.1")
    assert admitted(line, "counter", "10.0.0.1") == 4
    assert not gateway.check("10.0.0.1"), "its own way of refusing counts on"
    assert not line.ask("CHECK counter 10.0.0.1").allowed
    assert 0 < store.ttl(gateway.key("10.0.0.1")) <= YEAR_S


def test_the_window_has_the_gateways_number_and_its_counter_ends(line, store):
    gateway = CounterGateway(store, 10, 60)
    line.ask("CHECK minutes 10.0.0.2 3")
    (key,) = store.keys("ratelimit:10.0.0.2:*")
    number = int(key.rsplit(b":", 1)[1])
    assert abs(number - int(time.time()) // 60) <= 1
    assert store.get(key) == b"3"
    assert 0 < store.pttl(key) <= 120_000
    if gateway.key("10.0.0.2").encode() == key:
        gateway.check("10.0.0.2")
        assert store.get(key) == b"4"


def test_a_counter_that_a_gateway_keeps_without_end_is_left_so(line, store):
    gateway = CounterGateway(store, 10, YEAR_S)
    store.set(gateway.key("kept"), 4)
    assert line.ask("CHECK counter kept").remaining == 5
    assert store.ttl(gateway.key("kept")) == -1


# -- at the same time


def test_while_gateways_write_the_same_log(daemon, redis):
    """No transaction of theirs keeps them from going over by themselves; but we do not, and what is
    in the log at the end is what both were admitted."""
    one = joined(daemon(patient(redis.url(), POLICIES), workers=2))
    store = redis.client()
    ids = [f"id{number}" for number in range(20)]
    requests = (f"CHECK log {id_}" for id_ in itertools.cycle(ids))
    gateway = LogGateway(store, 10, HOUR_MS)
    theirs = dict.fromkeys(ids, 0)
    with Load([(one.socket, requests)], pause=0.001) as load:
        for id_ in ids * 4:
            theirs[id_] += gateway.check(id_)
        while not all(gateway.used(id_) >= 10 for id_ in ids):
            time.sleep(0.01)
    for id_ in ids:
        ours = sum(1 for answer in load.answers
                   if answer.request.endswith(f" {id_}") and answer.reply.allowed)
        assert ours + theirs[id_] == store.zcard(f"ratelimit:{id_}")
        assert 10 <= ours + theirs[id_] <= 11
