"""Log records while Redis, the link, the daemon or the disk fails: none is lost that was
acknowledged, unless it was counted as dropped."""

import random
import threading
import time

import pytest

from support import log_records as logs
from support.small_disk import SmallDisk
from support.store import health, joined, statistics
from support.waiting import eventually

SEED = 20_261_122
DURABLE = {"appendonly": "yes", "appendfsync": "always"}

pytestmark = pytest.mark.bound(180)


class Producers:
    """Push numbered records, pipelined, and note what was acknowledged."""

    def __init__(self, one, count=3, depth=16):
        self.acknowledged = [[] for _ in range(count)]
        self.sources = set()
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(one, producer, depth))
                         for producer in range(count)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stopping.set()
        for thread in self._threads:
            thread.join(30)

    def total(self):
        return sum(map(len, self.acknowledged))

    def _run(self, one, producer, depth):
        number = 0
        client = None
        while not self._stopping.is_set():
            try:
                if client is None:
                    client = logs.LineLogs(one)
                batch = list(range(number, number + depth))
                number += depth
                client.client.send_raw(b"".join(
                    b"LOG PUSH " + logs.record(each, producer, 100) + b"\n" for each in batch))
                for each in batch:
                    source = client.pushed()
                    self.sources.add(source)
                    if source in ("redis", "spill", "local"):
                        self.acknowledged[producer].append(each)
            except (OSError, AttributeError):
                if client is not None:
                    client.close()
                client = None
                time.sleep(0.01)
        if client is not None:
            client.close()


def everything(one):
    """All records that the daemon gives out, until there are no more for a while."""
    client = logs.LineLogs(one)
    taken = []
    while True:
        some = client.ask("WAIT", 1000, 500)
        if isinstance(some, str):
            time.sleep(0.05)
            continue
        if not some and client.ask("SIZE") == 0:
            client.close()
            return taken
        taken += some


def check(producers, taken, exactly=False):
    found = [[] for _ in producers.acknowledged]
    for data in taken:
        producer, number = logs.number_of(data)
        found[producer].append(number)
    for producer, acknowledged in enumerate(producers.acknowledged):
        assert set(acknowledged) <= set(found[producer]), "an acknowledged record is lost"
        first = list(dict.fromkeys(found[producer]))
        assert first == sorted(first), "out of order"
        if exactly:
            assert len(found[producer]) == len(set(found[producer])), "a record came twice"


@pytest.fixture(name="redis")
def _redis(redis_servers):
    return redis_servers(**DURABLE)


def config(url, **keys):
    return logs.quick(url, max=10_000_000, **keys)


def test_redis_away_and_back(daemon, proxy):
    one = joined(daemon(config(proxy.url())))
    with Producers(one) as producers:
        for fail in (proxy.refuse, proxy.blackhole, proxy.refuse):
            eventually(lambda: "redis" in producers.sources, "they go to redis")
            fail()
            time.sleep(0.4)
            proxy.pass_on()
            time.sleep(0.3)
    with one.line() as client:
        eventually(lambda: health(client)["logs"] == "ready", "the spill is drained", 90)
    check(producers, everything(one))


@pytest.mark.parametrize("workers", [1, 2])
def test_under_load_without_a_pause_they_go_to_redis_again(daemon, proxy, workers):
    """... though there is no moment in which all that was spilled is drained by itself."""
    one = joined(daemon(config(proxy.url()), workers=workers))
    with Producers(one, count=6, depth=128) as producers:
        eventually(lambda: "redis" in producers.sources, "they go to redis")
        proxy.refuse()
        producers.sources.clear()
        eventually(lambda: "spill" in producers.sources, "they are spilled")
        proxy.pass_on()

        def only_redis():
            producers.sources.clear()
            time.sleep(0.3)
            return producers.sources == {"redis"}
        eventually(only_redis, "they go to redis", within=20)
    check(producers, everything(one))


def test_the_link_cut_at_any_byte_loses_and_repeats_nothing(daemon, proxy):
    rng = random.Random(SEED)
    one = joined(daemon(config(proxy.url())))
    with Producers(one) as producers:
        for _ in range(25):
            proxy.cut_after(rng.randrange(300))
            time.sleep(0.05)
    with one.line() as client:
        eventually(lambda: health(client)["logs"] == "ready", "the spill is drained", 90)
    assert "spill" in producers.sources
    proxy.pass_on()
    check(producers, everything(one), exactly=True)
    client = logs.LineLogs(one)
    told = client.statistics()
    assert told["pushed"] == told["popped"] - told["returned"] + told["dropped"]
    client.close()


def test_redis_killed_and_begun_anew(daemon, redis):
    one = joined(daemon(config(redis.url())))
    with Producers(one) as producers:
        for _ in range(3):
            time.sleep(0.3)
            redis.kill()
            time.sleep(0.3)
            redis.start()
    with one.line() as client:
        eventually(lambda: health(client)["logs"] == "ready", "the spill is drained", 90)
    assert producers.sources >= {"redis", "spill"}
    check(producers, everything(one))


