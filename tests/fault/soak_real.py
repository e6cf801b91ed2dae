"""Runs of everything, one after the other, until a promise is broken or somebody stops it.

    soak_real.py [--seconds N] [--profile NAME] [--verbose]

The seed comes first: TOLL_SEED=<that> begins with the same faults in the same order. Each run is a
fleet of its own and some rounds; its seed is the one before plus one. Every few seconds a line says
how far it is. Ends with 0 when the time is over or on Ctrl-C, at the first violation with 1.
"""

import argparse
import collections
import sys
import threading
import time

import fleet_run

ROUNDS = 4  # of one fleet
LINE_EVERY_S = 5.0


class Soak:
    def __init__(self, seed, profile, verbose):
        self._seed = seed
        self._profile = profile
        self._tell = self._say if verbose else lambda text: None
        self._began = time.monotonic()
        self._over = threading.Event()
        self._run = None
        self._fired = collections.Counter()
        self._requests = 0
        self._rounds = 0
        self._violations = 0

    def go(self, seconds):
        threading.Thread(target=self._live, daemon=True).start()
        ends = self._began + seconds if seconds else float("inf")
        try:
            while time.monotonic() < ends:
                self._go_once(ends)
                self._seed += 1
        except KeyboardInterrupt:
            self._say("stopped")
        except fleet_run.Violation as violation:
            self._violations += 1
            self._say(str(violation))
        finally:
            self._over.set()
        self._say(self._figures())
        return 1 if self._violations else 0

    def _go_once(self, ends):
        with fleet_run.FleetRun(self._seed, self._profile, self._tell) as run:
            self._run = run
            while run.rounds < ROUNDS and time.monotonic() < ends:
                run.round()
        self._settle_accounts()

    def _settle_accounts(self):
        run, self._run = self._run, None
        if run is not None:
            self._fired += run.fired
            self._requests += run.requests
            self._rounds += run.rounds

    def _live(self):
        while not self._over.wait(LINE_EVERY_S):
            self._say(self._figures())

    def _figures(self):
        run = self._run
        fired = self._fired + (run.fired if run else collections.Counter())
        kinds = ", ".join(f"{count} {name}" for name, count in sorted(fired.items()))
        return (f"{time.monotonic() - self._began:.0f} s: "
                f"{self._rounds + (run.rounds if run else 0)} rounds, "
                f"{self._requests + (run.requests if run else 0)} requests judged, "
                f"{self._violations} violations; fired: {kinds or 'nothing yet'}")

    @staticmethod
    def _say(text):
        print(text, flush=True)


def main():
    parser = argparse.ArgumentParser(description="faults with real processes, endlessly")
    parser.add_argument("--seconds", type=float, help="how long; endless unless given")
    parser.add_argument("--profile", choices=fleet_run.PROFILES, default="everything")
    parser.add_argument("--verbose", action="store_true", help="says each fault as it happens")
    options = parser.parse_args()
    seed = fleet_run.drawn_seed()
    print(f"TOLL_SEED={seed}", flush=True)
    return Soak(seed, options.profile, options.verbose).go(options.seconds)


if __name__ == "__main__":
    sys.exit(main())
