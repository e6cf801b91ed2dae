"""What [costs] decides, who may set budgets, and budgets under a crowd."""

import itertools
import time

import pytest

from support import costs
from support.costs import account, dollars, month, nanos, stored
from support.crowd import crowd
from support.store import gone, joined, patient
from support.waiting import eventually
from test_permissions import ask_as

DAY_MS = 86_400_000


@pytest.fixture(params=["redis", "journal"], name="start")
def _start(request, daemon, redis):
    """Starts a daemon with Redis or without."""
    costs.not_at_its_end()

    def start(workers=2, **keys):
        config = costs.table(**keys)
        if request.param == "journal":
            return daemon(config, workers=workers)
        return joined(daemon(patient(redis.url(), config), workers=workers))

    return start


@pytest.fixture(name="with_redis")
def _with_redis(daemon, redis):
    costs.not_at_its_end()
    return lambda **keys: joined(daemon(patient(redis.url(), costs.table(**keys))))


# -- budget

def test_the_default_budget_and_an_ids_own(start):
    ask = costs.LineAsker(start(budget="2.50")).ask
    assert ask("BUDGET", "GET", "a") == ["OK", "2.5"]
    assert ask("COST", "CHECK", "a", "2.5")[:2] == ["ALLOW", "2.5"]
    assert ask("COST", "CHECK", "a", "2.6")[:2] == ["DENY", "2.5"]
    assert ask("BUDGET", "SET", "a", "3") == ["OK", "3"]
    assert ask("COST", "CHECK", "a", "2.6")[:2] == ["ALLOW", "3"]
    assert ask("COST", "HOLD", "a", "3.1")[:2] == ["DENY", "3"]
    assert ask("BUDGET", "SET", "a", "none") == ["OK", "none"]
    assert ask("COST", "CHECK", "a", "999")[:2] == ["ALLOW", "none"]
    assert ask("BUDGET", "GET", "b") == ["OK", "2.5"]
    assert ask("BUDGET", "CLEAR", "a") == ["OK", "2.5"]
    assert ask("COST", "CHECK", "a", "2.6")[:2] == ["DENY", "2.5"]


def test_a_budget_outlives_the_daemon(start):
    one = start(budget="2")
    ask = costs.LineAsker(one).ask
    ask("BUDGET", "SET", "a", "5")
    ask("BUDGET", "SET", "b", "none")
    ask("BUDGET", "SET", "c", "7")
    ask("BUDGET", "CLEAR", "c")
    name = ask("COST", "HOLD", "a", "1")[-1]
    one.kill()
    ask = costs.LineAsker(joined(one.start()) if "[redis]" in one.file.read_text() else
                          one.start()).ask
    assert [ask("BUDGET", "GET", id_)[1] for id_ in "abc"] == ["5", "none", "2"]
    assert ask("COST", "CHECK", "a")[1:5] == ["5", "0", "1", "4"], "and so does a hold"
    assert ask("COST", "SETTLE", "a", name, "3")[:2] == ["OK", "3"]
    eventually(lambda: ask("COST", "GET", "a")[1:3] == ["3", "0"], "it is held no more")


@pytest.mark.becomes_another_user
def test_another_user_may_charge_but_set_no_budget(daemon):
    one = daemon("", server={"socket_mode": "0666"})
    with one.line() as root:
        assert root.ask("BUDGET SET a 5").values == [5]
    told = ask_as(one, "COST ADD a 1", "BUDGET SET a 9", "BUDGET CLEAR a", "budget set a none",
                  "BUDGET GET a", "COST CHECK a 1", "COST HOLD a 1")
    assert told[0] == "OK 1 journal"
    assert [reply.split()[:2] for reply in told[1:4]] == [["ERR", "NOPERM"]] * 3
    assert told[4] == "OK 5" and told[5].startswith("ALLOW 5 1 0 4 ") and "ALLOW" in told[6]
    assert ask_as(one, "*3\r\n$6\r\nBUDGET\r\n$5\r\nCLEAR\r\n$1\r\na\r")[0].startswith("-NOPERM ")


# -- off

def test_switched_off(daemon):
    one = daemon(costs.table(enabled=False) + '[policies.api]\nlimits = ["10/1h"]\n')
    for asker in costs.ASKERS.values():
        ask = asker(one).ask
        for words in ("COST ADD a 1", "COST GET a", "COST CHECK a", "COST HOLD a 1", "BUDGET GET a",
                      "BUDGET SET a 1", "BUDGET CLEAR a"):
            assert ask(*words.split()) == ["ERR", "UNAVAILABLE"]
    with one.line() as client:
        assert client.ask("CHECK api a").allowed
    assert not (one.directory / "state" / "journal").exists()


# -- how Redis holds it

