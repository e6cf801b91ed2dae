"""Without its Redis: who answers, what is told of it, what a host may spend and what it owes."""

import re
import time

import pytest

from support.binaries import patience
from support.process import cpu_seconds
from support.resp import Error, plain
from support.store import again_by_redis, gone, health, joined, statistics, table
from support.waiting import eventually

POLICIES = """
[defaults]
deadline = "200ms"
[policies.local]
limits = ["10/365d"]
[policies.allow]
limits = ["10/365d"]
on_outage = "allow"
[policies.deny]
limits = ["10/365d"]
on_outage = "deny"
[policies.here]
mode = "local"
limits = ["10/365d"]
[policies.inflight]
algorithm = "concurrency"
limit = 4
ttl = "1h"
[policies.long]
algorithm = "fixed_window"
limits = ["100/365d"]
[policies.hours]
algorithm = "sliding_log"
limits = ["100/2h", "200/1m"]
[policies.minute]
algorithm = "fixed_window"
limits = ["100/1m"]
"""

QUICK = {"health_interval": "100ms"}
QUICK_BREAKER = '[redis.breaker]\nopen = "50ms"\nopen_max = "400ms"\n'

TRANSITION = re.compile(r"breaker of redis: (\S+?)(?:,|$)", re.M)


def config(url, **keys):
    return table(url, **{**QUICK, **keys}) + QUICK_BREAKER + POLICIES


@pytest.fixture(name="away")
def _away(daemon, redis, shape):
    """A daemon that was started before its Redis."""
    redis.kill()
    return gone(daemon(config(redis.url()), **shape))


# -- who answers


def test_it_starts_without_redis_and_says_so(away):
    with away.line() as client:
        now = health(client)
        assert (now["state"], now["redis"]) == ("degraded", "away")
        assert client.ask("PING").word == "OK"
    away.says("ready:")
    away.says("redis is away")


def test_each_policy_answers_as_it_says(away):
    with away.line() as client:
        told = [client.ask("CHECK local user 6") for _ in range(2)]
        assert [(reply.word, reply.source) for reply in told] == [
            ("ALLOW", "local"), ("DENY", "local")]
        assert told[0].values[:3] == [10, 4, 0] and told[1].values[:2] == [10, 4]
        allowed = [client.ask("CHECK allow user 6") for _ in range(5)]
        assert {(reply.word, reply.source) for reply in allowed} == {("ALLOW", "open")}
        assert allowed[0].limit == 10
        denied = client.ask("CHECK deny user")
        assert (denied.word, denied.source, denied.limit) == ("DENY", "closed", 10)
        assert 0 < denied.retry <= 10_000
        assert client.ask("CHECK here user").source == "local"


def test_each_verb_answers_by_this_hosts_count_where_that_is_asked_for(away):
    with away.line() as client, away.raw_resp() as resp:
        assert client.ask("CHECK local verbs 6").remaining == 4
        first, second = (client.ask("PEEK local verbs").values[1:] for _ in range(2))
        assert first[::2] == second[::2] == [4, "local"] and first[1] >= second[1]
        assert client.ask("REFUND local verbs 2").values == [6]
        assert client.ask("CHARGE local verbs 9").values == [-3]
        held = client.ask("ACQUIRE inflight verbs")
        assert (held.word, held.source) == ("ALLOW", "local")
        assert client.ask(f"RELEASE inflight verbs {held.ticket}").values == [4]
        assert [row[3] for row in client.ask("PEEK local verbs other").rows] == ["local"] * 2
        assert resp.ask("CL.THROTTLE", "verbs", 2, 10, 36000)[:3] == [0, 3, 2]
        assert plain(resp.ask("CHECK", "local", "framed", 10))[5:] == ["local"]


@pytest.mark.parametrize("request_", ["RESET local user", "RESET inflight user", "RESET deny user",
                                      "REFUND allow user 1", "CHARGE deny user 1",
                                      "PEEK allow user"])
def test_what_only_redis_could_do_is_unavailable(away, request_):
    with away.line() as client, away.raw_resp() as resp:
        assert client.ask(request_).code == "UNAVAILABLE"
        told = resp.ask(*request_.split())
        assert isinstance(told, Error) and told.code == "UNAVAILABLE"
        assert client.ask("PING").word == "OK"


def test_together_the_strictest_answers(away):
    with away.line() as client:
        def told(request):
            reply = client.ask(request)
            return reply.word, reply.source

        assert told("CHECK local a 1 allow a 1") == ("ALLOW", "local")
        assert told("CHECK allow a 1 allow b 1") == ("ALLOW", "open")
        assert told("CHECK local a 1 deny a 1 allow a 1") == ("DENY", "closed")
        assert told("CHECK local a 1 local b 11") == ("DENY", "local")
        assert client.ask("PEEK local a").values[1] == 9, "charged once, with allow"


