"""Refusals that are remembered: they cost Redis nothing, and end when units come back."""

import time

import pytest

from support.binaries import patience
from support.store import hears, joined, patient, script_calls
from support.waiting import eventually

POLICIES = """
[policies.once]
limits = ["10/365d"]
[policies.pair]
algorithm = "fixed_window"
limits = ["10/365d", "12/360d"]
[policies.log]
algorithm = "sliding_log"
limits = ["10/365d"]
[policies.brief]
limits = ["10/2s"]
[policies.elsewhere]
algorithm = "sliding_log"
limits = ["10/365d"]
key = "ratelimit:{id}"
[policies.inflight]
algorithm = "concurrency"
limit = 2
ttl = "1h"
"""

BELIEVED_S = 0.5  # at most, where nobody can tell of a change
TOLD_WITHIN_S = 1.0


@pytest.fixture(name="start")
def _start(daemon, redis):
    """Starts daemons on that Redis, which hear each other."""
    started = []

    def start(config=POLICIES, **options):
        started.append(joined(daemon(patient(redis.url(), config), **options)))
        hears(redis, len(started))
        return started[-1]
    return start


@pytest.fixture(name="line")
def _line(start, shape):
    with start(**shape).line() as client:
        yield client


def exhaust(client, policy, id_, units=10):
    """Uses it up, and has the refusal of one more remembered."""
    assert client.ask(f"CHECK {policy} {id_} {units}").allowed
    refused = client.ask(f"CHECK {policy} {id_}")
    assert (refused.word, refused.source) == ("DENY", "redis")
    cached = client.ask(f"CHECK {policy} {id_}")
    assert (cached.word, cached.source) == ("DENY", "cache")
    return refused


def admitted_after(client, request, began):
    eventually(lambda: client.ask(request).allowed, f"{request} admitted")
    return time.monotonic() - began


# -- remembered


@pytest.mark.parametrize("policy", ["once", "pair", "log"])
def test_hammering_past_a_limit_costs_redis_nothing(line, redis, policy):
    refused = exhaust(line, policy, "hammer")
    store = redis.client()
    before, began = script_calls(store), time.monotonic()
    replies = line.ask_all([f"CHECK {policy} hammer"] * 3000)
    calls = script_calls(store) - before
    beats = 3 * (2 + time.monotonic() - began)
    assert all((reply.word, reply.source) == ("DENY", "cache") for reply in replies)
    assert calls <= beats, f"{calls} calls for 3000 refusals"
    waits = [refused.retry, *(reply.retry for reply in replies)]
    assert waits == sorted(waits, reverse=True), "retry counts down"
    assert all(reply.values[:2] == [10, 0] for reply in replies)


def test_its_wait_counts_down_to_a_certain_admission(line):
    exhaust(line, "brief", "patient")
    began = time.monotonic()
    first = line.ask("CHECK brief patient")
    while (reply := line.ask("CHECK brief patient")).retry > 20 and not reply.allowed:
        time.sleep(0.02)
    passed_ms = 1000 * (time.monotonic() - began)
    if reply.allowed:  # a slow machine slept through the rest, and the unit is used now
        return
    assert abs(first.retry - passed_ms - reply.retry) < 50 * patience()
    time.sleep(reply.retry / 1000)
    assert line.ask("CHECK brief patient").allowed


def test_it_knows_for_how_many_units(line):
    assert line.ask("CHECK once some 8").allowed
    assert line.ask("CHECK once some 3").source == "redis"
    assert line.ask("CHECK once some 3").source == "cache"
    assert line.ask("CHECK once some 2").allowed, "fewer units than were refused"


def test_what_can_never_be_admitted_is_remembered_too(line):
    assert [line.ask("CHECK once huge 11").source for _ in range(2)] == ["redis", "cache"]
    assert line.ask("CHECK once huge 11").retry == -1


