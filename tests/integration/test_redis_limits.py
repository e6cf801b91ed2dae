"""Every request of the limits table, decided by Redis: the same figures as by this host alone.

The limits are one-shot, as in test_limits_table.py.
"""

import itertools

import pytest

from support.backends import shape_name, shapes
from support.line import quoted
from support.resp import Simple, plain
from support.store import NODES_KEY, counts, joined, patient, statistics
from support.waiting import eventually

ALGORITHMS = ("gcra", "token_bucket", "sliding_log", "sliding_window", "fixed_window")
LIMITS = '"10/365d"', '"10/365d", "12/360d"'


def policy(name, algorithm, limits, mode):
    return (f'[policies.{name}]\nalgorithm = "{algorithm}"\nlimits = [{limits}]\n'
            f'mode = "{mode}"\n')


# Each policy twice: by Redis, and by this host, whose answers are known to be right.
POLICIES = "".join(
    policy(f"{algorithm}{suffix}{here}", algorithm, limits, mode)
    for algorithm in ALGORITHMS
    for suffix, limits in zip(("", "_pair"), LIMITS)
    for here, mode in (("", "exact"), ("_here", "local"))) + """
[policies.inflight]
algorithm = "concurrency"
limit = 4
ttl = "1h"
[policies.tagged]
limits = ["10/365d"]
key = "mine:{id}:{policy}"
"""

POLICY_NAMES = [algorithm + suffix for algorithm in ALGORITHMS for suffix in ("", "_pair")]
DAY_MS = 24 * 3600 * 1000
SECONDS_MS = 20_000  # between two questions, on a busy machine

unique = itertools.count()


@pytest.fixture(scope="module", name="server")
def _server(shared_redis_servers):
    return shared_redis_servers()


@pytest.fixture(scope="module", params=shapes(), ids=shape_name, name="tolls")
def _tolls(request, server, shared_daemon):
    return joined(shared_daemon(patient(server.url(), POLICIES), **request.param))


@pytest.fixture(name="line")
def _line(tolls):
    with tolls.line() as client:
        yield client


@pytest.fixture(name="resp")
def _resp(tolls):
    with tolls.raw_resp() as client:
        yield client


@pytest.fixture(name="id_")
def _id():
    """An id that nobody else uses: a file's tests share one Redis."""
    return f"id{next(unique)}"


@pytest.fixture(name="store")
def _store(server):
    client = server.client()
    client.flushall()
    return client


def by_redis(reply):
    assert reply.source == "redis", reply
    return reply


def alike(exact, here):
    """Whether both say the same, but for who decided and the time between the two questions."""
    def same(one, other):
        if isinstance(one, int) and max(abs(one), abs(other)) > DAY_MS:
            return abs(one - other) < SECONDS_MS
        return one == other or {one, other} <= {"redis", "cache", "local"}

    rows = zip([exact.values, *exact.rows], [here.values, *here.rows])
    return exact.word == here.word and all(
        len(row) == len(other) and all(map(same, row, other)) for row, other in rows)


# -- every verb


HISTORY = ("PEEK {p} {i}", "CHECK {p} {i} 3", "CHECK {p} {i}", "PEEK {p} {i}", "CHECK {p} {i} 7",
           "CHECK {p} {i} 7", "CHECK {p} {i} 6", "CHECK {p} {i}", "REFUND {p} {i} 2",
           "CHECK {p} {i} 2", "CHARGE {p} {i} 5", "PEEK {p} {i}", "CHECK {p} {i}",
           "REFUND {p} {i} 100", "CHARGE {p} {i} 4", "PEEK {p} {i} {i}x", "RESET {p} {i}",
           "PEEK {p} {i}", "CHECK {p} {i} 11", "CHECK {p} {i} 10", "CHECK {p} {i}",
           "CHECK {p} {i}x 4 {p} {i}y 5", "CHECK {p} {i}x 4 {p} {i}y 6", "PEEK {p} {i}x {i}y",
           "CHECK {p} {i}x 6 {p} {i}y 5", "RESET {p} {i}x", "CHECK {p} {i}x 6 {p} {i}z 5")


@pytest.mark.parametrize("name", POLICY_NAMES)
def test_redis_decides_as_this_host_alone_would(line, id_, name):
    for request in HISTORY:
        exact = line.ask(request.format(p=name, i=id_))
        here = line.ask(request.format(p=name + "_here", i=id_))
        assert alike(exact, here), f"{request}: {exact} but {here}"


