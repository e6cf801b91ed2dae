"""A client of the RESP framing that keeps the type of every reply, so that shapes can be seen."""

import dataclasses

from support.line import connected


@dataclasses.dataclass(frozen=True)
class Simple:
    """+text"""
    text: str


@dataclasses.dataclass(frozen=True)
class Error:
    """-CODE message"""
    text: str

    @property
    def code(self):
        return self.text.split()[0]


def encode(*words):
    out = [b"*%d\r\n" % len(words)]
    for word in words:
        data = word if isinstance(word, bytes) else str(word).encode()
        out.append(b"$%d\r\n%s\r\n" % (len(data), data))
    return b"".join(out)


def plain(reply):
    """Texts as str, however they were framed: inside of arrays the contract leaves that open."""
    if isinstance(reply, list):
        return [plain(element) for element in reply]
    if isinstance(reply, Simple):
        return reply.text
    if isinstance(reply, bytes):
        return reply.decode()
    return reply


class RespClient:
    """One connection. int is :n, bytes is a bulk string, list an array, None a null."""

    def __init__(self, path, timeout=15.0):
        self.socket = connected(path, timeout)
        self._file = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def ask(self, *words):
        self.send_raw(encode(*words))
        return self.read_reply()

    def send_raw(self, data):
        self.socket.sendall(data)

    def _line(self):
        line = self._file.readline()
        assert line.endswith(b"\r\n"), f"torn or badly ended: {line!r}"
        return line[:-2]

    def read_reply(self):
        line = self._line()
        kind, rest = line[:1], line[1:]
        if kind == b"+":
            return Simple(rest.decode())
        if kind == b"-":
            return Error(rest.decode())
        if kind == b":":
            return int(rest)
        if kind == b"$":
            if rest == b"-1":
                return None
            data = self._file.read(int(rest) + 2)
            assert data.endswith(b"\r\n"), f"badly ended bulk: {data!r}"
            return data[:-2]
        assert kind == b"*", f"not RESP2: {line!r}"
        return None if rest == b"-1" else [self.read_reply() for _ in range(int(rest))]

    def closed_by_daemon(self):
        try:
            rest = self._file.read(1)
        except ConnectionResetError:
            return True  # closed with bytes of ours unread
        assert rest == b"", f"a byte instead of the end: {rest!r}"
        return True

    def close(self):
        self._file.close()
        self.socket.close()
