"""The scripts as the build assembled them, and a small language for a call of limits.lua:

    alice = gcra("alice", 3, seconds=1)
    first, second = limits(client).decide(check(alice, times=2), peek(alice))
    assert first.code == 2

The format is described at the head of lua/limits.lua.
"""

import dataclasses
import os
import pathlib
import struct

from support.binaries import RELEASE

LUA = pathlib.Path(os.environ.get("TOLLKEEPER_BUILD") or RELEASE) / "lua"

TOP = 2**53 - 1
DEBT = 2**31 - 1
LOG_DEBT = 100_000

POISONED = -1
CHECK, PEEK, REFUND, CHARGE, RESET, ACQUIRE, RELEASE_TICKET = range(7)

# By algorithm: how many numbers tell a state.
WIDTHS = (2, 3, 3, 3, 2, 3)
GCRA, TOKEN_BUCKET, SLIDING_LOG, SLIDING_WINDOW, FIXED_WINDOW, CONCURRENCY = range(6)
TEXTS = (GCRA, TOKEN_BUCKET, SLIDING_WINDOW)


def body(name, shebang=True):
    """The text that is sent to Redis; without the first line it is Redis 6's."""
    text = (LUA / f"{name}.lua").read_text(encoding="ascii")
    assert text.startswith("#!lua\n")
    return text if shebang else text.partition("\n")[2]


def now_ms(client):
    seconds, microseconds = client.time()
    return seconds * 1000 + microseconds // 1000


def pack(numbers):
    packed = struct.pack(">BI", 0xDD, len(numbers))
    for number in numbers:
        packed += struct.pack(">B", number) if number < 128 else struct.pack(">BQ", 0xCF, number)
    return packed


_SIZED = {0xCC: ">B", 0xCD: ">H", 0xCE: ">I", 0xCF: ">Q", 0xD0: ">b", 0xD1: ">h", 0xD2: ">i",
          0xD3: ">q"}


def unpack(packed):
    """A flat array of whole numbers; anything else is a fault of the script."""
    if packed[0] & 0xF0 == 0x90:
        length, at = packed[0] & 0x0F, 1
    else:
        wide = {0xDC: ">H", 0xDD: ">I"}[packed[0]]
        (length,), at = struct.unpack_from(wide, packed, 1), 1 + struct.calcsize(wide)
    numbers = []
    for _ in range(length):
        first, at = packed[at], at + 1
        if first in _SIZED:
            numbers += struct.unpack_from(_SIZED[first], packed, at)
            at += struct.calcsize(_SIZED[first])
        else:
            assert first < 128 or first >= 0xE0, f"not a whole number: {first:#x}"
            numbers.append(first if first < 128 else first - 256)
    assert at == len(packed)
    return numbers


@dataclasses.dataclass(frozen=True)
class Limit:
    """One limit under one key."""

    algorithm: int
    key: str
    numbers: tuple  # of its rule, behind the algorithm
    count: int
    window_us: int = 0

    @property
    def keys(self):
        """What it is called in KEYS."""
        if self.algorithm == TOKEN_BUCKET:
            return [f"{self.key}:tokens", f"{self.key}:last"]
        return [self.key]

    @property
    def window_ms(self):
        """Of no calendar month."""
        if self.algorithm in (GCRA, TOKEN_BUCKET):
            return self.window_us / 1000
        return self.numbers[1 if self.algorithm == SLIDING_LOG else 2]

    @property
    def rule(self):
        return [self.algorithm, *self.numbers, *([0] * (7 - len(self.numbers)))]

    def wanted(self, units):
        """The first two of a part's numbers."""
        if self.algorithm != GCRA:
            return [units, 0]
        whole, fraction = divmod(units * self.window_us, self.count)
        return [whole, fraction] if whole <= TOP else [TOP, 0]


def gcra(key, count, seconds, burst=None):
    window_us = round(seconds * 1_000_000)
    tolerance = divmod((burst or count) * window_us, count)
    debt_us = DEBT * window_us // count
    debt = (debt_us, DEBT * window_us % count) if debt_us <= TOP else (TOP, 0)
    return Limit(GCRA, key, (count, *tolerance, *debt), count, window_us)


def token_bucket(key, count, seconds, burst=None):
    window_us = round(seconds * 1_000_000)
    return Limit(TOKEN_BUCKET, key, (count, burst or count, window_us, DEBT), count, window_us)


def sliding_log(key, count, seconds):
    return Limit(SLIDING_LOG, key, (count, round(seconds * 1000), LOG_DEBT), count)


def sliding_window(key, count, seconds):
    """0 seconds are a calendar month, here and below."""
    return Limit(SLIDING_WINDOW, key, (count, DEBT, round(seconds * 1000)), count)


