"""The words of the tests of log records: a client of either framing, and a tally of numbers."""

import json

from support import store
from support.resp import Error, Simple


def table(**keys):
    """A [logs] table."""
    def literal(value):
        return str(value) if isinstance(value, int) else f'"{value}"'
    return "[logs]\n" + "".join(f"{key} = {literal(value)}\n" for key, value in keys.items())


def quick(url, **keys):
    """[redis] and [logs] of a daemon that notices soon that Redis is away, and back."""
    redis = store.table(url, call_timeout="200ms", dial_timeout="1s", health_interval="100ms")
    return redis + '[redis.breaker]\nopen = "10ms"\nopen_max = "50ms"\n' + table(**keys)


def record(number, producer=0, size=0):
    """A JSON object as bytes, of at least that size."""
    text = json.dumps({"producer": producer, "number": number, "text": "x" * size})
    return text.encode()


def number_of(data):
    found = json.loads(data)
    return found["producer"], found["number"]


class LineLogs:
    """Replies: push() gives the source or the error code; those that take give a list of bytes."""

    def __init__(self, one):
        self.client = one.line()

    def push(self, data):
        self.client.send_raw(b"LOG PUSH " + data + b"\n")
        return self.pushed()

    def push_all(self, all_data):
        self.client.send_raw(b"".join(b"LOG PUSH " + data + b"\n" for data in all_data))
        return [self.pushed() for _ in all_data]

    def pushed(self):
        return self.client.read_line().split()[1].decode()

    def ask(self, *words):
        self.client.send(" ".join(["LOG", *map(str, words)]))
        return self.read()

    def read(self):
        line = self.client.read_line()
        assert line is not None, "the connection was closed instead of a reply"
        if line.startswith(b"LIST "):
            return [self.client.read_line() for _ in range(int(line.split()[1]))]
        first, value = line.split()[:2]
        return int(value) if first == b"OK" and value.isdigit() else value.decode()

    def statistics(self):
        return {name.decode(): int(value) for name, value in
                (line.split() for line in self.ask("STATS"))}

    def close(self):
        self.client.close()


class RespLogs(LineLogs):
    def __init__(self, one):  # pylint: disable=super-init-not-called
        self.client = one.raw_resp()

    def push(self, data):
        return self._value(self.client.ask("LOG", "PUSH", data))

    def push_all(self, all_data):
        return [self.push(data) for data in all_data]

    def ask(self, *words):
        return self._value(self.client.ask("LOG", *map(str, words)))

    def statistics(self):
        return {name.decode(): int(value) for name, value in self.ask("STATS")}

    @staticmethod
    def _value(reply):
        if isinstance(reply, Error):
            return reply.code
        if isinstance(reply, Simple):
            return reply.text
        return reply


ASKERS = {"line": LineLogs, "resp": RespLogs}
