"""Starting and stopping: readiness, what is printed, and that nothing received stays unanswered."""

import os
import re
import resource
import signal
import subprocess

import pytest

from support import binaries
from support.daemon import run_tollkeeperd
from support.line import LineClient
from support.waiting import eventually

POLICIES = """
[policies.api]
limits = ["100/1s", "5000/1h"]
[policies.wide]
limits = ["1000000/365d"]
"""

COUNT = 10_000
REQUESTS = b"".join(b"CHECK wide id%d\n" % (n % 97) for n in range(COUNT))


@pytest.fixture(params=[signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def stopping(request):
    return request.param


# -- stopping


def assert_in_order(replies):
    for n, reply in enumerate(replies):
        assert reply.remaining == 999_999 - n // 97, f"reply {n}: {reply}"


def test_all_that_was_received_is_answered_before_the_end(daemon, shape, stopping):
    one = daemon(POLICIES, **shape)
    client = one.line()
    client.send_raw(REQUESTS)
    client.wait_until_received()
    one.send_signal(stopping)
    replies = client.read_to_end()
    assert len(replies) == COUNT
    assert_in_order(replies)
    assert one.wait() == 0


def test_stopping_in_the_midst_of_requests_tears_no_reply(daemon, shape, stopping):
    one = daemon(POLICIES, **shape)
    clients = [one.line() for _ in range(5)]
    for client in clients:
        client.ask("PING")  # it has been accepted
        client.send_raw(REQUESTS.replace(b" id", b" %d-" % client.socket.fileno()))
    one.send_signal(stopping)
    for client in clients:
        replies = client.read_to_end()
        assert len(replies) <= COUNT
        assert_in_order(replies)
    assert one.wait() == 0


def test_it_ends_in_order_with_idle_and_silent_clients(daemon, backend, stopping):
    one = daemon(POLICIES, backend=backend)
    idle, silent, half = one.line(), one.line(), one.line()
    silent.socket.setblocking(False)
    try:
        for _ in range(200):
            silent.socket.send(b"HELP\n" * 5000)
    except BlockingIOError:
        pass
    half.send_raw(b"CHECK wide never-fin")
    one.send_signal(stopping)
    assert one.wait() == 0
    assert not os.path.exists(one.socket), "the socket file is removed"
    assert idle.closed_by_daemon()


def test_no_new_client_is_served_once_it_stops(daemon, backend):
    one = daemon(POLICIES, backend=backend)
    one.stop()
    with pytest.raises((FileNotFoundError, ConnectionRefusedError)):
        LineClient(one.socket)


def test_a_second_signal_does_no_harm(daemon, backend):
    one = daemon(POLICIES, backend=backend)
    one.send_signal(signal.SIGTERM)
    one.send_signal(signal.SIGINT)
    assert one.wait() == 0


def test_it_starts_again_at_once_on_the_same_socket(daemon, backend):
    one = daemon(POLICIES, backend=backend)
    for _ in range(5):
        one.stop()
        one.start()
        assert one.line().ask("PING").line == "OK pong"


# -- what it prints


def tried_lines(one):
    """The lines to try that it prints, by tool."""
    one.says("nc -")
    lines = {}
    for line in one.output().splitlines():
        for tool, pattern in (("redis-cli", r"redis-cli .*"), ("nc", r"(echo|printf) .*\bnc -.*"),
                              ("tollkeeper", r"(\S*/)?tollkeeper( .*)? CHECK .*")):
            match = re.search(pattern, line)
            if match and tool not in lines:
                lines[tool] = match.group(0)
                break
    return lines


def test_it_prints_where_it_listens_and_three_lines_that_work(daemon, backend):
    one = daemon(POLICIES, backend=backend)
    lines = tried_lines(one)
    assert sorted(lines) == ["nc", "redis-cli", "tollkeeper"], one.output()
    assert one.socket in one.output()
    environment = binaries.clean_environment()
    for binary in (binaries.TOLLKEEPER, "/usr/bin/redis-cli"):
        environment["PATH"] = os.path.dirname(binary) + ":" + environment["PATH"]
    for tool, line in lines.items():
        done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=False,
                              stdin=subprocess.DEVNULL, timeout=5 * binaries.patience(),
                              env=environment)
        said = done.stdout.split()
        assert said and said[0] in ("ALLOW", "OK", "1", "PONG"), f"{tool}: {line}\n{done}"


def test_it_says_which_loop_it_uses(daemon, backend):
    one = daemon(POLICIES, backend=backend)
    one.says(backend)


def test_version_and_help_need_nothing():
    version = run_tollkeeperd("--version")
    assert version.returncode == 0
    assert re.search(r"tollkeeperd? \d+\.\d+\.\d+", version.stdout)
    shown = run_tollkeeperd("--help")
    assert shown.returncode == 0
    for option in ("--config", "--socket", "--check", "--print-config", "--version"):
        assert option in shown.stdout
    assert run_tollkeeperd("--nonsense").returncode > 0


def test_the_variable_that_leads_clients_to_it_does_not_stop_it(daemon):
    one = daemon(POLICIES, environment={"TOLLKEEPER_SOCKET": "/nowhere/t.sock"})
    assert one.line().ask("PING").line == "OK pong"


# -- without a file


@pytest.mark.parametrize("variable", ["RUNTIME_DIRECTORY", "XDG_RUNTIME_DIR"])
def test_without_a_file_the_embedded_defaults_serve(daemon, variable, place):
    environment = {variable: str(place), "TOLLKEEPER_SERVER_STATE_DIR": str(place / "state")}
    one = daemon(config=None, launch_only=True, environment=environment)
    folder = place if variable == "RUNTIME_DIRECTORY" else place / "tollkeeper"
    eventually((folder / "tollkeeper.sock").is_socket, f"a socket is made in {folder}")
    one.socket = str(folder / "tollkeeper.sock")
    client = eventually(lambda: connected(one), "it accepts")
    assert client.ask("CHECK api alice").values[:2] == [100, 99]
    listed = {row[0]: row[1:3] for row in client.ask("POLICIES").rows}
    assert listed == {
        "general": ["sliding_window", "120/1m"], "auth": ["sliding_window", "30/1m"],
        "sensitive": ["sliding_window", "10/1m"], "admin": ["sliding_window", "300/1m"],
        "mfa": ["sliding_window", "5/1m"], "financial": ["sliding_window", "20/1m"],
        "s1": ["gcra", "100/1s"], "s2": ["gcra", "50/1s"], "s3": ["gcra", "20/1s"],
        "s4": ["gcra", "100/1m"], "s5": ["gcra", "50/5m"], "api": ["gcra", "100/1s,5000/1h"]}


def connected(one):
    try:
        return one.line()
    except (ConnectionRefusedError, FileNotFoundError):
        return None


@pytest.mark.parametrize("descriptors", range(6, 40, 3))
def test_with_too_few_descriptors_it_says_so_or_runs(place, backend, descriptors):
    def allow_few():
        resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors))

    with open(place / "said", "w+", encoding="utf-8") as said:
        process = subprocess.Popen(
            [binaries.TOLLKEEPERD, "--socket", place / "t.sock"], stdout=said, stderr=said,
            env={**os.environ, "TOLLKEEPER_SERVER_WORKERS": "3",
                 "TOLLKEEPER_SERVER_BACKEND": backend},
            preexec_fn=allow_few)
        eventually(lambda: process.poll() is not None or "Try:" in (place / "said").read_text(),
                   "it runs or has ended", 5)
        process.terminate()
        code = process.wait(timeout=5 * binaries.patience())
        text = (place / "said").read_text()
    # A failing start is an exit code and a sentence, never a signal.
    assert code in (0, 1) or (code == 127 and "shared librar" in text), f"{code}: {text}"
    assert text
