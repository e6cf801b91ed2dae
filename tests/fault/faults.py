"""The harm that is done to a fleet: each fault is a small class.

    begin()   does it
    tick()    again and again while it lasts
    fired()   whether it has shown its effect; a fault lasts until it has
    end()     undoes it

`resources` names what a fault needs for itself: no two faults on one resource at a time.
"""

import re
import resource
import signal
import subprocess
import sys
import time

from redis.exceptions import ResponseError

import support_path  # noqa: F401  pylint: disable=unused-import
from support.crowd import in_background
from support.line import connected
from support.store import health

import mix


def process_state(pid):
    """R, S, T …, as /proc has it."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
        return stat.read().rpartition(")")[2].split()[0]


class Fault:
    shortest_s, longest_s = 0.3, 1.0

    def __init__(self, fleet, rng):
        self.fleet = fleet
        self.rng = rng
        self.member = rng.choice(fleet.members)
        self.lasts_s = rng.uniform(self.shortest_s, self.longest_s)
        self.began = None
        self.draw()

    def draw(self):
        """Draws what is its own."""

    @classmethod
    def name(cls):
        return re.sub(r"(?<!^)(?=[A-Z])", "-", cls.__name__).lower()

    def __str__(self):
        return f"{self.name()} of {' and '.join(self.resources)}"

    resources = ()

    def ends(self, member):
        """Whether that daemon is down because of it."""
        return False

    def start(self):
        self.began = time.monotonic()
        self.begin()

    def begin(self):
        raise NotImplementedError

    def tick(self):
        pass

    def fired(self):
        raise NotImplementedError

    def end(self):
        pass


# -- daemons


class OfDaemon(Fault):
    @property
    def resources(self):
        return [f"daemon {self.member.number}"]


class DaemonKilled(OfDaemon):
    shortest_s = 0.0

    def ends(self, member):
        return member is self.member

    def begin(self):
        self.member.daemon.kill()

    def fired(self):
        return self.member.daemon.process.returncode == -signal.SIGKILL

    def end(self):
        self.member.start()


class DaemonRestarted(DaemonKilled):
    """In order, which must be quick whatever else is going on."""
    longest_s = 0.0

    def begin(self):
        self.member.daemon.stop()

    def fired(self):
        return self.member.daemon.process.returncode == 0


class DaemonStopped(OfDaemon):
    def begin(self):
        self.member.pause()

    def fired(self):
        return process_state(self.member.daemon.pid) == "T"

    def end(self):
        self.member.resume()


class OutOfDescriptors(OfDaemon):
    """It loses its connections to Redis and cannot make new ones."""

    @property
    def resources(self):
        return [f"daemon {self.member.number}", f"link {self.member.number}"]

    def begin(self):
        pid = self.member.daemon.pid
        self._client = self.member.daemon.line()  # later there may be no more
        health(self._client)
        _, self._most = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        self._before = resource.prlimit(pid, resource.RLIMIT_NOFILE, (3, self._most))[0]
        self.member.proxy.end_connections()

    def fired(self):
        return health(self._client)["redis"] != "up"

    def end(self):
        resource.prlimit(self.member.daemon.pid, resource.RLIMIT_NOFILE, (self._before, self._most))
        self._client.close()


# -- Redis


class OfRedis(Fault):
    resources = ("redis",)

    def errors(self, code):
        """How often Redis has answered so."""
        with self.fleet.asking_redis() as client:
            found = client.info("errorstats").get(f"errorstat_{code}", "count=0")
            return int(re.search(r"\d+", str(found)).group())

    def configured(self, name, value):
        with self.fleet.asking_redis() as client:
            client.config_set(name, value)


class RedisStopped(OfRedis):
    def begin(self):
        self.fleet.redis.pause()

    def fired(self):
        return process_state(self.fleet.redis.process.pid) == "T"

    def end(self):
        self.fleet.redis.resume()


class RedisKilled(OfRedis):
    """There again with all that it has acknowledged."""
    shortest_s = 0.0
    empty = False

    def begin(self):
        self.fleet.redis.kill()

    def fired(self):
        return self.fleet.redis.process.returncode == -signal.SIGKILL

    def end(self):
        self.fleet.start_redis(self.empty)


class RedisEmptied(RedisKilled):
    empty = True


class RedisFull(OfRedis):
    def begin(self):
        self._before = self.errors("OOM")
        self.configured("maxmemory", 1)

    def fired(self):
        return self.errors("OOM") > self._before

    def end(self):
        self.configured("maxmemory", 0)


class RedisBusy(OfRedis):
    """With somebody's script, until that is killed."""

    def begin(self):
        self.configured("lua-time-limit", 20)
        self._loop = in_background(self._run)

    def _run(self):
        with self.fleet.asking_redis() as client:
            client.eval("while true do end", 0)

    def fired(self):
        try:
            with self.fleet.asking_redis() as client:
                client.ping()
        except ResponseError as error:
            return str(error).startswith("BUSY")
        return False

    def end(self):
        while self.fired():
            try:
                with self.fleet.asking_redis() as client:
                    client.script_kill()
            except ResponseError:
                pass  # it has ended meanwhile
        self._loop.join(timeout=10)
        self.configured("lua-time-limit", 5000)


