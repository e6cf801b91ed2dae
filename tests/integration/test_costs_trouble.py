"""Costs and a Redis that is away, begun anew, old or spoilt."""

import time

import pytest

from support import costs
from support.costs import account, charge, has, nanos, stored
from support.store import health, joined, statistics
from support.waiting import eventually



def config(url, **keys):
    return costs.quick(url, **keys)


@pytest.fixture(autouse=True)
def _within_a_month():
    costs.not_at_its_end()


def stays(redis, id_, amount):
    has(redis, id_, amount)
    time.sleep(0.3)
    has(redis, id_, amount)


# -- away

@pytest.mark.parametrize("ack", ["disk", "redis"])
def test_away_from_the_start(daemon, redis, ack):
    redis.kill()
    one = daemon(config(redis.url(), ack=ack))
    ask = costs.LineAsker(one).ask
    for number in range(50):
        assert charge(ask, f"id{number % 10}", "0.1", f"k{number}")[1] == "journal"
    assert ask("COST", "GET", "id0") == ["OK", "0.5", "0", "journal"]
    redis.start()
    for number in range(10):
        has(redis, f"id{number}", "0.5")
    joined(one)
    assert charge(ask, "id0", "0.1") == ["0.6", "redis"]
    stays(redis, "id0", "0.6")


def test_what_is_pending_counts_after_a_crash_while_redis_is_away(daemon, redis):
    redis.kill()
    one = daemon(config(redis.url(), budget="10"))
    ask = costs.LineAsker(one).ask
    for _ in range(4):
        charge(ask, "a", "2")
    one.kill()
    one.start()
    ask = costs.LineAsker(one).ask
    assert ask("COST", "CHECK", "a", "2") == ["ALLOW", "10", "8", "0", "2", "journal"]
    assert ask("COST", "CHECK", "a", "2.1")[0] == "DENY"
    assert ask("COST", "HOLD", "a", "2.1")[0] == "DENY"
    charge(ask, "a", "2")
    assert ask("COST", "CHECK", "a", "0.000000001")[0] == "DENY"
    redis.start()
    stays(redis, "a", "10")


def test_keys_outlive_the_daemon(daemon, redis):
    one = joined(daemon(config(redis.url())))
    first = charge(costs.LineAsker(one).ask, "a", "1.5", "once")
    charge(costs.LineAsker(one).ask, "a", "1")
    for _ in range(3):
        one.kill()
        one.start()
        assert charge(costs.LineAsker(one).ask, "a", "1.5", "once")[0] == first[0]
    stays(redis, "a", "2.5")


def test_killed_again_before_the_mark_is_written(daemon, redis):
    """Charges of former epochs are met again, behind which later ones were applied."""
    one = joined(daemon(config(redis.url())))
    for number in range(1, 9):
        charge(costs.LineAsker(one).ask, "a", "1")
        has(redis, "a", str(number))
        one.kill()
        joined(one.start())
    stays(redis, "a", "8")
    with one.line() as client:
        assert health(client)["costs"] == "ready"


# -- a Redis that forgot

def test_an_empty_redis_gets_all_of_the_journal_again(daemon, redis):
    one = joined(daemon(config(redis.url())))
    ask = costs.LineAsker(one).ask
    for number in range(300):
        charge(ask, f"id{number % 30}", "0.25", *([f"k{number}"] if number % 2 else []))
    has(redis, "id0", "2.5")
    for _ in range(3):
        redis.restart()
        for number in range(30):
            has(redis, f"id{number}", "2.5")
    joined(one)
    assert charge(ask, "id1", "0.25", "k1")[0] == "0.25", "its key is known all the same"
    charge(ask, "id1", "1")
    stays(redis, "id1", "3.5")
    stays(redis, "id2", "2.5")


def test_a_flushed_redis_gets_all_again_with_the_next_charge(daemon, redis):
    """The same server: what its accounts hold tells that it forgot."""
    one = joined(daemon(config(redis.url()), workers=1))
    ask = costs.LineAsker(one).ask
    for _ in range(10):
        charge(ask, "a", "1")
        charge(ask, "b", "1")
    has(redis, "b", "10")
    redis.client().flushall()
    charge(ask, "a", "1")
    stays(redis, "a", "11")
    stays(redis, "b", "10")


def test_an_old_snapshot_ends_with_exact_totals(daemon, redis_servers):
    redis = redis_servers(dbfilename="dump.rdb")
    one = joined(daemon(config(redis.url())))
    ask = costs.LineAsker(one).ask
    for number in range(200):
        if number == 100:
            has(redis, "id9", "1")
            redis.client().save()
        charge(ask, f"id{number % 10}", "0.1", *([f"k{number}"] if number % 3 else []))
    has(redis, "id9", "2")
    redis.kill()
    redis.start()
    for number in range(10):
        has(redis, f"id{number}", "2")
    time.sleep(0.3)
    for number in range(10):
        has(redis, f"id{number}", "2")


def test_while_it_forgets_charges_go_on(daemon, redis):
    one = joined(daemon(config(redis.url())))
    asker = costs.LineAsker(one)
    for round_ in range(8):
        told = asker.ask_all([("COST", "ADD", f"id{number}", "0.5") for number in range(20)] * 5)
        assert {words[0] for words in told} == {"OK"}
        if round_ % 2:
            redis.restart()
    for number in range(20):
        has(redis, f"id{number}", "20")
    stays(redis, "id0", "20")


