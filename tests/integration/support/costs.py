"""The words of the tests of costs: amounts, accounts in Redis, and a client of either framing."""

import re
import time

from support import store
from support.line import quoted
from support.resp import Error, Simple
from support.waiting import eventually

NANOS = 1_000_000_000
MOST = "9223372036.854775807"

_AMOUNT = re.compile(r"(\d+)(?:\.(\d{1,9}))?")


def nanos(text):
    """Of dollars as they are written."""
    whole, fraction = _AMOUNT.fullmatch(str(text)).groups()
    return int(whole) * NANOS + int((fraction or "").ljust(9, "0"))


def dollars(amount):
    """Of nano-dollars, as the daemon writes them."""
    whole, fraction = divmod(amount, NANOS)
    return f"{whole}.{fraction:09}".rstrip("0") if fraction else str(whole)


def table(**keys):
    """A [costs] table."""
    def literal(value):
        if isinstance(value, bool):
            return "true" if value else "false"
        return f'"{value}"'
    return "[costs]\n" + "".join(f"{key} = {literal(value)}\n" for key, value in keys.items())


def quick(url, call_timeout="200ms", **keys):
    """[redis] and [costs] of a daemon that notices soon that Redis is away, and back."""
    redis = store.table(url, call_timeout=call_timeout, dial_timeout="1s", health_interval="100ms")
    return redis + '[redis.breaker]\nopen = "10ms"\nopen_max = "50ms"\n' + table(**keys)


# -- months

def month(separator="-"):
    """This one."""
    return time.strftime(f"%Y{separator}%m", time.gmtime())


def not_at_its_end(seconds=120):
    """No month ends within a test."""
    while time.gmtime(time.time() + seconds).tm_mon != time.gmtime().tm_mon:
        time.sleep(1)


def end_of_month_ms():
    now = time.gmtime()
    year, number = divmod(12 * now.tm_year + now.tm_mon, 12)
    days = time.strptime(f"{year}-{number + 1:02}-01 UTC", "%Y-%m-%d %Z")
    return int(time.mktime(days) - time.timezone) * 1000


# -- in Redis

def account(id_, of_month=None):
    return f"cost:{id_}:{(of_month or month(':')).replace('-', ':')}"


def stored(client, id_, layout="hash"):
    """The total that Redis holds of this month, in nano-dollars; 0 if none."""
    if layout == "string":
        return int(client.get(account(id_)) or 0)
    return int(client.hget(account(id_), "total") or 0)


def has(redis, id_, amount):
    """Waits until Redis has exactly that."""
    client = redis.client()
    eventually(lambda: stored(client, id_) == nanos(amount),
               f"{id_} has {amount}, not {stored(client, id_)}")


# -- clients

def charge(ask, id_, amount, *key):
    """The words behind OK."""
    told = ask("COST", "ADD", id_, amount, *key)
    assert told[0] == "OK", told
    return told[1:]


class LineAsker:
    """Every reply is its words as text: ["OK", "0.1", "redis"], ["DENY", ...], ["ERR", "BADREQ"].
    Words of a request are text or bytes."""

    def __init__(self, one):
        self.client = one.line()

    @staticmethod
    def encode(*words):
        return b" ".join(word.encode() if isinstance(word, str) else quoted(word)
                         for word in words) + b"\n"

    def send(self, *requests):
        self.client.send_raw(b"".join(self.encode(*words) for words in requests))

    def read(self):
        line = self.client.read_line()
        assert line is not None, "the connection was closed instead of a reply"
        words = line.decode().split()
        return words[:2] if words[0] == "ERR" else words

    def ask(self, *words):
        self.send(words)
        return self.read()

    def ask_all(self, requests):
        self.send(*requests)
        return [self.read() for _ in requests]

    def close(self):
        self.client.close()


class RespAsker(LineAsker):
    """The same over RESP, whose shapes are checked."""

    def __init__(self, one):  # pylint: disable=super-init-not-called
        self.client = one.raw_resp()

    @staticmethod
    def encode(*words):
        out = [b"*%d\r\n" % len(words)]
        for word in words:
            data = word.encode() if isinstance(word, str) else word
            out.append(b"$%d\r\n%s\r\n" % (len(data), data))
        return b"".join(out)

    def read(self):
        reply = self.client.read_reply()
        if isinstance(reply, Error):
            return ["ERR", reply.code]
        if isinstance(reply, Simple):
            return ["OK", reply.text] if reply.text != "OK" else ["OK"]
        if isinstance(reply, bytes):
            return ["OK", reply.decode()]
        assert isinstance(reply, list), reply
        decided = isinstance(reply[0], int)
        texts = [text.decode() for text in (reply[1:] if decided else reply)]
        return [("DENY", "ALLOW")[reply[0]] if decided else "OK", *texts]


ASKERS = {"line": LineAsker, "resp": RespAsker}
