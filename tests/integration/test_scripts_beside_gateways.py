"""Gateways that keep limits under the same keys with plain commands, beside the scripts: both sides
count what the other does."""

import time

import pytest

from support.script_fixtures import (DAY, HOUR, client_fixture,  # pylint: disable=unused-import
                                     limits_fixture, server_fixture)
from support.scripts import (charge, check, fixed_window, now_ms, peek, refund, sliding_log,
                             token_bucket)


class LogGateway:
    """Keeps ratelimit:<id> as a sorted set."""

    def __init__(self, client, key, count, window_ms):
        self.client, self.key, self.count, self.window_ms = client, key, count, window_ms
        self.seq = 0

    def check(self):
        now = now_ms(self.client)
        self.client.zremrangebyscore(self.key, "-inf", now - self.window_ms)
        if self.client.zcard(self.key) >= self.count:
            return 0
        self.seq += 1
        self.client.zadd(self.key, {f"{now}:{self.seq}": now})
        self.client.pexpire(self.key, self.window_ms)
        return 1


def test_a_log_is_shared_with_gateways_beside_us(limits):
    gateway = LogGateway(limits.client, "ratelimit:alice", 10, HOUR * 1000)
    alice = sliding_log("ratelimit:alice", 10, HOUR)
    admitted = 0
    for _ in range(8):
        admitted += gateway.check() + limits.one(check(alice, renew=True)).code
    assert admitted == 10 == limits.client.zcard("ratelimit:alice")
    assert limits.client.pttl("ratelimit:alice") > HOUR * 1000
    assert gateway.check() == 0
    assert limits.one(refund((alice, 2))).code == 1
    assert [gateway.check() for _ in range(3)] == [1, 1, 0]
    for member, score in limits.client.zrange("ratelimit:alice", 0, -1, withscores=True):
        ms, _, seq = member.partition(b":")
        assert int(ms) == int(score) and seq.isdigit()


class BucketGateway:
    """Keeps tokenbucket:<id>:tokens and :last, as floats and whole milliseconds."""

    def __init__(self, client, key, burst, per_ms):
        self.client, self.key, self.burst, self.per_ms = client, key, burst, per_ms

    def tokens(self):
        tokens, last = self.client.mget(f"{self.key}:tokens", f"{self.key}:last")
        if tokens is None or last is None:
            return float(self.burst)
        gone = max(now_ms(self.client) - float(last), 0)
        return min(float(tokens) + gone * self.per_ms, self.burst)

    def check(self):
        tokens = self.tokens()
        if tokens < 1:
            return 0
        self.client.set(f"{self.key}:tokens", tokens - 1, ex=5)
        self.client.set(f"{self.key}:last", now_ms(self.client), ex=5)
        return 1


def test_a_bucket_is_shared_with_gateways_beside_us(limits):
    gateway = BucketGateway(limits.client, "tokenbucket:alice", 10, 10 / (HOUR * 1000))
    alice = token_bucket("tokenbucket:alice", 10, HOUR)
    admitted = 0
    for _ in range(8):
        admitted += gateway.check() + limits.one(check(alice)).code
    assert admitted == 10
    limits.decide(refund((alice, 3)))
    assert 3 <= gateway.tokens() < 3.1
    assert limits.client.pttl("tokenbucket:alice:tokens") > HOUR * 500
    assert [gateway.check() for _ in range(4)] == [1, 1, 1, 0]
    assert limits.one(check(alice)).code == 0
    limits.decide(charge((alice, 5)))
    assert -5 <= gateway.tokens() < -4.9


@pytest.mark.parametrize("text, missing", [
    ("9", 1), ("9.0", 1), ("9.5", 1), ("8.25", 2), ("0", 10), ("-2.5", 13), ("1e1", 0),
    ("25", 0), ("1e-05", 10), ("3.3333333333333335", 7), (".5", 10), ("9.9999999999999999", 0),
])
def test_tokens_as_others_write_them_are_understood(limits, text, missing):
    alice = token_bucket("alice", 10, 366 * DAY)
    now = now_ms(limits.client)
    limits.client.mset({"alice:tokens": text, "alice:last": now})
    state = limits.one(peek(alice)).state
    assert state[0] == missing
    for last in (f"{now}.5", f"{now}.4567", f"{now}e0", f"{now}.000"):
        limits.client.mset({"alice:tokens": text, "alice:last": last})
        assert limits.one(peek(alice)).state[0] == missing


def test_a_bucket_full_of_fractions_is_written_so_that_it_comes_back_exactly(limits):
    for seconds, count in ((HOUR, 7), (366 * DAY, 1000), (0.001, 3), (1, 999_983)):
        alice = token_bucket("alice", count, seconds, burst=10)
        limits.client.delete("alice:tokens", "alice:last")
        for units in (9, 20, 1):
            limits.decide(charge((alice, units)))
            told = limits.one(charge((alice, 1)))
            missing, fraction, last_us = told.state
            tokens, last = limits.client.mget("alice:tokens", "alice:last")
            window_us = alice.window_us
            written = round(float(last) * 1000)
            assert abs(written - told.now_us) <= 1
            exact = (10 - missing - 1) * window_us + fraction
            whole, _, digits = tokens.decode().lstrip("-").partition(".")
            found = int(whole) * window_us + round(int(digits or 0) * window_us / 10**15)
            assert (-found if tokens.startswith(b"-") else found) == exact
            assert len(digits) in (0, 15) and last_us == told.now_us


def test_a_counter_is_shared_with_gateways_beside_us(limits):
    alice = fixed_window("ratelimit:10.0.0.1:", 10, HOUR)
    name = f"ratelimit:10.0.0.1:{int(time.time()) // HOUR}"
    client = limits.client

    def gateway():
        used = client.incr(name)
        if used == 1:
            client.expire(name, HOUR)
        return int(used <= 10)

    admitted = 0
    for _ in range(5):
        admitted += gateway() + limits.one(check(alice)).code
    assert admitted == 10 and client.get(name) == b"10"
    assert limits.one(check(alice)).code == 0 == gateway()
    assert client.ttl(name) > 0


def test_a_counter_below_zero_is_taken_for_none(limits):
    alice = fixed_window("alice:", 3, HOUR)
    name = f"alice:{now_ms(limits.client) // (HOUR * 1000)}"
    limits.client.decr(name)
    assert limits.one(check(alice, times=9)).code == 3
    assert limits.client.get(name) == b"3"
