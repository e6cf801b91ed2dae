"""A client of the line framing, as plain as it gets: a socket and the rules of quoting."""

import fcntl
import functools
import re
import socket
import struct
import termios

from support.waiting import eventually

_WORD = re.compile(rb'"((?:[^"\\]|\\.)*)"|(\S+)')
_ESCAPE = re.compile(rb"\\(x[0-9A-Fa-f]{2}|.)")
_ESCAPED = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b'"': b'"', b"\\": b"\\"}
_DECIMAL = re.compile(r"-?\d+")


def quoted(data):
    """Any bytes as one word of a line."""
    return b'"' + b"".join(b"\\x%02x" % byte for byte in data) + b'"'


def _unescape(match):
    what = match.group(1)
    return bytes([int(what[1:], 16)]) if what[:1] == b"x" and len(what) == 3 else _ESCAPED[what]


def _value(match):
    if match.group(1) is not None:
        return _ESCAPE.sub(_unescape, match.group(1)).decode("utf-8", "backslashreplace")
    text = match.group(2).decode("utf-8", "backslashreplace")
    return int(text) if _DECIMAL.fullmatch(text) else text


def values_of(line):
    """The words of one line of a reply: numbers as int, everything else as str."""
    return [_value(match) for match in _WORD.finditer(line)]


class Reply:
    """One reply. `word` says how it went, `values` follow it, `rows` are the lines of a LIST.

    Taken apart only when somebody looks: who measures latencies reads hundreds in a row."""

    def __init__(self, line, rows=()):
        self._line = line
        self.rows = [values_of(row) for row in rows]

    @functools.cached_property
    def _words(self):
        return values_of(self._line)

    line = property(lambda self: self._line.decode("utf-8", "backslashreplace"))
    word = property(lambda self: self._words[0])
    values = property(lambda self: self._words[1:])

    def __repr__(self):
        return f"<{self.line!r}{' + %d rows' % len(self.rows) if self.rows else ''}>"

    def __eq__(self, other):
        return isinstance(other, Reply) and (self.line, self.rows) == (other.line, other.rows)

    @property
    def allowed(self):
        assert self.word in ("ALLOW", "DENY"), f"no decision: {self!r}"
        return self.word == "ALLOW"

    def _field(self, index):
        assert self.word in ("ALLOW", "DENY"), f"no decision: {self!r}"
        return self.values[index]

    limit = property(lambda self: self._field(0))
    remaining = property(lambda self: self._field(1))
    retry = property(lambda self: self._field(2))
    reset = property(lambda self: self._field(3))
    source = property(lambda self: self._field(4))
    position = property(lambda self: self._field(5))

    @property
    def ticket(self):
        assert len(self.values) == 6, f"no ticket: {self!r}"
        return self.line.split()[-1]  # as text: it may consist of digits and begin with zeros

    @property
    def code(self):
        assert self.word == "ERR", f"no error: {self!r}"
        return self.values[0]


def connected(path, timeout):
    """A connection to `path`, all of whose waits are bounded by `timeout`, that for a place in the
    backlog included."""
    one = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", int(timeout) + 1, 0))
    try:
        one.connect(path)
    except OSError:
        one.close()
        raise
    one.settimeout(timeout)
    return one


class LineClient:
    """One connection. Every wait on it is bounded."""

    def __init__(self, path, timeout=15.0):
        self.socket = connected(path, timeout)
        self._pending = bytearray()
        self._read = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def ask(self, request):
        self.send(request)
        return self.read_reply()

    def ask_all(self, requests):
        """Pipelines all, then reads all replies. For what fits the socket's buffers."""
        self.send(*requests)
        return [self.read_reply() for _ in requests]

    def send(self, *requests):
        self.send_raw(b"".join(_bytes(request) + b"\n" for request in requests))

    def send_raw(self, data):
        self.socket.sendall(data)

    def read_line(self):
        """The next line without its end; None if the daemon has closed. A torn line is an error."""
        while True:
            end = self._pending.find(b"\n", self._read)
            if end >= 0:
                line = bytes(self._pending[self._read:end])
                self._read = end + 1
                return line
            del self._pending[:self._read]
            self._read = 0
            received = self.socket.recv(1 << 18)
            if not received:
                assert not self._pending, f"torn line before the end: {bytes(self._pending)!r}"
                return None
            self._pending += received

    def read_reply(self):
        line = self.read_line()
        assert line is not None, "the connection was closed instead of a reply"
        if not line.startswith(b"LIST "):
            return Reply(line)
        return Reply(line, [self.read_line() for _ in range(int(line.split()[1]))])

    def read_to_end(self):
        """All replies until the daemon closes."""
        replies = []
        while True:
            line = self.read_line()
            if line is None:
                return replies
            rows = int(line.split()[1]) if line.startswith(b"LIST ") else 0
            replies.append(Reply(line, [self.read_line() for _ in range(rows)]))

    def closed_by_daemon(self):
        """Waits for the end of the connection; nothing may come before it."""
        try:
            line = self.read_line()
        except ConnectionResetError:
            return True  # closed with bytes of ours unread
        assert line is None, f"a line instead of the end: {line!r}"
        return True

    def no_more_requests(self):
        self.socket.shutdown(socket.SHUT_WR)

    def unreceived_bytes(self):
        """What was sent and not yet taken by the daemon; 0 is exact, more includes overhead."""
        return struct.unpack("i", fcntl.ioctl(self.socket, termios.TIOCOUTQ, bytes(4)))[0]

    def wait_until_received(self):
        eventually(lambda: self.unreceived_bytes() == 0, "the daemon takes all that was sent")

    def close(self):
        self.socket.close()


def _bytes(request):
    return request if isinstance(request, bytes) else request.encode()
