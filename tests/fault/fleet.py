"""One real Redis and some real daemons, each reaching it through a proxy of its own and each asked
by a process of clients; and the record of what was done to them, by which answers are judged."""

import collections
import contextlib
import pathlib
import pickle
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

import redis

import support_path  # noqa: F401  pylint: disable=unused-import
from support import binaries
from support.backends import backends
from support.daemon import Daemon
from support.proxy import Proxy
from support.redis_server import RedisServer
from support.store import health

import mix

HERE = pathlib.Path(__file__).resolve().parent
SAMPLE_EVERY_S = 0.1

# What Redis has acknowledged survives its being killed: it writes to its file before it answers,
# and the kernel keeps that. (With `everysec` it would answer first while an fsync is under way.)
KEEPS = {"appendonly": "yes", "appendfsync": "no"}


class Clients:
    """A process of clients, as client.py describes it."""

    def __init__(self, path, seed):
        self._process = subprocess.Popen(
            [sys.executable, str(HERE / "client.py"), path, str(seed)], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE)

    def send(self, *command):
        pickle.dump(command, self._process.stdin)
        self._process.stdin.flush()

    def receive(self):
        return pickle.load(self._process.stdout)

    def call(self, *command):
        self.send(*command)
        return self.receive()

    def close(self):
        self._process.kill()
        self._process.wait()
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.stdout.close()


Sample = collections.namedtuple("Sample", "asked told redis hosts")


class Watcher:
    """Asks a daemon for its HEALTH again and again, on a thread of its own."""

    def __init__(self, daemon):
        self._daemon = daemon
        self._over = threading.Event()
        self.samples = collections.deque(maxlen=10_000)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        while not self._over.is_set():
            with contextlib.suppress(OSError, AssertionError), self._daemon.line() as client:
                while not self._over.wait(SAMPLE_EVERY_S):
                    asked = time.monotonic()
                    now = health(client)
                    told = time.monotonic()
                    self.samples.append(Sample(asked, told, now["redis"], int(now["hosts"])))
            self._over.wait(SAMPLE_EVERY_S)

    def since(self, when):
        return [sample for sample in list(self.samples) if sample.asked >= when]

    def close(self):
        self._over.set()
        self._thread.join(timeout=20 * binaries.patience())


class Member:
    """One daemon with its proxy, its clients and what was done to it."""

    def __init__(self, number, directory, upstream, backend, seed):
        self.number = number
        self.proxy = Proxy(directory / f"p{number}.sock", upstream)
        self.daemon = Daemon(mix.config(self.proxy.url()), backend=backend, workers=2,
                             server={"max_output": "256KiB", "memory": "64MiB"})
        self.clients = Clients(self.daemon.socket, f"{seed} {number}")
        self.watcher = None
        self.starts = []  # of its processes; an answer is of the last one before it was asked for
        self.stops = []   # (from, to): it was stopped, all the while and no longer
        self._stopped_at = None

    def start(self):
        self.starts.append(time.monotonic())
        self.daemon.start()
        if self.watcher is None:
            self.watcher = Watcher(self.daemon)

    def pause(self):
        self._stopped_at = time.monotonic()
        self.daemon.send_signal(signal.SIGSTOP)

    def resume(self):
        self.daemon.send_signal(signal.SIGCONT)
        self.stops.append((self._stopped_at, time.monotonic()))
        self._stopped_at = None

    def stopped_s(self, since, until):
        """For how long it was stopped in that time."""
        return sum(max(0.0, min(until, end) - max(since, start)) for start, end in self.stops)

    def health(self):
        with self.daemon.line() as client:
            return health(client)

    def recent(self, since):
        return self.clients.call("since", since)

    def close(self):
        if self._stopped_at is not None:
            self.resume()
        self.clients.close()
        if self.watcher is not None:
            self.watcher.close()

    def cleanup(self):
        self.daemon.cleanup()
        self.proxy.close()


class Fleet:
    """A context: up when it is entered; behind it every daemon that ran has ended in order, unless
    something went wrong before."""

    def __init__(self, seed, size):
        self._began = time.monotonic()
        self._directory = pathlib.Path(tempfile.mkdtemp(prefix="toll-"))
        self.history = []
        self.redis = RedisServer(**KEEPS)
        self.redis_starts = []  # with an empty memory
        kinds = backends()
        self.members = [
            Member(number, self._directory, self.redis.socket, kinds[number % len(kinds)], seed)
            for number in range(size)]

    def __enter__(self):
        try:
            self.redis_starts.append(time.monotonic())
            self.redis.start()
            for member in self.members:
                member.start()
        except BaseException:
            self._cleanup()
            raise
        return self

    def __exit__(self, kind, *_):
        try:
            for member in self.members:
                member.close()
            if kind is None:
                for member in self.members:
                    member.daemon.finish()
        finally:
            self._cleanup()

    def _cleanup(self):
        for member in self.members:
            member.close()
            member.cleanup()
        self.redis.cleanup()
        shutil.rmtree(self._directory, ignore_errors=True)

    def note(self, text):
        self.history.append(f"{time.monotonic() - self._began:8.3f} s  {text}")

    @contextlib.contextmanager
    def asking_redis(self, timeout=10.0):
        """A client of Redis for this use alone: it may have been started anew since the last."""
        with redis.Redis(unix_socket_path=self.redis.socket,
                         socket_timeout=timeout * binaries.patience()) as client:
            yield client

    def start_redis(self, empty):
        if empty:
            for path in self.redis.directory.glob("appendonly*"):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
            self.redis_starts.append(time.monotonic())
        self.redis.start()