@pytest.mark.parametrize("workers", [1, 2])
def test_more_than_memory_keeps(daemon, redis, workers):
    """While Redis is away: the rest is read from the disk, and from there again."""
    one = joined(daemon(config(redis.url()), workers=workers))
    asker = costs.LineAsker(one)
    ids = [f"{number}".ljust(400, "x") for number in range(50)]

    def charge_all(rounds):
        for _ in range(rounds):
            told = asker.ask_all([("COST", "ADD", id_, "0.001") for id_ in ids] * 10)
            assert {words[0] for words in told} == {"OK"}

    def all_have(amount):
        client = redis.client()
        return all(stored(client, id_) == nanos(amount) for id_ in ids)

    charge_all(4)
    redis.kill()
    charge_all(36)  # 18,000 charges of 450 bytes
    redis.start()
    charge_all(10)
    eventually(lambda: all_have("0.5"), "all of it", within=10)
    redis.restart()
    eventually(lambda: all_have("0.5"), "all of it again", within=10)
    charge_all(10)
    eventually(lambda: all_have("0.6"), "and more", within=10)
    one.kill()
    redis.restart()
    one.start()
    eventually(lambda: all_have("0.6"), "by another process", within=10)
    time.sleep(0.3)
    assert all_have("0.6")


@pytest.mark.parametrize("state", ["full", "a replica"])
def test_a_redis_that_takes_nothing_for_a_while(daemon, redis, state):
    one = joined(daemon(config(redis.url(), budget="5"), workers=1))
    ask = costs.LineAsker(one).ask
    charge(ask, "a", "1")
    has(redis, "a", "1")
    client = redis.client()
    if state == "full":
        client.config_set("maxmemory", 1)
    else:
        client.replicaof("127.0.0.1", "1")
    for number in range(20):
        charge(ask, "a", "0.1", f"k{number % 10}")
        charge(ask, "a", "0.1")
    assert ask("COST", "CHECK", "a", "1")[:4] == ["ALLOW", "5", "4", "0"]
    assert ask("COST", "CHECK", "a", "1.1")[0] == "DENY"
    if state == "full":
        client.config_set("maxmemory", 0)
    else:
        client.replicaof("NO", "ONE")
    stays(redis, "a", "4")
    eventually(lambda: ask("COST", "GET", "a") == ["OK", "4", "0", "redis"], "by redis again")


# -- a spoilt key

@pytest.mark.parametrize("spoil", ["list", "text", "number"])
def test_a_spoilt_account_is_given_up_and_blocks_no_other(daemon, redis, spoil):
    client = redis.client()
    if spoil == "list":
        client.rpush(account("bad"), "x")
    else:
        client.hset(account("bad"), "total", "-5" if spoil == "number" else "many")
    one = joined(daemon(config(redis.url()), workers=1))
    ask = costs.LineAsker(one).ask
    for number in range(1, 4):
        charge(ask, "bad", "1")
        charge(ask, "good", "1")
        has(redis, "good", str(number))
    with one.line() as line:
        eventually(lambda: statistics(line)["costs_given_up"] >= 1, "it is counted")
    one.says("given up")
    assert ask("COST", "CHECK", "bad")[:2] == ["ERR", "UNAVAILABLE"]
    assert ask("COST", "CHECK", "good")[2] == "3"


def test_what_is_no_set_of_holds_spoils_nothing_but_the_holds(daemon, redis):
    one = joined(daemon(config(redis.url()), workers=1))
    ask = costs.LineAsker(one).ask
    hold = ask("COST", "HOLD", "bad", "1")[-1]
    holds = next(key for key in redis.client().keys() if key.endswith(b":holds"))
    redis.client().delete(holds)
    redis.client().rpush(holds, "x")
    assert ask("COST", "HOLD", "bad", "1")[:2] == ["ERR", "UNAVAILABLE"]
    charge(ask, "good", "1")
    assert ask("COST", "SETTLE", "bad", hold, "2")[0] == "OK"
    has(redis, "bad", "2")
    has(redis, "good", "1")


def test_a_total_that_does_not_fit_is_given_up(daemon, redis):
    """Other daemons charge too, so only Redis can know."""
    one = joined(daemon(config(redis.url()), workers=1))
    ask = costs.LineAsker(one).ask
    charge(ask, "full", "1")
    has(redis, "full", "1")
    redis.client().hset(account("full"), "total", 2**63 - 1)
    ask("COST", "ADD", "full", "1")
    charge(ask, "good", "1")
    has(redis, "good", "1")
    with one.line() as line:
        eventually(lambda: statistics(line)["costs_given_up"] == 1, "it is counted")
    assert stored(redis.client(), "full") == 2**63 - 1


# -- the end

@pytest.mark.parametrize("hangs", [True, False], ids=["hanging", "away"])
def test_it_ends_in_order_with_charges_pending(daemon, redis, hangs):
    one = joined(daemon(config(redis.url())))
    (redis.pause if hangs else redis.kill)()
    ask = costs.LineAsker(one).ask
    for _ in range(100):
        charge(ask, "a", "0.01")
    one.stop()
    if hangs:
        redis.resume()
    else:
        redis.start()
    for _ in range(2):
        joined(one.start())
        stays(redis, "a", "1")
        one.stop()
