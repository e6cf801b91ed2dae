"""Links that die at each byte of what Redis says."""

import time

import pytest

from support.binaries import patience
from support.process import descriptors, resident_bytes
from support.store import PATIENT, again_by_redis, joined, statistics, table
from support.waiting import eventually

# A breaker that stays out of it, no heartbeats in between, no call that a busy machine makes late,
# and windows too short for anything to be charged later: each cut is of one reply.
QUIET = {"health_interval": "1m", **PATIENT}
BREAKER = '[redis.breaker]\nfailures = 1000000\nfailure_rate = 1.0\nslow_rate = 1.0\n'
POLICIES = """
[defaults]
deadline = "2s"
[policies.p]
limits = ["1000000/1m", "2000000/2m"]
[policies.log]
algorithm = "sliding_log"
limits = ["10000/1h"]
"""


@pytest.fixture(name="one")
def _one(daemon, proxy, backend):
    return joined(daemon(table(proxy.url(), **QUIET) + BREAKER + POLICIES, backend=backend,
                         workers=1))


def reply_bytes(proxy, client, request):
    """How long Redis' reply to that is."""
    assert client.ask(request).source == "redis"
    before = proxy.reply_bytes
    assert client.ask(request).source == "redis"
    return proxy.reply_bytes - before


@pytest.mark.parametrize("request_", ["CHECK p someone", "CHECK p someone 1 log someone 2"],
                         ids=["single", "together"])
@pytest.mark.bound(60)
def test_in_the_midst_of_a_decision(one, proxy, request_):
    with one.line() as client:
        length = reply_bytes(proxy, client, request_)
        assert 10 < length < 400
        open_files, resident = descriptors(one.pid), resident_bytes(one.pid)
        for count in range(length):
            proxy.cut_after(count)
            began = time.monotonic()
            reply = client.ask(request_)
            assert (reply.word, reply.source) == ("ALLOW", "local"), f"cut after {count} bytes"
            assert time.monotonic() - began < 1 * patience(), "an end is noticed at once"
            again_by_redis(client, request_)
        assert proxy.cuts == length
        # On a slow machine a heartbeat or a call that took too long is lost as well.
        assert length <= statistics(client)["redis_lost"] <= 2 * length
        eventually(lambda: descriptors(one.pid) <= open_files, "no descriptor is left open")
        # A sanitizer keeps what was freed for a while.
        assert resident_bytes(one.pid) - resident < (8 << 20) * patience()


def test_in_the_midst_of_many_replies(one, proxy):
    with one.line() as client:
        requests = [f"CHECK p id{number}" for number in range(500)]
        for count in range(0, 3000, 97):
            proxy.cut_after(count)
            replies = client.ask_all(requests)
            assert all(reply.allowed for reply in replies)
            assert {reply.source for reply in replies} <= {"redis", "local"}
            proxy.pass_on()
            again_by_redis(client, "CHECK p probe")


@pytest.mark.bound(60)
def test_in_the_midst_of_the_greeting(one, proxy):
    with one.line() as client:
        before = proxy.reply_bytes
        proxy.end_connections()
        again_by_redis(client, "CHECK p probe")
        length = proxy.reply_bytes - before
        assert length > 1000
        for count in [*range(0, 40, 2), *range(40, length, length // 20)]:
            cuts = proxy.cuts
            proxy.end_connections()
            proxy.cut_after(count)
            eventually(lambda: proxy.cuts > cuts or client.ask("CHECK p probe").source == "redis",
                       "a connection is made")
            proxy.pass_on()
            again_by_redis(client, "CHECK p probe")
        assert one.running()
