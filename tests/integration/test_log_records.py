"""The table of log records, row by row: with Redis and without, in both framings."""

import itertools
import threading
import time

import pytest

from support import log_records as logs
from support.store import joined
from support.waiting import eventually

QUEUE = "logs:queue"
numbers = itertools.count()


@pytest.fixture(scope="module", name="servers")
def _servers(shared_daemon, shared_redis_servers):
    """Of each kind a daemon, with two workers: half of all clients are not at the queue's."""
    redis = shared_redis_servers()
    return {"redis": (joined(shared_daemon(logs.quick(redis.url(), max=500))), redis),
            "local": (shared_daemon(logs.table(max=500)), None)}


@pytest.fixture(params=["redis", "local"], name="source")
def _source(request):
    return request.param


@pytest.fixture(name="one")
def _one(servers, source):
    one = servers[source][0]
    asker = logs.LineLogs(one)
    asker.ask("CLEAR")
    asker.close()
    return one


@pytest.fixture(params=["line", "resp"], name="asker")
def _asker(one, request):
    client = logs.ASKERS[request.param](one)
    yield client
    client.close()


@pytest.fixture(name="other")
def _other(one):
    client = logs.LineLogs(one)
    yield client
    client.close()


def records(count, size=0):
    return [logs.record(next(numbers), size=size) for _ in range(count)]


# -- PUSH and POP

def test_what_is_pushed_is_popped_in_order(asker, source):
    some = records(5)
    assert [asker.push(each) for each in some] == [source] * 5
    assert asker.ask("SIZE") == 5
    assert asker.ask("POP") == some[:1]
    assert asker.ask("POP", 3) == some[1:4]
    assert asker.ask("POP", 10) == some[4:]
    assert asker.ask("POP", 10) == []
    assert asker.ask("SIZE") == 0


def test_peeking_takes_nothing(asker):
    some = records(3)
    asker.push_all(some)
    assert asker.ask("PEEK") == some[:1]
    assert asker.ask("PEEK", 10) == some
    assert asker.ask("POP", 10) == some
    assert asker.ask("PEEK", 10) == []


def test_what_clients_push_is_one_queue(asker, other):
    mine, others = records(3), records(3)
    asker.push_all(mine)
    other.push_all(others)
    assert other.ask("POP", 6) == mine + others


def test_many_at_once_stay_in_order(asker, other):
    some = records(400, size=700)
    assert len(set(asker.push_all(some))) == 1
    taken = []
    while len(taken) < len(some):
        taken += other.ask("POP", 100)
    assert taken == some


@pytest.mark.parametrize("data", [
    b"[1]", b'{"a":1} x', b'{"a":01}', b"{\"a\":\"\xff\"}", b'{"a":1', b'{"a"', b"17",
    b'{"a":"b\x01"}', b"{" + b'"a":{' * 100 + b"}" * 101])
def test_what_is_no_json_object_is_refused(asker, data):
    assert asker.push(data) == "BADREQ"
    assert asker.ask("SIZE") == 0


def test_the_place_of_a_fault_is_told(one):
    with one.line() as client:
        told = client.ask(b'LOG PUSH {"a": nul}').line
        assert told.startswith("ERR BADREQ the record is no JSON object: at byte 9: "), told


@pytest.mark.parametrize("data", [
    b"{}", b'{"a":1,"a":2}', b' { "a" : [1, 2.5e3, null, true] } ', b'{"a":"\\ud83d\\ude00"}',
    '{"a":"grüße"}'.encode(), b'{"a":123456789012345678901234567890}'])
def test_what_is_a_json_object_is_kept_as_it_is(asker, source, data):
    assert asker.push(data) == source
    assert [each.strip() for each in asker.ask("POP")] == [data.strip()]


def test_a_record_has_a_longest_size(asker, source):
    most = 32 << 10
    frame = len(b'{"a":""}')
    assert asker.push(b'{"a":"' + b"x" * (most - frame) + b'"}') == source
    assert asker.push(b'{"a":"' + b"x" * (most - frame + 1) + b'"}') == "BADREQ"
    assert len(asker.ask("POP")[0]) == most


@pytest.mark.parametrize("words", [
    ("POP", 0), ("POP", "x"), ("POP", 1001), ("POP", 1, 2), ("PEEK", -1), ("WAIT", ), ("SIZE", 1),
    ("WAIT", "x"), ("WAIT", 10, 0), ("WAIT", "2h"), ("PUSH", ), ("NOTHING", )])
def test_other_words_are_refused(asker, words):
    assert asker.ask(*words) == "BADREQ"


