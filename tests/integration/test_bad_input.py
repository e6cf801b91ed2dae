"""Bad input gets a clear error or an end, harms nobody else, and is charged nothing."""

import random

import pytest

from support import binaries
from support.crowd import send_in_background
from support.line import quoted
from support.process import resident_bytes
from support.resp import Error, encode, plain

POLICIES = """
[policies.once]
limits = ["10/365d"]
[policies.window]
algorithm = "fixed_window"
limits = ["10/365d"]
[policies.inflight]
algorithm = "concurrency"
limit = 4
"""

MAX_LINE = 4096
SEED = 7

BAD_UNITS = ("0", "-1", "2147483648", "-2147483648", "4294967297", "9223372036854775808",
             "18446744073709551617", "99999999999999999999999999", "1.5", "1e3", "0x10", "one",
             "1x", '""', "--1")
WRONG_ARITY = ("CHECK", "CHECK once", "CHECK once a 1 once", "CHECK once a 1 once b", "PEEK",
               "PEEK once", "REFUND once a", "REFUND once a 1 1", "CHARGE once a",
               "CHARGE once a 1 1",
               "RESET once", "RESET once a b", "ACQUIRE inflight", "ACQUIRE inflight a 1 1 1",
               "RELEASE inflight a", "RELEASE inflight a t t", "LEVEL", "LEVEL info info",
               "RELOAD now", "DRAIN now", "VERSION 1", "POLICIES all", "HELP CHECK PEEK")


@pytest.fixture(scope="module", name="tolls")
def _tolls(shared_daemon):
    return shared_daemon(POLICIES, server={"max_line": f"{MAX_LINE}B"})


@pytest.fixture(name="line")
def _line(tolls):
    """A client; after the test another one must still be served."""
    with tolls.line() as client:
        yield client
    with tolls.line() as other:
        assert other.ask("PING").line == "OK pong"


@pytest.fixture(name="resp")
def _resp(tolls):
    with tolls.raw_resp() as client:
        yield client
    with tolls.line() as other:
        assert other.ask("PING").line == "OK pong"


# -- words


@pytest.mark.parametrize("units", BAD_UNITS)
def test_units_are_whole_numbers_from_1_to_2147483647(line, resp, units):
    for request in (f"CHECK once units {units}", f"CHECK once units {units} once more 1",
                    f"REFUND once units {units}", f"CHARGE once units {units}",
                    f"ACQUIRE inflight units {units}"):
        assert line.ask(request).code == "BADREQ", request
    assert resp.ask("CHECK", "once", "units", units.strip('"')).code == "BADREQ"
    assert line.ask("PEEK once units more").rows == [[10, 10, 0, "local"]] * 2


def test_the_most_units_are_accepted_and_a_debt_has_a_floor(line):
    assert line.ask("CHECK window most 2147483647").retry == -1
    assert line.ask("CHARGE window most 2147483647").values == [10 - 2147483647]
    for policy in ("window", "once"):
        debts = [line.ask(f"CHARGE {policy} most 2147483647").values[0] for _ in range(10)]
        assert debts == sorted(debts, reverse=True) and -2147483647 <= debts[-1] < debts[0] + 1 <= 0
        refunds = [line.ask(f"REFUND {policy} most 2147483647").values[0] for _ in range(3)]
        assert refunds[-1] == 10


def test_ids_are_1_to_512_bytes(line, resp):
    for bad in (b'""', b"x" * 513, quoted(b"\x00" * 513)):
        assert line.ask(b"CHECK once " + bad).code == "BADREQ"
        assert line.ask(b"PEEK once fine " + bad).code == "BADREQ"
        assert line.ask(b"RESET once " + bad).code == "BADREQ"
    assert line.ask(b"CHECK once " + b"x" * 512).remaining == 9
    assert line.ask(b"CHECK once " + quoted(b"\x00" * 512)).remaining == 9
    assert line.ask(b"CHECK once " + quoted(b"\x00" * 511)).remaining == 9
    assert resp.ask("CHECK", "once", b"").code == "BADREQ"
    assert resp.ask("CHECK", "once", b"x" * 513).code == "BADREQ"
    assert plain(resp.ask("CHECK", "once", b"x" * 512))[2] == 8


@pytest.mark.parametrize("request_line", WRONG_ARITY)
def test_wrong_arity_is_badreq(line, resp, request_line):
    assert line.ask(request_line).code == "BADREQ"
    assert resp.ask(*request_line.split()).code == "BADREQ"


def test_unknown_policies_and_verbs_are_named_so(line):
    for verb in ("CHECK nosuch a", "PEEK nosuch a", "PEEK nosuch a b", "REFUND nosuch a 1",
                 "CHARGE nosuch a 1", "RESET nosuch a", "ACQUIRE nosuch a", "RELEASE nosuch a 1",
                 'CHECK "" a', "CHECK " + "n" * 600 + " a"):
        assert line.ask(verb).code == "NOPOLICY", verb
    for verb in ("FLY", "CHECKS once a", "CHEC once a", '""', '"CHECK "', "\x01", "GET a", "ALLOW"):
        assert line.ask(verb).code == "UNKNOWN", verb


@pytest.mark.parametrize("bad", ['CHECK once "open', 'CHECK once "a"b', 'CHECK once "\\q"',
                                 'CHECK once "\\x4"', 'CHECK once "\\xzz"',
                                 'CHECK once "a\\"', '"'])
def test_a_bad_quote_is_badreq_and_the_next_line_is_read(line, bad):
    line.send(bad, "PING")
    assert line.read_reply().code == "BADREQ"
    assert line.read_reply().line == "OK pong"


