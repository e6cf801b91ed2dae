"""When charges are refused: a Redis that evicts, a name that two daemons have, a full disk."""

import shutil

import pytest

from support import costs
from support.costs import charge, has, nanos
from support.small_disk import SmallDisk
from support.store import health, joined
from support.waiting import eventually

POLICY = '[policies.api]\nlimits = ["1000/1h"]\n'


def config(url, **keys):
    return costs.quick(url, **keys) + POLICY


@pytest.fixture(autouse=True)
def _within_a_month():
    costs.not_at_its_end()


# -- eviction

@pytest.mark.parametrize("policy", ["allkeys-lru", "allkeys-random"])
def test_a_redis_that_evicts_any_key_is_refused(daemon, redis_servers, policy):
    redis = redis_servers(maxmemory_policy=policy)
    one = joined(daemon(config(redis.url())))
    for asker in costs.ASKERS.values():
        ask = asker(one).ask
        for words in ("COST ADD a 1", "COST CHECK a", "COST HOLD a 1", "COST GET a"):
            assert ask(*words.split()) == ["ERR", "UNAVAILABLE"]
    with one.line() as client:
        now = health(client)
        assert (now["state"], now["costs"]) == ("degraded", "unsafe_eviction")
        assert client.ask("CHECK api a").allowed
    assert policy in one.says("allow_unsafe_eviction")
    assert not redis.client().exists(costs.account("a"))


def test_unless_it_is_allowed(daemon, redis_servers):
    redis = redis_servers(maxmemory_policy="allkeys-lru")
    one = joined(daemon(config(redis.url(), allow_unsafe_eviction=True)))
    charge(costs.LineAsker(one).ask, "a", "1")
    has(redis, "a", "1")


# -- two of one name

def test_of_a_copied_state_one_is_fenced(daemon, redis):
    first = joined(daemon(config(redis.url()), workers=1))
    charge(costs.LineAsker(first).ask, "a", "1")
    has(redis, "a", "1")
    first.stop()
    second = daemon(config(redis.url()), workers=1, launch_only=True)
    second.kill()
    shutil.rmtree(second.directory / "state", ignore_errors=True)
    shutil.copytree(first.directory / "state", second.directory / "state")
    joined(first.start())
    joined(second.start())
    asks = [costs.LineAsker(one).ask for one in (first, second)]

    def charged(number):
        return [ask("COST", "ADD", "a", "1", f"{number}-{index}")[0]
                for index, ask in enumerate(asks)]

    told = []
    eventually(lambda: told.append(charged(len(told))) or told[-1].count("ERR") == 1, "one fenced")
    fenced = (first, second)[told[-1].index("ERR")]
    assert asks[told[-1].index("ERR")]("COST", "ADD", "b", "1") == ["ERR", "UNAVAILABLE"]
    assert "journal/identity" in fenced.says("another daemon charges under this one's name")
    with fenced.line() as client:
        assert health(client)["costs"] == "fenced"
        assert client.ask("CHECK api a").allowed
    for number in range(100, 120):
        assert charged(number).count("OK") == 1, "and the other goes on"


# -- a full disk

@pytest.fixture(name="disk", params=[True, False], ids=["disk", "file"])
def _disk(place, request):
    disk = SmallDisk(place, request.param)
    yield disk
    disk.close()


@pytest.mark.parametrize("with_redis", [True, False], ids=["redis", "journal"])
def test_a_full_disk_refuses_charges_and_nothing_else(disk, daemon, redis, with_redis):
    text = config(redis.url()) if with_redis else costs.table() + POLICY
    one = daemon(text, workers=1, server={"state_dir": disk.path / "state"})
    asker = costs.LineAsker(one)
    id_ = "a" * 500
    charge(asker.ask, id_, "1")
    disk.fill(one)
    spent, refused = 1, 0
    while refused < 500:  # until what was there beforehand is used up
        for words in asker.ask_all([("COST", "ADD", id_, "1")] * 500):
            spent += words[0] == "OK"
            refused += words == ["ERR", "UNAVAILABLE"]
            assert words[0] == "OK" or refused
    with one.line() as client:
        assert client.ask("CHECK api a").allowed and client.ask("PING").word == "OK"
        assert health(client)["journal"] != "ready"
    one.says("the journal cannot be written")
    disk.make_room(one)

    def charged():
        words = asker.ask("COST", "ADD", id_, "1", "once")
        return words if words[0] == "OK" else None

    told = eventually(charged, "there is room again", within=3)
    assert told[1] == str(spent + 1), "what was refused is not counted"
    with one.line() as client:
        eventually(lambda: health(client)["journal"] == "ready", "the journal is well")
    one.kill()
    one.start()
    ask = costs.LineAsker(one).ask
    assert charge(ask, id_, "1", "once")[0] == str(spent + 1)
    eventually(lambda: ask("COST", "GET", id_)[1] == str(spent + 1), "and nothing is lost")
    if with_redis:
        has(redis, id_, str(spent + 1))
    one.stop()


def test_a_state_directory_that_may_not_be_written(daemon):
    one = daemon(costs.table(), launch_only=True, server={"state_dir": "/proc/nowhere"})
    assert one.wait(10) != 0
    assert "state_dir" in one.output()


@pytest.mark.bound(60)
def test_without_redis_the_journal_stays_within_its_size(daemon):
    """It is written anew, and what is before that makes room."""
    one = daemon(costs.table(journal_max="64MiB"), workers=1)
    asker = costs.LineAsker(one)
    ids = [f"{number}".ljust(500, "x") for number in range(1500)]
    asker.ask("BUDGET", "SET", "kept", "7")
    held = asker.ask("COST", "HOLD", "kept", "2", "1h")[-1]
    charge(asker.ask, "kept", "1", "once")
    rounds = 200
    for _ in range(rounds):  # 300,000 charges of 540 bytes
        told = asker.ask_all([("COST", "ADD", id_, "0.001") for id_ in ids])
        assert {words[0] for words in told} == {"OK"}
    files = (one.directory / "state" / "journal").iterdir()
    assert sum(file.stat().st_size for file in files) <= (64 << 20) + 4096
    one.kill()
    one.start()
    asker = costs.LineAsker(one)
    told = asker.ask_all([("COST", "GET", id_) for id_ in ids])
    assert {words[1] for words in told} == {costs.dollars(nanos("0.001") * rounds)}
    assert asker.ask("COST", "CHECK", "kept")[1:5] == ["7", "1", "2", "4"]
    assert charge(asker.ask, "kept", "1", "once")[0] == "1"
    assert asker.ask("COST", "SETTLE", "kept", held, "1") == ["OK", "2", "journal"]
