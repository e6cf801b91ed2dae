"""What was promised is counted once: a tally kept outside of all that is killed, cut and stopped.

Charges without a key: promised <= total <= sent. Charges with a key are sent until they are
promised: then the total is their sum, to the nano-dollar.
"""

import contextlib
import itertools
import random
import time

import pytest

from support import costs
from support.binaries import patience
from support.costs import nanos, stored
from support.store import joined
from support.tally import Charging, differences
from support.waiting import eventually

SEED = 20_261_121
IDS = [f"id{number}" for number in range(40)]
DURABLE = {"appendonly": "yes", "appendfsync": "always"}

pytestmark = pytest.mark.bound(90)


def config(url, **keys):
    return costs.quick(url, "100ms", **keys)


@pytest.fixture(name="redis")
def _redis(redis_servers):
    """One that forgets nothing it has answered."""
    costs.not_at_its_end()
    return redis_servers(**DURABLE)


@pytest.fixture(name="rng")
def _rng():
    print("seed", SEED)
    return random.Random(SEED)


def right_in_redis(charging, redis, layout="hash", within=10.0):
    """Waits until Redis has exactly what it should, and looks again after a while."""
    client = redis.client()

    def wrong():
        return differences(charging, lambda id_: stored(client, id_, layout))

    with contextlib.suppress(AssertionError):  # what is wrong says more
        eventually(lambda: not wrong(), "all totals are right", within)
    assert not wrong()
    loads = charging if isinstance(charging, list) else [charging]
    before = {id_: stored(client, id_, layout) for load in loads for id_ in load.sent}
    time.sleep(0.3)
    assert not wrong(), "and stay so"
    assert before == {id_: stored(client, id_, layout) for id_ in before}
    assert all(load.acknowledged > 50 for load in loads)


def kill_daemon(one):
    one.kill()
    one.start()


def kill_redis(redis):
    redis.kill()
    redis.start()


def pause_redis(redis):
    redis.pause()
    time.sleep(0.15)
    redis.resume()


def harm(rng, one, redis, proxy):
    """One of all, each as likely as its weight says."""
    kind = rng.choices(("daemon", "redis", "pause", "cut", "flush", "end"), (6, 2, 1, 8, 2, 2))[0]
    if kind == "daemon":
        kill_daemon(one)
    elif kind == "redis":
        kill_redis(redis)
    elif kind == "pause":
        pause_redis(redis)
    elif kind == "cut":
        proxy.cut_after(rng.randrange(400))
    elif kind == "flush":
        redis.client().script_flush()
    else:
        proxy.end_connections()
    time.sleep(rng.uniform(0.005, 0.06))
    return kind


@pytest.mark.parametrize("layout, ack", [("hash", "disk"), ("string", "disk"),
                                         ("hash", "redis")])
def test_all_harm_together(daemon, redis, proxy, rng, layout, ack):
    one = joined(daemon(config(proxy.url(), layout=layout, ack=ack), workers=1))
    done = []
    with Charging(one.socket, IDS) as charging:
        began = time.monotonic()
        while len(done) < 60 and time.monotonic() - began < 12 * patience():
            done.append(harm(rng, one, redis, proxy))
        proxy.pass_on()
        time.sleep(0.2)
    assert len(done) >= 30
    right_in_redis(charging, redis, layout)
    ask = costs.LineAsker(joined(one)).ask
    for id_ in charging.sent:
        assert nanos(ask("COST", "GET", id_)[1]) == stored(redis.client(), id_, layout)


def test_a_daemon_killed_again_and_again(daemon, redis):
    """Each time with another number of workers, so that accounts change their owner."""
    one = joined(daemon(config(redis.url()), workers=2))
    with Charging(one.socket, IDS) as charging:
        for number in range(25):
            time.sleep(0.05)
            one.write_config(config(redis.url()), workers=1 + number % 3)
            kill_daemon(one)
    right_in_redis(charging, redis)


def test_two_daemons_charge_the_same_accounts(daemon, redis, rng):
    daemons = [joined(daemon(config(redis.url()), workers=workers)) for workers in (1, 2)]
    with contextlib.ExitStack() as stack:
        loads = [stack.enter_context(Charging(one.socket, IDS, seed=number))
                 for number, one in enumerate(daemons)]
        for number in range(12):
            time.sleep(0.05)
            if number % 3:
                kill_daemon(rng.choice(daemons))
            else:
                kill_redis(redis)
    right_in_redis(loads, redis)


