"""Waiting for a state that can be observed, with a bound."""

import time

from support.binaries import patience

FIRST_PAUSE = 0.0001
LONGEST_PAUSE = 0.01


def eventually(condition, what, within=5.0):
    """Asks until `condition()` is true and returns what it gave; at last fails, naming `what`."""
    deadline = time.monotonic() + within * patience()
    pause = FIRST_PAUSE
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within * patience():.0f} s: {what}")
        time.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE)
