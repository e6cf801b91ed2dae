"""A process on a terminal of its own, and what it leaves the terminal as."""

import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import time

from support import binaries

ALTERNATE, BACK = "\x1b[?1049h", "\x1b[?1049l"
CURSOR, WRAP = "\x1b[?25h", "\x1b[?7h"


class Terminal:
    """REQUIRES: close() at the end, or a with."""

    def __init__(self, words, rows=24, columns=80):
        self.master, self.slave = pty.openpty()
        self.resize(rows, columns, tell=False)
        self.modes_before = termios.tcgetattr(self.slave)
        self.seen = ""
        self.process = subprocess.Popen(
            words, stdin=self.slave, stdout=self.slave, stderr=self.slave, close_fds=True,
            start_new_session=True, preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
            env={**binaries.clean_environment(), "TERM": "xterm"})

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def resize(self, rows, columns, tell=True):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        if tell:
            self.seen = ""  # what was there belongs to the old size

    def type(self, keys):
        os.write(self.master, keys.encode())

    def read_some(self, within):
        """Appends what comes; False if nothing did."""
        if not select.select([self.master], [], [], within)[0]:
            return False
        self.seen += os.read(self.master, 65536).decode(errors="replace")
        return True

    def shows(self, pattern, within=10.0):
        """Waits until the compiled `pattern` is in what was written, and returns its match."""
        deadline = time.monotonic() + within * binaries.patience()
        while not (match := pattern.search(self.seen)):
            left = deadline - time.monotonic()
            assert left > 0, f"no {pattern.pattern!r} in {self.seen!r}"
            self.read_some(left)
        return match

    def ended(self, within=10.0):
        """The exit status, once it has ended and all it wrote was read."""
        deadline = time.monotonic() + within * binaries.patience()
        while self.process.poll() is None:
            assert time.monotonic() < deadline, f"it goes on: {self.seen!r}"
            self.read_some(0.01)
        while self.read_some(0):
            pass
        return self.process.returncode

    def restored(self):
        """Whether the terminal is as it was: its modes, its page, its cursor and its wrapping."""
        return (termios.tcgetattr(self.slave) == self.modes_before
                and self.seen.rfind(BACK) > self.seen.rfind(ALTERNATE)
                and self.seen.rfind(CURSOR) > self.seen.rfind("\x1b[?25l")
                and self.seen.rfind(WRAP) > self.seen.rfind("\x1b[?7l"))

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.master)
        os.close(self.slave)