def test_a_check_of_several_limits_is_remembered_with_the_one_that_refused(start, redis):
    client = start(workers=1).line()
    exhaust(client, "once", "b")
    request = "CHECK once a 1 once b 1 log c 2"
    told = [client.ask(request) for _ in range(2)]
    assert [(reply.word, reply.source, reply.position) for reply in told] == [
        ("DENY", "redis", 1), ("DENY", "cache", 1)]
    store = redis.client()
    before = script_calls(store)
    replies = client.ask_all([request] * 500)
    assert {(reply.word, reply.source, reply.position) for reply in replies} == {
        ("DENY", "cache", 1)}
    assert script_calls(store) - before < 30
    assert client.ask("CHECK once a 1 log c 2").allowed, "without the exhausted one"
    assert client.ask("REFUND once b 1").word == "OK"
    assert client.ask(request).allowed


def test_a_check_of_several_limits_is_admitted_when_each_is_given_back(line):
    for number in range(30):
        ids = [f"a{number}", f"b{number}"]
        exhaust(line, "once", ids[number % 2])
        request = f"CHECK once {ids[0]} 1 once {ids[1]} 1"
        assert [line.ask(request).word for _ in range(3)] == ["DENY"] * 3
        line.ask(f"RESET once {ids[number % 2]}")
        assert line.ask(request).allowed


def test_a_throttle_is_remembered_by_its_limit(start, redis):
    client = start().raw_resp()
    while client.ask("CL.THROTTLE", "user", 2, 10, 36000)[0] == 0:
        pass
    store = redis.client()
    before = script_calls(store)
    assert all(client.ask("CL.THROTTLE", "user", 2, 10, 36000)[0] == 1 for _ in range(300))
    assert script_calls(store) - before < 30
    assert client.ask("CL.THROTTLE", "user", 2000, 10, 36000)[0] == 0, "another limit"


def test_tickets_come_back_at_any_moment_so_nothing_is_remembered(line):
    held = line.ask("ACQUIRE inflight job 2")
    assert {line.ask("ACQUIRE inflight job").source for _ in range(5)} == {"redis"}
    line.ask(f"RELEASE inflight job {held.ticket}")
    assert line.ask("ACQUIRE inflight job").allowed


# -- ended


@pytest.mark.parametrize("giving", ["RESET once {id}", "REFUND once {id} 5"])
def test_what_this_daemon_gives_back_ends_it_at_once(line, giving):
    for number in range(30):
        exhaust(line, "once", f"id{number}")
        told = line.ask_all([f"CHECK once id{number}", giving.format(id=f"id{number}"),
                             f"CHECK once id{number}"])
        assert [reply.word for reply in told] == ["DENY", "OK", "ALLOW"]


def test_a_refusal_under_way_during_a_reset_is_not_remembered_after_it(start, shape):
    one = start(**shape)
    with one.line() as first, one.line() as second:
        for number in range(200):
            first.ask(f"CHECK once race{number} 10")
            first.send(*[f"CHECK once race{number}"] * 3)
            second.send(f"RESET once race{number}")
            assert second.read_reply().word == "OK"
            for _ in range(3):
                first.read_reply()
            assert second.ask(f"CHECK once race{number}").allowed


def test_a_raised_limit_ends_it_at_once(start, shape, redis):
    one = start(**shape)
    with one.line() as client:
        requests = [f"CHECK {policy} id{n}" for policy in ("once", "pair", "log")
                    for n in range(20)]
        for request in requests:
            exhaust(client, *request.split()[1:])
        one.write_config(patient(redis.url(), POLICIES.replace("10/365d", "30/365d")
                                 .replace("12/360d", "40/360d")))
        assert client.ask("RELOAD").word == "OK"
        replies = [client.ask(request) for request in requests]
        assert {(reply.limit, reply.source) for reply in replies} == {(30, "redis")}
        # What gcra keeps is a time and no count, so for it the new limit is as used up as the old.
        assert all(reply.allowed for reply in replies[20:])


