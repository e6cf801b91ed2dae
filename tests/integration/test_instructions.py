"""What a CHECK on the local path takes of the processor, counted and not timed.

Instructions hardly depend on the machine or its mood, so that a change that costs shows here. When
one is meant to, note the new figures: TOLLKEEPER_NOTE_INSTRUCTIONS=1, and commit the file with the
reason. They are those of Debian 12's compiler, so that Meson leaves this out elsewhere.
"""

import json
import os
import pathlib
import re

import pytest

from support import binaries

NOTED = pathlib.Path(__file__).parents[2] / "bench" / "instructions.json"
TOLERANCE = 0.03
IDS = 1000
BATCH = 250  # fits one write and one read

CONFIG = '[policies.api]\nlimits = ["1000000/1h"]\n'


def line(number):
    return f"CHECK api user-{number % IDS:08}\n".encode()


def resp(number):
    return b"*3\r\n$5\r\nCHECK\r\n$3\r\napi\r\n$13\r\nuser-%08d\r\n" % (number % IDS)


# Which request, and how many of them at a time.
CASES = {"line, 250 at a time": (line, BATCH), "line, one at a time": (line, 1),
         "RESP, 250 at a time": (resp, BATCH)}


def ask(client, request, count, at_once):
    for first in range(0, count, at_once):
        client.send_raw(b"".join(request(first + i) for i in range(at_once)))
        for _ in range(at_once):
            # Of RESP: the array's head, its first element's head, and so on.
            reply = client.read_line()
            if reply[:1] == b"*":
                for _ in range(int(reply[1:])):
                    if client.read_line()[:1] == b"$":
                        client.read_line()


def total(place, daemon, request, count, at_once):
    """Instructions of a daemon's whole life, in which it answers so many requests."""
    out = place / f"callgrind.{count}"
    one = daemon(CONFIG, workers=1, backend="epoll", program="valgrind", before=[
        "--tool=callgrind", f"--callgrind-out-file={out}", binaries.TOLLKEEPERD])
    with one.line() as client:
        ask(client, request, IDS, BATCH)  # the keys are there, and the memory
        ask(client, request, count, at_once)
    one.stop()
    return int(re.search(r"^(?:totals|summary): (\d+)", out.read_text(encoding="utf-8"), re.M)[1])


@pytest.mark.bound(120)
@pytest.mark.parametrize("case", CASES)
def test_a_check_takes_as_many_instructions_as_noted(daemon, place, case):
    noted = json.loads(NOTED.read_text(encoding="utf-8")) if NOTED.exists() else {}
    request, at_once = CASES[case]
    few, many = BATCH * 4, BATCH * (4 + (80 if at_once > 1 else 16))
    took = total(place, daemon, request, many, at_once)
    took = (took - total(place, daemon, request, few, at_once)) / (many - few)
    if os.environ.get("TOLLKEEPER_NOTE_INSTRUCTIONS"):
        noted[case] = round(took)
        NOTED.write_text(json.dumps(noted, indent=2, sort_keys=True) + "\n", encoding="utf-8")
        return
    before = noted[case]
    assert abs(took / before - 1) <= TOLERANCE, (
        f"{took:.0f} instructions per CHECK ({case}), {before} are noted in {NOTED.name}")
