"""The scripts inside Redis, called as the daemon does, without the daemon.

Whether they decide as the C++ does is another test's question; here: what they leave in Redis.
"""

import time

import pytest
import redis

from support import scripts
from support.script_fixtures import (DAY, HOUR, client_fixture,  # pylint: disable=unused-import
                                     limits_fixture, server_fixture)
from support.scripts import (POISONED, Limits, acquire, charge, check, concurrency, fixed_window,
                             gcra, now_ms, peek, refund, release, reset, sliding_log,
                             sliding_window, token_bucket)

ALGORITHMS = [gcra, token_bucket, sliding_log, sliding_window, fixed_window]
MONTH = 0


@pytest.fixture(params=ALGORITHMS, ids=lambda one: one.__name__, name="algorithm")
def _algorithm(request):
    return request.param


def contents(client):
    """All there is, with when it expires."""
    return {key: (client.dump(key), client.pexpiretime(key)) for key in client.keys()}


# -- what is decided


def test_as_many_are_admitted_as_the_limit_says(limits, algorithm):
    alice = algorithm("alice", 3, HOUR)
    assert [limits.one(check(alice)).code for _ in range(5)] == [1, 1, 1, 0, 0]


def test_the_same_check_many_times_is_admitted_until_it_is_refused(limits, algorithm):
    alice = algorithm("alice", 10, HOUR)
    assert limits.one(check((alice, 3), times=7)).code == 3
    assert limits.one(check(alice, times=7)).code == 1


def test_a_fraction_of_a_microsecond_is_never_lost(limits):
    alice = gcra("alice", 7, HOUR)
    assert limits.one(check(alice, times=100)).code == 7
    tat, fraction = limits.one(peek(alice)).state
    first = limits.client.get("alice").split(b":")
    assert [int(number) for number in first] == [tat, fraction] or fraction == 0
    assert limits.one(refund((alice, 4))).code == 1
    assert limits.one(check(alice, times=100)).code == 4
    assert limits.one(peek(alice)).state == (tat, fraction)


def test_later_items_see_what_earlier_ones_did(limits, algorithm):
    alice = algorithm("alice", 3, HOUR)
    codes = [d.code for d in limits.decide(
        check(alice), check((alice, 2)), check(alice), refund((alice, 2)), check((alice, 2)),
        check(alice), reset(alice), check((alice, 3)), check(alice))]
    assert codes == [1, 1, 0, 1, 1, 0, 1, 1, 0]
    assert limits.one(check(alice)).code == 0
    assert limits.one(refund(alice)).code == 1
    assert limits.one(check(alice)).code == 1


def test_each_item_is_told_what_was_there_before_it(limits):
    log, window = sliding_log("log", 9, HOUR), fixed_window("window:", 9, HOUR)
    told = limits.decide(check((log, 2)), peek(log), charge((log, 3)), peek(log), refund(log),
                         peek(log), reset(log), peek(log))
    assert [decision.state[0] for decision in told] == [0, 2, 2, 5, 5, 4, 4, 0]
    told = limits.decide(check((window, 2)), peek(window), charge((window, 10)), peek(window))
    assert [decision.state[1] for decision in told] == [0, 2, 2, 12]


def test_a_charge_runs_into_debt_and_a_refund_never_above_the_limit(limits, algorithm):
    alice = algorithm("alice", 3, HOUR)
    assert limits.one(charge((alice, 5))).code == 1
    assert limits.one(check(alice)).code == 0
    limits.decide(refund((alice, 2)))
    assert limits.one(check(alice)).code == 0
    limits.decide(refund((alice, 9)))
    assert limits.one(check(alice, times=9)).code == 3


def test_debt_ends(limits, algorithm):
    alice = algorithm("alice", 3, 0.001 if algorithm is gcra else HOUR)
    units = 2**31 - 1 if algorithm is not sliding_log else scripts.LOG_DEBT // 2 + 1
    states = [d.states[0] for d in limits.decide(*[charge((alice, units))] * 4, peek(alice))]
    if algorithm is gcra:
        # What is there more than the bounds of debt goes by with time, a unit in 333 us.
        assert states[4][0] - states[2][0] < 1_000_000
    elif algorithm is sliding_log:
        assert states[4][0] == 3 + scripts.LOG_DEBT
    elif algorithm is token_bucket:
        assert states[4][0] == 3 + scripts.DEBT
    else:
        assert states[4][1] == 3 + scripts.DEBT
    assert limits.one(peek(alice)).code == 1


