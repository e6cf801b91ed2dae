"""The table of costs, row by row: with Redis and without, in both framings."""

import itertools
import time

import pytest

from support import costs
from support.costs import MOST, account, dollars, month, nanos, stored
from support.store import NODES_KEY, joined, patient
from support.waiting import eventually

ids = (f"id{number}" for number in itertools.count())


@pytest.fixture(scope="module", name="servers")
def _servers(shared_daemon, shared_redis_servers):
    """Of each kind a daemon, with two workers so that half of all ids are another's."""
    costs.not_at_its_end()
    redis = shared_redis_servers()
    config = costs.table(hold_ttl="1h")
    return {"redis": (joined(shared_daemon(patient(redis.url(), config))), redis),
            "journal": (shared_daemon(config), None)}


@pytest.fixture(params=["redis", "journal"], name="source")
def _source(request):
    """Where costs are kept, which is what replies name."""
    return request.param


@pytest.fixture(name="one")
def _one(servers, source):
    return servers[source][0]


@pytest.fixture(params=["line", "resp"], name="asker")
def _asker(one, request):
    client = costs.ASKERS[request.param](one)
    yield client
    client.close()


@pytest.fixture(name="ask")
def _ask(asker):
    return asker.ask


@pytest.fixture(name="id_")
def _id():
    return next(ids)


# -- ADD and GET

def test_a_tenth_ten_times_is_one(ask, id_, source):
    told = [ask("COST", "ADD", id_, "0.1") for _ in range(10)]
    assert [words[:2] for words in told] == [
        ["OK", spent] for spent in "0.1 0.2 0.3 0.4 0.5 0.6 0.7 0.8 0.9 1".split()]
    assert ask("COST", "GET", id_) == ["OK", "1", "0", source]
    assert told[-1][2] == source


@pytest.mark.parametrize("amount, spent", [
    ("0", "0"), ("0.000000001", "0.000000001"), ("0.100000000", "0.1"), ("7", "7"),
    ("12.50", "12.5"), ("0012.5", "12.5"), (MOST, MOST), ("9223372036", "9223372036")])
def test_amounts_that_are_some(ask, id_, source, amount, spent):
    assert ask("COST", "ADD", id_, amount) == ["OK", spent, source]
    assert ask("COST", "GET", id_) == ["OK", spent, "0", source]


@pytest.mark.parametrize("amount", [
    "-1", "-0.1", "+1", "1e3", "0.0000000001", "nan", "inf", "1,5", "0x10", "$1", "1.2.3", "",
    "1 2", "9223372036.854775808", "9223372037", "99999999999999999999", "none", "0.1a"])
def test_amounts_that_are_none(ask, id_, source, amount):
    amount = amount.encode()  # so that it is quoted
    for words in (("ADD", id_, amount), ("CHECK", id_, amount), ("HOLD", id_, amount)):
        assert ask("COST", *words) == ["ERR", "BADREQ"]
    assert ask("COST", "GET", id_) == ["OK", "0", "0", source]


def test_a_sum_that_does_not_fit_is_refused_and_changes_nothing(ask, id_, source):
    assert ask("COST", "ADD", id_, "9223372036")[0] == "OK"
    assert ask("COST", "ADD", id_, "0.854775808") == ["ERR", "BADREQ"]
    assert ask("COST", "ADD", id_, "9223372036") == ["ERR", "BADREQ"]
    assert ask("COST", "GET", id_) == ["OK", "9223372036", "0", source]
    assert ask("COST", "ADD", id_, "0.854775807") == ["OK", MOST, source]
    assert ask("COST", "ADD", id_, "0") == ["OK", MOST, source]
    assert ask("COST", "ADD", id_, "0.000000001") == ["ERR", "BADREQ"]
    assert ask("COST", "CHECK", id_, "1")[:3] == ["DENY", "none", MOST]


def test_many_amounts_in_one_pipeline_add_up(asker, id_, source):
    amounts = [number * 1_000_003 + 1 for number in range(500)]
    told = asker.ask_all([("COST", "ADD", id_, dollars(amount)) for amount in amounts])
    assert [nanos(words[1]) for words in told] == list(itertools.accumulate(amounts))
    assert asker.ask("COST", "GET", id_) == ["OK", dollars(sum(amounts)), "0", source]


