"""Under a service manager: what it is told, when, and the sockets that it passes on."""

import os
import re
import signal
import socket
import threading
import time

import pytest

from support.daemon import run_tollkeeperd
from support.line import LineClient
from support.service_manager import (ServiceManager, listening_socket, patient, standing_still,
                                     threads_named)
from support.waiting import eventually

POLICIES = """
[policies.api]
limits = ["100/1s"]
[policies.wide]
limits = ["1000000/365d"]
"""


@pytest.fixture
def manager(place):
    one = ServiceManager(place / "notify")
    yield one
    one.close()


@pytest.fixture
def passed(place):
    """A listening socket to pass on, and its path."""
    path = place / "passed.sock"
    with listening_socket(path) as listener:
        yield listener, str(path)


# -- what the manager is told


def test_ready_is_told_once_the_socket_accepts_and_stopping_at_the_end(daemon, backend, manager):
    one = daemon(POLICIES, backend=backend, launch_only=True, environment=manager.environment())
    manager.hears("READY=1")
    assert LineClient(one.socket).ask("PING").line == "OK pong"  # at the first try
    one.send_signal(signal.SIGTERM)
    manager.hears("STOPPING=1")
    assert one.wait() == 0


def test_a_daemon_that_cannot_start_never_says_ready(daemon, manager):
    one = daemon(POLICIES)
    done = run_tollkeeperd("--config", one.file, environment=manager.environment())
    assert done.returncode > 0
    manager.listen()
    assert "READY=1" not in "\n".join(manager.heard)


def test_ready_does_not_wait_for_redis_and_the_status_says_how_it_stands(daemon, manager, redis):
    redis.stop()
    daemon(f'[redis]\nurl = "unix://{redis.socket}"\n{POLICIES}', launch_only=True,
           environment=manager.environment())
    ready = manager.hears("READY=1")
    assert re.search(r"^STATUS=degraded redis=(away|failing) .*journal=ready", ready, re.M), ready
    redis.start()
    manager.hears("STATUS=ready redis=up breaker=closed .*")


def test_a_reload_says_when_it_began_and_ends_well_or_not(daemon, manager):
    one = daemon(POLICIES, environment=manager.environment())
    manager.hears("READY=1")
    for config in (POLICIES, POLICIES + "unknown = 1\n"):
        one.write_config(config)
        before = time.monotonic()
        one.send_signal(signal.SIGHUP)
        said = manager.hears("RELOADING=1")
        told = int(re.search(r"^MONOTONIC_USEC=(\d+)$", said, re.M).group(1)) / 1e6
        assert before <= told <= time.monotonic()
        manager.hears("READY=1")


def test_while_it_reads_the_journal_the_manager_is_told_to_wait(daemon, manager):
    one = daemon(POLICIES)
    assert one.line().ask("COST ADD alice 1.5").word == "OK"
    one.stop()
    again = daemon(POLICIES, launch_only=True, directory=one.directory,
                   environment=manager.environment())
    said = manager.hears(r"EXTEND_TIMEOUT_USEC=\d+")
    assert "STATUS=starting: reading the journal" in said
    manager.hears("READY=1")
    assert LineClient(again.socket).ask("COST GET alice").values[0] == "1.5"
    again.stop()


# -- the watchdog

WATCHDOG = 0.5


def test_idle_workers_are_alive(daemon, backend, manager):
    daemon(POLICIES, backend=backend, environment=manager.environment(patient(WATCHDOG)))
    manager.hears("READY=1")
    for _ in range(4):
        manager.hears("WATCHDOG=1", within=WATCHDOG)  # as long as the manager would wait


@pytest.mark.parametrize("which", [0, 1])
def test_the_watchdog_starves_while_one_worker_stands_still(daemon, backend, manager, which):
    interval = patient(WATCHDOG)
    one = daemon(POLICIES, backend=backend, environment=manager.environment(interval))
    manager.hears("WATCHDOG=1")
    workers = threads_named(one.pid, r"worker-\d+")
    assert len(workers) == 2
    with standing_still(workers[which]):
        # What it had turned before it stopped counts once.
        assert manager.count("WATCHDOG=1", interval) <= 1
        assert manager.count("WATCHDOG=1", 2 * interval) == 0
        manager.listen()
    manager.hears("WATCHDOG=1")
    assert one.line().ask("PING").line == "OK pong"


def test_without_a_manager_nobody_is_woken_for_it(daemon, backend, manager):
    one = daemon(POLICIES, backend=backend, environment={"WATCHDOG_USEC": "100000",
                                                         "WATCHDOG_PID": "1"} |
                 manager.environment())
    manager.hears("READY=1")
    assert manager.count("WATCHDOG=1", 0.5) == 0, "it is another process' watchdog"
    assert one.running()


# -- sockets that are passed on