def test_a_year_of_debt_stays_on_the_time_line(limits):
    for algorithm in ALGORITHMS[:2]:
        alice = algorithm(algorithm.__name__, 1, 366 * DAY)
        for _ in range(3):
            assert limits.one(charge((alice, 2**31 - 1))).code == 1
        assert limits.one(check(alice)).code == 0
        assert max(limits.one(peek(alice)).state) <= scripts.TOP


def test_tokens_come_back_to_the_microsecond_over_any_window(limits):
    """The one product that does not fit a double is worked out all the same."""
    window_us = 366 * DAY * 1_000_000
    alice = token_bucket("alice", 2**31 - 1, 366 * DAY)
    limits.decide(charge((alice, 2**31 - 1)))
    limits.decide(charge((alice, 2**31 - 1)))
    past = now_ms(limits.client) - 200 * DAY * 1000
    limits.client.set("alice:tokens", str(-(2**31 - 1)))
    limits.client.set("alice:last", str(past))
    told = limits.one(peek(alice))
    missing, fraction, last_us = told.state
    back = (last_us - past * 1000) * (2**31 - 1)
    assert last_us == told.now_us
    assert missing == 2 * (2**31 - 1) - back // window_us
    assert fraction == back % window_us


# -- all or nothing


def test_several_parts_are_all_charged_or_none(limits, algorithm):
    wide, narrow = algorithm("wide", 9, HOUR), algorithm("narrow", 2, HOUR)
    assert limits.one(check(wide, narrow, times=5)).code == 2
    before = contents(limits.client)
    told = limits.one(check((wide, 2), (narrow, 1)))
    assert told.code == 0 and len(told.states) == 2
    assert contents(limits.client) == before
    assert limits.one(check(wide, times=20)).code == 7


def test_parts_may_be_of_any_algorithms(limits):
    parts = [algorithm(algorithm.__name__, 3, HOUR) for algorithm in ALGORITHMS]
    assert limits.one(check(*parts, times=9)).code == 3
    for part in parts:
        assert limits.one(check(part)).code == 0


def test_a_key_named_twice_is_asked_for_the_sum(limits, algorithm):
    alice, bob = algorithm("alice", 5, HOUR), algorithm("bob", 5, HOUR)
    assert limits.one(check((alice, 3), bob, (alice, 3))).code == 0
    assert limits.one(check((alice, 3), bob, (alice, 2))).code == 1
    assert limits.one(check(alice)).code == 0
    assert limits.one(check(bob, times=9)).code == 4


# -- what a refusal is told


def test_a_refusal_by_a_log_names_the_entry_that_must_leave(limits):
    alice = sliding_log("alice", 5, HOUR)
    start = now_ms(limits.client) - 1000
    limits.client.zadd("alice", {f"{start + i}:0": start + i for i in range(5)})
    told = limits.decide(check(alice), check((alice, 3)), check((alice, 6)), peek(alice))
    assert [d.state for d in told] == [
        (5, start + 4, start), (5, start + 4, start + 2), (5, start + 4, 0), (5, start + 4, 0)]
    assert limits.one(refund((alice, 2))).state[:2] == (5, start + 4)
    # Two are free again; the third must wait for the oldest.
    told = limits.one(check(alice, times=3))
    assert told.code == 2 and told.state[2] == start


# -- what is left in Redis


def matters_until_ms(limit, key, client, used):
    """When the state under this key is the same as none, if nothing more is used."""
    text = client.get(key).split(b":") if limit.algorithm != scripts.SLIDING_LOG else []
    if limit.algorithm == scripts.GCRA:
        return int(text[0]) / 1000
    window_ms = limit.window_ms
    if limit.algorithm == scripts.TOKEN_BUCKET:
        last_ms = float(client.get(limit.keys[1]))
        return last_ms + (used - 1) / limit.count * window_ms
    if limit.algorithm == scripts.SLIDING_LOG:
        return client.zrange(key, -1, -1, withscores=True)[0][1] + window_ms
    if limit.algorithm == scripts.SLIDING_WINDOW:
        return int(text[0]) + 2 * window_ms
    return (int(key.rpartition(b":")[2]) + 1) * window_ms


