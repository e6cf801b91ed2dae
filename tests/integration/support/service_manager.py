"""What a service manager is to the daemon: the socket that it tells its state to, and the listening
socket that it gets from there. And a thread of it that stands still."""

import contextlib
import ctypes
import os
import pathlib
import re
import socket
import time

from support import binaries
from support.waiting import eventually


class ServiceManager:
    """The socket that NOTIFY_SOCKET names. `heard` is all that has come, message by message."""

    def __init__(self, path):
        self.path = str(path)
        self.heard = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self.path)

    def environment(self, watchdog=None):
        """For the daemon; `watchdog` in seconds."""
        variables = {"NOTIFY_SOCKET": self.path}
        return variables | ({"WATCHDOG_USEC": str(int(watchdog * 1e6))} if watchdog else {})

    def listen(self):
        """Takes what has come by now."""
        with contextlib.suppress(BlockingIOError):
            while True:
                self.heard.append(self._socket.recv(4096, socket.MSG_DONTWAIT).decode())

    def hears(self, pattern, within=10.0):
        """Waits for a message with a line of that pattern, after those waited for before."""
        def found():
            self.listen()
            for index, message in enumerate(self.heard):
                if any(re.fullmatch(pattern, line) for line in message.split("\n")):
                    del self.heard[:index + 1]
                    return message
            return None
        return eventually(found, f"{pattern} in {self.heard}", within)

    def count(self, line, seconds):
        """How many messages with that line come in so long a time."""
        self.listen()
        self.heard.clear()
        time.sleep(seconds)
        self.listen()
        return sum(line in message.split("\n") for message in self.heard)

    def close(self):
        self._socket.close()


def listening_socket(path, backlog=4096):
    """As a socket unit makes it; it outlives every daemon it is passed to."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(path))
    os.chmod(path, 0o666)
    listener.listen(backlog)
    return listener


def threads_named(pid, pattern):
    """The threads of a process by their names, in order."""
    found = []
    for thread in pathlib.Path(f"/proc/{pid}/task").iterdir():
        name = (thread / "comm").read_text(encoding="ascii").strip()
        if re.fullmatch(pattern, name):
            found.append((name, int(thread.name)))
    return [thread for _, thread in sorted(found)]


_SEIZE, _INTERRUPT, _DETACH = 0x4206, 0x4207, 17
_WAIT_ALL = 0x40000000


@contextlib.contextmanager
def standing_still(thread):
    """Stops one thread of a process of ours, as a debugger does; the others go on."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    libc.ptrace.restype = ctypes.c_long

    def trace(request):
        if libc.ptrace(request, thread, None, None) != 0:
            raise OSError(ctypes.get_errno(), f"ptrace request {request:#x}")

    trace(_SEIZE)
    trace(_INTERRUPT)
    os.waitpid(thread, _WAIT_ALL)
    try:
        yield
    finally:
        trace(_DETACH)


def patient(seconds):
    return seconds * binaries.patience()