@pytest.mark.parametrize("name", POLICY_NAMES)
def test_every_answer_names_redis(line, id_, name):
    assert by_redis(line.ask(f"CHECK {name} {id_} 9")).allowed
    assert not by_redis(line.ask(f"CHECK {name} {id_} 2")).allowed
    assert line.ask(f"PEEK {name} {id_}").values[3] == "redis"
    assert [row[3] for row in line.ask(f"PEEK {name} {id_} {id_}x").rows] == ["redis"] * 2
    assert by_redis(line.ask(f"CHECK {name} {id_} 1 {name} {id_}x 1")).position == 0


def test_a_whole_history_pipelined_is_answered_in_order(line, id_):
    requests = [request for number in range(200) for request in (
        f"CHECK gcra {id_}{number} 4", f"CHECK gcra {id_}{number} 6", f"CHECK gcra {id_}{number}",
        f"RESET gcra {id_}{number}", f"CHECK gcra {id_}{number} 3")]
    replies = line.ask_all(requests)
    for first in range(0, len(replies), 5):
        told = [(reply.word, reply.values[1] if reply.values else None)
                for reply in replies[first:first + 5]]
        assert told == [("ALLOW", 6), ("ALLOW", 0), ("DENY", 0), ("OK", None), ("ALLOW", 7)]


def test_tickets_are_given_and_taken_back(line, id_):
    held = by_redis(line.ask(f"ACQUIRE inflight {id_}"))
    assert held.word == "ALLOW" and held.values[:3] == [4, 3, 0]
    assert 3_590_000 < held.reset <= 3_600_000
    more = by_redis(line.ask(f"ACQUIRE inflight {id_} 3"))
    assert (more.word, more.remaining) == ("ALLOW", 0) and more.ticket != held.ticket
    refused = by_redis(line.ask(f"ACQUIRE inflight {id_}"))
    assert (refused.word, refused.limit, refused.remaining) == ("DENY", 4, 0)
    assert 3_590_000 < refused.retry <= 3_600_000
    assert line.ask(f"PEEK inflight {id_}").values[:2] == [4, 0]
    assert line.ask(f"RELEASE inflight {id_} {more.ticket}").values == [3]
    assert line.ask(f"RELEASE inflight {id_} {more.ticket}").values == [3], "twice is once"
    assert line.ask(f"RESET inflight {id_}").word == "OK"
    assert line.ask(f"PEEK inflight {id_}").values[:2] == [4, 4]


def test_a_ticket_lapses_by_redis_clock(line, id_):
    assert line.ask(f"ACQUIRE inflight {id_} 4 1ms").allowed
    replies = [line.ask(f"ACQUIRE inflight {id_}") for _ in range(50)]
    assert any(reply.allowed for reply in replies)


def test_cl_throttle_answers_as_the_module_does(resp, id_):
    told = [resp.ask("CL.THROTTLE", id_, 2, 10, 36000) for _ in range(4)]
    assert [reply[:3] for reply in told] == [[0, 3, 2], [0, 3, 1], [0, 3, 0], [1, 3, 0]]
    assert [reply[3] for reply in told[:3]] == [-1, -1, -1] and 3590 < told[3][3] <= 3600
    assert all(0 < reply[4] <= 10_800 for reply in told)
    assert resp.ask("CL.THROTTLE", id_, 2, 10, 36000, 0)[:3] == [0, 3, 0]


def test_the_other_framing_tells_the_same(resp, id_):
    reply = plain(resp.ask("CHECK", "gcra", id_, 10))
    assert reply[:4] == [1, 10, 0, 0] and reply[5:] == ["redis"]
    refused = plain(resp.ask("CHECK", "gcra", id_))
    assert refused[:3] == [0, 10, 0] and refused[5:] == ["redis"] and 0 < refused[3] < refused[4]
    assert plain(resp.ask("PEEK", "gcra", id_))[:2] == [10, 0]
    assert resp.ask("REFUND", "gcra", id_, 4) == 4
    assert resp.ask("CHARGE", "gcra", id_, 6) == -2
    assert resp.ask("RESET", "gcra", id_) == Simple("OK")
    rows = plain(resp.ask("PEEK", "gcra", id_, id_ + "x"))
    assert rows == [[10, 10, 0, "redis"]] * 2
    together = plain(resp.ask("CHECK", "gcra", id_, 1, "sliding_log", id_, 2))
    assert together[:3] == [1, 10, 8] and together[5:] == ["redis", 1]
    ticket = plain(resp.ask("ACQUIRE", "inflight", id_))
    assert ticket[:4] == [1, 4, 3, 0] and ticket[5] == "redis"
    assert resp.ask("RELEASE", "inflight", id_, ticket[6]) == 4


# -- several policies together


