"""Every algorithm end to end, on the daemon's real clock and in short windows.

A client that waits as long as `retry` says is admitted, and over any stretch of time no more is
admitted than the limit allows.
"""

import time

import pytest

WINDOW_MS = 400
COUNT = 20
POLICIES = "".join(f"""
[policies.{name}]
algorithm = "{name}"
limits = ["{COUNT}/{WINDOW_MS}ms"]
""" for name in ("gcra", "token_bucket", "sliding_log", "sliding_window", "fixed_window")) + """
[policies.one]
limits = ["1/200ms"]
[policies.burst]
algorithm = "token_bucket"
limits = ["1000/365d"]
burst = 5
[policies.burst_gcra]
limits = ["1000/365d"]
burst = 7
[policies.day]
algorithm = "fixed_window"
limits = ["3/day"]
[policies.month]
algorithm = "sliding_window"
limits = ["3/month"]
[policies.brief]
algorithm = "concurrency"
limit = 2
ttl = "300ms"
[policies.inflight]
algorithm = "concurrency"
limit = 2
ttl = "1h"
"""

ALGORITHMS = ("gcra", "token_bucket", "sliding_log", "sliding_window", "fixed_window")
DAY_MS = 24 * 3600 * 1000


@pytest.fixture(name="client")
def _client(daemon):
    with daemon(POLICIES).line() as client:
        yield client


def first_refusal(client, request):
    """Asks until it is refused; bounded, since a window may end meanwhile."""
    for _ in range(100 * COUNT):
        reply = client.ask(request)
        if not reply.allowed:
            return reply
    raise AssertionError(f"never refused: {request}")


def wait(milliseconds):
    time.sleep(milliseconds / 1000)


@pytest.mark.parametrize("policy", ALGORITHMS)
def test_the_whole_count_is_there_at_once(client, policy):
    reply = client.ask(f"CHECK {policy} whole {COUNT}")
    assert (reply.word, reply.limit, reply.remaining, reply.retry) == ("ALLOW", COUNT, 0, 0)
    assert 0 < reply.reset <= 2 * WINDOW_MS


@pytest.mark.parametrize("units", [1, 5, COUNT])
@pytest.mark.parametrize("policy", ALGORITHMS)
def test_who_waits_as_long_as_retry_says_is_admitted(client, policy, units):
    refused = first_refusal(client, f"CHECK {policy} patient {units}")
    assert 0 < refused.retry <= 2 * WINDOW_MS
    wait(refused.retry)
    assert client.ask(f"CHECK {policy} patient {units}").allowed


@pytest.mark.parametrize("policy", ALGORITHMS)
def test_all_is_back_after_the_reset_that_was_told(client, policy):
    reset = first_refusal(client, f"CHECK {policy} whole").reset
    assert 0 < reset <= 2 * WINDOW_MS
    wait(reset)
    assert client.ask(f"PEEK {policy} whole").values == [COUNT, COUNT, 0, "local"]


@pytest.mark.parametrize("policy", ALGORITHMS)
def test_hammering_admits_no_more_than_the_limit(client, policy):
    begin, admitted, windows = time.monotonic(), 0, 0.0
    while windows < 2.5:
        replies = client.ask_all([f"CHECK {policy} hammered"] * 50)
        admitted += sum(reply.allowed for reply in replies)
        windows = (time.monotonic() - begin) * 1000 / WINDOW_MS
    most = {"sliding_log": (int(windows) + 1) * COUNT, "fixed_window": (int(windows) + 2) * COUNT}
    assert COUNT <= admitted <= most.get(policy, int((windows + 1) * COUNT) + 1)


def test_hammering_a_sliding_window_admits_no_more_than_twice_its_count_over_two_edges(client):
    """The weighted counter is an estimate; what it never does is forget the last window at once."""
    begin = time.monotonic()
    admitted = 0
    while (passed := time.monotonic() - begin) < WINDOW_MS / 1000:
        replies = client.ask_all(["CHECK sliding_window edge"] * 20)
        admitted += sum(reply.allowed for reply in replies)
    assert admitted <= COUNT * (int(passed * 1000 / WINDOW_MS) + 2)


@pytest.mark.parametrize("policy", ["gcra", "token_bucket"])
def test_units_come_back_one_by_one(client, policy):
    client.ask(f"CHECK {policy} trickle {COUNT}")
    refused = first_refusal(client, f"CHECK {policy} trickle")
    assert refused.retry <= WINDOW_MS // COUNT + 1