@pytest.mark.parametrize("away", [False, True], ids=["redis", "away"])
def test_the_daemon_killed_and_begun_anew(daemon, redis, away):
    one = joined(daemon(config(redis.url())))
    if away:
        redis.kill()
    with Producers(one) as producers:
        for _ in range(4):
            reached = producers.total() + 200
            eventually(lambda most=reached: producers.total() >= most, "they push", 20)
            one.kill()
            one.start()
    if away:
        redis.start()
    joined(one)
    with one.line() as client:
        eventually(lambda: health(client)["logs"] == "ready", "the spill is drained", 90)
    check(producers, everything(one))


def test_what_a_dead_daemon_had_taken_comes_again(daemon, redis):
    one = joined(daemon(config(redis.url())))
    client = logs.LineLogs(one)
    some = [logs.record(number) for number in range(200)]
    client.push_all(some)
    taken = []
    for _ in range(5):
        taker = logs.LineLogs(one)
        taker.client.send("LOG POP 20")
        one.kill()
        taker.close()
        joined(one.start())

    def all_there():
        client = logs.LineLogs(one)
        taken.extend(client.ask("POP", 500))
        client.close()
        return set(taken) >= set(some[100:])

    eventually(all_there, "they come back", 20)


def test_what_a_given_up_call_takes_later_comes_again(daemon, proxy):
    """A call that waits on its way until its daemon has given up, looked after what it may have
    taken, and goes on."""
    one = joined(daemon(config(proxy.url())))
    client = logs.LineLogs(one)
    some = [logs.record(number) for number in range(3)]
    client.push_all(some)
    proxy.keep_back(b"LMOVE")
    assert client.ask("POP", 10) == "UNAVAILABLE"
    eventually(lambda: client.ask("SIZE") == 3, "it is connected again, and all are there")
    proxy.pass_kept()
    assert client.ask("SIZE") == 0
    taken = []

    def all_there():
        client.push(logs.record(3 + len(taken)))
        taken.extend(each for each in client.ask("POP", 10) if isinstance(each, bytes))
        return set(taken) >= set(some)

    eventually(all_there, "they come back", 20)


def test_without_redis_a_restart_keeps_them(daemon):
    one = daemon(logs.table())
    client = logs.LineLogs(one)
    some = [logs.record(number, size=200) for number in range(3000)]
    assert set(client.push_all(some)) == {"local"}
    assert client.ask("POP", 10) == some[:10]
    client.close()
    for _ in range(2):
        one.stop()
        one.start()
    client = logs.LineLogs(one)
    assert client.ask("SIZE") == len(some) - 10
    client.close()
    assert everything(one) == some[10:]
    one.stop()
    one.start()
    client = logs.LineLogs(one)
    assert client.ask("SIZE") == 0
    client.close()


def test_at_the_disks_budget_the_oldest_go_and_are_counted(daemon, redis):
    one = joined(daemon(config(redis.url(), spill_max="64MiB")))
    redis.kill()
    client = logs.LineLogs(one)
    big = "x" * 20_000
    pushed = 0
    while pushed < 90_000_000 // 20_000:
        some = [logs.record(pushed + index, size=len(big)) for index in range(100)]
        told = client.push_all(some)
        assert set(told) == {"spill"}
        pushed += 100
    redis.start()
    joined(one)
    with one.line() as other:
        eventually(lambda: health(other)["logs"] == "ready", "the spill is drained", 60)
    told = client.statistics()
    assert told["dropped"] > 0
    left = [logs.number_of(data)[1] for data in everything(one)]
    assert left == sorted(left) and left[-1] == pushed - 1
    assert told["pushed"] == pushed == len(left) + told["dropped"]
    client.close()


def test_a_redis_that_is_full_takes_none_and_nobody_spins(daemon, redis):
    one = joined(daemon(config(redis.url()), workers=1))
    client = logs.LineLogs(one)
    redis.client().config_set("maxmemory", 1)
    some = [logs.record(number) for number in range(5)]
    assert set(client.push_all(some)) == {"spill"}
    with one.line() as other:
        time.sleep(0.5)
        before = statistics(other)["turns"]
        time.sleep(1)
        assert statistics(other)["turns"] - before < 1000
        redis.client().config_set("maxmemory", 0)
        eventually(lambda: health(other)["logs"] == "ready", "the spill is drained", 90)
    assert everything(one) == some
    client.close()


@pytest.mark.parametrize("mounts", [True, False], ids=["disk", "file"])
def test_a_full_disk_refuses_what_redis_does_not_take(daemon, proxy, place, mounts):
    disk = SmallDisk(place, mounts)
    try:
        one = joined(daemon(config(proxy.url()), server={"state_dir": disk.path / "state"}))
        with Producers(one) as producers:
            def come(source):
                producers.sources.clear()
                eventually(lambda: source in producers.sources, source, within=20)

            proxy.refuse()
            come("spill")
            disk.fill(one)
            come("UNAVAILABLE")
            with one.line() as client:
                assert client.ask("PING").word == "OK"
                eventually(lambda: health(client)["logs"] == "refused", "it is told")
            disk.make_room(one)
            come("spill")
            proxy.pass_on()
            come("redis")
        with one.line() as client:
            eventually(lambda: health(client)["logs"] == "ready", "the spill is drained", 90)
        check(producers, everything(one), exactly=True)
    finally:
        disk.close()
