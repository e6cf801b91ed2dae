"""The audit log through what happens to its file: kills, rotation, a full disk."""

import contextlib
import os
import signal
import threading

import pytest

from support import audit
from support.metrics import scrape
from support.small_disk import SmallDisk
from support.waiting import eventually

POLICIES = '[policies.once]\nlimits = ["1/365d"]\n'
QUICK = {"refusals_per_second": 100_000}


@contextlib.contextmanager
def refused(one, connections=2):
    """Refusals without end, as long as this lasts; tolerates that the daemon goes."""
    over = threading.Event()

    def load():
        with contextlib.suppress(OSError, AssertionError), one.line() as client:
            while not over.is_set():
                client.ask_all(["CHECK once alice"] * 20)

    threads = [threading.Thread(target=load) for _ in range(connections)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()


@pytest.mark.bound(60)
def test_a_kill_breaks_no_chain(daemon, place):
    one = daemon(POLICIES + audit.table(place, max_size="256KiB", keep=1000, **QUICK))
    for _ in range(4):
        before = audit.size(place)
        with refused(one):
            eventually(lambda: audit.size(place) > before + 100_000, "records are written",
                       within=20)
            one.kill()
        one.start()
        eventually(lambda: audit.kinds(place)[-1] == "start", "it has started")
        audit.is_whole(place)
    one.stop()
    numbers = [record["number"] for record in audit.records(place)]
    assert numbers == list(range(1, len(numbers) + 1))
    assert audit.is_whole(place) == len(numbers)


def test_a_torn_line_is_cut_off_and_told_of(daemon, place):
    one = daemon(POLICIES + audit.table(place))
    one.stop()
    log = place / "audit.log"
    with log.open("ab") as file:
        file.write(b'{"number":3,"time":"20')
    verified = audit.verify(place)
    assert verified.returncode == 0 and "last 22 bytes are no whole record" in verified.stderr
    one.start()
    one.stop()
    assert audit.kinds(place) == ["start", "stop", "torn", "start", "stop"]
    assert audit.records(place)[2]["bytes"] == 22
    assert audit.is_whole(place) == 5


@pytest.mark.bound(60)
def test_rotation_under_load_keeps_the_numbers(daemon, place):
    one = daemon(POLICIES + audit.table(place, max_size="64KiB", keep=3, **QUICK))
    with refused(one):
        eventually(lambda: len(audit.files(place)) == 4 and audit.records(place)[0]["number"] > 1,
                   "the oldest file goes", within=20)
    one.stop()
    files = audit.files(place)
    assert [file.name for file in files] == ["audit.log.3", "audit.log.2", "audit.log.1",
                                             "audit.log"]
    numbers = [record["number"] for record in audit.records(place)]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    verified = audit.tollkeeper("audit", "verify", *reversed(files))
    assert verified.returncode == 0, "in whatever order they are named"
    assert f"begins with record {numbers[0]}" in verified.stdout


def test_a_file_that_was_moved_away_is_made_anew(daemon, place):
    one = daemon(POLICIES + audit.table(place))
    log = place / "audit.log"
    eventually(lambda: "start" in audit.kinds(place), "it has started")
    for number in (2, 1):  # as logrotate does
        log.rename(place / f"audit.log.{number}")
        one.send_signal(signal.SIGHUP)
        eventually(lambda: log.exists() and b"reload" in log.read_bytes(), "there is a new one")
    one.stop()
    assert audit.kinds(place) == ["start", "config", "config", "stop"]
    assert audit.is_whole(place) == 4


@pytest.mark.parametrize("mounts", [True, False], ids=["disk", "file"])
def test_a_full_disk_is_a_counted_gap_and_stops_nobody(daemon, place, mounts):
    disk = SmallDisk(place, mounts)
    try:
        (disk.path / "log").mkdir()
        one = daemon(POLICIES + audit.table(disk.path / "log", **QUICK), metrics=True,
                     workers=1)
        port = one.metrics_port()

        def lost():
            return scrape(port)("tollkeeper_audit_records_lost_total")

        eventually(lambda: audit.kinds(disk.path / "log"), "it has started")
        disk.fill(one)
        with one.line() as client:
            def some_lost():
                replies = client.ask_all(["CHECK once alice"] * 200)
                assert not any(reply.allowed for reply in replies[1:])
                return lost() > 200 and "the audit log: cannot write" in one.output()
            eventually(some_lost, "records are lost, and not only because the disk is slow",
                       within=20)
            disk.make_room(one)
            one.says("the audit log is written again")
            assert one.output().count("the audit log: cannot write") == 1, "it is said once"
            assert "gap" in audit.kinds(disk.path / "log")
            assert client.ask("CHECK once alice").word == "DENY"
        figures = scrape(port)
        one.stop()
        told = audit.records(disk.path / "log")
        gaps = sum(each["lost"] for each in told if each["kind"] == "gap")
        assert gaps == figures("tollkeeper_audit_records_lost_total")
        assert figures("tollkeeper_audit_errors_total") > 0
        assert "records were lost" in audit.verify(disk.path / "log").stdout
        audit.is_whole(disk.path / "log")
    finally:
        disk.close()


def test_what_is_no_audit_log_is_not_written_to(daemon, place):
    other = place / "audit.log"
    other.write_text("something of somebody else's\n", encoding="utf-8")
    one = daemon(POLICIES + audit.table(place), launch_only=True)
    assert one.wait(10) != 0
    assert "something else than an audit log" in one.output()
    assert other.read_text(encoding="utf-8") == "something of somebody else's\n"


def test_two_daemons_do_not_share_one(daemon, place):
    daemon(POLICIES + audit.table(place))
    second = daemon(POLICIES + audit.table(place), launch_only=True)
    assert second.wait(10) != 0
    assert "audit.file" in second.output()
    assert os.path.exists(place / "audit.log")