@pytest.mark.parametrize("seconds", [1, HOUR, 100 * DAY])
def test_every_key_outlives_its_state(limits, algorithm, seconds):
    client = limits.client
    for place in range(5):
        alice = algorithm(f"{place}:", 5, seconds)
        for used in range(1, 12, 2):
            limits.decide(check(alice) if used == 1 else charge((alice, 2)))
            for key in client.keys(f"{place}:*"):
                assert client.pexpiretime(key) >= matters_until_ms(alice, key, client, used)
                assert client.pttl(key) < 5 * seconds * 1000 + 2 * 128_000


def test_a_key_whose_time_moves_on_is_given_longer(limits):
    alice = gcra("alice", 1000, 1000 * HOUR)
    seen = set()
    for _ in range(20):
        assert limits.one(check(alice)).code == 1
        tat_ms = int(limits.client.get("alice")) / 1000
        assert limits.client.pexpiretime("alice") > tat_ms + 64_000
        seen.add(limits.client.pexpiretime("alice"))
    assert len(seen) == 20
    limits.decide(refund((alice, 19)))
    assert limits.client.pexpiretime("alice") == max(seen)


def test_a_refused_request_leaves_redis_unchanged(limits, algorithm):
    alice = algorithm("alice", 3, HOUR)
    limits.decide(check(alice, times=3))
    before = contents(limits.client)
    assert before
    told = limits.decide(check(alice), check((alice, 2), renew=True), check(alice, times=9),
                         peek(alice), check((alice, 4)))
    assert [d.code for d in told] == [0, 0, 0, 1, 0]
    assert contents(limits.client) == before


def test_what_was_never_used_is_no_key(limits, algorithm):
    alice = algorithm("alice", 3, HOUR)
    limits.decide(peek(alice), check((alice, 4)), refund(alice), reset(alice))
    assert contents(limits.client) == {}
    limits.decide(check(alice))
    limits.decide(reset(alice))
    assert contents(limits.client) == {}


def test_a_log_is_trimmed_and_renewed_only_when_asked(limits):
    alice = sliding_log("alice", 9, 1)
    long_ago = now_ms(limits.client) - HOUR * 1000
    limits.client.zadd("alice", {"old": long_ago})
    limits.decide(check(alice))
    assert limits.client.zcard("alice") == 1
    limits.client.zadd("alice", {"old": long_ago})
    limits.client.pexpire("alice", 100_000)
    limits.decide(check(alice))
    # Quick ones are trimmed in passing: it is how they are counted.
    assert limits.client.zcard("alice") == (2 if limits.quick else 3)
    assert limits.client.pttl("alice") > 2_000
    limits.decide(check(alice, renew=True))
    assert limits.client.zcard("alice") == 3
    assert limits.client.pttl("alice") <= 2_000


def test_a_log_given_back_whole_and_used_again_in_one_batch_expires(limits):
    alice = sliding_log("alice", 9, HOUR)
    limits.decide(check((alice, 3)))
    limits.decide(refund((alice, 3)), check((alice, 2)))
    assert limits.client.zcard("alice") == 2
    assert limits.client.pttl("alice") > HOUR * 1000


def test_names_in_a_log_that_are_taken_are_gone_around(limits):
    """As in one batch, in which all are named after the same microsecond."""
    alice = sliding_log("alice", 10_000, HOUR)
    told = limits.decide(*[check(alice)] * 500, check((alice, 700)), *[check(alice)] * 5)
    assert {decision.code for decision in told} == {1}
    assert limits.client.zcard("alice") == 1205


def test_names_that_others_took_are_gone_around(limits):
    alice = sliding_log("alice", 100_000, HOUR)
    start = now_ms(limits.client)
    # Whatever the microsecond will be in the next while: our first name for it is there already.
    taken = {f"{start + ms}:{seq}": start + ms for ms in range(5) for us in range(1000)
             for seq in (us, (us + 1) * 1_000_000)}
    limits.client.zadd("alice", taken)
    for units in (1, 2, 600):
        before = limits.client.zcard("alice")
        assert limits.one(check((alice, units))).code == 1
        assert limits.client.zcard("alice") == before + units


# -- keys that hold something else

