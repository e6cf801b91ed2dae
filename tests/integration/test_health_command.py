"""`tollkeeper health`: exit statuses for checks, and waiting until a daemon is ready."""

import json
import signal
import subprocess
import threading

import pytest

from support import binaries
from support.store import gone, joined, table
from support.waiting import eventually

POLICIES = """
[policies.api]
limits = ["10/365d"]
"""

READY, DEGRADED, DOWN, WRONG = 0, 1, 2, 3


def health(path, *words, before=()):
    """The finished process, of a socket where there may be nobody."""
    return subprocess.run([binaries.TOLLKEEPER, "--socket", path, *before, "health", *words],
                          capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
                          timeout=30 * binaries.patience(), env=binaries.clean_environment())


def test_ready_is_0_and_says_what_health_says(daemon):
    one = daemon(POLICIES)
    done = one.tollkeeper("health")
    assert (done.returncode, done.stderr) == (READY, "")
    assert done.stdout.startswith("OK ready redis=off ")
    told = json.loads(one.tollkeeper("--json", "health").stdout)
    assert told["result"] == "ok" and told["values"][0] == "ready"
    assert one.tollkeeper("health", "--wait").returncode == READY


def test_degraded_is_1_where_the_verb_itself_exits_0(daemon, redis):
    one = joined(daemon(table(redis.url()) + POLICIES))
    assert one.tollkeeper("health").returncode == READY
    redis.kill()
    gone(one)
    done = one.tollkeeper("health")
    assert done.returncode == DEGRADED and done.stdout.startswith("OK degraded redis=")
    assert one.tollkeeper("HEALTH").returncode == 0, "a reply came, and that is all it says"
    waited = one.tollkeeper("health", "--wait", "200ms")
    assert waited.returncode == DEGRADED, "what it is when the wait is over"
    assert waited.stdout.count("\n") == 1, "said once"


def test_nobody_there_is_2(place):
    for words in ((), ("--wait", "100ms")):
        done = health(place / "nosuch.sock", *words)
        assert (done.returncode, done.stdout) == (DOWN, "")
        assert "nosuch.sock" in done.stderr


def test_one_that_hangs_is_2(daemon):
    one = daemon(POLICIES)
    one.send_signal(signal.SIGSTOP)
    try:
        done = health(one.socket, before=("--timeout", "200ms"))
        assert done.returncode == DOWN and done.stderr
        assert health(one.socket, "--wait", "200ms").returncode == DOWN
    finally:
        one.send_signal(signal.SIGCONT)
    eventually(lambda: one.tollkeeper("health").returncode == READY, "it goes on")


def test_one_that_ends_is_2(daemon):
    one = daemon(POLICIES, server={"max_output": "64KiB"})
    with one.line() as held, one.line() as other:
        # Replies that are not read keep the daemon from ending at once.
        held.send_raw(b"HELP\n" * 2_000)
        assert other.ask("HEALTH").line.startswith("OK ready")
        one.send_signal(signal.SIGTERM)
        eventually(lambda: health(one.socket).returncode == DOWN, "it is down")
    assert one.wait() == 0


def test_wait_ends_when_the_daemon_is_ready(daemon, redis):
    redis.pause()
    one = daemon(table(redis.url(), health_interval="50ms") + POLICIES)
    assert one.tollkeeper("health").returncode == DEGRADED
    done = []
    waiting = threading.Thread(target=lambda: done.append(one.tollkeeper("health", "--wait")))
    waiting.start()
    redis.resume()
    waiting.join(timeout=30 * binaries.patience())
    assert done[0].returncode == READY and done[0].stdout.startswith("OK ready redis=up ")


@pytest.mark.parametrize("words", [("--wait", "soon"), ("--wait", "2d"), ("now",),
                                   ("--wait", "1s", "2s")])
def test_a_wrong_command_line_is_3(place, words):
    done = health(place / "nosuch.sock", *words)
    assert done.returncode == WRONG and "wait" in done.stderr
