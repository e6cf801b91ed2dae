"""The prompt of `tollkeeper`, through a terminal: it answers, completes and remembers."""

import os
import pty
import re
import select
import subprocess
import termios
import time

import pytest

from support import binaries
from support.waiting import eventually

POLICIES = """
[policies.api]
limits = ["10/365d"]
"""

UP = "\x1b[A"
END_OF_FILE = "\x04"
PROMPT = r"tollkeeper> $"
CONTROL_SEQUENCE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[=>]|\r|\x07")


class Terminal:
    """A process on a terminal of its own."""

    def __init__(self, words, home):
        self._master, slave = pty.openpty()
        self.process = subprocess.Popen(
            words, stdin=slave, stdout=slave, stderr=slave, close_fds=True, start_new_session=True,
            env={**binaries.clean_environment(), "TERM": "xterm", "HOME": str(home)})
        os.close(slave)
        self._seen = ""

    def type(self, keys):
        os.write(self._master, keys.encode())

    def shows(self, pattern, within=5.0):
        """Waits for `pattern` in what is new on the screen, and takes it from there."""
        deadline = time.monotonic() + within * binaries.patience()
        while not (match := re.search(pattern, self._seen)):
            left = deadline - time.monotonic()
            assert left > 0, f"no {pattern!r} on the screen: {self._seen!r}"
            if select.select([self._master], [], [], left)[0]:
                try:
                    data = os.read(self._master, 65536)
                except OSError:
                    raise AssertionError(f"it ended; no {pattern!r} on: {self._seen!r}") from None
                self._seen = CONTROL_SEQUENCE.sub("", self._seen + data.decode(errors="replace"))
        self._seen = self._seen[match.end():]
        return match

    def prompts(self):
        """Waits for the prompt, and until keys go to the line editor: the prompt comes first, and
        an end of input that is typed in between is none."""
        self.shows(PROMPT)
        eventually(lambda: not termios.tcgetattr(self._master)[3] & termios.ICANON, "keys are read")

    def answers(self, keys, pattern):
        """Types a line, and waits for what it says and for the next prompt."""
        self.type(keys)
        self.shows(pattern)
        self.prompts()

    def ends(self):
        """Whether it ends in order at the end of input."""
        self.type(END_OF_FILE)
        return self.process.wait(timeout=5 * binaries.patience()) == 0

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._master)


@pytest.fixture(name="tolls", scope="module")
def _tolls(shared_daemon):
    return shared_daemon(POLICIES)


@pytest.fixture(name="start")
def _start(tolls, place):
    """Starts prompts that share a home."""
    started = []

    def start():
        terminal = Terminal([binaries.TOLLKEEPER, "--socket", tolls.socket], place)
        started.append(terminal)
        terminal.prompts()
        return terminal

    yield start
    for terminal in started:
        terminal.close()


def test_it_answers_and_ends_at_the_end_of_input(start):
    prompt = start()
    prompt.answers("PING\n", r"\nOK pong\n")
    prompt.answers("CHECK api prompt 11\n", r"\nDENY 10 10 -1 0 local\n")
    prompt.answers("FLY\n", r"\nERR UNKNOWN .*\n")
    assert prompt.ends()


def test_verbs_are_completed(start):
    start().answers("CHE\tapi completed 4\n", r"\nALLOW 10 6 0 .*\n")


def test_policies_are_completed(start):
    start().answers("PEEK ap\tnobody\n", r"\nOK 10 10 0 local\n")


def test_the_last_line_comes_back(start):
    prompt = start()
    prompt.answers("CHECK api again 3\n", r"\nALLOW 10 7 0 .*\n")
    prompt.answers(UP + "\n", r"\nALLOW 10 4 0 .*\n")


def test_history_is_kept_from_one_prompt_to_the_next(start):
    first = start()
    first.answers("CHECK api kept 3\n", r"\nALLOW 10 7 0 .*\n")
    assert first.ends()
    start().answers(UP + "\n", r"\nALLOW 10 4 0 .*\n")