class ScriptsFlushed(OfRedis):
    def begin(self):
        self._before = self.errors("NOSCRIPT")

    def tick(self):
        with self.fleet.asking_redis() as client:
            client.script_flush()

    def fired(self):
        return self.errors("NOSCRIPT") > self._before


class ClientsKilled(OfRedis):
    def draw(self):
        self._type = self.rng.choice(("normal", "normal", "pubsub"))
        self._ended = 0

    def begin(self):
        self.tick()

    def tick(self):
        if self._ended and self.rng.random() < 0.9:
            return
        with self.fleet.asking_redis() as client:
            self._ended += client.client_kill_filter(_type=self._type, skipme=True)

    def fired(self):
        return self._ended > 0


# -- the link of one daemon to Redis


class OfLink(Fault):
    @property
    def resources(self):
        return [f"link {self.member.number}"]

    def fired(self):
        return self.member.recent(self.began).without_redis > 0

    def end(self):
        self.member.proxy.pass_on()


class LinkSwallows(OfLink):
    """Longer than a call may take."""
    shortest_s, longest_s = mix.CALL_TIMEOUT_S + 0.1, mix.CALL_TIMEOUT_S + 0.8

    def begin(self):
        self.member.proxy.blackhole()

    def end(self):
        # What was swallowed stays so: no connection may go on behind a gap.
        self.member.proxy.refuse()
        super().end()


class LinkRefused(OfLink):
    def begin(self):
        self.member.proxy.refuse()


class LinkSlow(OfLink):
    def draw(self):
        self._delay_s = self.rng.choice((0.03, 0.1, 0.25, 0.6))

    def __str__(self):
        return f"{super().__str__()} by {self._delay_s} s"

    def begin(self):
        self.member.proxy.delay(self._delay_s)

    def fired(self):
        recent = self.member.recent(self.began)
        late_s = 0.9 * min(self._delay_s, mix.DEADLINE_S)
        return recent.without_redis > 0 or recent.slowest_s >= late_s


class LinkCut(OfLink):
    """Again and again, wherever in a reply."""

    def begin(self):
        self._before = self.member.proxy.cuts
        self._next = self._before
        self.tick()

    def tick(self):
        if self.member.proxy.cuts >= self._next:
            self._next = self.member.proxy.cuts + 1
            self.member.proxy.cut_after(self.rng.randrange(3000))

    def fired(self):
        return self.member.proxy.cuts > self._before


# -- clients


class ReaderStalls(OfDaemon):
    """A client asks without end, and reads nothing of what it is told."""

    REQUEST = b"HELP" + b" " * 1000 + b"\n"

    def begin(self):
        self._full = False
        self._client = connected(self.member.daemon.socket, 10)
        self._client.setblocking(False)

    def tick(self):
        try:
            for _ in range(2000):
                self._client.send(self.REQUEST)
        except BlockingIOError:
            self._full = True

    def fired(self):
        return self._full

    def end(self):
        self._client.close()


class ClientDies(OfDaemon):
    """In the midst of a request, with replies unread."""

    PROGRAM = """
import socket, sys
one = socket.socket(socket.AF_UNIX)
one.connect(sys.argv[1])
one.sendall(b"CHECK once_gcra victim 1\\n" * 100 + b"CHECK once_gcra vic")
print("sent", flush=True)
sys.stdin.read()
"""
    shortest_s, longest_s = 0.0, 0.2

    def begin(self):
        with subprocess.Popen(
                [sys.executable, "-S", "-c", self.PROGRAM, self.member.daemon.socket],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            self._sent = process.stdout.readline() == b"sent\n"
            process.kill()

    def fired(self):
        return self._sent


DAEMONS = (DaemonKilled, DaemonRestarted, DaemonStopped, OutOfDescriptors)
REDIS = (RedisStopped, RedisKilled, RedisEmptied, RedisFull, RedisBusy, ScriptsFlushed,
         ClientsKilled)
LINKS = (LinkSwallows, LinkRefused, LinkSlow, LinkCut)
CLIENTS = (ReaderStalls, ClientDies)