def fixed_window(key, count, seconds):
    return Limit(FIXED_WINDOW, key, (count, DEBT, round(seconds * 1000)), count)


def concurrency(key, count, ttl):
    return Limit(CONCURRENCY, key, (count, round(ttl * 1000)), count)


@dataclasses.dataclass(frozen=True)
class Item:
    verb: int
    parts: tuple  # of (limit, a, b)
    times: int = 1
    ticket: str = ""


def _parts(wanted):
    """Each is a limit, for one unit, or a limit and the units."""
    pairs = [(one, 1) if isinstance(one, Limit) else one for one in wanted]
    return tuple((limit, *limit.wanted(units)) for limit, units in pairs)


def check(*wanted, times=1, renew=False):
    parts = _parts(wanted)
    return Item(CHECK, tuple((limit, a, 1) for limit, a, _ in parts) if renew else parts, times)


def peek(*limits):
    return Item(PEEK, tuple((limit, 0, 0) for limit in limits))


def refund(*wanted):
    return Item(REFUND, _parts(wanted))


def charge(*wanted):
    return Item(CHARGE, _parts(wanted))


def reset(*limits):
    return Item(RESET, tuple((limit, 0, 0) for limit in limits))


def acquire(limit, ticket, units=1, ttl=0):
    return Item(ACQUIRE, ((limit, units, round(ttl * 1000)),), ticket=ticket)


def release(limit, ticket):
    return Item(RELEASE_TICKET, ((limit, 0, 0),), ticket=ticket)


@dataclasses.dataclass(frozen=True)
class Decision:
    now_us: int
    code: int
    states: list  # of each part, as the head of limits.lua names them

    @property
    def state(self):
        assert len(self.states) == 1
        return self.states[0]


def _is_quick(item, items):
    """What the head of quick.lua says."""
    limit, units, more = item.parts[0]
    others = [one for one in items if one is not item]
    alone = not any(limit.key == part.key for one in others for part, _, _ in one.parts)
    if item.verb != CHECK or len(item.parts) > 1 or not alone:
        return False
    if limit.algorithm == SLIDING_LOG:
        return units == 1
    return limit.algorithm == GCRA and more == 0 and limit.window_us % limit.count == 0


def input_of(items, quick=0):
    """KEYS and ARGV of the call that decides these, of which the first are quick ones."""
    named = dict.fromkeys(limit for item in items for limit, _, _ in item.parts)
    # The sort keeps the order of quick items' keys, which come first.
    limits = sorted(named, key=lambda limit: limit.algorithm not in TEXTS)
    keys = list(dict.fromkeys(key for limit in limits for key in limit.keys))
    texts = {key for limit in limits if limit.algorithm in TEXTS for key in limit.keys}
    rules = list(dict.fromkeys(tuple(limit.rule) for limit in limits))
    quick_texts = sum(item.parts[0][0].algorithm in TEXTS for item in items[:quick])
    numbers = [quick, quick_texts, len(texts), len(rules), len(items) - quick,
               *(n for rule in rules for n in rule)]
    for item in items[:quick]:
        limit, a, b = item.parts[0]
        more = b if limit.algorithm == SLIDING_LOG else a
        numbers += [rules.index(tuple(limit.rule)), more, item.times]
    tickets = []
    for item in items[quick:]:
        numbers += [item.verb, item.times, len(item.parts)]
        if item.ticket:
            tickets.append(item.ticket)
        for limit, a, b in item.parts:
            at = len(tickets) + 1 if item.ticket else 0
            numbers += [rules.index(tuple(limit.rule)), keys.index(limit.keys[0]) + 1, a, b, at]
    return keys, [pack(numbers), *tickets]


class Limits:
    """With quick=True the items that may take the quick road do."""

    def __init__(self, client, shebang=True, quick=False):
        self.client = client
        self.quick = quick
        self.sha = client.script_load(body("limits", shebang))

    def decide(self, *items):
        first = [item for item in items if self.quick and _is_quick(item, items)]
        order = first + [item for item in items if item not in first]
        keys, arguments = input_of(order, quick=len(first))
        reply = unpack(self.client.evalsha(self.sha, len(keys), *keys, *arguments))
        now_us, at, decisions = reply[0], 1, []
        for item in order:
            code, at, states = reply[at], at + 1, []
            for limit, _, _ in item.parts:
                width = WIDTHS[limit.algorithm]
                states.append(tuple(reply[at:at + width]))
                at += width
            decisions.append((item, Decision(now_us, code, states)))
        assert at == len(reply)
        of = [(id(item), decision) for item, decision in decisions]
        return [of.pop(next(i for i, (who, _) in enumerate(of) if who == id(item)))[1]
                for item in items]

    def one(self, item):
        return self.decide(item)[0]
