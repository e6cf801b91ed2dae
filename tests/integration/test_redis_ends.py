"""What ends, changes or runs over while questions to Redis are under way."""

import itertools
import signal
import time

import pytest

from support.binaries import patience
from support.load import Load
from support.process import descriptors, resident_bytes
from support.store import PATIENT, PATIENT_BREAKER, again_by_redis, joined, statistics, table
from support.waiting import eventually

POLICIES = """
[defaults]
deadline = "{deadline}"
[policies.p]
limits = ["1000000/1m"]
[policies.log]
algorithm = "sliding_log"
limits = ["10000/1m"]
[policies.inflight]
algorithm = "concurrency"
limit = 60000
"""
OTHER = """
[policies.other]
limits = ["1000000/1m"]
"""
REQUESTS = ("CHECK p a{0}", "CHECK log b{0} 2", "CHECK p c{0} 1 log d{0} 2", "PEEK p a{0} b{0}",
            "REFUND p a{0} 1", "CHARGE log b{0} 1", "RESET p a{0}", "ACQUIRE inflight e{0}",
            "CHECK p " + "f" * 500 + "{0}")


def config(redis, deadline="1s", **keys):
    return table(redis.url(), **keys) + POLICIES.format(deadline=deadline)


def many(count):
    return [request.format(number) for number in range(count) for request in REQUESTS]


@pytest.mark.parametrize("hanging", [True, False], ids=["hanging", "answering"])
def test_clients_that_leave_before_their_answer(daemon, redis, shape, hanging):
    one = joined(daemon(config(redis), **shape))
    eventually(lambda: any(each["name"] == "tollkeeper-news" for each in
                           redis.client().client_list()), "the last of the daemon's links")
    store = redis.client()

    def open_files():  # but for its links, which come and go
        return descriptors(one.pid) - sum(
            each["name"].startswith("tollkeeper") for each in store.client_list())

    with one.line() as watching:
        watching.ask("PING")  # it is accepted
        before = open_files()
        for _ in range(6):
            clients = [one.line() for _ in range(10)]
            if hanging:
                redis.pause()
            for client in clients:
                client.send(*many(10))
            for client in clients[::2]:
                client.wait_until_received()
            for client in clients:
                client.close()
            if hanging:
                redis.resume()
        again_by_redis(watching, "CHECK p probe", within=4)
        eventually(lambda: open_files() <= before, "no connection is left")


@pytest.mark.parametrize("hanging", [True, False], ids=["hanging", "answering"])
def test_the_daemon_ends_in_order_with_questions_under_way(daemon, redis, shape, hanging):
    one = joined(daemon(config(redis, deadline="500ms"), **shape))
    client = one.line()
    if hanging:
        redis.pause()
    requests = many(20)
    client.send(*requests)
    client.wait_until_received()
    one.send_signal(signal.SIGTERM)
    assert one.wait() == 0
    replies = client.read_to_end()
    assert len(replies) == len(requests), "what was received is answered first"


def test_everything_changes_while_it_flows(daemon, redis, shape):
    """Policies come, go and change, links are cut and scripts are lost: no answer is missing."""
    one = joined(daemon(config(redis), **shape))
    store = redis.client()

    def requests():
        for number in itertools.count():
            yield f"CHECK p a{number % 20}"
            yield f"CHECK other b{number % 20}"
            yield f"CHECK other b{number % 20} 1 p a{number % 20} 1"
            yield f"REFUND other b{number % 20} 1"

    with Load([(one.socket, requests()) for _ in range(6)], depth=8) as load, \
            one.line() as client:
        eventually(lambda: len(load.answers) > 500, "it flows")
        for number in range(30):
            limit = "1000000" if number % 4 < 2 else "2000000"
            one.write_config(config(redis).replace("1000000", limit) + OTHER * (number % 2))
            assert client.ask("RELOAD").word == "OK"
            if number % 5 == 0:
                store.script_flush()
            if number % 7 == 0:
                store.client_kill_filter(_type="normal", skipme=True)
            time.sleep(0.02)
        again_by_redis(client, "CHECK p probe")
    told = {answer.reply.word if answer.reply.word != "ERR" else answer.reply.code
            for answer in load.answers}
    assert told == {"ALLOW", "OK", "NOPOLICY"}


def test_more_questions_than_may_wait_are_answered_without_redis(daemon, redis):
    one = joined(daemon(config(redis, deadline="2s", call_timeout="5s"), workers=1))
    resident = resident_bytes(one.pid)
    clients = [one.line() for _ in range(40)]
    redis.pause()
    count = 1000
    for client in clients:
        client.send(*["CHECK p many"] * count)
    replies = [client.read_reply() for client in clients for _ in range(count)]
    redis.resume()
    assert {reply.source for reply in replies} == {"local"}
    with one.line() as client:
        assert statistics(client)["redis_full"] > 0
        again_by_redis(client, "CHECK p many", within=3)
    assert resident_bytes(one.pid) - resident < (100 << 20) * patience()


def test_one_client_fills_all_there_is_and_nobody_waits_for_long(daemon, redis):
    one = joined(daemon(config(redis, deadline="100ms", call_timeout="5s"), workers=1))
    flood, other = one.line(), one.line()
    redis.pause()
    flood.send(*["CHECK p many"] * 5000)
    began = time.monotonic()
    reply = other.ask("CHECK p someone")
    assert reply.source == "local"
    assert time.monotonic() - began < 1 * patience()
    redis.resume()
    assert all(flood.read_reply().allowed for _ in range(5000))


def test_answers_come_in_order_whoever_gives_them(daemon, redis, shape):
    """Redis, this host, an error and a count: each as soon as it may, none before its turn."""
    text = config(redis) + '[policies.here]\nmode = "local"\nlimits = ["7/365d"]\n'
    one = joined(daemon(text, **shape))
    with one.line() as client:
        requests = ["CHECK p x", "PING", "CHECK here y", "NONSENSE", "PEEK p x y z", "CHECK log x"]
        replies = client.ask_all(requests * 100)
        for first in range(0, len(replies), len(requests)):
            told = replies[first:first + len(requests)]
            assert [reply.values[0] for reply in told] == [1000000, "pong", 7, "UNKNOWN", 3, 10000]


@pytest.mark.parametrize("workers, links", [(1, 1), (3, 1), (2, 3)])
def test_a_check_behind_a_reset_of_one_of_its_keys(daemon, redis, workers, links):
    """Also where its keys have other owners and go over other links."""
    text = config(redis, deadline="10s", links=links, **PATIENT) + PATIENT_BREAKER
    one = joined(daemon(text, workers=workers))
    with one.line() as client:
        for number in range(50):
            client.ask(f"CHARGE log b{number} 10000")
            told = client.ask_all([f"CHECK p a{number} 1 log b{number} 1", f"RESET log b{number}",
                                   f"CHECK log b{number} 1 p a{number} 1"])
            assert [reply.word for reply in told] == ["DENY", "OK", "ALLOW"]


def test_it_ends_in_order_though_requests_wait_longer_than_that_may_take(daemon, redis, backend):
    one = joined(daemon(config(redis, deadline="30s", call_timeout="30s"), backend=backend,
                        workers=3))
    with one.line() as client:
        redis.pause()
        client.send(*[f"CHECK p a{number}" for number in range(60)])
        client.wait_until_received()
        one.stop()
        redis.resume()
