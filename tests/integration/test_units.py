"""The units: what they name is installed with them, how little they allow, and that the daemon
needs no more than that."""

import ctypes
import os
import pathlib
import re
import struct
import subprocess

import pytest

from support import binaries
from support.line import LineClient
from support.waiting import eventually

BUILD = pathlib.Path(os.environ.get("TOLLKEEPER_BUILD") or binaries.RELEASE)
UNITS = binaries.REPOSITORY / "systemd"

POLICIES = """
[policies.api]
limits = ["100/1s"]
"""


def run(*command, **options):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True,
                          check=False, stdin=subprocess.DEVNULL, **options)
    assert done.returncode == 0, f"{command}:\n{done.stdout}{done.stderr}"
    return done.stdout + done.stderr


def settings(unit):
    """The lists of values of its [Service] or [Socket] section, by name."""
    values = {}
    for line in pathlib.Path(unit).read_text(encoding="utf-8").splitlines():
        if line and line[0] not in "#[":
            name, value = line.split("=", 1)
            values.setdefault(name, []).append(value)
    return values


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """What `make install` puts below DESTDIR, and the prefix there."""
    place = tmp_path_factory.mktemp("installed")
    run("meson", "install", "-C", BUILD, "--no-rebuild", "--quiet", "--destdir", place)
    (service,) = place.rglob("tollkeeper.service")
    prefix = service.parents[3]
    assert service == prefix / "lib/systemd/system/tollkeeper.service"
    return place, prefix, service


# -- what is installed


def test_the_units_name_what_was_installed_with_them(installed):
    place, _, service = installed
    values = settings(service)
    program, option, file = values["ExecStart"][0].split()
    assert os.access(f"{place}{program}", os.X_OK) and option == "--config"
    checked = run(f"{place}{program}", "--check", option, f"{place}{file}",
                  env=binaries.clean_environment())
    assert f"{file}: good" in checked
    page = values["Documentation"][0].removeprefix("file://")
    assert os.path.exists(f"{place}{page}")
    assert (service.parent / "tollkeeper.socket").exists()


def test_a_prefix_of_its_own_is_followed(place):
    run("meson", "setup", place / "build", binaries.REPOSITORY, "-Dprefix=/opt/toll",
        "-Dsysconfdir=/etc", "-Dtests=disabled")
    values = settings(place / "build/systemd/tollkeeper.service")
    assert values["ExecStart"] == [
        "/opt/toll/bin/tollkeeperd --config /etc/tollkeeper/tollkeeper.toml"]


def test_systemd_finds_no_fault_in_the_units(installed, place):
    root, _, service = installed
    copied = place / "tollkeeper.service"
    copied.write_text(service.read_text().replace("ExecStart=", f"ExecStart={root}"))
    (place / "tollkeeper.socket").write_bytes((service.parent / "tollkeeper.socket").read_bytes())
    said = run("systemd-analyze", "verify", "--man=no", copied, place / "tollkeeper.socket")
    assert "tollkeeper" not in said, said


@pytest.mark.becomes_another_user
def test_the_user_its_group_and_the_sockets_directory_are_made(installed, place):
    _, prefix, _ = installed
    (place / "etc").mkdir()
    run("systemd-sysusers", f"--root={place}", prefix / "lib/sysusers.d/tollkeeper.conf")
    groups = (place / "etc/group").read_text()
    assert re.findall(r"^tollkeeper(?:-admin)?(?=:)", groups, re.M) == ["tollkeeper-admin",
                                                                       "tollkeeper"]
    assert re.search(r"^tollkeeper:.*:/var/lib/tollkeeper:", (place / "etc/passwd").read_text(),
                     re.M)
    run("systemd-tmpfiles", "--create", f"--root={place}",
        prefix / "lib/tmpfiles.d/tollkeeper.conf")
    assert (place / "run/tollkeeper").stat().st_mode & 0o7777 == 0o755


def test_the_socket_is_for_its_group_alone():
    values = settings(UNITS / "tollkeeper.socket")
    assert values["SocketMode"] == ["0660"] and values["SocketGroup"] == ["tollkeeper"]
    assert values["FileDescriptorName"] == ["tollkeeper"]


