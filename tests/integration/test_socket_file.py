"""The socket file: a stale one is taken over, a live one and a foreign file are left alone."""

import os
import stat

import pytest

from support.daemon import run_tollkeeperd

POLICIES = """
[policies.once]
limits = ["10/365d"]
"""


def test_the_socket_of_a_killed_daemon_is_taken_over(daemon, backend):
    one = daemon(POLICIES, backend=backend)
    for _ in range(3):
        one.kill()
        assert stat.S_ISSOCK(os.stat(one.socket).st_mode), "a killed daemon leaves its socket"
        one.start()
        assert one.line().ask("PING").line == "OK pong"


def test_the_socket_of_a_living_daemon_is_refused_and_its_pid_named(daemon, backend):
    first = daemon(POLICIES, backend=backend)
    client = first.line()
    second = run_tollkeeperd("--config", first.file)
    assert second.returncode not in (0, None)
    assert str(first.pid) in second.stdout + second.stderr
    assert first.socket in second.stdout + second.stderr
    assert client.ask("PING").line == "OK pong"
    assert first.line().ask("PING").line == "OK pong"


@pytest.mark.parametrize("kind", ["file", "directory", "link to a file"])
def test_what_is_no_socket_is_refused_and_untouched(daemon, kind):
    one = daemon(POLICIES)
    path, target = one.directory / "precious", one.directory / "target"
    target.write_text("keep me", encoding="ascii")
    if kind == "file":
        path.write_text("keep me", encoding="ascii")
    elif kind == "directory":
        path.mkdir()
    else:
        path.symlink_to(target)
    done = run_tollkeeperd("--config", one.file, "--socket", path)
    assert done.returncode not in (0, None)
    assert str(path) in done.stdout + done.stderr
    assert path.is_dir() if kind == "directory" else path.read_text(encoding="ascii") == "keep me"
    assert path.is_symlink() == (kind == "link to a file")
    assert target.read_text(encoding="ascii") == "keep me"


@pytest.mark.parametrize("mode", ["0600", "0660", "0666"])
def test_the_socket_has_the_mode_of_the_configuration(daemon, mode):
    one = daemon(POLICIES, server={"socket_mode": mode})
    assert stat.S_IMODE(os.stat(one.socket).st_mode) == int(mode, 8)


def test_a_socket_that_cannot_be_made_is_a_clear_error(daemon):
    one = daemon(POLICIES)
    for path in (one.directory / "nowhere" / "deeper" / "t.sock", one.directory / ("x" * 200)):
        done = run_tollkeeperd("--config", one.file, "--socket", path)
        assert done.returncode not in (0, None) and done.returncode > 0
        assert (done.stdout + done.stderr).strip()
