"""Who may administer: root, the daemon's own user and the admin group, by their credentials."""

import os
import shutil
import subprocess
import sys

import pytest

from support import binaries

POLICIES = """
[policies.once]
limits = ["10/365d"]
"""

NOBODY = 65534
OTHER_GROUP = 65533
DAEMONS_USER = 65532

# Sends its arguments as lines over the socket in its first, and prints a line of each reply.
CLIENT = """
import socket, sys
client = socket.socket(socket.AF_UNIX)
client.settimeout(10)
client.connect(sys.argv[1])
replies = client.makefile("rb")
for request in sys.argv[2:]:
    client.sendall(request.encode() + b"\\n")
    print(replies.readline().decode(), end="")
"""

# DRAIN last: it lets nobody in any more.
ADMINISTRATION = ("RESET once alice", "RELOAD", "LEVEL info", "BUDGET SET alice 1",
                  "BUDGET CLEAR alice", "DRAIN")


def ask_as(one, *requests, user=NOBODY, group=NOBODY, extra_groups=()):
    done = subprocess.run([sys.executable, "-c", CLIENT, one.socket, *requests], user=user,
                          group=group, extra_groups=list(extra_groups), capture_output=True,
                          text=True, check=False, timeout=20, cwd="/")
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.becomes_another_user
def test_another_user_may_ask_but_not_administer(daemon, shape):
    one = daemon(POLICIES, server={"socket_mode": "0666"}, **shape)
    asked = ("CHECK once alice 4", *ADMINISTRATION, "PEEK once alice", "PING", "STATS")
    first, *refused, peeked, ping, stats = ask_as(one, *asked)
    assert first.startswith("ALLOW 10 6 ")
    assert [reply.split()[:2] for reply in refused] == [["ERR", "NOPERM"]] * len(ADMINISTRATION)
    assert peeked.startswith("OK 10 6 "), "the refused RESET forgot nothing"
    assert ping == "OK pong" and stats.startswith("LIST ")


@pytest.mark.becomes_another_user
def test_noperm_in_resp(daemon):
    one = daemon(POLICIES, server={"socket_mode": "0666"})
    assert ask_as(one, "*1\r\n$6\r\nRELOAD\r")[0].startswith("-NOPERM ")


@pytest.mark.becomes_another_user
def test_the_configuration_is_for_administrators(daemon):
    one = daemon(POLICIES, server={"socket_mode": "0666"})
    assert ask_as(one, "CONFIG")[0].startswith("ERR NOPERM ")
    assert ask_as(one, "CONFIG", user=0)[0].startswith("LIST ")


def test_root_or_the_daemons_own_user_may_administer(daemon, backend):
    client = daemon(POLICIES, backend=backend).line()
    for request in ADMINISTRATION:
        assert client.ask(request).word == "OK"


@pytest.mark.becomes_another_user
@pytest.mark.parametrize("as_primary", [True, False], ids=["primary", "supplementary"])
def test_the_admin_group_may_administer(daemon, as_primary):
    one = daemon(POLICIES, server={"socket_mode": "0666", "admin_group": "users"})
    users = 100
    groups = {"group": users} if as_primary else {"group": NOBODY, "extra_groups": [users]}
    others = ask_as(one, *ADMINISTRATION, group=OTHER_GROUP, extra_groups=[NOBODY])
    assert {reply.split()[1] for reply in others} == {"NOPERM"}
    assert {reply.split()[0] for reply in ask_as(one, *ADMINISTRATION, **groups)} == {"OK"}


@pytest.fixture
def of_another_user(daemon, place):
    """A daemon that runs as a user who is not root, in a directory of his own."""
    program = shutil.copy(binaries.TOLLKEEPERD, place / "tollkeeperd")
    place.chmod(0o755)
    home = place / "home"
    home.mkdir()
    os.chown(home, DAEMONS_USER, DAEMONS_USER)

    def become_him():
        os.setgroups([])
        os.setgid(DAEMONS_USER)
        os.setuid(DAEMONS_USER)

    return daemon(POLICIES, server={"socket_mode": "0666"}, directory=home, prepare=become_him,
                  program=program)


@pytest.mark.becomes_another_user
@pytest.mark.parametrize("user", [0, DAEMONS_USER], ids=["root", "own"])
def test_beside_root_it_is_the_daemons_own_user_who_may(of_another_user, user):
    others = ask_as(of_another_user, *ADMINISTRATION, user=NOBODY, group=DAEMONS_USER)
    assert {reply.split()[1] for reply in others} == {"NOPERM"}, "his group is not he"
    his = ask_as(of_another_user, *ADMINISTRATION, user=user)
    assert {reply.split()[0] for reply in his} == {"OK"}


@pytest.mark.becomes_another_user
def test_the_mode_of_the_socket_keeps_others_out(daemon):
    one = daemon(POLICIES, server={"socket_mode": "0600"})
    done = subprocess.run([sys.executable, "-c", CLIENT, one.socket, "PING"], user=NOBODY,
                          group=NOBODY, extra_groups=[], capture_output=True, text=True,
                          check=False, timeout=20, cwd="/")
    assert "PermissionError" in done.stderr