def test_it_takes_a_socket_as_systemd_itself_passes_it(daemon, place):
    path = place / "passed.sock"
    one = daemon(POLICIES, launch_only=True, program="systemd-socket-activate",
                 before=["--listen", path, "--fdname=tollkeeper", binaries.TOLLKEEPERD])
    one.says("Listening on")
    # It starts the daemon, in its own place, once somebody connects.
    assert LineClient(str(path)).ask("CHECK api alice").allowed
    one.stop()
    assert path.exists() and not os.path.exists(one.socket)


# -- how little it allows


def test_its_exposure_is_low(installed):
    run("systemd-analyze", "security", "--offline=true", "--threshold=13", "--no-pager",
        installed[2])


def system_calls(groups):
    """The names in groups of system calls, as systemd resolves them."""
    names = set()
    for group in groups:
        if not group.startswith("@"):
            names.add(group)
            continue
        lines = run("systemd-analyze", "syscall-filter", "--no-pager", group).splitlines()
        words = [line.strip() for line in lines[1:]]
        names |= system_calls([word for word in words if word and word[0] != "#"])
    return names


def allowed_numbers(filters):
    """What a unit's SystemCallFilter= lines come to, as numbers of this machine."""
    names = system_calls(["@default"])
    for line in filters:
        if line.startswith("~"):
            names -= system_calls(line[1:].split()) - system_calls(["@default"])
        else:
            names |= system_calls(line.split())
    source = "#include <sys/syscall.h>\n"
    text = subprocess.run(["cc", "-E", "-dM", "-"], input=source, capture_output=True, text=True,
                          check=True).stdout
    numbers = dict(re.findall(r"#define __NR_(\w+) (\d+)$", text, re.M))
    return sorted(int(numbers[name]) for name in names if name in numbers)


def forbid_all_but(numbers):
    """Puts this process under such a filter: the rest fails with EPERM."""
    allow, forbid, number = 0x7FFF0000, 0x00050001, 0
    program = [(0x20, 0, 0, number)]  # load the number of the call
    for each in numbers:
        program += [(0x15, 0, 1, each), (0x06, 0, 0, allow)]
    program.append((0x06, 0, 0, forbid))
    code = b"".join(struct.pack("=HBBI", *step) for step in program)
    buffer = ctypes.create_string_buffer(code, len(code))
    filter_of = struct.pack("@HP", len(program), ctypes.addressof(buffer))
    libc = ctypes.CDLL(None, use_errno=True)
    no_new_privileges, seccomp, by_filter = 38, 22, 2
    libc.prctl.argtypes = [ctypes.c_int] + [ctypes.c_ulong] * 4
    if libc.prctl(no_new_privileges, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")
    keep = ctypes.create_string_buffer(filter_of, len(filter_of))
    if libc.prctl(seccomp, by_filter, ctypes.addressof(keep), 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "seccomp")


def test_the_daemon_runs_under_its_units_filter_of_system_calls(daemon, backend, redis, installed):
    numbers = allowed_numbers(settings(installed[2])["SystemCallFilter"])
    assert len(numbers) > 100
    one = daemon(f'[redis]\nurl = "unix://{redis.socket}"\n[log]\nlevel = "debug"\n{POLICIES}',
                 backend=backend, prepare=lambda: forbid_all_but(numbers))
    client = one.line()
    eventually(lambda: client.ask("CHECK api alice").source == "redis", "Redis decides")
    assert client.ask("COST ADD alice 1").word == "OK"
    assert client.ask("RELOAD").word == "OK"
    assert client.ask("HEALTH").values[0] == "ready"
    one.stop()
    assert "is not pinned" not in one.output()


def test_that_filter_is_one(daemon, installed):
    filters = settings(installed[2])["SystemCallFilter"]
    numbers = allowed_numbers([line for line in filters if line != "sched_setaffinity"])
    one = daemon('[log]\nlevel = "debug"\n' + POLICIES,
                 prepare=lambda: forbid_all_but(numbers))
    one.says("is not pinned")
