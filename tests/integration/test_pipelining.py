"""Replies leave in the order of the requests, whoever decided them and however the bytes came."""

import re

import pytest

from support.crowd import send_in_background
from support.resp import encode

POLICIES = """
[policies.once]
limits = ["10/365d"]
[policies.wide]
limits = ["1000000/365d"]
[policies.inflight]
algorithm = "concurrency"
limit = 4
"""


def test_a_mix_over_many_keys_is_answered_in_order(daemon, shape):
    client = daemon(POLICIES, **shape).line()
    requests, expected = [], []
    for n in range(2000):  # each reply names the units, so that a swapped one is seen
        units = n % 9 + 1
        requests += [f"CHECK once id{n} {units}", f"PEEK once id{n}", "PING",
                     f"CHARGE once id{n} {n + 1}", f"PEEK once id{n} other{n}", "NOSUCH",
                     f"RESET once id{n}", f"CHECK once id{n} {units} once other{n} {10 - units}"]
        expected += [["ALLOW", 10, 10 - units], ["OK", 10, 10 - units], ["OK", "pong"],
                     ["OK", 9 - units - n], ["LIST", 2], ["ERR", "UNKNOWN"], ["OK"],
                     ["ALLOW", 10, min(units, 10 - units)]]
    sender = send_in_background(client, "".join(r + "\n" for r in requests).encode())
    for request, wanted in zip(requests, expected):
        reply = client.read_reply()
        assert [reply.word, *reply.values][:len(wanted)] == wanted, f"to {request}: {reply}"
    sender.join(timeout=5)


def mixed_session(tag):
    """Requests of both framings over many keys, and the bytes of their replies with each long wait
    as R. The ids are fresh with each tag."""
    requests = [b"PING\n", b'CHECK once "%b-q\\x20" 3\r\n' % tag, encode("CHECK", "once", tag, 2),
                b"\n", b"CHECK once %b-a 2 once %b-b 9 once %b-c 1\n" % (tag, tag, tag),
                encode("ECHO", "two\r\nlines"), b"*0\r\n", b"NOSUCH\n",
                b"CHARGE once %b 20\n" % tag,
                encode("REFUND", "once", tag, 13), b"PEEK once %b-z %b-y\n" % (tag, tag), b"PING\n"]
    replies = [b"OK pong\n", b"ALLOW 10 7 0 R local\n",
               b"*6\r\n:1\r\n:10\r\n:8\r\n:0\r\n:R\r\n+local\r\n",
               b"ALLOW 10 1 0 R local 1\n", b"$10\r\ntwo\r\nlines\r\n", b"ERR UNKNOWN\n",
               b"OK -12\n", b":1\r\n", b"LIST 2\n10 10 0 local\n10 10 0 local\n", b"OK pong\n"]
    return b"".join(requests), b"".join(replies)


def mixed_replies(client):
    """What comes up to the second pong, with what may vary made plain."""
    received = b""
    while received.count(b"OK pong\n") < 2:
        part = client.socket.recv(65536)
        assert part, f"closed after {received!r}"
        received += part
    received = re.sub(rb"[0-9]{7,}", b"R", received)
    received = received.replace(b"$5\r\nlocal", b"+local")
    return re.sub(rb"ERR UNKNOWN[^\n]*", b"ERR UNKNOWN", received)


@pytest.mark.bound(60)
def test_requests_split_at_every_byte_are_the_same_requests(daemon, shape):
    one = daemon(POLICIES, **shape)
    length = len(mixed_session(b"0000")[0])
    client = one.line()
    for split in range(1, length):
        requests, replies = mixed_session(b"%04d" % split)
        client.send_raw(requests[:split])
        client.wait_until_received()
        client.send_raw(requests[split:])
        assert mixed_replies(client) == replies, f"split at {split}"


def test_requests_sent_byte_by_byte_are_the_same_requests(daemon, shape):
    client = daemon(POLICIES, **shape).line()
    requests, replies = mixed_session(b"slow")
    for byte in requests:
        client.send_raw(bytes([byte]))
        client.wait_until_received()
    assert mixed_replies(client) == replies


@pytest.mark.bound(60)
def test_a_hundred_thousand_requests_in_one_write(daemon, shape):
    client = daemon(POLICIES, **shape).line(timeout=30)
    count, keys = 100_000, 1000
    requests = b"".join(b"CHECK wide id%d\n" % (n % keys) for n in range(count))
    sender = send_in_background(client, requests)
    for n in range(count):
        line = client.read_line()
        assert line.startswith(b"ALLOW 1000000 %d 0 " % (999_999 - n // keys)), f"{n}: {line}"
    sender.join(timeout=5)
    assert client.ask("PING").line == "OK pong"


def test_a_hundred_thousand_requests_in_one_write_in_resp(daemon, backend):
    client = daemon(POLICIES, backend=backend).raw_resp()
    count, request = 100_000, encode("CHECK", "wide", "id")
    sender = send_in_background(client, request * count)
    remaining = [client.read_reply()[2] for _ in range(count)]
    sender.join(timeout=5)
    assert remaining == list(range(999_999, 999_999 - count, -1))


def test_peek_of_a_thousand_ids_comes_in_order(daemon, shape):
    client = daemon(POLICIES, **shape).line()
    ids = [f"id{n}" for n in range(1000)]
    client.ask_all([f"CHARGE once {id_} {n + 1}" for n, id_ in enumerate(ids)])
    for _ in range(3):
        reply = client.ask("PEEK once " + " ".join(ids))
        assert [row[1] for row in reply.rows] == [9 - n for n in range(1000)]


def test_one_client_gets_its_own_replies_among_many(daemon, shape):
    one = daemon(POLICIES, **shape)
    clients = [one.line() for _ in range(50)]
    for turn in range(20):
        for n, client in enumerate(clients):
            client.send(*(f"CHARGE wide own{n} {n + 1}" for _ in range(10)))
        for n, client in enumerate(clients):
            for request in range(10):
                charged = (n + 1) * (turn * 10 + request + 1)
                assert client.read_reply().values == [1_000_000 - charged]


def test_a_closing_request_leaves_those_before_it_answered(daemon, shape):
    client = daemon(POLICIES, **shape).line()
    client.send(*(f"CHECK wide last{n}" for n in range(1000)), "QUIT", "CHECK wide last0")
    replies = client.read_to_end()
    assert [reply.word for reply in replies] == ["ALLOW"] * 1000 + ["OK"]


@pytest.mark.parametrize("end, last", [(b"QUIT\n", "OK"), (b"x" * 100_000, "ERR"),
                                       (b"*x\r\n", "-BADREQ")],
                         ids=["QUIT", "an endless line", "a framing error"])
def test_a_connection_may_be_ended_by_what_follows_half_a_line(daemon, backend, end, last):
    client = daemon(POLICIES, backend=backend).line()
    client.send_raw(b"CHECK wide ha")
    client.wait_until_received()
    client.send_raw(b"lf\n" + end + b"PING\n")
    assert client.read_reply().word == "ALLOW"
    assert client.read_reply().word == last
    assert client.closed_by_daemon()