# -- there again


def test_when_redis_comes_it_answers_within_two_seconds(away, redis):
    redis.start()
    with away.line() as client:
        took = again_by_redis(client, "CHECK local comes")
        assert took < 2 * patience()
        eventually(lambda: health(client)["state"] == "ready", "ready")
    away.says("redis is there")


def test_refusals_in_the_dark_are_not_remembered_in_the_light(away, redis):
    with away.line() as client:
        assert not client.ask("CHECK local eager 11").allowed
        assert client.ask("CHECK local eager 10").allowed
        redis.start()
        again_by_redis(client, "CHECK local probe")
        eventually(lambda: health(client)["state"] == "ready", "ready")
        replies = [client.ask("CHECK local fresh 10"), client.ask("CHECK local fresh")]
        assert [(reply.word, reply.source) for reply in replies] == [
            ("ALLOW", "redis"), ("DENY", "redis")]


def test_this_hosts_count_goes_along_so_that_it_is_warm(daemon, redis, shape):
    one = joined(daemon(config(redis.url()), **shape))
    with one.line() as client:
        for number in range(20):
            assert client.ask(f"CHECK local warm{number} 7").source == "redis"
            assert client.ask(f"CHECK local a{number} 5 local b{number} 4").source == "redis"
        client.ask("REFUND local warm0 4")
        client.ask("RESET local warm1")
        client.ask("CHARGE local warm2 2")
        redis.kill()
        gone(one)
        left = [client.ask(f"PEEK local warm{number}").values[1] for number in range(20)]
        assert left == [7, 10, 1] + [3] * 17
        assert [client.ask(f"PEEK local {name}3").values[1] for name in "ab"] == [5, 6]


# -- the breaker


def transitions(one):
    return TRANSITION.findall(one.output())


def test_each_transition_of_the_breaker_is_one_line(daemon, scripted, shape):
    one = joined(daemon(config(scripted.url()), **shape))
    with one.line() as client:
        ids = [f"id{number}" for number in range(50)]
        scripted.on("EVALSHA", b"-BUSY Redis is busy running a script\r\n", heartbeats_too=True)
        for id_ in ids:
            client.ask(f"CHECK local {id_}")
        now = health(client)
        assert (now["state"], now["breaker"]) in {("degraded", "open"), ("degraded", "half-open")}
        scripted.behave()

        def closed():
            client.ask_all([f"CHECK local {id_}" for id_ in ids])
            return health(client)["breaker"] == "closed"

        eventually(closed, "the breaker closes", within=2)
        told = transitions(one)
        assert told[0] == "open" and told[-1] == "closed" and set(told) <= {
            "open", "half-open", "closed"}
        assert all(first != second for first, second in zip(told, told[1:])), told
        assert statistics(client)["breaker_trips"] >= 1


def test_a_quiet_daemon_opens_and_closes_its_breaker_and_settles_up(daemon, scripted, shape):
    """By its heartbeats alone: nobody asks anything."""
    one = joined(daemon(config(scripted.url()), **shape))
    with one.line() as client:
        scripted.on("EVALSHA", b"-OOM command not allowed\r\n", heartbeats_too=True)
        eventually(lambda: health(client)["breaker"] == "open", "open")
        assert client.ask("CHECK long quiet 5").source == "local"
        scripted.behave()
        eventually(lambda: health(client)["state"] == "ready", "ready")
        eventually(lambda: statistics(client)["redis_repaid"] == 1, "charged")


# -- the fleet's share


def admitted(client, policy, id_, most=1000):
    count = 0
    while client.ask(f"CHECK {policy} {id_}").allowed:
        count += 1
        assert count < most
    return count


def test_hosts_learn_of_each_other_and_spend_their_share(daemon, redis, shape):
    first, second = (daemon(config(redis.url()), **shape) for _ in range(2))
    for one in (first, second):
        joined(one, hosts=2)
    redis.kill()
    spent = []
    for one in (first, second):
        gone(one)
        with one.line() as client:
            assert health(client)["hosts"] == "2", "frozen while nobody can tell"
            spent.append([admitted(client, "local", "shared"), admitted(client, "long", "shared")])
            held = [client.ask("ACQUIRE inflight shared").word for _ in range(3)]
            assert held == ["ALLOW", "ALLOW", "DENY"]
    assert spent == [[5, 50]] * 2, "the limit in all, not twice"


def test_who_leaves_is_no_longer_counted(daemon, redis):
    first, second = (daemon(config(redis.url()), workers=1) for _ in range(2))
    joined(first, hosts=2)
    second.stop()
    joined(first, hosts=1, within=2)


