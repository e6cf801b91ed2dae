"""Every request of the protocol's limits table, in both framings, with its reply's exact shape.

The limits are one-shot: their windows are so long that nothing comes back while a test runs.
"""

import pytest

from support.line import quoted
from support.resp import Error, Simple, plain

POLICIES = """
[policies.once]
limits = ["10/365d"]
[policies.pair]
limits = ["5/365d", "8/360d"]
[policies.inflight]
algorithm = "concurrency"
limit = 4
ttl = "1h"
"""

DAY_MS = 24 * 3600 * 1000


@pytest.fixture(scope="module")
def tolls(shared_daemon):
    return shared_daemon(POLICIES)


@pytest.fixture
def line(tolls):
    with tolls.line() as client:
        yield client


@pytest.fixture
def resp(tolls):
    with tolls.raw_resp() as client:
        yield client


# -- CHECK


def test_check_without_units_uses_one(line):
    reply = line.ask("CHECK once check-one")
    assert reply.word == "ALLOW"
    assert reply.values[:3] == [10, 9, 0]
    assert 36 * DAY_MS < reply.reset <= 36.5 * DAY_MS
    assert reply.source == "local"
    assert len(reply.values) == 5, "a single check has no position"


def test_check_uses_its_units_and_a_refusal_says_how_long_to_wait(line):
    assert line.ask("CHECK once check-many 7").remaining == 3
    refused = line.ask("CHECK once check-many 4")
    assert refused.word == "DENY"
    assert (refused.limit, refused.remaining, refused.source) == (10, 3, "local")
    assert 36 * DAY_MS < refused.retry <= 36.5 * DAY_MS
    assert 7 * 36 * DAY_MS < refused.reset <= 7 * 36.5 * DAY_MS


def test_a_refused_check_is_charged_nothing(line):
    for _ in range(5):
        assert not line.ask("CHECK once free 11").allowed
    assert line.ask("CHECK once free 10").remaining == 0
    assert line.ask("CHECK once free").word == "DENY"


def test_units_above_the_limit_are_never_admitted(line):
    refused = line.ask("CHECK once never 11")
    assert (refused.word, refused.remaining, refused.retry, refused.reset) == ("DENY", 10, -1, 0)


def test_check_of_a_policy_with_two_limits_describes_the_one_with_least_left(line):
    assert line.ask("CHECK pair two-limits 3").values[:2] == [5, 2]
    assert line.ask("CHECK pair two-limits 2").values[:2] == [5, 0]


def test_a_refusal_describes_the_limit_that_must_be_waited_for_longest(line):
    line.ask("CHECK pair longest 5")
    refused = line.ask("CHECK pair longest 5")
    # 5/365d must forget all 5 units, 365 days; 8/360d only 2 of them, 90 days.
    assert (refused.word, refused.limit, refused.remaining) == ("DENY", 5, 0)
    assert 364 * DAY_MS < refused.retry <= 365 * DAY_MS
    never = line.ask("CHECK pair longest 6")  # more than 5/365d can ever hold
    assert (never.limit, never.retry) == (5, -1)


def test_verbs_are_case_insensitive_policies_and_ids_are_not(line):
    assert line.ask("check once Case").remaining == 9
    assert line.ask("ChEcK once case").remaining == 9
    assert line.ask("CHECK Once case").code == "NOPOLICY"


def test_check_in_resp_is_an_array_with_one_or_zero_first(resp):
    admitted = plain(resp.ask("CHECK", "once", "resp-check", 10))
    assert admitted[:4] == [1, 10, 0, 0] and admitted[5:] == ["local"]
    refused = plain(resp.ask("check", "once", "resp-check"))
    assert refused[:3] == [0, 10, 0] and refused[5:] == ["local"]
    assert 0 < refused[3] < refused[4]


def test_check_of_several_limits_adds_the_position_of_the_one_described(line, resp):
    reply = line.ask("CHECK once several-a 2 once several-b 7 pair several-c 1")
    assert (reply.word, reply.limit, reply.remaining, reply.position) == ("ALLOW", 10, 3, 1)
    again = line.ask("CHECK once several-a 2 once several-b 5 pair several-c 1")
    assert (again.word, again.limit, again.remaining, again.position) == ("DENY", 10, 3, 1)
    framed = plain(resp.ask("CHECK", "once", "several-a", 1, "once", "several-b", 1))
    assert framed[:4] == [1, 10, 2, 0] and framed[5:] == ["local", 1]