def test_a_link_cut_in_the_middle_of_every_answer(daemon, redis, proxy, rng):
    one = joined(daemon(config(proxy.url()), workers=3))
    with Charging(one.socket, IDS) as charging:
        for cuts in range(40):
            proxy.cut_after(rng.choice((rng.randrange(300), rng.randrange(5000))))
            eventually(lambda: proxy.cuts > cuts, "it is cut")  # pylint: disable=cell-var-from-loop
        proxy.pass_on()
    right_in_redis(charging, redis)


def test_holds_through_cuts_never_pass_the_budget(daemon, redis, proxy, rng):
    """Whether Redis or the ledger admits them. Settled twice, they are charged once."""
    one = joined(daemon(config(proxy.url(), budget="200"), workers=1))
    asker = costs.LineAsker(one)
    names = []
    for _ in range(30):
        proxy.cut_after(rng.randrange(600))
        told = asker.ask_all([("COST", "HOLD", "a", "1")] * 10)
        names += [words[-1] for words in told if words[0] == "ALLOW"]
        time.sleep(0.02)
    assert 100 <= len(set(names)) == len(names) <= 200
    for _ in range(2):
        for first in range(0, len(names), 20):
            proxy.cut_after(rng.randrange(600))
            told = asker.ask_all([("COST", "SETTLE", "a", name, "0.9")
                                  for name in names[first:first + 20]])
            assert {words[0] for words in told} == {"OK"}
    proxy.pass_on()
    spent = len(names) * nanos("0.9")
    eventually(lambda: stored(redis.client(), "a") == spent, "each is charged")
    eventually(lambda: asker.ask("COST", "GET", "a") == ["OK", costs.dollars(spent), "0", "redis"],
               "and nothing is held")


def total_here(ask):
    return lambda id_: nanos(ask("COST", "GET", id_)[1])


@pytest.mark.parametrize("workers", [1, 3])
def test_without_redis_the_journal_is_the_store(daemon, workers):
    costs.not_at_its_end()
    one = daemon(costs.table(), workers=workers)
    with Charging(one.socket, IDS) as charging:
        for _ in range(15):
            time.sleep(0.03)
            kill_daemon(one)
    ask = costs.LineAsker(one).ask
    assert not differences(charging, total_here(ask))
    before = {id_: total_here(ask)(id_) for id_ in charging.sent}
    one.stop()
    one.start()
    ask = costs.LineAsker(one).ask
    assert before == {id_: total_here(ask)(id_) for id_ in charging.sent}
    assert charging.acknowledged > 50


def test_without_redis_with_other_numbers_of_workers(daemon):
    one = daemon(costs.table(), workers=1)
    sums = {}
    for workers, round_ in zip((1, 3, 2, 1), itertools.count()):
        one.write_config(costs.table(), workers=workers)
        kill_daemon(one)
        ask = costs.LineAsker(one).ask
        for number in range(20):
            sums[number] = sums.get(number, 0) + 3 * number + 1
            told = ask("COST", "ADD", f"id{number}", costs.dollars(3 * number + 1), f"k{round_}")
            assert told == ["OK", costs.dollars(sums[number]), "journal"]
            if round_:
                again = ask("COST", "ADD", f"id{number}", "5", f"k{round_ - 1}")
                assert nanos(again[1]) == sums[number] - 3 * number - 1
        assert all(total_here(ask)(f"id{number}") == sums[number] for number in range(20))


def test_what_was_charged_without_redis_goes_to_it_later(daemon, redis):
    """A host that had Redis, lost it from its configuration, and has it again."""
    with_redis, without = config(redis.url()), costs.table()
    one = joined(daemon(with_redis, workers=2))
    spent = 0
    for text in (without, without, with_redis, without, with_redis):
        for number in range(20):
            told = costs.LineAsker(one).ask("COST", "ADD", f"id{number}", "0.1", f"key{spent}")
            assert told[0] == "OK"
        spent += 1
        one.stop()
        one.write_config(text)
        one.start()
    joined(one)
    eventually(lambda: all(stored(redis.client(), f"id{number}") == spent * nanos("0.1")
                           for number in range(20)), "all of it")