def test_who_was_killed_is_no_longer_counted_soon(daemon, redis):
    first, second = (daemon(config(redis.url()), workers=1) for _ in range(2))
    joined(first, hosts=2)
    second.kill()
    joined(first, hosts=1, within=8)


# -- what was used in the dark


@pytest.mark.parametrize("policy", ["long", "hours"])
def test_what_was_used_in_the_dark_is_charged_once_after_the_return(
        daemon, proxy, shape, policy):
    one = joined(daemon(config(proxy.url()), **shape))
    ids = [f"id{number}" for number in range(40)]
    with one.line() as client:
        for id_ in ids:
            assert client.ask(f"CHECK {policy} {id_} 10").source == "redis"
        proxy.refuse()
        gone(one)
        for id_ in ids:
            assert client.ask(f"CHECK {policy} {id_} 15").source == "local"
            assert client.ask(f"CHECK {policy} {id_} 5").source == "local"
        assert client.ask(f"CHECK {policy} {ids[0]} 30 {policy} {ids[1]} 20").source == "local"
        proxy.pass_on()
        expected = [40, 50] + [70] * 38
        left = None

        def settled():
            nonlocal left
            replies = [client.ask(f"PEEK {policy} {id_}") for id_ in ids]
            left = [reply.values[1] for reply in replies if reply.values[3] == "redis"]
            return left == expected

        eventually(settled, "charged")
        time.sleep(0.5)  # the time of some more heartbeats, in which nothing more may be charged
        assert settled(), left
        assert 40 <= statistics(client)["redis_repaid"] <= 42, "each key once, or by asker"


def test_a_refusal_in_the_dark_is_charged_to_nobody(daemon, proxy):
    one = joined(daemon(config(proxy.url()), workers=1))
    with one.line() as client:
        proxy.refuse()
        gone(one)
        assert not client.ask("CHECK long id 101").allowed
        assert client.ask("CHECK here id").allowed
        assert client.ask("CHECK minute id").allowed, "its window has passed by then"
        proxy.pass_on()
        again_by_redis(client, "CHECK minute probe")
        time.sleep(0.3)
        assert client.ask("PEEK long id").values[1] == 100
        assert client.ask("PEEK minute id").values[1] == 100
        assert statistics(client)["redis_repaid"] == 0


def test_what_redis_may_have_counted_is_not_charged_again(daemon, proxy):
    """Its reply is lost, so nobody knows; here it was counted, and once is enough."""
    one = joined(daemon(config(proxy.url(), health_interval="1m"), workers=1))
    with one.line() as client:
        for number in range(10):
            id_ = f"lost{number}"
            assert client.ask(f"CHECK long {id_} 10").source == "redis"
            proxy.cut_after(0)
            source = client.ask(f"CHECK long {id_} 10").source
            again_by_redis(client, "CHECK minute probe")
            if source == "local":
                break  # otherwise a heartbeat's reply was cut, and the link there again in time
        assert source == "local"
        time.sleep(0.1)
        assert client.ask(f"PEEK long {id_}").values[1] == 80
        assert statistics(client)["redis_repaid"] == 0


def test_what_redis_said_it_did_not_count_is_charged(daemon, redis):
    one = joined(daemon(config(redis.url()), workers=1))
    with one.line() as client:
        redis.client().config_set("maxmemory", 1)
        assert client.ask("CHECK long id 10").source == "local"
        redis.client().config_set("maxmemory", 0)
        again_by_redis(client, "CHECK minute probe")
        eventually(lambda: client.ask("PEEK long id").values[1] == 90, "charged")
        assert statistics(client)["redis_repaid"] == 1


def test_live_traffic_goes_on_while_much_is_charged(daemon, proxy):
    one = joined(daemon(config(proxy.url()), workers=2))
    with one.line() as client:
        proxy.refuse()
        gone(one)
        count = 3000  # keys
        assert all(reply.allowed for reply in client.ask_all(
            [f"CHECK long many{number} 7" for number in range(count)]))
        proxy.pass_on()
        again_by_redis(client, "CHECK local probe")
        eventually(lambda: client.ask("CHECK long live") and
                   statistics(client)["redis_repaid"] >= count, "all charged", within=10)
        eventually(lambda: {client.ask(f"PEEK long many{number}").values[1]
                            for number in range(0, count, 37)} == {93}, "all of it")


@pytest.mark.parametrize("state", ["there", "hanging", "away"])
def test_it_sleeps_while_nobody_asks(daemon, redis, backend, state):
    one = joined(daemon(table(redis.url()) + POLICIES, backend=backend, workers=2))
    if state != "there":
        (redis.kill if state == "away" else redis.pause)()
        gone(one)
    used = cpu_seconds(one.pid)
    time.sleep(1)
    assert cpu_seconds(one.pid) - used < 0.1 * patience()


def test_the_end_comes_in_order_also_without_redis(away):
    away.stop()