# -- WAIT

def test_waiting_ends_with_the_first_record(asker, other):
    some = records(2)
    asker.push_all(some)
    assert other.ask("WAIT", 5000, 10) == some
    began = time.monotonic()
    waiting = threading.Thread(target=lambda: told.append(other.ask("WAIT", 10000, 10)))
    told = []
    waiting.start()
    time.sleep(0.2)
    late = records(1)
    asker.push(late[0])
    waiting.join(10)
    assert told == [late]
    assert time.monotonic() - began < 9


def test_waiting_ends_without_a_record(asker):
    assert asker.ask("WAIT", 0) == []
    assert asker.ask("WAIT", 50) == []
    assert asker.ask("WAIT", "60ms", 5) == []


def test_who_waits_longest_is_served_first(one, asker):
    waiters = [logs.LineLogs(one) for _ in range(6)]
    for waiter in waiters:
        # Who answers the first has the second behind it.
        waiter.client.send_raw(b"LOG SIZE\nLOG WAIT 20000\n")
        assert waiter.read() == 0
    some = records(6)
    for each, waiter in zip(some, waiters):
        asker.push(each)
        assert waiter.read() == [each]
    for waiter in waiters:
        waiter.close()


def test_many_wait_on_one_connection(servers):
    one, redis = servers["redis"]
    waiters = [logs.LineLogs(one) for _ in range(50)]
    for waiter in waiters:
        waiter.client.send("LOG WAIT 20000")
    client = redis.client()

    def blocking():
        return [each["name"] for each in client.client_list() if each["cmd"] == "blmove"]

    eventually(blocking, "somebody waits")
    connections = blocking()
    asker = logs.LineLogs(one)
    asker.push_all(records(50))
    taken = [waiter.read()[0] for waiter in waiters]
    assert len(set(taken)) == 50
    assert connections == ["tollkeeper-wait"]
    for waiter in [*waiters, asker]:
        waiter.close()


def test_a_waiter_that_dies_takes_no_record_with_it(one, asker, other):
    for _ in range(5):
        dead = logs.LineLogs(one)
        dead.client.send("LOG WAIT 20000 5")
        dead.client.wait_until_received()
        dead.close()
    time.sleep(0.1)
    some = records(3)
    asker.push_all(some)
    taken = []
    eventually(lambda: taken.extend(other.ask("POP", 10)) or len(taken) >= 3, "they are there")
    assert sorted(taken) == sorted(some)


# -- the rest of the table

def test_past_its_length_the_oldest_are_dropped_and_counted(asker):
    before = asker.statistics()
    some = records(700)
    asker.push_all(some)
    assert asker.ask("SIZE") == 500
    after = asker.statistics()
    assert after["dropped"] - before["dropped"] == 200
    assert after["pushed"] - before["pushed"] == 700
    assert after["max"] == 500
    taken = []
    while len(taken) < 500:
        taken += asker.ask("POP", 200)
    assert list(map(logs.number_of, taken)) == list(map(logs.number_of, some[200:]))
    assert asker.statistics()["popped"] - before["popped"] == 500


def test_clearing_forgets_all(asker):
    asker.push_all(records(7))
    dropped = asker.statistics()["dropped"]
    assert asker.ask("CLEAR") == 7
    assert asker.ask("SIZE") == 0
    assert asker.statistics()["dropped"] == dropped + 7


def test_a_worker_of_redis_takes_them_too(servers):
    one, redis = servers["redis"]
    asker = logs.LineLogs(one)
    asker.ask("CLEAR")
    some = records(3)
    asker.push_all(some)
    assert redis.client().lrange(QUEUE, 0, -1) == some
    assert redis.client().lpop(QUEUE) == some[0]
    assert redis.client().blpop(QUEUE, 1)[1] == some[1]
    redis.client().rpush(QUEUE, b"pushed by another")
    assert asker.ask("POP", 10) == [some[2], b"pushed by another"]
    eventually(lambda: redis.client().keys("{logs:queue}:taken:*") == [], "what was taken is gone")
    asker.close()


def test_text_is_any_bytes(daemon):
    one = daemon(logs.table(format="text"))
    asker = logs.RespLogs(one)
    data = bytes(range(256))
    assert asker.push(data) == "local"
    assert asker.ask("POP") == [data]
    asker.close()


def test_switched_off_it_says_so(daemon):
    one = daemon("[logs]\nenabled = false\n")
    asker = logs.LineLogs(one)
    assert asker.push(b"{}") == "UNAVAILABLE"
    assert asker.ask("SIZE") == "UNAVAILABLE"
    asker.close()
