"""One real redis-server: in a directory of its own, on a Unix socket there and, if wanted, on a
port of the loopback; stopped by its process id."""

import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile

import redis

from support import binaries
from support.waiting import eventually


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class RedisServer:
    """REQUIRES: cleanup() at the end; the fixtures `redis` and `redis_servers` see to it."""

    def __init__(self, tcp=False, **options):
        """`options` are those of its configuration, with _ for - in their names."""
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="toll-redis-"))
        self.socket = str(self.directory / "r.sock")
        self.port = free_port() if tcp else 0
        self._options = options
        self.process = None
        self._stopped = False
        self._clients = []

    # -- life

    def start(self):
        """Starts it with an empty memory and waits until it answers."""
        self.launch()
        eventually(self._answers, "redis-server answers", within=10)
        return self

    def launch(self):
        pathlib.Path(self.socket).unlink(missing_ok=True)
        options = {"port": self.port, "bind": "127.0.0.1", "unixsocket": self.socket, "save": "",
                   "appendonly": "no", "dir": self.directory, "daemonize": "no", **self._options}
        words = [word for name, value in options.items()
                 for word in ("--" + name.replace("_", "-"), *str(value).split(" "))]
        with open(self.directory / "log", "ab") as log:
            self.process = subprocess.Popen(
                ["redis-server", *words], cwd=self.directory, stdout=log, stderr=log,
                stdin=subprocess.DEVNULL, env=binaries.clean_environment())
        return self

    def _answers(self):
        assert self.running(), f"it ended with {self.process.returncode}:\n{self.log()}"
        try:
            with socket.socket(socket.AF_UNIX) as probe:
                probe.settimeout(5)
                probe.connect(self.socket)
                probe.sendall(b"PING\r\n")
                return probe.recv(64)[:1] in (b"+", b"-")
        except OSError:
            return False

    def running(self):
        return self.process is not None and self.process.poll() is None

    def kill(self):
        """Ends it at once, as a crash would; what it held is gone."""
        self._stopped = False
        if self.running():
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()

    def stop(self):
        if self._stopped:
            self.resume()
        if self.running():
            self.process.terminate()
            self.process.wait(timeout=10)

    def restart(self):
        """Killed, and there again with an empty memory."""
        self.kill()
        return self.start()

    def pause(self):
        """Hangs: its connections stay, and nothing is answered."""
        self._stopped = True
        os.kill(self.process.pid, signal.SIGSTOP)

    def resume(self):
        self._stopped = False
        os.kill(self.process.pid, signal.SIGCONT)

    def cleanup(self):
        for client in self._clients:
            client.close()
        self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)

    def log(self):
        return (self.directory / "log").read_text(encoding="utf-8", errors="backslashreplace")

    # -- its clients

    def client(self, **options):
        """Python's client, of bytes."""
        one = redis.Redis(unix_socket_path=self.socket, **options)
        self._clients.append(one)
        return one

    def url(self, database=None):
        """Of its port where it has one."""
        if self.port:
            return f"redis://127.0.0.1:{self.port}" + (f"/{database}" if database else "")
        return f"unix://{self.socket}" + (f"?db={database}" if database else "")