def test_error_messages_never_break_a_line(line):
    for odd in (b"CHECK once a \x00", quoted(b"NO\nSUCH\r\nVERB"),
                b"CHECK " + quoted(b"no\npolicy") + b" a", b"HELP " + quoted(b"\n\n"),
                b"LEVEL " + quoted(b"x\ny")):
        assert line.ask(odd).word == "ERR"
        assert line.ask("PING").line == "OK pong", f"out of step after {odd}"


# -- lines


def test_a_line_of_max_line_is_read_and_one_byte_more_is_too_long(tolls, line):
    longest = b"PING" + b" " * (MAX_LINE - 5) + b"\n"
    assert len(longest) == MAX_LINE
    line.send_raw(longest)
    assert line.read_reply().line == "OK pong"
    with tolls.line() as other:
        other.send_raw(b"PING" + b" " * MAX_LINE + b"\nPING\n")
        assert other.read_reply().code == "TOOLONG"
        assert other.closed_by_daemon()


def test_a_line_without_end_is_too_long_and_closed(tolls):
    for piece in (b"x", b'"' + b"x", b"a "):
        with tolls.line() as client:
            client.send_raw(b"PING\n" + piece * (2 * MAX_LINE))
            assert client.read_reply().line == "OK pong"
            assert client.read_reply().code == "TOOLONG"
            assert client.closed_by_daemon()


def test_more_words_than_a_request_may_have_are_badreq(tolls, daemon):
    del tolls
    client = daemon(POLICIES).line()
    assert client.ask("PEEK once" + " x" * 20_000).code == "BADREQ"
    assert client.ask("PING").line == "OK pong"


@pytest.mark.bound(60)
def test_a_million_empty_lines_are_nothing(daemon, backend):
    one = daemon(POLICIES, backend=backend)
    before = resident_bytes(one.pid)
    for end in (b"\n", b"\r\n", b"  \t \n"):
        with one.line() as client:
            sender = send_in_background(client, end * 1_000_000 + b"PING\n")
            assert client.read_reply().line == "OK pong"
            sender.join(timeout=5)
    # A sanitizer keeps what was freed for a while.
    assert resident_bytes(one.pid) - before < (64 if binaries.sanitized() else 16) << 20


@pytest.mark.bound(60)
def test_binary_noise_is_answered_or_ended(daemon, backend):
    """Whatever comes: replies are whole lines, or the connection ends; the daemon lives."""
    one = daemon(POLICIES, backend=backend)
    generator = random.Random(SEED)
    for turn in range(300):
        noise = generator.randbytes(generator.randint(1, 3000)).replace(b"*", b"+")
        with one.line() as client:
            client.send_raw(noise + b"\n")
            client.no_more_requests()
            for reply in client.read_to_end():
                assert reply.word in ("ERR", "OK", "LIST"), f"seed {SEED} turn {turn}: {reply}"
        with one.raw_resp() as client:
            try:
                client.send_raw(b"*" + noise)
                client.socket.shutdown(1)
                client.socket.recv(1 << 16)
            except (BrokenPipeError, ConnectionResetError):
                pass  # ended before it had all
    assert one.line().ask("PING").line == "OK pong"


def test_half_of_a_line_at_the_end_is_dropped(line):
    line.send_raw(b"CHECK once half 3\nCHECK once half 1")
    line.no_more_requests()
    words = [reply.word for reply in line.read_to_end()]
    assert words in (["ALLOW"], ["ALLOW", "ERR"])


# -- RESP


@pytest.mark.parametrize("data", [
    b"*2147483648\r\n", b"*2147483647\r\n", b"*4294967297\r\n", b"*18446744073709551617\r\n",
    b"*1048576\r\n$4\r\nPING\r\n", b"*-2\r\n", b"*-2147483648\r\n", b"*x\r\n", b"*\r\n", b"*1 \r\n",
    b"*1\r\n$-1\r\n", b"*1\r\n$-5\r\nPING\r\n", b"*1\r\n$2147483648\r\n",
    b"*1\r\n$4294967300\r\nPING\r\n",
    b"*1\r\n$99999999999999999999\r\n", b"*1\r\n$x\r\n", b"*1\r\n$\r\n\r\n", b"*1\r\n:1\r\n",
    b"*1\r\n+PING\r\n", b"*1\r\n*1\r\n$4\r\nPING\r\n", b"*1\r\nPING\r\n", b"*1\n$4\nPING\n",
    b"*1\r\n$4\r\nPINGPONG\r\n", b"*1\r\n$3\r\nPING\r\n", b"*2\r\n$4\r\nPING*1\r\n",
    b"*" + b"1" * 5000, b"*1\r\n$" + b"0" * 5000], ids=lambda data: repr(data[:24]))
def test_a_resp_framing_error_is_told_and_ends_the_connection(resp, data):
    resp.send_raw(encode("PING") + data)
    assert plain(resp.read_reply()) == "PONG"
    told = resp.read_reply()
    assert isinstance(told, Error) and told.code in ("BADREQ", "TOOLONG")
    assert resp.closed_by_daemon()


def test_a_resp_request_over_max_line_is_too_long(tolls):
    for data in (b"*1\r\n$%d\r\n" % (2 * MAX_LINE), encode("ECHO", "x" * 2 * MAX_LINE),
                 encode("PEEK", "once", *["x" * 100] * 60)):
        with tolls.raw_resp() as client:
            client.send_raw(data)
            assert client.read_reply().code == "TOOLONG"
            assert client.closed_by_daemon()


def test_empty_resp_arrays_are_nothing(resp):
    resp.send_raw(b"*0\r\n" * 1000 + encode("PING"))
    assert plain(resp.read_reply()) == "PONG"


def test_an_empty_resp_verb_is_unknown(resp):
    assert resp.ask(b"").code in ("UNKNOWN", "ERR", "BADREQ")
    assert plain(resp.ask("PING")) == "PONG"