def test_layout_string_is_a_plain_number(with_redis, redis):
    ask = costs.LineAsker(with_redis(layout="string", ack="redis")).ask
    client = redis.client(decode_responses=True)
    for spent in range(1, 4):
        assert ask("COST", "ADD", "a", "0.000000001") == ["OK", dollars(spent), "redis"]
        assert client.get(account("a")) == str(spent)
    ask("COST", "ADD", "a", "9223372036")
    assert client.get(account("a")) == "9223372036000000003"
    client.set(account("b"), 1_500_000_000)  # by a gateway
    assert ask("COST", "GET", "b") == ["OK", "1.5", "0", "redis"]
    assert ask("COST", "ADD", "b", "1", "k") == ["OK", "2.5", "redis"]
    assert client.get(account("b")) == "2500000000"
    name = ask("COST", "HOLD", "b", "2")[-1]
    assert ask("COST", "GET", "b") == ["OK", "2.5", "2", "redis"]
    assert ask("COST", "SETTLE", "b", name, "0.5") == ["OK", "3", "redis"]
    assert ask("COST", "GET", "b") == ["OK", "3", "0", "redis"]
    assert client.get(account("b")) == "3000000000"


@pytest.mark.parametrize("layout", ["hash", "string"])
def test_an_account_is_kept_for_60_days_past_its_month(with_redis, redis, layout):
    ask = costs.LineAsker(with_redis(layout=layout, ack="redis")).ask
    ask("COST", "ADD", "a", "1")
    ask("COST", "HOLD", "a", "1", "1d")
    ask("COST", "HOLD", "only", "1", "1d")
    ask("COST", "ADD", "a", "1")
    until = costs.end_of_month_ms() + 60 * DAY_MS
    client = redis.client(decode_responses=True)
    ends = {key: client.execute_command("PEXPIRETIME", key) for key in client.keys("*cost:*")}
    assert account("a") in ends and len(ends) >= 4
    assert set(ends.values()) == {until}, ends


def test_a_key_is_remembered_by_redis_for_a_day(with_redis, redis):
    ask = costs.LineAsker(with_redis(ack="redis")).ask
    ask("COST", "ADD", "a", "1", "once")
    client = redis.client()
    (key,) = client.keys("*:key:once")
    assert 0.99 * DAY_MS < client.pttl(key) <= DAY_MS


def test_a_repeat_at_another_daemon_charges_nothing(with_redis, redis):
    """Redis keeps keys for the fleet."""
    first, second = (costs.LineAsker(with_redis()).ask for _ in range(2))
    first("COST", "ADD", "a", "1", "once")
    eventually(lambda: stored(redis.client(), "a") == nanos("1"), "charged")
    second("COST", "ADD", "a", "1", "once")
    second("COST", "ADD", "a", "2")
    eventually(lambda: stored(redis.client(), "a") == nanos("3"), "charged, without the repeat")
    assert first("COST", "GET", "a") == second("COST", "GET", "a") == ["OK", "3", "0", "redis"]


def test_ack_redis_is_told_when_redis_has_it(with_redis, redis):
    ask = costs.LineAsker(with_redis(ack="redis")).ask
    client = redis.client()
    for number in range(1, 101):
        assert ask("COST", "ADD", "a", "0.1", f"k{number}")[2] == "redis"
        assert stored(client, "a") == number * nanos("0.1")


def test_a_prefix_goes_before_every_key(daemon, redis):
    config = patient(redis.url(), costs.table(ack="redis"), prefix="mine:")
    ask = costs.LineAsker(joined(daemon(config))).ask
    ask("COST", "ADD", "a", "1")
    ask("BUDGET", "SET", "a", "1")
    assert redis.client().hget("mine:" + account("a"), "total") == b"1000000000"
    assert redis.client().exists("mine:budget:a")


# -- what Redis has not yet

def test_charges_that_redis_has_not_yet_count_at_once(start):
    asker = costs.LineAsker(start())
    asker.ask("BUDGET", "SET", "a", "10")
    for spent in range(1, 11):
        told = asker.ask_all([("COST", "ADD", "a", "1"), ("COST", "CHECK", "a", "1"),
                              ("COST", "GET", "a")])
        assert told[0][1] == told[1][2] == told[2][1] == str(spent)
        assert told[1][0] == ("ALLOW" if spent < 10 else "DENY")


