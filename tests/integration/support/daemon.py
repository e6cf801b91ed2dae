"""One real tollkeeperd: started in a directory and on a socket of its own, and surely ended."""

import os
import pathlib
import re
import resource
import shutil
import signal
import socket
import struct
import subprocess
import tempfile

import redis

from support import binaries
from support.line import LineClient
from support.resp import RespClient
from support.waiting import eventually

STOP_SECONDS = 5.0  # the promise: SIGTERM and SIGINT end it within this

def _toml(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int) else '"' + str(value).replace('"', '\\"') + '"'


class Daemon:
    """REQUIRES: stop(), kill() or cleanup() at the end; the `daemon` fixture sees to it."""

    def __init__(self, config="", backend=None, workers=2, server=None, arguments=(),
                 environment=None, open_files=None, directory=None, errors_to=None,
                 output_to=None, listener=None, prepare=None, program=None, before=(),
                 metrics=False):
        """`config` is the file after its [server] table, whose keys come in `server`. With
        `metrics` there is the page, on any port; else none; metrics=None is as the file says.

        With config=None there is no file at all: `arguments` and `environment` say everything else,
        the socket's path included. `errors_to` is a descriptor in place of the file `err`, and
        `output_to` in place of `out`. `listener` is a socket to pass to it;
        `prepare` is called in the new process before the program is, which `program` may name;
        `before` goes before all arguments."""
        self.directory = pathlib.Path(directory or tempfile.mkdtemp(prefix="toll-"))
        self.directory.chmod(0o755)  # for clients of other users
        self.socket = str(self.directory / "t.sock")
        self.file = self.directory / "tollkeeper.toml"
        self._server = {"socket": self.socket, "workers": workers, "backend": backend,
                        "state_dir": self.directory / "state", **(server or {})}
        self._arguments = list(arguments)
        page = {} if metrics is None else {
            "TOLLKEEPER_METRICS_LISTEN": "127.0.0.1:0" if metrics else ""}
        self._environment = {**binaries.clean_environment(), **page, **(environment or {})}
        self._open_files = open_files
        self._errors_to, self._output_to = errors_to, output_to
        self._listener, self._prepare = listener, prepare
        self._program = program or binaries.TOLLKEEPERD
        if listener:
            self._environment = {"LISTEN_FDS": "1", "LISTEN_FDNAMES": "tollkeeper",
                                 **self._environment}
        self.process = None
        self._ended = False  # its end was wanted, or has been told
        self._said_before = 0  # of its output, by earlier starts
        if config is None:
            self._environment["TOLLKEEPER_SERVER_BACKEND"] = backend or "auto"
            self._environment.setdefault("STATE_DIRECTORY", str(self.directory / "state"))
        else:
            self.write_config(config)
            self._arguments = ["--config", str(self.file), *self._arguments]
        self._arguments = [*map(str, before), *self._arguments]

    # -- configuration

    def write_config(self, config, **server):
        """Writes the file anew, in one step; `server` changes keys of its first table."""
        self._server.update(server)
        lines = [f"{key} = {_toml(value)}" for key, value in self._server.items()
                 if value is not None]
        new = self.file.with_suffix(".new")
        new.write_text("[server]\n" + "\n".join(lines) + "\n" + config, encoding="utf-8")
        new.replace(self.file)

    # -- life

    def launch(self):
        """Starts the process and waits for nothing."""
        def prepare():
            if self._open_files:
                resource.setrlimit(resource.RLIMIT_NOFILE, (self._open_files, self._open_files))
            if self._listener:
                os.dup2(self._listener.fileno(), 3)
            if self._prepare:
                self._prepare()

        # Only the process itself knows the pid that it is passed to.
        named = ["sh", "-c", 'export LISTEN_PID=$$; exec "$0" "$@"'] if self._listener else []

        self._said_before = len(self.output())
        with open(self.directory / "out", "ab") as out, open(self.directory / "err", "ab") as err:
            self.process = subprocess.Popen(
                [*named, self._program, *self._arguments], cwd=self.directory,
                stdout=out if self._output_to is None else self._output_to,
                stderr=err if self._errors_to is None else self._errors_to,
                stdin=subprocess.DEVNULL, env=self._environment,
                close_fds=not self._listener, preexec_fn=prepare)
        self._ended = False
        return self

    def start(self):
        """Starts it and waits until it accepts."""
        self.launch()
        eventually(self._accepts, f"{binaries.TOLLKEEPERD} accepts", within=10)
        return self

    def _accepts(self):
        """Whether this very process does: the listener of a killed one may outlive it a little."""
        self._ended = self.process.poll() is not None
        assert not self._ended, f"exited with {self.process.returncode} at once:\n{self.output()}"
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            if probe.connect_ex(self.socket) != 0:
                return False
            credentials = probe.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
            return struct.unpack("iII", credentials)[0] == self.pid

    @property
    def pid(self):
        return self.process.pid

    def running(self):
        return self.process is not None and self.process.poll() is None

    def send_signal(self, number):
        os.kill(self.pid, number)

    def wait(self, seconds=STOP_SECONDS):
        """The exit code, within `seconds`."""
        self._ended = True
        try:
            return self.process.wait(timeout=seconds * binaries.patience())
        except subprocess.TimeoutExpired:
            pass  # the message below says more
        raise AssertionError(f"it still runs {seconds:.0f} s after its signal:\n{self.output()}")

    def stop(self, with_signal=signal.SIGTERM):
        """Ends it the orderly way and checks that it was one."""
        assert self.running(), f"it had ended, with {self.process.returncode}:\n{self.output()}"
        self.send_signal(with_signal)
        code = self.wait()
        assert code == 0, f"exit code {code}:\n{self.output()}"
        self.check_output()

    def finish(self):
        """Stops it unless that was done; that it ended by itself is an error."""
        if self.running() or not self._ended:
            self.stop()
        self.check_output()

    def kill(self):
        self._ended = True
        self.send_signal(signal.SIGKILL)
        self.process.wait()

    def cleanup(self):
        """Whatever state it is in: no process and no files are left."""
        if self.running():
            self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)

    # -- what it says

    def output(self):
        """All it has printed so far, to both."""
        texts = [(self.directory / name).read_text(encoding="utf-8", errors="backslashreplace")
                 for name in ("out", "err") if (self.directory / name).exists()]
        return "".join(texts)

    def check_output(self):
        reports = [mark for mark in binaries.SANITIZER_MARKS if mark in self.output()]
        assert not reports, f"sanitizer report:\n{self.output()}"

    def says(self, text, since=0):
        """Waits until the output, from offset `since`, has `text`; returns that part."""
        return eventually(lambda: text in self.output()[since:] and self.output()[since:],
                          f"{text!r} in the output:\n{self.output()[since:]}")

    def metrics_port(self):
        """Where it says that the page is. It may be reached sooner than it says so."""
        page = re.compile(r"metrics: http://127\.0\.0\.1:(\d+)/metrics\n")
        found = eventually(lambda: page.search(self.output()[self._said_before:]),
                           "the metrics page's address in the output")
        return int(found[1])

    # -- clients

    def line(self, timeout=15.0):
        return LineClient(self.socket, timeout * binaries.patience())

    def raw_resp(self):
        return RespClient(self.socket, 15.0 * binaries.patience())

    def resp(self, **options):
        """Python's redis client, with its default options."""
        return redis.Redis(unix_socket_path=self.socket, **options)

    def redis_cli(self, *words, text_input=None):
        """redis-cli's finished process."""
        return subprocess.run(["redis-cli", "-s", self.socket, *words], input=text_input,
                              capture_output=True, text=True, check=False,
                              timeout=20 * binaries.patience())

    def tollkeeper(self, *words, text_input=None, **options):
        """The finished process of the `tollkeeper` command."""
        stdin = {"input": text_input} if text_input is not None else {"stdin": subprocess.DEVNULL}
        return subprocess.run(
            [binaries.TOLLKEEPER, "--socket", self.socket, *words], capture_output=True,
            text=True, check=False, timeout=20 * binaries.patience(),
            env=binaries.clean_environment(), **stdin, **options)


def run_tollkeeperd(*arguments, environment=None):
    """The finished process of a tollkeeperd that is expected to end by itself."""
    return subprocess.run(
        [binaries.TOLLKEEPERD, *map(str, arguments)], capture_output=True, text=True, check=False,
        stdin=subprocess.DEVNULL, timeout=10 * binaries.patience(),
        env={**binaries.clean_environment(), **(environment or {})})