def test_a_passed_socket_is_used_and_left_where_it_is(daemon, shape, manager, passed):
    listener, path = passed
    before = os.stat(path)
    one = daemon(POLICIES, listener=listener, launch_only=True, environment=manager.environment(),
                 **shape)
    manager.hears("READY=1")
    client = LineClient(path)
    assert client.ask("CHECK api alice").allowed
    assert not os.path.exists(one.socket), "it opens none of its own"
    one.says(path)
    one.stop()
    after = os.stat(path)
    assert (before.st_ino, before.st_mode) == (after.st_ino, after.st_mode)


def test_a_restart_under_load_refuses_no_connection(daemon, backend, manager, passed):
    listener, path = passed
    one = daemon(POLICIES, backend=backend, listener=listener, launch_only=True,
                 environment=manager.environment())
    manager.hears("READY=1")
    ended = threading.Event()
    answered, cut, refused = [], [], []

    def load():
        while not ended.is_set():
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(patient(15))
                try:
                    client.connect(path)
                except OSError as error:
                    refused.append(error)
                    return
                try:
                    client.sendall(b"CHECK wide alice\n")
                    reply = client.recv(256)
                except (BrokenPipeError, ConnectionResetError):
                    reply = b""
                # A client that is let in and has not asked yet when the end comes is let go.
                (answered if reply.startswith(b"ALLOW") else cut).append(reply)

    clients = [threading.Thread(target=load) for _ in range(4)]
    for client in clients:
        client.start()
    for _ in range(4):
        seen = len(answered)
        eventually(lambda: len(answered) > seen + 100, "load flows")
        one.stop()
        one.launch()
        manager.hears("READY=1")
    ended.set()
    for client in clients:
        client.join()
    assert not refused
    assert len(cut) <= 4 * len(clients), f"{len(cut)} of {len(answered)}: not only at the ends"
    assert not any(cut), cut


def test_who_waits_while_no_daemon_runs_is_answered_by_the_next(daemon, backend, manager, passed):
    listener, path = passed
    early = LineClient(path)
    early.send_raw(b"PING\n")
    daemon(POLICIES, backend=backend, listener=listener, launch_only=True,
           environment=manager.environment())
    manager.hears("READY=1")
    assert early.read_reply().line == "OK pong"


def test_what_is_no_listening_stream_socket_is_refused(daemon, place):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as wrong:
        wrong.bind(str(place / "datagrams"))
        one = daemon(POLICIES, listener=wrong, launch_only=True)
        assert one.wait() == 1
        one.says("ListenStream=")


def test_a_socket_of_another_name_is_not_taken_for_ours(daemon, passed, manager):
    listener, path = passed
    one = daemon(POLICIES, listener=listener, environment=manager.environment() |
                 {"LISTEN_FDNAMES": "metrics"})
    assert one.line().ask("PING").line == "OK pong"
    one.says("'metrics'")
    assert path not in one.output()


# -- draining


def test_drain_lets_nobody_in_and_serves_who_is_there(daemon, shape, manager):
    one = daemon(POLICIES, environment=manager.environment(), **shape)
    manager.hears("READY=1")
    clients = [one.line() for _ in range(3)]
    for client in clients:
        assert client.ask("PING").line == "OK pong"
    for _ in range(2):
        assert clients[0].ask("DRAIN").line == "OK"
    with pytest.raises((FileNotFoundError, ConnectionRefusedError)):
        LineClient(one.socket)
    for client in clients:
        assert client.ask("CHECK wide alice").allowed
        assert client.ask("HEALTH").values[0] == "draining"
    manager.hears("STATUS=draining .* clients=3")
    clients.pop().close()
    manager.hears("STATUS=draining .* clients=2")
    assert one.running()
    one.stop()


def test_while_it_drains_another_may_take_its_place(daemon, backend):
    one = daemon(POLICIES, backend=backend)
    old = one.line()
    assert old.ask("DRAIN").line == "OK"
    other = daemon(POLICIES, backend=backend, server={"socket": one.socket}, launch_only=True)
    other.socket = one.socket
    eventually(lambda: os.path.exists(one.socket), "the next one listens")
    assert LineClient(other.socket).ask("HEALTH").values[0] == "ready"
    assert old.ask("HEALTH").values[0] == "draining"
    one.stop()
    assert os.path.exists(other.socket), "the end of the first leaves the other's socket alone"


def test_drain_leaves_who_comes_later_to_the_next_daemon(daemon, backend, manager, passed):
    listener, path = passed
    one = daemon(POLICIES, backend=backend, listener=listener, launch_only=True,
                 environment=manager.environment())
    manager.hears("READY=1")
    old = LineClient(path)
    assert old.ask("DRAIN").line == "OK"

    def waits():
        """A client that is not let in. The last to be let in may come at the same moment."""
        client = LineClient(path)
        client.send_raw(b"PING\n")
        client.socket.settimeout(0.2)
        try:
            client.socket.recv(1, socket.MSG_PEEK)
        except TimeoutError:
            client.socket.settimeout(patient(15))
            return client
        return None

    late = eventually(waits, "nobody is let in any more")
    assert old.ask("HEALTH").values[0] == "draining"
    one.stop()
    one.launch()
    manager.hears("READY=1")
    assert late.read_reply().line == "OK pong"