def test_what_two_connections_add_is_one_sum(one, id_, source):
    line, resp = costs.LineAsker(one), costs.RespAsker(one)
    for client in (line, resp, line, resp):
        client.ask("COST", "ADD", id_, "0.25")
    assert line.ask("COST", "GET", id_) == resp.ask("COST", "GET", id_) == ["OK", "1", "0", source]


@pytest.mark.parametrize("name", [b"\x00", b"a b", b"\xff\xfe\n\r\t", b"{x}:y", b"\"\\", b"%s%n*?",
                                  b"i" * 512], ids=lambda name: repr(name[:8]))
def test_ids_are_any_bytes(ask, source, name):
    before = nanos(ask("COST", "GET", name)[1])
    assert ask("COST", "ADD", name, "0.5") == ["OK", dollars(before + nanos("0.5")), source]
    assert ask("COST", "HOLD", name, "1")[0] == "ALLOW"
    assert ask("BUDGET", "SET", name, "77") == ["OK", "77"]
    assert ask("COST", "CHECK", name)[:3] == ["ALLOW", "77", dollars(before + nanos("0.5"))]
    assert ask("COST", "GET", name + b"x")[1] == "0" or len(name) == 512


def test_ids_have_bounds(ask):
    for name in (b"", b"i" * 513):
        for words in (("COST", "ADD", name, "1"), ("COST", "GET", name), ("BUDGET", "GET", name)):
            assert ask(*words) == ["ERR", "BADREQ"]


@pytest.mark.parametrize("words", [
    "COST", "COST ADD", "COST ADD a", "COST ADD a 1 k more", "COST GET", "COST GET a 2024-01 b",
    "COST CHECK", "COST CHECK a 1 2", "COST HOLD a", "COST HOLD a 1 1s 2", "COST SETTLE a",
    "COST SETTLE a h", "COST CANCEL a", "COST CANCEL a h x", "COST TAKE a 1", "BUDGET",
    "BUDGET SET a", "BUDGET SET a 1 2", "BUDGET SET a -1", "BUDGET SET a x", "BUDGET GET",
    "BUDGET GET a b", "BUDGET CLEAR", "BUDGET CLEAR a b", "BUDGET ADD a 1", "COST GET a 2024-13",
    "COST GET a 2024-00", "COST GET a 2024-1", "COST GET a 24-01", "COST GET a 2024:01",
    "COST GET a 2024-01-01", "COST GET a x", "COST HOLD a 1 0", "COST HOLD a 1 -1",
    "COST HOLD a 1 2d", "COST HOLD a 1 x"])
def test_malformed_requests_are_badreq(ask, words):
    assert ask(*words.split()) == ["ERR", "BADREQ"]
    assert ask("PING")[0] == "OK"


def test_verbs_are_written_in_any_case(ask, id_, source):
    assert ask("cost", "add", id_, "1") == ["OK", "1", source]
    assert ask("Cost", "Get", id_) == ["OK", "1", "0", source]
    assert ask("budget", "get", id_) == ["OK", "none"]


def test_other_months(ask, id_, source, servers):
    ask("COST", "ADD", id_, "3")
    assert ask("COST", "GET", id_, month()) == ["OK", "3", "0", source]
    assert ask("COST", "GET", id_, "2024-01") == ["OK", "0", "0", source]
    redis = servers[source][1]
    if redis is not None:
        client = redis.client()
        client.hset(account(id_, "2025-02"), "total", 1_500_000_001)
        assert ask("COST", "GET", id_, "2025-02") == ["OK", "1.500000001", "0", source]
        assert ask("COST", "GET", id_) == ["OK", "3", "0", source]
        client.hset(account(id_), "total", nanos("5"))
        assert ask("COST", "ADD", id_, "1") == ["OK", "4", source], "what is known is not asked for"
        eventually(lambda: ask("COST", "GET", id_)[1] == "6", "what Redis says then")


# -- idempotency keys

