"""Clients that keep asking while a test does harm, and the tally of what they were told.

All of them on one thread, which looks after whoever has a reply: so a client's time is the
daemon's, not that of other clients' threads.
"""

import collections
import itertools
import selectors
import statistics
import threading
import time

from support.line import Reply, connected

Answer = collections.namedtuple("Answer", "request sent received reply")


class _Client:
    def __init__(self, path, requests):
        self.path = path
        self.requests = requests  # an iterator without end
        self.socket = None
        self.pending = b""
        self.asked = collections.deque()
        self.next_at = 0.0


def lines_from(client):
    """What has come by now, as whole lines; None: the connection is at its end."""
    try:
        data = client.socket.recv(1 << 16)
    except OSError:
        data = b""
    if not data:
        return None
    *lines, client.pending = (client.pending + data).split(b"\n")
    return lines


def hang_up(client, selector):
    if client.socket is not None:
        selector.unregister(client.socket)
        client.socket.close()
        client.socket = None


class Load:
    """A context: it flows within the `with`, and is over, all replies read, behind it."""

    def __init__(self, clients, pause=0.001, depth=1, reconnect=False, keep=None):
        """`clients` is a list of (path, iterator of requests). Each asks `depth` requests in one
        write, reads their replies and rests for `pause`. With `reconnect` a daemon may go: what it
        owes is forgotten. `keep(answer)` says which answers are kept; all, unless given. Iterators
        with a method told(reply) hear of each reply before they are asked for the next request."""
        self._clients = [_Client(path, requests) for path, requests in clients]
        self._pause = pause
        self._depth = depth
        self._reconnect = reconnect
        self._keep = keep
        self._selector = selectors.DefaultSelector()
        self._stop = False
        self._error = None
        self.answers = []
        self.unanswered = 0
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, kind, *_):
        self._stop = True
        self._thread.join(timeout=20)
        assert not self._thread.is_alive(), "the load never came to its end: a reply is missing"
        if self._error and kind is None:
            raise self._error

    # -- the tally

    def since(self, when):
        """What was asked after that time."""
        newest_first = itertools.takewhile(lambda answer: answer.received >= when,
                                           reversed(self.answers[:]))
        return [answer for answer in newest_first if answer.sent >= when]

    def sources(self, since=0.0):
        return collections.Counter(answer.reply.source for answer in self.since(since))

    def latencies_ms(self, since=0.0):
        return sorted(1000 * (answer.received - answer.sent) for answer in self.since(since))

    def median_ms(self, since=0.0):
        return statistics.median(self.latencies_ms(since))

    def worst_ms(self, since=0.0):
        return self.latencies_ms(since)[-1]

    # -- the thread's own

    def _run(self):
        try:
            while not self._stop or any(client.asked for client in self._clients):
                self._turn()
        except BaseException as error:  # pylint: disable=broad-except; raised again at the end
            self._error = error
        finally:
            for client in self._clients:
                hang_up(client, self._selector)

    def _turn(self):
        now = time.monotonic()
        if not self._stop:
            for client in self._clients:
                if not client.asked and now >= client.next_at:
                    self._ask(client)
        waits = [client.next_at - now for client in self._clients if not client.asked]
        for key, _ in self._selector.select(max(0.0, min(waits, default=0.05))):
            self._read(key.data)

    def _ask(self, client):
        try:
            if client.socket is None:
                client.socket = connected(client.path, 10)
                self._selector.register(client.socket, selectors.EVENT_READ, client)
            batch = [next(client.requests) for _ in range(self._depth)]
            now = time.monotonic()
            client.asked.extend((request, now) for request in batch)
            client.socket.sendall(b"".join(request.encode() + b"\n" for request in batch))
        except OSError:
            self._lost(client)

    def _read(self, client):
        lines = lines_from(client)
        if lines is None:
            return self._lost(client)
        now = time.monotonic()
        for line in lines:
            request, sent = client.asked.popleft()
            answer = Answer(request, sent, now, Reply(line))
            if self._keep is None or self._keep(answer):
                self.answers.append(answer)
            if hasattr(client.requests, "told"):
                client.requests.told(answer.reply)
        if not client.asked:
            client.next_at = now + self._pause
        return None

    def _lost(self, client):
        if not self._reconnect:
            raise AssertionError(f"a connection ended with {len(client.asked)} replies owed")
        self.unanswered += len(client.asked)
        client.asked.clear()
        client.pending = b""
        client.next_at = time.monotonic() + 0.02
        hang_up(client, self._selector)