GARBAGE = {
    "a list": lambda client, key: client.rpush(key, "x"),
    "a hash": lambda client, key: client.hset(key, "x", "1"),
    "a word": lambda client, key: client.set(key, "garbage"),
    "nothing": lambda client, key: client.set(key, ""),
    "not finite": lambda client, key: client.set(key, "inf"),
    "hexadecimal": lambda client, key: client.set(key, "0x123456789abcde"),
    "too long": lambda client, key: client.set(key, "9" * 30),
    "leading zero": lambda client, key: client.set(key, "x0123456789012345"),
}


def where(limit, client):
    """The key that really holds the limit."""
    if limit.algorithm == scripts.FIXED_WINDOW:
        return f"{limit.key}{now_ms(client) // (HOUR * 1000)}"
    return limit.keys[0]


@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE.keys())
def test_a_poisoned_key_spoils_only_its_own_items(limits, algorithm, garbage):
    good, bad = algorithm("good:", 9, HOUR), algorithm("bad:", 9, HOUR)
    garbage(limits.client, where(bad, limits.client))
    before = contents(limits.client)
    items = [check(bad), check(good), check(bad, good), check(good, bad), charge(bad), refund(bad),
             reset(bad), peek(bad), check(good)]
    told = limits.decide(*items)
    assert [d.code for d in told] == [POISONED, 1, *[POISONED] * 6, 1]
    assert all(number == 0 for d in told if d.code < 0 for state in d.states for number in state)
    after = contents(limits.client)
    assert {key: after[key] for key in before} == before
    assert limits.one(check(good, times=20)).code == 7


def test_a_poisoned_second_key_of_a_bucket_is_seen(limits):
    alice = token_bucket("alice", 9, HOUR)
    limits.client.rpush("alice:last", "x")
    before = contents(limits.client)
    assert limits.one(check(alice)).code == POISONED
    assert contents(limits.client) == before


@pytest.mark.parametrize("mine", [gcra, sliding_window], ids=lambda one: one.__name__)
def test_a_set_is_not_taken_for_a_key_that_is_not_there(limits, mine):
    limits.decide(check(sliding_log("alice", 3, HOUR)), acquire(concurrency("bob", 3, HOUR), "1"))
    before = contents(limits.client)
    told = limits.decide(check(mine("alice", 3, HOUR)), check(mine("bob", 3, HOUR)),
                         check(mine("carol", 3, HOUR)))
    assert [decision.code for decision in told] == [POISONED, POISONED, 1]
    assert {key: contents(limits.client)[key] for key in before} == before


# -- tickets


def test_tickets_are_handed_out_and_come_back(limits):
    lane = concurrency("lane", 5, 60)
    told = limits.decide(acquire(lane, "a", 3), acquire(lane, "b", 3), acquire(lane, "c", 2),
                         peek(lane), release(lane, "a"), release(lane, "a"), acquire(lane, "b", 3))
    assert [d.code for d in told] == [1, 0, 1, 1, 3, 0, 1]
    assert [d.state[0] for d in told] == [0, 3, 3, 5, 5, 2, 2]
    assert limits.client.zcard("lane") == 5
    assert limits.client.pexpiretime("lane") >= told[0].now_us // 1000 + 60_000
    limits.decide(reset(lane))
    assert contents(limits.client) == {}


def test_a_ticket_of_many_units_comes_back_whole(limits):
    lane = concurrency("lane", 65_536, 60)
    assert limits.one(acquire(lane, "big", 5_000)).code == 1
    assert limits.one(acquire(lane, "small", 1)).code == 1
    assert limits.one(release(lane, "big")).code == 5_000
    assert limits.one(peek(lane)).state[0] == 1


def test_a_refused_ticket_is_told_what_it_waits_for_and_changes_nothing(limits):
    lane = concurrency("lane", 3, 60)
    told = limits.decide(acquire(lane, "a", ttl=10), acquire(lane, "b", ttl=20),
                         acquire(lane, "c", ttl=30))
    now = told[0].now_us // 1000
    before = contents(limits.client)
    told = limits.decide(acquire(lane, "d"), acquire(lane, "d", 2), acquire(lane, "d", 4))
    assert [d.code for d in told] == [0, 0, 0]
    assert [d.state for d in told] == [(3, now + 30_000, now + 10_000),
                                       (3, now + 30_000, now + 20_000), (3, now + 30_000, 0)]
    assert contents(limits.client) == before
    assert limits.client.pttl("lane") > 29_000