# -- PEEK


def test_peek_consumes_nothing(line):
    fresh = line.ask("PEEK once peek")
    assert (fresh.word, fresh.values) == ("OK", [10, 10, 0, "local"])
    line.ask("CHECK once peek 3")
    for _ in range(3):
        peeked = line.ask("PEEK once peek")
        assert peeked.values[:2] == [10, 7] and peeked.values[3] == "local"
        assert 3 * 36 * DAY_MS < peeked.values[2] <= 3 * 36.5 * DAY_MS


def test_peek_in_resp_is_an_array(resp):
    assert plain(resp.ask("PEEK", "once", "resp-peek")) == [10, 10, 0, "local"]


def test_peek_of_many_is_a_list_in_order(line, resp):
    line.ask_all(["CHECK once many-b 4", "CHECK once many-c 10"])
    reply = line.ask("PEEK once many-a many-b many-c")
    assert reply.word == "LIST" and reply.values == [3]
    assert [row[:2] + row[3:] for row in reply.rows] == [
        [10, 10, "local"], [10, 6, "local"], [10, 0, "local"]]
    framed = plain(resp.ask("PEEK", "once", "many-a", "many-b", "many-c"))
    assert [row[:2] + row[3:] for row in framed] == [
        [10, 10, "local"], [10, 6, "local"], [10, 0, "local"]]


# -- REFUND, CHARGE, RESET


def test_refund_gives_units_back_but_never_above_the_limit(line):
    line.ask("CHECK once refund 6")
    assert line.ask("REFUND once refund 2").values == [6]
    assert line.ask("REFUND once refund 100").values == [10]
    assert line.ask("CHECK once refund 10").allowed
    assert not line.ask("CHECK once refund").allowed


def test_charge_runs_into_debt_that_must_be_waited_out(line):
    reply = line.ask("CHARGE once debt 25")
    assert (reply.word, reply.values) == ("OK", [-15])
    refused = line.ask("CHECK once debt")
    assert (refused.word, refused.remaining) == ("DENY", -15)
    assert 16 * 36 * DAY_MS < refused.retry <= 16 * 36.5 * DAY_MS
    assert line.ask("REFUND once debt 16").values == [1]
    assert line.ask("CHECK once debt").remaining == 0


def test_charge_within_the_limit_leaves_the_rest(line):
    assert line.ask("CHARGE once charged 4").values == [6]
    assert line.ask("CHECK once charged 6").remaining == 0


def test_reset_forgets_what_was_used(line):
    line.ask("CHARGE once forgotten 500")
    reply = line.ask("RESET once forgotten")
    assert (reply.line, reply.values) == ("OK", [])
    assert line.ask("PEEK once forgotten").values == [10, 10, 0, "local"]


def test_refund_and_charge_in_resp_are_integers_and_reset_is_plain_ok(resp):
    assert resp.ask("CHARGE", "once", "shapes", 12) == -2
    assert resp.ask("REFUND", "once", "shapes", 5) == 3
    assert resp.ask("RESET", "once", "shapes") == Simple("OK")


# -- ACQUIRE, RELEASE


def test_acquire_gives_a_ticket_and_release_takes_it_back(line):
    held = line.ask("ACQUIRE inflight job")
    assert held.word == "ALLOW" and held.values[:3] == [4, 3, 0] and held.source == "local"
    assert 3_590_000 < held.reset <= 3_600_000
    assert len(held.values) == 6 and held.ticket
    more = line.ask("ACQUIRE inflight job 3")
    assert (more.word, more.remaining) == ("ALLOW", 0) and more.ticket != held.ticket
    refused = line.ask("ACQUIRE inflight job")
    assert (refused.word, refused.limit, refused.remaining) == ("DENY", 4, 0)
    assert 3_590_000 < refused.retry <= 3_600_000 and len(refused.values) == 5
    assert line.ask(f"RELEASE inflight job {more.ticket}").values == [3]
    assert line.ask(f"RELEASE inflight job {held.ticket}").values == [4]


def test_acquire_above_the_limit_is_never_admitted(line):
    assert line.ask("ACQUIRE inflight huge 5").retry == -1
    assert line.ask("PEEK inflight huge").values[:2] == [4, 4]


def test_a_ticket_released_twice_gives_back_once(line):
    first = line.ask("ACQUIRE inflight twice")
    line.ask("ACQUIRE inflight twice 2")
    assert line.ask(f"RELEASE inflight twice {first.ticket}").values == [2]
    line.ask(f"RELEASE inflight twice {first.ticket}")
    line.ask("RELEASE inflight twice 0123456789abcdef")
    assert line.ask("PEEK inflight twice").values[:2] == [4, 2]


