"""An idle daemon sleeps: no wake-ups beyond one timer a second."""

import time

from support.process import voluntary_switches
from support.waiting import eventually

POLICIES = """
[policies.lasting]
limits = ["100/365d"]
"""

SECONDS = 3.0


def wake_ups(one):
    """By thread, how often it went back to sleep during SECONDS."""
    def quiet():
        seen = voluntary_switches(one.pid)
        time.sleep(0.3)
        return voluntary_switches(one.pid) == seen
    eventually(quiet, "what it does at its start is done")
    before = voluntary_switches(one.pid)
    time.sleep(SECONDS)
    after = voluntary_switches(one.pid)
    return {f"{name}/{thread}": count - before.get(thread, (name, 0))[1]
            for thread, (name, count) in after.items()}


def test_an_idle_daemon_with_an_idle_client_wakes_at_most_once_a_second(daemon, shape):
    one = daemon(POLICIES, **shape)
    with one.line() as client:
        assert client.ask("PING").line == "OK pong"
        counted = wake_ups(one)
        assert sum(counted.values()) <= SECONDS + 1, counted
        assert client.ask("PING").line == "OK pong"


def test_a_worker_that_holds_keys_wakes_at_most_once_a_second(daemon, shape):
    """To look for expired ones. Nobody else wakes more often either."""
    one = daemon(POLICIES, **shape)
    with one.line() as client:
        client.ask_all([f"CHECK lasting id{n}" for n in range(1000)])
        counted = wake_ups(one)
        assert max(counted.values()) <= SECONDS + 1, counted
        assert client.ask("PING").line == "OK pong"
