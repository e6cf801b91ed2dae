"""A proxy between a daemon and its Redis, or between two of these, that does harm on command.

One thread. Replies are what comes from Redis; requests are passed, swallowed or kept back.
"""

import os
import selectors
import socket
import threading
import time


class _Pair:
    """One connection through it."""

    def __init__(self, client, server):
        self.client = client
        self.server = server
        self.late = []  # (when, bytes) of delayed replies
        self.kept = None  # bytes for the server that are kept back, from now on all


def _socket(address):
    return socket.socket(socket.AF_INET if isinstance(address, tuple) else socket.AF_UNIX)


class Proxy:
    """At the path of a Unix socket, as is `upstream`, or at a (host, port).

    REQUIRES: close() at the end."""

    def __init__(self, path, upstream):
        self.path = path if isinstance(path, tuple) else str(path)
        self._upstream = upstream if isinstance(upstream, tuple) else str(upstream)
        self._selector = selectors.DefaultSelector()
        self._pairs = {}  # by either socket
        self._orders = []
        self._lock = threading.Lock()
        self._wake, self._woken = socket.socketpair()
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._listener = None
        self._swallow = False
        self._cut_after = None
        self._delay_s = 0.0
        self._keep_from = None
        self._kept = []  # pairs
        self.cuts = 0  # how often cut_after() came true
        self.reply_bytes = 0  # passed on so far
        self._open()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._running = True
        self._thread.start()

    # -- commands; each is in force when it returns

    def url(self):
        return f"unix://{self.path}"

    def pass_on(self):
        """Behaves."""
        def order():
            self._swallow, self._cut_after, self._delay_s = False, None, 0.0
            if self._listener is None:
                self._open()
        self._do(order)

    def blackhole(self):
        """Accepts and answers nothing; what is connected stays so."""
        self._do(lambda: setattr(self, "_swallow", True))

    def refuse(self):
        """Ends all connections and takes no new ones."""
        def order():
            self._shut()
            self._end_all()
        self._do(order)

    def lead_to(self, upstream):
        """All that connects from now on comes to another server."""
        self._do(lambda: setattr(self, "_upstream", upstream))

    def end_connections(self):
        self._do(self._end_all)

    def cut_after(self, count):
        """Ends the connection over which the byte after the next `count` of replies would go."""
        self._do(lambda: setattr(self, "_cut_after", count))

    def delay(self, seconds):
        self._do(lambda: setattr(self, "_delay_s", seconds))

    def keep_back(self, marker):
        """What comes next with `marker` in it, and all behind it on its connection, goes nowhere
        before pass_kept(), though its sender may be gone by then."""
        self._do(lambda: setattr(self, "_keep_from", marker))

    def pass_kept(self):
        def order():
            for pair in self._kept:
                pair.server.sendall(pair.kept)
                pair.server.shutdown(socket.SHUT_WR)
                while pair.server.recv(1 << 16):
                    pass
                pair.server.close()
            self._kept = []
        self._do(order)

    def close(self):
        def order():
            self._shut()
            self._end_all()
            for pair in self._kept:
                pair.server.close()
            self._running = False
        self._do(order)
        self._thread.join(timeout=5)
        self._wake.close()
        self._woken.close()
        self._selector.close()

    # -- the thread's own

    def _do(self, order):
        done = threading.Event()
        with self._lock:
            self._orders.append((order, done))
        self._wake.send(b"!")
        assert done.wait(timeout=5), "the proxy's thread is gone"

    def _open(self):
        if not isinstance(self.path, tuple) and os.path.exists(self.path):
            os.unlink(self.path)
        self._listener = _socket(self.path)
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind(self.path)
        self._listener.listen(64)
        self._selector.register(self._listener, selectors.EVENT_READ)

    def _shut(self):
        if self._listener is not None:
            self._selector.unregister(self._listener)
            self._listener.close()
            self._listener = None
            if not isinstance(self.path, tuple):
                os.unlink(self.path)

    def _request(self, pair, data):
        if pair.kept is None and self._keep_from is not None and self._keep_from in data:
            self._keep_from = None
            pair.kept = b""
            self._kept.append(pair)
            self._pairs.pop(pair.server)
            self._selector.unregister(pair.server)
        if pair.kept is None:
            return pair.server.sendall(data)
        pair.kept += data

    def _end(self, pair):
        for one in (pair.client, pair.server):
            if one is not None and self._pairs.pop(one, None):
                self._selector.unregister(one)
                one.close()

    def _end_all(self):
        for pair in set(self._pairs.values()):
            self._end(pair)

    def _run(self):
        while self._running:
            pause = 0.001 if any(pair.late for pair in self._pairs.values()) else 5
            for key, _ in self._selector.select(pause):
                if key.fileobj is self._woken:
                    self._obey()
                elif key.fileobj is self._listener:
                    self._accept()
                elif key.fileobj in self._pairs:
                    self._move(key.fileobj, self._pairs[key.fileobj])
            for pair in set(self._pairs.values()):
                self._send_late(pair)

    def _obey(self):
        self._woken.recv(64)
        with self._lock:
            orders, self._orders = self._orders, []
        for order, done in orders:
            order()
            done.set()

    def _accept(self):
        client, _ = self._listener.accept()
        server = _socket(self._upstream)
        try:
            server.connect(self._upstream)
        except OSError:
            server.close()
            if not self._swallow:
                client.close()
                return
            server = None
        pair = _Pair(client, server)
        for one in (client, server):
            if one is not None:
                self._pairs[one] = pair
                self._selector.register(one, selectors.EVENT_READ)

    def _move(self, source, pair):
        try:
            data = source.recv(1 << 16)
            if not data:
                return self._end(pair)
            if self._swallow:
                return None
            if source is pair.client:
                return self._request(pair, data)
            return self._reply(pair, data)
        except (OSError, AttributeError):
            return self._end(pair)

    def _reply(self, pair, data):
        if self._delay_s or pair.late:  # what is late is not overtaken
            pair.late.append((time.monotonic() + self._delay_s, data))
            return
        if self._cut_after is not None and len(data) > self._cut_after:
            data = data[:self._cut_after]
            self._cut_after = None
            self.cuts += 1
            if data:
                pair.client.sendall(data)
            self._end(pair)
            return
        if self._cut_after is not None:
            self._cut_after -= len(data)
        self.reply_bytes += len(data)
        pair.client.sendall(data)

    def _send_late(self, pair):
        now = time.monotonic()
        while pair.late and pair.late[0][0] <= now:
            try:
                pair.client.sendall(pair.late.pop(0)[1])
            except OSError:
                self._end(pair)
                return
