"""Clients that flood, stall, crowd, half-close and die are bounded; the others feel nothing."""

import resource
import time

import pytest

from support import binaries
from support.line import LineClient
from support.process import cpu_seconds, descriptors, resident_bytes
from support.waiting import eventually

POLICIES = """
[policies.once]
limits = ["10/365d"]
[policies.wide]
limits = ["1000000/365d"]
"""

MIB = 1 << 20


def memory_slack():
    """What the process may grow by for reasons that are not a client's."""
    return (128 if binaries.sanitized() else 16) * MIB


def answers(client):
    return client.ask("PING").line == "OK pong"


def flood(client, request, most=64 * MIB, stalled_seconds=0.3):
    """Sends without reading until the daemon takes no more.

    Returns how many whole requests went out, and what is missing of the last."""
    client.socket.setblocking(False)
    batch = request * max(1, 60_000 // len(request))
    sent, last_progress = 0, time.monotonic()
    while time.monotonic() - last_progress < stalled_seconds:
        assert sent < most, f"{sent} bytes were taken from a client that never reads"
        try:
            sent += client.socket.send(batch[sent % len(request):])
            last_progress = time.monotonic()
        except BlockingIOError:
            time.sleep(0.01)
    client.socket.settimeout(15 * binaries.patience())
    complete, begun = divmod(sent, len(request))
    return complete, request[begun:] if begun else b""


# -- never reading


@pytest.mark.parametrize("kind", ["long lists", "short replies"])
def test_a_client_that_never_reads_is_bounded_and_then_served(daemon, shape, kind):
    request = {"long lists": b"PEEK once " + b" ".join(b"id%d" % n for n in range(1000)) + b"\n",
               "short replies": b"CHECK wide id%03d\n" % 7}[kind]
    one = daemon(POLICIES, server={"max_output": "1MiB"}, **shape)
    with one.line() as other, one.line() as silent:
        assert answers(other)
        before = resident_bytes(one.pid)
        complete, rest = flood(silent, request)
        assert resident_bytes(one.pid) - before < MIB + memory_slack()
        for _ in range(100):
            assert answers(other)
        for n in range(complete):
            reply = silent.read_reply()
            if kind == "long lists":
                assert reply.word == "LIST" and len(reply.rows) == 1000
            else:
                assert reply.remaining == 1_000_000 - n - 1
        silent.send_raw(rest + b"PING\n")
        if rest:
            assert silent.read_reply().word in ("LIST", "ALLOW")
        assert silent.read_reply().line == "OK pong"


def test_many_clients_that_never_read_are_bounded_each(daemon, backend):
    one = daemon(POLICIES, backend=backend, server={"max_output": "256KiB"})
    clients = [one.line() for _ in range(20)]
    other = one.line()
    before = resident_bytes(one.pid)
    for client in clients:
        flood(client, b"HELP\n", stalled_seconds=0.05)
    growth = resident_bytes(one.pid) - before
    assert growth < len(clients) * MIB // 4 + len(clients) * MIB // 8 + memory_slack()
    for _ in range(100):
        assert answers(other)
    for client in clients:
        client.close()
    eventually(lambda: answers(one.line()), "new clients are served")


def test_waiting_for_a_stalled_client_burns_no_cpu(daemon, backend):
    one = daemon(POLICIES, backend=backend, server={"max_output": "64KiB"})
    silent, half_closed = one.line(), one.line()
    flood(silent, b"HELP\n")
    flood(half_closed, b"HELP\n")
    half_closed.no_more_requests()
    before, window = cpu_seconds(one.pid), 1.0
    time.sleep(window)
    assert cpu_seconds(one.pid) - before < 0.3 * window


# -- slow


def test_a_client_that_sends_a_byte_at_a_time_holds_up_nobody(daemon, shape):
    one = daemon(POLICIES, **shape)
    with one.line() as slow, one.line() as other:
        for n, byte in enumerate(b"CHECK once slow 4\r\n"):
            slow.send_raw(bytes([byte]))
            slow.wait_until_received()
            assert other.ask("CHECK wide other").remaining == 999_999 - n
        assert slow.read_reply().remaining == 6


# -- half-closed


def test_a_half_closed_client_reads_all_its_replies(daemon, shape):
    one = daemon(POLICIES, **shape)
    clients = [one.line() for _ in range(20)]
    for client in clients:
        client.send(*(f"CHECK wide id{n}" for n in range(1000)))
        client.no_more_requests()
    for client in clients:
        assert [reply.word for reply in client.read_to_end()] == ["ALLOW"] * 1000


def test_a_half_closed_client_that_is_owed_more_than_max_output_reads_all(daemon, shape):
    one = daemon(POLICIES, server={"max_output": "64KiB"}, **shape)
    with one.line() as client:
        complete, rest = flood(client, b"CHECK wide id\n")
        client.no_more_requests()
        replies = client.read_to_end()
    if rest:
        replies = [reply for reply in replies if reply.word == "ALLOW"]
    assert [reply.remaining for reply in replies] == [999_999 - n for n in range(complete)]


# -- dying


def test_a_client_that_dies_with_ten_thousand_requests_in_flight(daemon, shape):
    one = daemon(POLICIES, **shape)
    other = one.line()
    assert answers(other)
    before = descriptors(one.pid)
    for turn in range(5):
        client = one.line()
        client.send_raw(b"".join(b"CHECK wide id%d\n" % (n % 97) for n in range(10_000)))
        client.close()
        assert answers(other), f"after turn {turn}"
    eventually(lambda: descriptors(one.pid) <= before, "the dead clients' descriptors are closed")
    replies = other.ask_all([f"PEEK wide id{n}" for n in range(97)])
    used = sum(reply.values[0] - reply.values[1] for reply in replies)
    assert 0 <= used <= 50_000


# -- many ids


@pytest.mark.bound(60)
def test_a_flood_of_new_ids_stays_in_its_budget_and_frees_nobody_who_is_refused(daemon, shape):
    budget, flood_ids, refused_ids = 8 * MIB, 300_000, 200
    one = daemon(POLICIES, server={"memory": "8MiB"}, **shape)
    with one.line() as client, one.line() as flooding:
        for n in range(refused_ids):
            assert client.ask(f"CHECK once refused{n} 10").allowed
            assert not client.ask(f"CHECK once refused{n}").allowed
        before = resident_bytes(one.pid)
        for start in range(0, flood_ids, 1000):
            replies = flooding.ask_all([f"CHECK once new{start + n}" for n in range(1000)])
            assert {reply.word for reply in replies} <= {"ALLOW", "ERR"}
        assert resident_bytes(one.pid) - before < budget + memory_slack()
        assert dict(client.ask("STATS").rows)["key_bytes"] <= budget
        replies = client.ask_all([f"CHECK once refused{n}" for n in range(refused_ids)])
        assert [reply.word for reply in replies] == ["DENY"] * refused_ids


# -- many clients


def raise_own_descriptors(wanted):
    """As many descriptors for this process as may be had, up to `wanted`; returns how many."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = min(wanted, hard)
    if soft < limit:
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    return max(soft, limit)


@pytest.mark.bound(60)
def test_past_max_clients_one_is_told_busy_and_the_others_feel_nothing(daemon, backend):
    room = raise_own_descriptors(20_500) - 500
    connects = min(20_000, room)
    max_clients = connects // 2
    assert max_clients >= 500, f"only {room} descriptors: too few for this test"
    one = daemon(POLICIES, backend=backend, workers=3, server={"max_clients": max_clients})
    first = one.line()
    assert answers(first)
    clients = [first] + [one.line() for _ in range(max_clients - 1)]
    for client in clients[:: max_clients // 100] + [clients[-1]]:
        assert answers(client)
    for _ in range(connects - max_clients):
        with one.line() as refused:
            assert refused.read_reply().code == "BUSY"
            assert refused.closed_by_daemon()
    for client in clients[:: max_clients // 100]:
        assert answers(client)
    for client in clients[1:]:
        client.close()
    eventually(lambda: accepted(one), "clients are accepted again")
    assert answers(first)


def accepted(one):
    """Whether a new client is served and not told BUSY."""
    with one.line() as client:
        try:
            client.send("PING")
        except (BrokenPipeError, ConnectionResetError):
            return False
        return client.read_reply().word == "OK"


def test_few_file_descriptors_refuse_the_surplus_and_serve_the_rest(daemon, backend):
    one = daemon(POLICIES, backend=backend, open_files=256)
    clients = [LineClient(one.socket, 10) for _ in range(400)]
    served = []
    for client in clients:
        try:
            client.send("PING")
        except (BrokenPipeError, ConnectionResetError):
            pass  # refused already; the reason can still be read
        reply = client.read_reply()
        if reply.word == "OK":
            served.append(client)
        else:
            assert reply.code == "BUSY"
    assert 16 <= len(served) < 400
    before, window = cpu_seconds(one.pid), 0.5
    time.sleep(window)
    assert cpu_seconds(one.pid) - before < 0.3 * window, "accepting spins without descriptors"
    assert all(answers(client) for client in served)
    for client in clients:
        client.close()
    eventually(lambda: accepted(one), "clients are accepted again")


@pytest.mark.bound(60)
def test_five_hundred_clients_at_once_count_as_one(daemon, shape):
    one = daemon(POLICIES, **shape)
    clients = [one.line() for _ in range(500)]
    for client in clients:
        client.send("CHECK once shared", "CHECK wide shared")
    replies = [(client.read_reply(), client.read_reply()) for client in clients]
    assert sum(once.allowed for once, _ in replies) == 10
    assert sorted(wide.remaining for _, wide in replies) == list(range(999_500, 1_000_000))


def test_connections_that_come_and_go_leave_nothing_behind(daemon, shape):
    one = daemon(POLICIES, **shape)
    staying = one.line()
    assert answers(staying)
    before_descriptors, before_bytes = descriptors(one.pid), None
    for n in range(3000):
        if n == 500:  # pools have their size by then
            before_bytes = resident_bytes(one.pid)
        with one.line() as client:
            if n % 3:
                client.send("PING")
            if n % 3 == 2:
                assert client.read_reply().line == "OK pong"
    eventually(lambda: descriptors(one.pid) <= before_descriptors, "descriptors are closed")
    assert resident_bytes(one.pid) - before_bytes < memory_slack() // 2
    assert answers(staying)