def test_a_lapsed_ticket_counts_no_more_and_returns_nothing(limits):
    lane = concurrency("lane", 1, 60)
    limits.client.zadd("lane", {"gone": now_ms(limits.client) - 1})
    assert limits.one(release(lane, "gone")).code == 0
    assert limits.one(acquire(lane, "here")).code == 1
    assert limits.client.zrange("lane", 0, -1) == [b"here"]


def test_what_is_no_set_of_tickets_is_left_alone(limits):
    lane = concurrency("lane", 1, 60)
    limits.client.set("lane", "x")
    before = contents(limits.client)
    told = limits.decide(acquire(lane, "a"), release(lane, "a"), peek(lane), reset(lane))
    assert [d.code for d in told] == [POISONED] * 4
    assert contents(limits.client) == before


# -- months


def test_a_month_has_its_own_counter(limits):
    month = time.strftime("%Y%m", time.gmtime(now_ms(limits.client) / 1000))
    counter, window = fixed_window("c:", 3, MONTH), sliding_window("w", 3, MONTH)
    assert limits.one(check(counter, window, times=9)).code == 3
    start = time.strptime(month, "%Y%m")
    start_ms = (int(time.mktime(start)) - time.timezone) * 1000
    assert limits.client.get(f"c:{month}") == b"3"
    assert limits.client.get("w") == f"{start_ms}:3:0".encode()
    told = limits.one(peek(counter, window))
    assert told.states == [(start_ms, 3), (start_ms, 3, 0)]
    assert limits.client.pexpiretime("w") > start_ms + 59 * DAY * 1000


def test_the_month_before_fades(limits):
    window = sliding_window("w", 1000, MONTH)
    limits.decide(charge((window, 10)))
    start_ms = int(limits.client.get("w").split(b":")[0])
    before = time.gmtime(start_ms / 1000 - 1)
    before_ms = start_ms - before.tm_mday * DAY * 1000
    limits.client.set("w", f"{before_ms}:500:99")
    assert limits.one(peek(window)).state == (start_ms, 0, 500)
    # Of other windows, before a reload: all of it moves into the month it began in.
    limits.client.set("w", f"{before_ms + DAY * 1000}:500:99")
    assert limits.one(peek(window)).state == (start_ms, 0, 599)
    limits.client.set("w", f"{before_ms - DAY * 1000}:500:99")
    assert limits.one(peek(window)).state == (start_ms, 0, 0)


# -- the call


def test_a_batch_of_thousands_of_keys_is_one_call(limits):
    many = [check(gcra(f"{i}", 5, HOUR), sliding_log(f"log:{i}", 5, HOUR)) for i in range(2500)]
    assert {d.code for d in limits.decide(*many)} == {1}
    assert limits.client.dbsize() == 5000


def test_a_forgotten_script_decides_nothing_until_it_is_loaded_again(client):
    limits, alice = Limits(client), gcra("alice", 2, HOUR)
    limits.decide(check(alice))
    client.script_flush()
    with pytest.raises(redis.exceptions.NoScriptError):
        limits.decide(check(alice))
    assert Limits(client).sha == limits.sha
    assert [limits.one(check(alice)).code for _ in range(2)] == [1, 0]


# -- the heartbeat


class Fleet:
    def __init__(self, client):
        self.client = client
        self.sha = client.script_load(scripts.body("nodes"))

    def beat(self, node, life_ms=60_000, word="here"):
        return self.client.evalsha(self.sha, 1, "nodes", node, life_ms, word)


def test_daemons_that_beat_are_counted_once(client):
    fleet = Fleet(client)
    assert [fleet.beat(node) for node in ("a", "b", "a", "c")] == [1, 2, 2, 3]
    assert 590_000 < client.pttl("nodes") <= 600_000


def test_a_daemon_that_was_not_heard_of_for_a_life_is_dead(client):
    fleet = Fleet(client)
    now = now_ms(client)
    client.zadd("nodes", {"dead": now - 60_001, "living": now - 50_000, "ahead": now + 90_000})
    assert fleet.beat("a") == 2
    assert client.zrange("nodes", 0, -1) == [b"living", b"a"]


def test_a_daemon_that_leaves_is_gone_at_once(client):
    fleet = Fleet(client)
    fleet.beat("a")
    fleet.beat("b")
    assert fleet.beat("a", word="leave") == 1
    assert fleet.beat("a", word="leave") == 1
    assert fleet.beat("b", word="leave") == 0
    assert client.dbsize() == 0