@pytest.mark.parametrize("exhausted", ALGORITHMS)
def test_policies_of_all_algorithms_charge_all_or_none(line, store, id_, exhausted):
    line.ask(f"CHARGE {exhausted} {id_} 8")
    before = counts(store)
    terms = " ".join(f"{algorithm} {id_} 3" for algorithm in ALGORITHMS)
    refused = by_redis(line.ask(f"CHECK {terms}"))
    assert not refused.allowed and refused.remaining == 2
    assert refused.position == ALGORITHMS.index(exhausted)
    assert counts(store) == before, "a refused check has changed Redis"
    line.ask(f"REFUND {exhausted} {id_} 1")
    assert by_redis(line.ask(f"CHECK {terms}")).allowed
    left = [line.ask(f"PEEK {algorithm} {id_}").values[1] for algorithm in ALGORITHMS]
    assert left == [0 if algorithm == exhausted else 7 for algorithm in ALGORITHMS]


def test_one_key_twice_in_a_check_counts_twice(line, id_):
    assert line.ask(f"CHECK gcra {id_} 4 gcra {id_} 4").remaining == 2
    assert not line.ask(f"CHECK gcra {id_} 2 gcra {id_} 1").allowed
    assert line.ask(f"PEEK gcra {id_}").values[1] == 2


def test_this_host_alone_and_redis_do_not_go_together(line, id_):
    assert line.ask(f"CHECK gcra {id_} 1 gcra_here {id_} 1").code == "BADREQ"
    assert line.ask(f"PEEK gcra {id_}").values[1] == 10


# -- what is in Redis


@pytest.mark.parametrize("name", POLICY_NAMES)
def test_a_refusal_leaves_redis_as_it_was(line, store, id_, name):
    line.ask(f"CHECK {name} {id_} 8")
    before = counts(store)
    assert before
    assert not by_redis(line.ask(f"CHECK {name} {id_} 3")).allowed
    assert not by_redis(line.ask(f"CHECK {name} {id_} 11")).allowed
    assert line.ask(f"PEEK {name} {id_}").values[1] == 2
    assert not by_redis(line.ask(f"CHECK {name} {id_}fresh 11")).allowed
    assert not line.ask(f"ACQUIRE inflight {id_} 5").allowed
    assert counts(store) == before


@pytest.mark.parametrize("name", [*POLICY_NAMES, "inflight"])
def test_what_is_used_expires_by_itself_and_a_reset_leaves_nothing(line, store, id_, name):
    line.ask(f"{'ACQUIRE' if name == 'inflight' else 'CHECK'} {name} {id_}")
    keys = counts(store)
    assert keys and all(ends > 0 for _, ends in keys.values())
    assert line.ask(f"RESET {name} {id_}").word == "OK"
    assert not counts(store)


STRANGE = [
    b"a", b"a b\tc", b"\x00", b"a\nb\r\n", b"{tag}", b"}{", b"{}", b"%s %n", b"'; FLUSHALL --",
    b"*3\r\n$3\r\nSET\r\n$1\r\nx\r\n$1\r\ny\r\n", b"\r\nFLUSHALL\r\n", b"redis.call('FLUSHALL')",
    bytes(range(60)), bytes(range(256)) * 2, b"i" * 60, b"i" * 61, b"i" * 512, b"-", b":1", b"\xff"]


def named_after(id_, year):
    """The keys of all that is asked for an id in the next test, but for sliding windows."""
    return {b"gcra:gcra:" + id_, b"gcra:gcra_pair:" + id_,
            b"{gcra:gcra_pair:" + id_ + b"}:%d" % (360 * DAY_MS),
            b"tokenbucket:token_bucket:" + id_ + b":tokens",
            b"tokenbucket:token_bucket:" + id_ + b":last",
            b"ratelimit:sliding_log:" + id_, b"ratelimit:fixed_window:" + id_ + b":%d" % year,
            b"concurrency:inflight:" + id_, b"mine:" + id_ + b":tagged"}


@pytest.mark.parametrize("framing", ["line", "resp"])
def test_ids_are_nothing_but_arguments(line, resp, store, framing):
    for id_ in STRANGE:
        for verb, name in [(b"CHECK", name.encode()) for name in (
                *ALGORITHMS, "gcra_pair", "tagged")] + [(b"ACQUIRE", b"inflight")]:
            if framing == "line":
                assert line.ask(b" ".join((verb, name, quoted(id_)))).allowed
            else:
                assert resp.ask(verb, name, id_)[0] == 1
    year = store.time()[0] // (365 * 24 * 3600)
    keys = set(store.keys("*")) - {NODES_KEY}
    windows = {key for key in keys if key.startswith(b"slidingwindow:")}
    assert windows == {b"slidingwindow:sliding_window:" + id_ for id_ in STRANGE}
    assert keys - windows == set().union(*(named_after(id_, year) for id_ in STRANGE))


