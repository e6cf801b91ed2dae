"""Clients that charge while a test does harm, and what they were promised.

    with Charging(one.socket, ["a", "b"]) as charging:
        ...harm...
    assert not differences(charging, total_of)

Charges with an idempotency key go to the ids k-a and k-b, those without to p-a and p-b.
One thread. Each client pipelines charges; when its connection ends without the answers, those with
an idempotency key are sent again until OK, and those without are left: nobody knows of them.
"""

import collections
import itertools
import random
import selectors
import threading
import time

from support.costs import dollars
from support.line import connected
from support.load import hang_up, lines_from

_numbers = itertools.count()

REST_S = 0.001


class _Client:
    def __init__(self, keyed):
        self.keyed = keyed
        self.socket = None
        self.pending = b""
        self.asked = collections.deque()  # of (id, nano-dollars, key)
        self.again = []
        self.next_at = 0.0


class Charging:
    """A context: it flows within the `with`. Behind it, every charge with a key was answered."""

    def __init__(self, path, ids, keyed=3, plain=3, depth=8, seed=7, most=10**12):
        self.sent = collections.Counter()  # nano-dollars by id, each charge once
        self.promised = collections.Counter()  # ... of those that were answered OK
        self.refused = collections.Counter()  # errors, by code
        self.acknowledged = 0
        self._path = path
        self._ids = list(ids)
        self._depth = depth
        self._most = most
        self._rng = random.Random(seed)
        self._clients = [_Client(True) for _ in range(keyed)]
        self._clients += [_Client(False) for _ in range(plain)]
        self._selector = selectors.DefaultSelector()
        self._stop = False
        self._error = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, kind, *_):
        self._stop = True
        self._thread.join(timeout=20)
        if self._error and kind is None:
            raise self._error
        assert kind or not self._thread.is_alive(), "a charge with a key was never answered"

    # -- the thread's own

    def _run(self):
        try:
            while not self._stop or any(client.asked or client.again for client in self._clients):
                self._turn()
        except BaseException as error:  # pylint: disable=broad-except; raised again at the end
            self._error = error
        finally:
            for client in self._clients:
                hang_up(client, self._selector)

    def _turn(self):
        now = time.monotonic()
        waiting = [client for client in self._clients if not client.asked]
        for client in waiting:
            if now >= client.next_at and (not self._stop or client.again):
                self._ask(client)
        for key, _ in self._selector.select(REST_S):
            self._read(key.data)

    def _charge(self, client):
        amount = self._rng.choice((1, 999, self._rng.randrange(self._most)))
        id_ = ("k-" if client.keyed else "p-") + self._rng.choice(self._ids)
        key = f"key{next(_numbers)}" if client.keyed else ""
        self.sent[id_] += amount
        return id_, amount, key

    def _ask(self, client):
        batch, client.again = client.again, []
        if not batch:
            batch = [self._charge(client) for _ in range(self._rng.randint(1, self._depth))]
        client.asked.extend(batch)
        try:
            if client.socket is None:
                client.socket = connected(self._path, 10)
                self._selector.register(client.socket, selectors.EVENT_READ, client)
            client.socket.sendall(b"".join(
                f"COST ADD {id_} {dollars(amount)} {key}".strip().encode() + b"\n"
                for id_, amount, key in batch))
        except OSError:
            self._lost(client)

    def _read(self, client):
        lines = lines_from(client)
        if lines is None:
            self._lost(client)
            return
        for line in lines:
            self._told(client, line.decode().split(), client.asked.popleft())
        if not client.asked:
            client.next_at = time.monotonic() + (0.01 if client.again else REST_S)

    def _told(self, client, words, charge):
        id_, amount, _ = charge
        if words[0] == "OK":
            self.promised[id_] += amount
            self.acknowledged += 1
            return
        self.refused[words[1]] += 1
        if client.keyed:
            client.again.append(charge)

    def _lost(self, client):
        if client.keyed:
            client.again.extend(client.asked)
        client.asked.clear()
        client.pending = b""
        client.next_at = time.monotonic() + 0.005
        hang_up(client, self._selector)


def differences(charging, totals):
    """What is not as promised: by id, (promised, total, sent). `totals(id)` are nano-dollars;
    `charging` may be several that charge the same ids."""
    loads = charging if isinstance(charging, list) else [charging]
    promised = sum((load.promised for load in loads), collections.Counter())
    wrong = {}
    for id_, sent in sum((load.sent for load in loads), collections.Counter()).items():
        total = totals(id_)
        exact = id_.startswith("k-")
        if not promised[id_] <= total <= sent or (exact and total != sent):
            wrong[id_] = (promised[id_], total, sent)
    return wrong
