"""The simulator finds broken promises: else that it finds none means nothing."""

import os
import re
import signal
import subprocess

import pytest

FLAWED = os.environ["TOLLKEEPER_SIM_FLAWED"]

# Each is found within so many seeds of 5000 steps; most within two or three.
SEEDS_MOST = 60
FLAWS = {
    "admits-refused": "promise 1",
    "charges-nobody": "promise|liveness",
    "splits-groups": "promise 2",
    "waits-for-store": "promise 3",
    "ignores-share": "promise 5",
    "claims-redis": "promise [17]",
    "remembers-too-long": "promise 7",
    "deaf-to-news": "promise 7",
    "out-of-order": "order",
    "forgets-lost-calls": "liveness",
    "breaker-stays-open": "liveness",
    "skips-sync": "promise [48]",  # what a power cut damaged lies there beside the rest
    "acks-before-commit": "promise 4",
    "mark-off-by-one": "promise 4",
    "releases-early": "promise 4",
    "renumbers-retry": "promise 4",
    "drops-lost-charges": "promise 4",
    "spends-aged": "promise 1",
    "returns-used": "promise 1",
    "trusts-lost-lease": "promise 1|order",
    "acks-records-first": "promise 6",
    "forgets-unsure-push": "promise 6",
    "overtakes-spill": "promise 6, order",
    "drops-uncounted": "promise 6",
    "drops-from-disk-uncounted": "promise 6|liveness",
    "removes-taken": "promise 6|liveness",
    "forgets-undelivered": "promise 6",
    "forgets-lost-take": "promise 6",
    "leaves-orphans": "promise 6",
    "drains-ahead": "promise 6",
    "overfills-disk": "promise 8",
}


def run(*arguments):
    done = subprocess.run([FLAWED, *map(str, arguments)], capture_output=True, text=True,
                          timeout=900, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("flaw", FLAWS)
def test_a_broken_promise_is_found(flaw):
    # Runs are about log records or about the rest: each finds its own sooner.
    about = "--only-logs" if re.search("promise [68]", FLAWS[flaw]) else "--no-logs"
    code, output = run("--flaw", flaw, "--seed", 1, "--seeds", SEEDS_MOST, "--steps", 5000, about)
    if code == -signal.SIGABRT:
        assert "Assertion" in output  # the daemon's own, which finds it sooner
        return
    assert code == 1, f"{flaw} was not found:\n{output[-2000:]}"
    said = re.search(r"seed \d+ broke a promise: (.*)", output)
    assert said and re.search(FLAWS[flaw], said[1]), output[-2000:]


def test_without_a_flaw_the_same_program_finds_none():
    code, output = run("--seed", 1, "--seeds", 10, "--steps", 5000)
    assert code == 0, output[-20000:]