def test_a_burst_is_what_can_be_used_at_once(client):
    for policy, burst in (("burst", 5), ("burst_gcra", 7)):
        assert client.ask(f"CHECK {policy} a {burst + 1}").retry == -1
        assert client.ask(f"CHECK {policy} a {burst}").values[:3] == [burst, 0, 0]
        assert not client.ask(f"CHECK {policy} a").allowed


def test_calendar_windows_end_with_the_day_and_the_month(client):
    client.ask("CHECK day a 3")
    refused = client.ask("CHECK day a")
    assert not refused.allowed
    until_midnight = DAY_MS - time.time() * 1000 % DAY_MS
    assert abs(refused.retry - until_midnight) < 5000
    client.ask("CHECK month a 3")
    assert 0 < client.ask("CHECK month a").retry <= 62 * DAY_MS


def test_what_comes_after_a_pause_is_decided_by_the_time_after_it(daemon):
    """Whatever the daemon looked after by itself in the pause, once a second."""
    client = daemon(POLICIES, workers=1).line()
    for number in range(8):
        assert client.ask(f"CHECK one paused{number}").allowed
        wait(300)
        first, *_ = client.ask_all([f"CHECK one paused{number}"] * 200)
        assert first.allowed, "decided by a time before the pause was over"


# -- after the fact


@pytest.mark.parametrize("policy", ALGORITHMS)
def test_refund_makes_room_at_once(client, policy):
    client.ask(f"CHECK {policy} refunded {COUNT}")
    remaining = client.ask(f"REFUND {policy} refunded {COUNT}").values[0]
    assert remaining == COUNT
    assert client.ask(f"CHECK {policy} refunded {COUNT}").allowed


@pytest.mark.parametrize("policy", ALGORITHMS)
def test_a_debt_is_waited_out_as_long_as_retry_says(client, policy):
    assert client.ask(f"CHARGE {policy} debtor {COUNT * 3 // 2}").values[0] < 0
    refused = client.ask(f"CHECK {policy} debtor")
    assert not refused.allowed and refused.remaining < 0
    assert 0 < refused.retry <= 3 * WINDOW_MS
    wait(refused.retry)
    assert client.ask(f"CHECK {policy} debtor").allowed


@pytest.mark.parametrize("policy", ALGORITHMS)
def test_reset_forgets_a_debt(client, policy):
    client.ask(f"CHARGE {policy} forgiven 1000000")
    assert client.ask(f"RESET {policy} forgiven").line == "OK"
    assert client.ask(f"CHECK {policy} forgiven {COUNT}").allowed


# -- tickets


def test_a_ticket_that_is_not_released_returns_by_itself(client):
    held = [client.ask("ACQUIRE brief job"), client.ask("ACQUIRE brief job")]
    refused = client.ask("ACQUIRE brief job")
    assert not refused.allowed and 0 < refused.retry <= 300
    wait(refused.retry)
    assert client.ask("ACQUIRE brief job").allowed
    client.ask(f"RELEASE brief job {held[0].ticket}")  # it had lapsed: this must free nothing more
    wait(1)
    used = 2 - client.ask("PEEK brief job").values[1]
    assert 1 <= used <= 2


def test_a_ttl_in_the_request_goes_before_that_of_the_policy(client):
    for ttl in ("200ms", "200"):
        assert client.ask(f"ACQUIRE inflight job-{ttl} 2 {ttl}").reset <= 200
        refused = client.ask(f"ACQUIRE inflight job-{ttl}")
        assert not refused.allowed and 0 < refused.retry <= 200
        wait(refused.retry)
        longer = client.ask(f"ACQUIRE inflight job-{ttl} 2 2h")
        assert longer.allowed and 7_000_000 < longer.reset <= 7_200_000
    for bad in ("0", "-1", "soon", "1x", "99999999999999999999", '""'):
        assert client.ask(f"ACQUIRE inflight job 1 {bad}").code == "BADREQ", bad


def test_release_makes_room_at_once(client):
    held = client.ask("ACQUIRE inflight room 2")
    assert not client.ask("ACQUIRE inflight room").allowed
    assert client.ask(f"RELEASE inflight room {held.ticket}").values == [2]
    assert client.ask("ACQUIRE inflight room 2").allowed