def test_a_refusal_under_way_during_a_reload_is_not_remembered_after_it(daemon, redis, proxy):
    one = joined(daemon(patient(proxy.url(), POLICIES)))
    hears(redis)
    with one.line() as client, one.line() as other:
        for number in range(5):
            client.ask(f"CHECK log late{number} 10")
            proxy.delay(0.1)
            client.send(f"CHECK log late{number}")
            client.wait_until_received()
            time.sleep(0.02)  # it leaves for Redis, which refuses it
            limit = "30/365d" if number % 2 == 0 else "40/365d"
            one.write_config(patient(proxy.url(), POLICIES.replace("10/365d", limit)))
            assert other.ask("RELOAD").word == "OK"
            assert client.read_reply().word == "DENY"
            proxy.pass_on()
            assert client.ask(f"CHECK log late{number}").allowed
            one.write_config(patient(proxy.url(), POLICIES))
            assert other.ask("RELOAD").word == "OK"


@pytest.mark.parametrize("giving", ["RESET once {id}", "REFUND once {id} 5"])
def test_what_another_daemon_gives_back_ends_it_within_a_second(start, shape, giving):
    here, there = start(**shape), start(**shape)
    with here.line() as client, there.line() as other:
        for number in range(5):
            exhaust(client, "once", f"id{number}")
            began = time.monotonic()
            assert other.ask(giving.format(id=f"id{number}")).word == "OK"
            took = admitted_after(client, f"CHECK once id{number}", began)
            assert took < TOLD_WITHIN_S * patience()


def test_many_resets_elsewhere_are_all_heard(start):
    here, there = start(), start()
    count = 5000  # more than one message holds by name
    with here.line() as client, there.line() as other:
        client.ask_all([f"CHECK once many{n} 10" for n in range(count)])
        client.ask_all([f"CHECK once many{n}" for n in range(count)])
        other.ask_all([f"RESET once many{n}" for n in range(count)])
        began = time.monotonic()
        waiting = set(range(count))
        while waiting:
            asked = sorted(waiting)
            replies = client.ask_all([f"CHECK once many{n}" for n in asked])
            waiting -= {n for n, reply in zip(asked, replies) if reply.allowed}
            assert time.monotonic() - began < 2 * TOLD_WITHIN_S * patience(), len(waiting)


def test_a_changed_file_elsewhere_ends_it(start, redis):
    here, there = start(), start()
    with here.line() as client, there.line() as other:
        exhaust(client, "once", "anyone")
        redis.client().delete("gcra:once:anyone")
        assert client.ask("CHECK once anyone").source == "cache"
        began = time.monotonic()
        assert other.ask("RELOAD").word == "OK"
        assert admitted_after(client, "CHECK once anyone", began) < TOLD_WITHIN_S * patience()


# -- where nobody can tell


def test_keys_of_other_gateways_are_believed_for_half_a_second_only(line, redis):
    exhaust(line, "elsewhere", "guest")
    began = time.monotonic()
    redis.client().delete("ratelimit:guest")
    assert admitted_after(line, "CHECK elsewhere guest", began) < BELIEVED_S + 0.2 * patience()


def test_who_may_not_hear_believes_for_half_a_second_only(daemon, redis_servers, shape):
    server = redis_servers(user="default on nopass ~* resetchannels +@all")
    one = joined(daemon(patient(server.url(), POLICIES), **shape))
    one.says("does not let us hear")
    with one.line() as client:
        exhaust(client, "once", "guest")
        began = time.monotonic()
        server.client().delete("gcra:once:guest")
        assert admitted_after(client, "CHECK once guest", began) < BELIEVED_S + 0.2 * patience()


def test_who_lost_the_news_for_a_moment_believes_nothing_from_before(start, redis):
    one = start()
    with one.line() as client:
        exhaust(client, "once", "guest")
        store = redis.client()
        store.delete("gcra:once:guest")
        for connection in store.client_list():
            if connection["name"] == "tollkeeper-news":
                store.client_kill_filter(_id=connection["id"])
        began = time.monotonic()
        assert admitted_after(client, "CHECK once guest", began) < TOLD_WITHIN_S * patience()