@pytest.mark.parametrize("id_", STRANGE, ids=range(len(STRANGE)))
def test_strange_ids_are_counted_each_by_itself(line, store, id_):
    del store  # emptied before
    for algorithm in ALGORITHMS:
        request = b"CHECK " + algorithm.encode() + b" " + quoted(id_) + b" 5"
        assert [reply.remaining for reply in line.ask_all([request] * 2)] == [5, 0]
        assert not line.ask(request).allowed


# -- around it


def test_a_policy_of_this_host_alone_never_asks_redis(line, store, id_):
    before = statistics(line)["redis_requests"]
    for algorithm in ALGORITHMS:
        assert line.ask(f"CHECK {algorithm}_here {id_}").source == "local"
        line.ask(f"PEEK {algorithm}_here {id_}")
        line.ask(f"RESET {algorithm}_here {id_}")
    assert statistics(line)["redis_requests"] == before
    assert not counts(store)


def test_its_connections_say_whose_they_are(tolls, server):
    names = {client["name"] for client in server.client().client_list()}
    with tolls.line() as client:
        workers = int(statistics(client)["workers"])
    assert {f"tollkeeper-{number}" for number in range(workers)} | {"tollkeeper-news"} <= names


@pytest.mark.parametrize("tcp", [False, True], ids=["unix", "tcp"])
def test_daemons_share_one_limit(daemon, redis_servers, tcp):
    server = redis_servers(tcp=tcp)
    first, second = (joined(daemon(patient(server.url(), POLICIES))).line() for _ in range(2))
    for name in POLICY_NAMES:
        assert by_redis(first.ask(f"CHECK {name} shared 6")).remaining == 4
        assert by_redis(second.ask(f"CHECK {name} shared 3")).remaining == 1
        assert not by_redis(first.ask(f"CHECK {name} shared 2")).allowed
        assert by_redis(second.ask(f"CHECK {name} shared")).remaining == 0
    held = first.ask("ACQUIRE inflight shared 4")
    assert not by_redis(second.ask("ACQUIRE inflight shared")).allowed
    assert second.ask(f"RELEASE inflight shared {held.ticket}").values == [4]


def test_the_prefix_goes_before_every_key_and_the_database_is_ours(daemon, redis):
    client = joined(daemon(patient(redis.url(database=3), POLICIES, prefix="a{b}:"))).line()
    client.ask("CHECK gcra someone")
    client.ask("CHECK sliding_log_pair someone")
    client.ask("CHECK tagged someone")
    redis_client = redis.client(db=3)
    keys = {key for key in redis_client.keys("*") if not key.endswith(NODES_KEY)}
    assert keys == {b"a{b}:gcra:gcra:someone", b"a{b}:ratelimit:sliding_log_pair:someone",
                    b"{a{b}:ratelimit:sliding_log_pair:someone}:%d" % (360 * DAY_MS),
                    b"a{b}:mine:someone:tagged"}
    assert redis_client.exists(b"a{b}:" + NODES_KEY) and not redis.client().dbsize()


def test_several_links_decide_as_one(daemon, redis):
    client = joined(daemon(patient(redis.url(), POLICIES, links=3), workers=2)).line()

    def links():
        return [one for one in redis.client().client_list()
                if one["name"].startswith("tollkeeper-")]

    eventually(lambda: len(links()) == 2 * 3 + 1, "all links are made, not only the first")
    for number in range(40):
        replies = client.ask_all([f"CHECK gcra id{number} 6", f"CHECK gcra id{number} 5",
                                  f"RESET gcra id{number}", f"CHECK gcra id{number} 10"])
        assert [reply.word for reply in replies] == ["ALLOW", "DENY", "OK", "ALLOW"]
    assert len(links()) == 2 * 3 + 1


@pytest.mark.parametrize("mode", ["exact", "leased"])
def test_redis_is_asked_in_batches(daemon, redis, mode):
    one = joined(daemon(patient(redis.url(), policy("p", "gcra", '"1000/365d"', mode)), workers=1))
    client = one.line()
    before = statistics(client)
    assert all(reply.allowed for reply in client.ask_all(["CHECK p hot"] * 1000))
    after = statistics(client)
    assert after["redis_requests"] - before["redis_requests"] == 1000
    assert after["redis_calls"] - before["redis_calls"] < 100
    assert client.ask("PEEK p hot").values[1] == 0
