"""`tollkeeper top`: what it shows, that it fits, and that it leaves the terminal as it was."""

import os
import re
import signal

import pytest

from support import binaries
from support.terminal import ALTERNATE, Terminal
from support.waiting import eventually

POLICIES = """
[policies.api]
limits = ["100/365d"]
[policies.login]
limits = ["1000000/365d"]
"""

# One screen is what is between two of these.
HOME = "\x1b[H"
LINE = re.compile(r"\x1b\[(\d+);1H([^\x1b]*)\x1b\[K")
DONE, WRONG, NO_DAEMON = 0, 2, 3


@pytest.fixture(name="tolls", scope="module")
def _tolls(shared_daemon):
    return shared_daemon(POLICIES)


@pytest.fixture(name="top")
def _top(tolls):
    terminals = []

    def start(rows=24, columns=80, interval="50ms"):
        terminals.append(Terminal([binaries.TOLLKEEPER, "--socket", tolls.socket, "top",
                                   "--interval", interval], rows, columns))
        return terminals[-1]
    yield start
    for each in terminals:
        each.close()


def screen(terminal, has, within=10.0):
    """The lines, by number, of the first whole screen from now on that has the text."""
    pattern = re.compile(re.escape(HOME) + r"((?:(?!" + re.escape(HOME) + r").)*"
                         + re.escape(has) + r"(?:(?!" + re.escape(HOME) + r").)*)"
                         + re.escape(HOME), re.DOTALL)
    found = terminal.shows(pattern, within)
    return {int(number): text for number, text in LINE.findall(found[1])}


def ask_much(tolls, count=64):
    with tolls.line() as client:
        client.ask_all([f"CHECK login user{n % 7}" for n in range(count)]
                       + ["CHECK api hot"] * count)


def test_once_says_it_as_plain_text(tolls):
    done = tolls.tollkeeper("top", "--once", "--interval", "20ms")
    assert (done.returncode, done.stderr) == (DONE, "")
    assert "\x1b" not in done.stdout
    lines = done.stdout.splitlines()
    assert re.match(r"tollkeeper \d+\.\d+\.\d+\S*  ready  up \d+s  workers 2 on \w+  clients \d+  "
                    r"hosts 1$", lines[0])
    for text in ("requests ", "by source  redis ", "redis off", "journal ready ", "keys ",
                 "worker ", "policy ", "hot id "):
        assert any(text in line for line in lines), f"{text}: {done.stdout}"
    assert all(len(line) <= 80 for line in lines)
    plain = tolls.tollkeeper("top", "--interval", "20ms")
    assert plain.stdout.startswith(lines[0].split("  up")[0]), "no terminal: once as well"


def test_it_shows_what_happens_and_q_leaves(tolls, top):
    terminal = top(interval="200ms")
    terminal.shows(re.compile(re.escape(ALTERNATE)))

    def busy():
        ask_much(tolls)
        lines = screen(terminal, "requests/s")
        terminal.seen = HOME + terminal.seen.rpartition(HOME)[2]
        return lines if any(re.match(r"login +[1-9]", line) for line in lines.values()) else None
    lines = eventually(busy, "the policy that is asked for is on the screen", within=20)
    assert list(lines) == list(range(1, len(lines) + 1)) and len(lines) <= 24
    assert all(len(line) <= 80 and line.isprintable() for line in lines.values())
    text = "  ".join(line.strip() for line in lines.values())
    assert re.search(r"  requests [1-9]\S*/s  allowed [1-9].*  latency  p50 <=\d+\S+  p99 <=\d",
                     text)
    assert re.search(r"  by source.* local [1-9]\S*/s  ", text)
    assert any(re.match(r"[01] +\d", line) for line in lines.values()), "the workers"
    terminal.type("q")
    assert terminal.ended() == DONE
    assert terminal.restored(), repr(terminal.seen[-200:])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP],
                         ids=lambda number: number.name)
def test_a_signal_leaves_the_terminal_as_it_was(top, number):
    terminal = top()
    screen(terminal, "worker")
    os.kill(terminal.process.pid, number)
    assert terminal.ended() == 128 + number
    assert terminal.restored(), repr(terminal.seen[-200:])


def test_control_c_and_control_d_leave(top):
    for key, status in (("\x03", 128 + signal.SIGINT), ("\x04", DONE)):
        terminal = top()
        screen(terminal, "worker")
        terminal.type(key)
        assert terminal.ended() == status
        assert terminal.restored()


def test_stopped_by_control_z_it_gives_the_terminal_back_and_takes_it_again(top):
    terminal = top()
    screen(terminal, "worker")
    terminal.seen = ""
    terminal.type("\x1a")
    pid = terminal.process.pid

    def state():
        with open(f"/proc/{pid}/stat", encoding="utf-8") as status:
            return status.read().rpartition(")")[2].split()[0]

    def stopped():
        terminal.read_some(0)
        return state() == "T"
    eventually(stopped, "it stops")
    while terminal.read_some(0):
        pass
    assert terminal.restored()
    os.kill(pid, signal.SIGCONT)
    screen(terminal, "worker")
    terminal.type("q")
    assert terminal.ended() == DONE and terminal.restored()


def test_it_follows_the_size_of_the_terminal(top):
    terminal = top(rows=24, columns=80, interval="30s")
    screen_24 = terminal.shows(re.compile(r"\x1b\[J"))
    assert screen_24
    for rows, columns in ((40, 132), (10, 40), (3, 20), (1, 1), (2, 200), (24, 80)):
        terminal.resize(rows, columns)
        first = terminal.shows(LINE)
        assert first[1] == "1"
        while terminal.read_some(0.05):
            pass
        lines = LINE.findall(terminal.seen[terminal.seen.rindex(HOME):])
        assert 1 <= len(lines) <= rows
        assert all(len(text) <= columns for _, text in lines)
    terminal.type("q")
    assert terminal.ended() == DONE and terminal.restored()


def test_a_daemon_that_goes_is_said_and_its_return_too(daemon):
    one = daemon(POLICIES)
    with Terminal([binaries.TOLLKEEPER, "--socket", one.socket, "top", "--interval", "50ms"]) as at:
        screen(at, "ready")
        one.stop()
        screen(at, "no daemon answers")
        one.start()
        at.seen = ""
        screen(at, "ready")
        at.type("q")
        assert at.ended() == DONE and at.restored()


def test_nobody_there_or_wrong_words(place, tolls):
    terminal = Terminal([binaries.TOLLKEEPER, "--socket", str(place / "no.sock"), "top"])
    with terminal:
        assert terminal.ended() == NO_DAEMON
        assert ALTERNATE not in terminal.seen and "no daemon answers" in terminal.seen
    for words in (("now",), ("--interval",), ("--interval", "0ms"), ("--interval", "2h")):
        done = tolls.tollkeeper("top", *words)
        assert done.returncode == WRONG and "interval" in done.stderr
