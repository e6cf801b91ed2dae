"""Three Redis Sentinels that watch one primary, on ports of the loopback."""

import pathlib
import shutil
import subprocess
import tempfile

import redis

from support import binaries
from support.redis_server import free_port

NAME = "main"
CONFIG = """port {port}
bind 127.0.0.1
dir {directory}
sentinel monitor {name} 127.0.0.1 {watched} 2
sentinel down-after-milliseconds {name} 1000
sentinel failover-timeout {name} 5000
"""


class Sentinels:
    """REQUIRES: close() at the end."""

    def __init__(self, watched, count=3):
        self._directory = pathlib.Path(tempfile.mkdtemp(prefix="toll-sentinels-"))
        self._processes = []
        self.clients = []
        for number in range(count):
            directory = self._directory / str(number)
            directory.mkdir()
            port = free_port()
            file = directory / "sentinel.conf"
            file.write_text(CONFIG.format(port=port, directory=directory, name=NAME,
                                          watched=watched), encoding="utf-8")
            with open(directory / "log", "ab") as log:
                self._processes.append(subprocess.Popen(
                    ["redis-server", str(file), "--sentinel"], stdout=log, stderr=log,
                    stdin=subprocess.DEVNULL, env=binaries.clean_environment()))
            self.clients.append(redis.Redis(port=port, decode_responses=True))

    def know_each_other(self):
        """Whether each knows the others and one replica."""
        try:
            seen = [one.sentinel_master(NAME) for one in self.clients]
        except redis.RedisError:
            return False
        return all(int(each["num-other-sentinels"]) == len(self.clients) - 1 and
                   int(each["num-slaves"]) == 1 for each in seen)

    def primary_port(self):
        """As most of them say."""
        said = [int(one.sentinel_get_master_addr_by_name(NAME)[1]) for one in self.clients]
        return max(said, key=said.count)

    def close(self):
        for client in self.clients:
            client.close()
        for process in self._processes:
            process.kill()
            process.wait()
        shutil.rmtree(self._directory, ignore_errors=True)
