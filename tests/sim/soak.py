"""make soak: new seeds on all cores until stopped, with the sums of all told every few seconds.

Ends at the first broken promise, with its seed and what happened.
"""

import collections
import os
import random
import re
import subprocess
import sys
import threading
import time

REPORT_S = 5


class Runner:
    """One simulator on one core."""

    def __init__(self, program, seed, seconds):
        command = [program, "--seed", str(seed), "--seconds", str(seconds), "--report",
                   str(REPORT_S)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.sums = collections.Counter()
        self.lines = collections.deque(maxlen=600)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self):
        for line in self.process.stdout:
            if re.match(r"\d+ seeds, ", line):
                self.sums.update({name: float(number) - self.sums[name] for number, name in
                                  re.findall(r"([\d.]+) ([A-Za-z ]+?)(?:,|$)", line)})
            elif line.startswith("faults:"):
                self.sums.update({name: float(number) - self.sums[name] for name, number in
                                  re.findall(r"([a-z-]+) (\d+)", line[7:])})
            else:
                self.lines.append(line)

    def ended(self):
        return self.process.poll() is not None

    def finish(self):
        self.process.terminate()
        self.process.wait()
        self._thread.join()


def main():
    program = sys.argv[1]
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 1e9
    base = int(os.environ.get("TOLL_SEED", random.SystemRandom().randrange(1 << 40)))
    print(f"TOLL_SEED={base}", flush=True)
    runners = [Runner(program, base + core * 100_000_000, seconds)
               for core in range(os.cpu_count() or 1)]
    try:
        while not any(runner.ended() for runner in runners):
            time.sleep(REPORT_S)
            sums = sum((runner.sums for runner in runners), collections.Counter())
            print(", ".join(f"{name} {number:g}" for name, number in sums.items()), flush=True)
    except KeyboardInterrupt:
        print("stopped")
    broken = [runner for runner in runners if runner.process.poll() not in (None, 0)]
    for runner in runners:
        if runner not in broken and not (seconds < 1e9 and runner.ended()):
            runner.finish()
    for runner in broken:
        runner.finish()
        print("".join(runner.lines))
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
