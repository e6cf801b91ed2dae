"""A failover forgets what the replica had not seen; what was promised is counted once all the same.

The daemon's address is a proxy's, which then points at the new primary, as a virtual address does.
"""

import contextlib
import time

import pytest

from support import costs
from support.costs import charge, nanos, stored
from support.proxy import Proxy
from support.store import joined, statistics
from support.tally import Charging, differences
from support.waiting import eventually

IDS = [f"id{number}" for number in range(30)]

pytestmark = pytest.mark.bound(60)


class Pair:
    """A primary and its replica behind one address."""

    def __init__(self, start, path):
        options = {"tcp": True, "repl_diskless_sync_delay": 0, "repl_timeout": 5}
        self.primary, self.replica = start(**options), start(**options)
        self.address = Proxy(path, self.primary.socket)
        self.follow()

    def follow(self):
        """The replica follows the primary, and has all it has."""
        replica = self.replica.client()
        replica.replicaof("127.0.0.1", str(self.primary.port))

        def same():
            now, then = replica.info("replication"), self.primary.client().info("replication")
            return (now["master_link_status"] == "up" and
                    now["slave_repl_offset"] == then["master_repl_offset"])

        eventually(same, "the replica has it all", within=10)

    def cut_off(self):
        """From now on the replica learns of nothing; it becomes a primary that nobody asks."""
        self.replica.client().replicaof("NO", "ONE")

    def fail_over(self):
        """The address is that of the other; the old primary is gone."""
        self.address.refuse()
        self.primary.kill()
        self.primary, self.replica = self.replica, self.primary
        self.address.lead_to(self.primary.socket)
        self.address.pass_on()

    def add_replica(self):
        """The old primary comes back, empty, and follows."""
        self.replica.start()
        self.follow()

    def close(self):
        self.address.close()


@pytest.fixture(name="pair")
def _pair(redis_servers, place):
    costs.not_at_its_end()
    pair = Pair(redis_servers, place / "a.sock")
    yield pair
    pair.close()


def config(pair, **keys):
    return costs.quick(pair.address.url(), **keys)


def through(pair):
    """A client of the primary that is asked."""
    return pair.primary.client()


def totals(server, layout="hash"):
    return {number: stored(server.client(), f"id{number}", layout) for number in range(10)}


@pytest.mark.parametrize("ack, workers, layout", [
    ("disk", 1, "hash"), ("disk", 2, "hash"), ("redis", 1, "hash"), ("disk", 1, "string")])
def test_what_the_replica_had_not_seen_is_counted_all_the_same(daemon, pair, ack, workers, layout):
    one = joined(daemon(config(pair, ack=ack, layout=layout), workers=workers))
    ask = costs.LineAsker(one).ask

    def all_have(server, amount):
        return set(totals(server, layout).values()) == {nanos(amount)}

    for number in range(100):
        charge(ask, f"id{number % 10}", "0.1", *([f"a{number}"] if number % 2 else []))
        through(pair).incrby("control", 1)
    eventually(lambda: all_have(pair.primary, "1"), "there")
    pair.follow()
    pair.cut_off()
    for number in range(100):
        charge(ask, f"id{number % 10}", "0.1", *([f"b{number}"] if number % 2 else []))
        through(pair).incrby("control", 1)
    eventually(lambda: all_have(pair.primary, "2"), "acknowledged, and in redis")
    assert all_have(pair.replica, "1"), "not in the replica"
    pair.fail_over()
    eventually(lambda: all_have(pair.primary, "2"), "all of it is there again")
    time.sleep(0.3)
    assert all_have(pair.primary, "2")
    assert int(through(pair).get("control")) == 100, "half of the control is lost"
    joined(one)
    with one.line() as client:
        assert statistics(client)["costs_rewinds"] >= 1
    wanted = nanos("20")
    for number in range(0, 100, 9):
        repeat = number % 2 == 1
        charge(ask, f"id{number % 10}", "0.1", f"b{number}" if repeat else f"c{number}")
        wanted += 0 if repeat else nanos("0.1")
    eventually(lambda: sum(totals(pair.primary, layout).values()) == wanted,
               "repeats charge nothing after it either")