def test_a_ticket_belongs_to_its_id(line):
    held = line.ask("ACQUIRE inflight mine")
    line.ask("ACQUIRE inflight yours")
    line.ask(f"RELEASE inflight yours {held.ticket}")
    assert line.ask("PEEK inflight yours").values[:2] == [4, 3]
    assert line.ask("PEEK inflight mine").values[:2] == [4, 3]


def test_acquire_and_release_in_resp(resp):
    held = plain(resp.ask("ACQUIRE", "inflight", "resp-job", 2))
    assert held[:4] == [1, 4, 2, 0] and held[5] == "local" and isinstance(held[6], str)
    refused = plain(resp.ask("ACQUIRE", "inflight", "resp-job", 3))
    assert refused[:3] == [0, 4, 2] and len(refused) == 6
    assert resp.ask("RELEASE", "inflight", "resp-job", held[6]) == 4


def test_reset_frees_a_concurrency_policy(line):
    line.ask("ACQUIRE inflight stuck 4")
    assert line.ask("RESET inflight stuck").line == "OK"
    assert line.ask("ACQUIRE inflight stuck 4").allowed


def test_a_request_for_another_kind_of_policy_is_refused(line):
    assert line.ask("ACQUIRE once wrong-kind").code == "BADREQ"
    assert line.ask("CHECK inflight wrong-kind").code == "BADREQ"
    assert line.ask("PEEK inflight wrong-kind").values[:2] == [4, 4]


# -- both framings are one daemon


def test_both_framings_meet_in_the_same_key(line, resp):
    odd = b'two words "quoted" \x00\xff\n end'
    assert line.ask(b"CHECK once " + quoted(odd) + b" 3").remaining == 7
    assert plain(resp.ask("CHECK", "once", odd, 3))[:3] == [1, 10, 4]
    assert resp.ask("REFUND", "once", odd, 6) == 10


def test_framings_may_alternate_on_one_connection(tolls):
    with tolls.raw_resp() as client:
        client.send_raw(b"PING\n*1\r\n$4\r\nPING\r\nVERSION\r\n*2\r\n$4\r\nECHO\r\n$2\r\nhi\r\n")
        received = b""
        while not received.endswith(b"$2\r\nhi\r\n"):
            received += client.socket.recv(4096)
    first, second, third, rest = received.split(b"\n", 3)
    assert (first, second) == (b"OK pong", b"+PONG\r")
    assert third.startswith(b"OK tollkeeper ")
    assert rest == b"$2\r\nhi\r\n"


def test_carriage_returns_and_blanks_in_plenty_are_accepted(line):
    line.send_raw(b"  CHECK \t once    crlf   2 \r\n")
    assert line.read_reply().remaining == 8
    line.send_raw(b'CHECK once "crlf" 2\r\n')
    assert line.read_reply().remaining == 6


# -- CL.THROTTLE


def test_throttle_answers_as_redis_cell_does(resp):
    assert resp.ask("CL.THROTTLE", "cell", 15, 30, 60) == [0, 16, 15, -1, 2]
    assert resp.ask("CL.THROTTLE", "cell", 15, 30, 60, 15) == [0, 16, 0, -1, 32]
    limited, limit, remaining, retry, reset = resp.ask("CL.THROTTLE", "cell", 15, 30, 60, 1)
    assert (limited, limit, remaining) == (1, 16, 0)
    assert retry in (1, 2) and reset in (31, 32)


def test_throttle_keeps_its_keys_apart_from_the_policies(line, resp):
    assert resp.ask("CL.THROTTLE", "shared-name", 4, 5, 3600)[:3] == [0, 5, 4]
    assert line.ask("PEEK once shared-name").values[:2] == [10, 10]


def test_throttle_refuses_bad_figures(resp):
    for arguments in (("k",), ("k", 1, 1), ("k", "x", 1, 60), ("k", 1, 0, 60), ("k", 1, 1, 0),
                      ("k", -1, 1, 60), ("k", 1, 1, 60, -1), ("k", 1, 1, 60, 1, 1)):
        reply = resp.ask("CL.THROTTLE", *arguments)
        assert isinstance(reply, Error), f"{arguments}: {reply}"
        assert reply.code in ("BADREQ", "ERR"), f"{arguments}: {reply}"