@pytest.mark.parametrize("key", [b"k", b"k" * 64, b"\x00\xff \n", b"{a}"], ids=repr)
def test_a_repeat_answers_the_same_and_charges_nothing(ask, id_, source, key):
    ask("COST", "ADD", id_, "1")
    first = ask("COST", "ADD", id_, "0.5", key)
    assert first == ["OK", "1.5", source]
    ask("COST", "ADD", id_, "1")
    assert ask("COST", "ADD", id_, "0.5", key) == first
    assert ask("COST", "ADD", id_, "99", key) == first, "also if the amount is another"
    assert ask("COST", "GET", id_) == ["OK", "2.5", "0", source]


def test_repeats_in_one_pipeline(asker, id_, source):
    told = asker.ask_all([("COST", "ADD", id_, "0.5", "k")] * 50 + [("COST", "ADD", id_, "1", "l")])
    assert {tuple(words[:2]) for words in told[:50]} == {("OK", "0.5")}
    assert told[50] == ["OK", "1.5", source]
    assert asker.ask("COST", "GET", id_) == ["OK", "1.5", "0", source]


def test_a_key_belongs_to_its_id(ask, id_, source):
    for name in (id_ + "a", id_ + "b", id_):
        assert ask("COST", "ADD", name, "0.5", "same") == ["OK", "0.5", source]
    assert ask("COST", "ADD", id_, "0.5", "other") == ["OK", "1", source]


@pytest.mark.parametrize("key", [b"", b"k" * 65], ids=["empty", "65 bytes"])
def test_keys_have_bounds(ask, id_, source, key):
    assert ask("COST", "ADD", id_, "1", key) == ["ERR", "BADREQ"]
    assert ask("COST", "GET", id_) == ["OK", "0", "0", source]


# -- CHECK and BUDGET

def test_up_to_the_budget_and_not_over(ask, id_, source):
    assert ask("COST", "CHECK", id_) == ["ALLOW", "none", "0", "0", "none", source]
    assert ask("BUDGET", "SET", id_, "10.00") == ["OK", "10"]
    ask("COST", "ADD", id_, "7.5")
    assert ask("COST", "CHECK", id_) == ["ALLOW", "10", "7.5", "0", "2.5", source]
    assert ask("COST", "CHECK", id_, "2.5")[0] == "ALLOW"
    assert ask("COST", "CHECK", id_, "2.500000001") == ["DENY", "10", "7.5", "0", "2.5", source]
    ask("COST", "ADD", id_, "2.5")
    assert ask("COST", "CHECK", id_) == ["ALLOW", "10", "10", "0", "0", source]
    assert ask("COST", "CHECK", id_, "0.000000001")[0] == "DENY"
    ask("COST", "ADD", id_, "0.000000001")
    assert ask("COST", "CHECK", id_) == ["DENY", "10", "10.000000001", "0", "0", source]
    assert ask("COST", "GET", id_)[1] == "10.000000001", "ADD is never refused for a budget"


def test_set_get_clear(ask, id_, source):
    assert ask("BUDGET", "GET", id_) == ["OK", "none"]
    for told in ("5", "0", "none", "0.000000001", MOST):
        assert ask("BUDGET", "SET", id_, told) == ["OK", told]
        assert ask("BUDGET", "GET", id_) == ["OK", told]
        assert ask("COST", "CHECK", id_) == ["ALLOW", told, "0", "0", told, source]
    assert ask("BUDGET", "CLEAR", id_) == ["OK", "none"]
    assert ask("BUDGET", "GET", id_) == ["OK", "none"]
    assert ask("BUDGET", "CLEAR", id_) == ["OK", "none"]


# -- holds

def hold(ask, id_, amount, *ttl):
    told = ask("COST", "HOLD", id_, amount, *ttl)
    assert told[0] == "ALLOW", told
    return told[-1]


def test_what_is_held_counts(ask, id_, source):
    ask("BUDGET", "SET", id_, "10")
    told = ask("COST", "HOLD", id_, "4")
    assert told[:6] == ["ALLOW", "10", "0", "4", "6", source] and len(told) == 7
    assert ask("COST", "HOLD", id_, "6.000000001") == ["DENY", "10", "0", "4", "6", source]
    second = hold(ask, id_, "6")
    assert second != told[6]
    assert ask("COST", "CHECK", id_, "0.1") == ["DENY", "10", "0", "10", "0", source]
    assert ask("COST", "GET", id_) == ["OK", "0", "10", source]
    assert ask("COST", "CANCEL", id_, second) == ["OK", "0", source]
    assert ask("COST", "GET", id_) == ["OK", "0", "4", source]
    assert ask("COST", "CANCEL", id_, second) == ["OK", "0", source], "and again"
    assert ask("COST", "HOLD", id_, "6")[0] == "ALLOW"