def test_many_charges_of_which_the_replica_had_a_part(daemon, pair):
    """More than go to Redis at once: where its part ends lies within what is sent again."""
    one = joined(daemon(config(pair), workers=1))
    asker = costs.LineAsker(one)

    def charge_all(numbers):
        told = asker.ask_all([("COST", "ADD", f"{number % 2}", "0.01",
                               *([f"key{number}"] if number % 2 else [])) for number in numbers])
        assert {words[0] for words in told} == {"OK"}

    def both_have(amount):
        return all(stored(through(pair), f"{number}") == nanos(amount) for number in range(2))

    charge_all(range(3000))
    eventually(lambda: both_have("15"), "there")
    pair.follow()
    pair.cut_off()
    charge_all(range(3000, 4000))
    eventually(lambda: both_have("20"), "there")
    pair.fail_over()
    eventually(lambda: both_have("20"), "there again")
    time.sleep(0.3)
    assert both_have("20")


def test_holds_settled_before_it_charge_once(daemon, pair):
    one = joined(daemon(config(pair, budget="100")))
    ask = costs.LineAsker(one).ask
    names = [ask("COST", "HOLD", "a", "2")[-1] for _ in range(20)]
    pair.follow()
    pair.cut_off()
    for name in names[:10]:
        assert ask("COST", "SETTLE", "a", name, "1")[0] == "OK"
    eventually(lambda: stored(through(pair), "a") == nanos("10"), "there")
    pair.fail_over()
    joined(one)
    eventually(lambda: stored(through(pair), "a") == nanos("10"), "there again")
    eventually(lambda: ask("COST", "GET", "a") == ["OK", "10", "20", "redis"],
               "what was settled is held no more")
    for name in names:
        assert ask("COST", "SETTLE", "a", name, "1")[0] == "OK"
    eventually(lambda: stored(through(pair), "a") == nanos("20"), "each once")
    eventually(lambda: ask("COST", "GET", "a") == ["OK", "20", "0", "redis"], "nothing is held")


def test_with_the_daemon_killed_meanwhile(daemon, pair):
    """Nobody is there who saw the failover: the journal, read anew, has it all."""
    one = joined(daemon(config(pair), workers=1))
    ask = costs.LineAsker(one).ask
    for _ in range(10):
        charge(ask, "a", "1")
    eventually(lambda: stored(through(pair), "a") == nanos("10"), "there")
    pair.follow()
    pair.cut_off()
    for _ in range(10):
        charge(ask, "a", "1")
        charge(ask, "b", "1")
    eventually(lambda: stored(through(pair), "b") == nanos("10"), "there")
    one.kill()
    pair.fail_over()
    one.start()
    for id_, amount in (("a", "20"), ("b", "10")):
        eventually(lambda: stored(through(pair), id_) == nanos(amount),  # pylint: disable=W0640
                   "there again")
    time.sleep(0.3)
    assert stored(through(pair), "a") == nanos("20")


@pytest.mark.parametrize("hosts", [1, 2])
def test_failovers_under_load(daemon, pair, hosts):
    daemons = [joined(daemon(config(pair), workers=2)) for _ in range(hosts)]
    loads = [Charging(one.socket, [f"{number}-{id_}" for id_ in IDS], seed=number)
             for number, one in enumerate(daemons)]
    control = 0
    with contextlib.ExitStack() as stack:
        for load in loads:
            stack.enter_context(load)
        for _ in range(3):
            time.sleep(0.15)
            pair.cut_off()
            for _ in range(20):
                control += 1
                through(pair).incrby("control", 1)
                time.sleep(0.01)
            pair.fail_over()
            pair.add_replica()

    def wrong():
        return [differences(load, lambda id_: stored(through(pair), id_)) for load in loads]

    with contextlib.suppress(AssertionError):  # what is wrong says more
        eventually(lambda: not any(wrong()), "all totals are right", within=10)
    assert not any(wrong())
    time.sleep(0.3)
    assert not any(wrong()), "and stay so"
    assert all(load.acknowledged > 100 for load in loads)
    assert int(through(pair).get("control") or 0) < control, "others have lost some"