def test_without_an_answer_of_redis_what_is_known_decides(daemon, proxy):
    one = joined(daemon(patient(proxy.url(), costs.table(budget="5"))))
    ask = costs.LineAsker(one).ask
    ask("COST", "ADD", "a", "1")
    eventually(lambda: ask("COST", "GET", "a") == ["OK", "1", "0", "redis"], "known")
    ask("BUDGET", "SET", "a", "4")
    proxy.refuse()
    gone(one)
    assert ask("COST", "ADD", "a", "2") == ["OK", "3", "journal"]
    assert ask("COST", "CHECK", "a", "1")[:2] == ["ALLOW", "4"]
    assert ask("COST", "CHECK", "a", "1.1") == ["DENY", "4", "3", "0", "1", "journal"]
    assert ask("COST", "HOLD", "a", "1")[:6] == ["ALLOW", "4", "3", "1", "0", "journal"]
    assert ask("COST", "HOLD", "a", "1")[0] == "DENY"
    assert ask("BUDGET", "GET", "a") == ["OK", "4"]
    assert ask("BUDGET", "SET", "a", "9") == ["ERR", "UNAVAILABLE"]
    assert ask("COST", "CHECK", "new", "5.1")[:2] == ["DENY", "5"]
    proxy.pass_on()
    eventually(lambda: ask("COST", "GET", "a") == ["OK", "3", "1", "redis"], "there again")


def test_a_hold_that_redis_answers_late_is_held_once(daemon, proxy):
    one = joined(daemon(patient(proxy.url(), costs.table(budget="5"))))
    ask = costs.LineAsker(one).ask
    ask("COST", "GET", "a")
    proxy.delay(0.2)
    told = ask("COST", "HOLD", "a", "2")
    assert told[:6] == ["ALLOW", "5", "0", "2", "3", "journal"]
    proxy.pass_on()
    eventually(lambda: ask("COST", "GET", "a")[3] == "redis", "redis answers")
    eventually(lambda: ask("COST", "GET", "a") == ["OK", "0", "2", "redis"], "held once")
    assert ask("COST", "CANCEL", "a", told[-1]) == ["OK", "0", "redis"]
    assert ask("COST", "GET", "a") == ["OK", "0", "0", "redis"]


# -- a crowd

@pytest.mark.bound(60)
@pytest.mark.parametrize("workers", [1, 3])
def test_ten_thousand_holds_at_once_never_pass_the_budget(start, workers):
    one = start(workers=workers, budget="100.5")
    clients = [costs.LineAsker(one) for _ in range(8)]

    def take(index):
        requests = [("COST", "HOLD", "all", "0.1")] * 1250
        return clients[index].ask_all(requests)

    told = list(itertools.chain.from_iterable(crowd(8, take)))
    assert len(told) == 10_000
    names = [words[-1] for words in told if words[0] == "ALLOW"]
    assert len(set(names)) == len(names) <= 1005
    ask = clients[0].ask
    eventually(lambda: nanos(ask("COST", "GET", "all")[2]) == len(names) * nanos("0.1"),
               "what was admitted is held, and nothing else")
    while (words := ask("COST", "HOLD", "all", "0.1"))[0] == "ALLOW":
        names.append(words[-1])
    assert len(names) == 1005, "all of it can be held, and no more"
    assert ask("COST", "GET", "all")[1:3] == ["0", "100.5"]

    def settle(index):
        return clients[index].ask_all([("COST", "SETTLE", "all", name, "0.1")
                                       for name in names[index::4]])

    assert {words[0] for told in crowd(8, settle) for words in told} == {"OK"}, "each of them twice"
    eventually(lambda: ask("COST", "GET", "all")[1:3] == ["100.5", "0"], "all is spent")
    assert ask("COST", "HOLD", "all", "0.1")[0] == "DENY"


def test_two_daemons_share_one_budget(with_redis):
    clients = [costs.LineAsker(with_redis(budget="50")) for _ in range(2)]

    def take(index):
        return [words for _ in range(20)
                for words in clients[index].ask_all([("COST", "HOLD", "all", "0.25")] * 10)]

    told = list(itertools.chain.from_iterable(crowd(2, take)))
    assert sum(words[0] == "ALLOW" for words in told) == 200
    assert clients[0].ask("COST", "HOLD", "all", "0.25")[0] == "DENY"
    assert clients[0].ask("COST", "GET", "all", month()) == ["OK", "0", "50", "redis"]


def test_a_month_before_is_settled_into_its_month(with_redis, redis):
    """A hold of the last second of a month is charged to it."""
    ask = costs.LineAsker(with_redis(ack="redis")).ask
    name = ask("COST", "HOLD", "a", "1")[-1]
    assert name.startswith(month("") + "-")
    before = "202001" + name[6:]
    assert ask("COST", "SETTLE", "a", before, "2") == ["OK", "2", "redis"]
    time.sleep(0.01)
    assert ask("COST", "GET", "a") == ["OK", "0", "1", "redis"]
    assert ask("COST", "GET", "a", "2020-01")[1] in ("2", "0"), "its keys have expired long since"
    assert stored(redis.client(), "a") == 0