@pytest.mark.parametrize("actual", ["0", "1.5", "4", "17.25"])
def test_a_hold_becomes_a_charge_of_less_or_more(ask, id_, source, actual):
    ask("BUDGET", "SET", id_, "10")
    name = hold(ask, id_, "4")
    for _ in range(3):  # it charges once
        assert ask("COST", "SETTLE", id_, name, actual) == ["OK", actual, source]
        assert ask("COST", "GET", id_) == ["OK", actual, "0", source]
    assert ask("COST", "CANCEL", id_, name) == ["OK", actual, source]
    assert ask("COST", "GET", id_) == ["OK", actual, "0", source]


def test_settled_many_times_in_one_pipeline(asker, id_, source):
    names = [hold(asker.ask, id_, "2") for _ in range(20)]
    told = asker.ask_all([("COST", "SETTLE", id_, name, "0.1") for name in names * 3])
    assert {words[0] for words in told} == {"OK"}
    assert asker.ask("COST", "GET", id_) == ["OK", "2", "0", source]


def test_a_hold_lapses_and_a_late_settle_charges_once(ask, id_, source):
    ask("BUDGET", "SET", id_, "4")
    name = hold(ask, id_, "4", "50ms")
    kept = ask("COST", "HOLD", id_, "4", "50ms")
    assert kept[0] == "DENY"
    eventually(lambda: ask("COST", "GET", id_)[2] == "0", "lapsed")
    assert ask("COST", "CHECK", id_, "4")[0] == "ALLOW"
    for _ in range(3):
        assert ask("COST", "SETTLE", id_, name, "3") == ["OK", "3", source]
    assert ask("COST", "GET", id_) == ["OK", "3", "0", source]


def test_a_ttl_is_milliseconds_or_a_duration(ask, id_):
    for ttl in ("50", "50ms", "1s", "1d"):
        hold(ask, id_, "1", ttl)
    eventually(lambda: ask("COST", "GET", id_)[2] == "2", "two have lapsed")
    eventually(lambda: ask("COST", "GET", id_)[2] == "1", "three have lapsed")
    time.sleep(0.1)
    assert ask("COST", "GET", id_)[2] == "1"


@pytest.mark.parametrize("name", ["x", "0", "202611-1-", "202611-1-0000000000000000", "202613-1-" +
                                  "1" * 16, "202611--5-" + "1" * 16, "202611-1:" + "1" * 16])
def test_what_is_no_hold_is_nohold(ask, id_, source, name):
    assert ask("COST", "SETTLE", id_, name, "1") == ["ERR", "NOHOLD"]
    assert ask("COST", "CANCEL", id_, name) == ["ERR", "NOHOLD"]
    assert ask("COST", "GET", id_) == ["OK", "0", "0", source]


def test_a_bad_amount_leaves_the_hold(ask, id_, source):
    name = hold(ask, id_, "2")
    assert ask("COST", "SETTLE", id_, name, "-1") == ["ERR", "BADREQ"]
    assert ask("COST", "GET", id_) == ["OK", "0", "2", source]


def test_a_hold_is_held_for_its_own_id(ask, id_, source):
    name = hold(ask, id_, "2")
    assert ask("COST", "CANCEL", id_ + "x", name)[0] in ("OK", "ERR")
    assert ask("COST", "GET", id_) == ["OK", "0", "2", source]


def test_in_redis_nothing_is_left_of_what_was_not_charged(servers, id_):
    one, redis = servers["redis"]
    ask = costs.LineAsker(one).ask
    ask("COST", "CHECK", id_, "1")
    ask("COST", "GET", id_)
    ask("BUDGET", "GET", id_)
    assert not [key for key in redis.client().keys(f"*{id_}*") if not key.endswith(NODES_KEY)]
    ask("COST", "ADD", id_, "1.5")
    eventually(lambda: stored(redis.client(), id_) == nanos("1.5"), "charged")
