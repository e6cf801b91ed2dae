"""The daemon's own log: nobody waits for who reads it, and it says what it can, as it should."""

import fcntl
import json
import os
import re
import select
import socket

import pytest

from support.waiting import eventually

POLICIES = """
[policies.api]
limits = ["100/1s"]
"""


class Pipe:
    """A pipe for the daemon's standard error, full from the beginning if so wanted."""

    def __init__(self, full):
        self.read_end, self.write_end = os.pipe()
        self._text = b""
        if full:
            flags = fcntl.fcntl(self.write_end, fcntl.F_GETFL)
            fcntl.fcntl(self.write_end, fcntl.F_SETFL, flags | os.O_NONBLOCK)
            try:
                while True:
                    os.write(self.write_end, b"\n" * 4096)
            except BlockingIOError:
                pass
            fcntl.fcntl(self.write_end, fcntl.F_SETFL, flags)

    def read(self):
        """All that has come by now."""
        while select.select([self.read_end], [], [], 0)[0]:
            if not (got := os.read(self.read_end, 1 << 16)):
                break
            self._text += got
        return self._text.decode().lstrip("\n")

    def close(self):
        os.close(self.read_end)
        os.close(self.write_end)


@pytest.fixture
def full_pipe():
    one = Pipe(full=True)
    yield one
    one.close()


def distinct_faults(number):
    """A file with many faults of their own, so that no two lines of the log are alike."""
    letters = str.maketrans("0123456789", "abcdefghij")
    return POLICIES + "".join(f"{f'{number}x{n}'.translate(letters)} = 1\n" for n in range(100))


def test_a_full_pipe_that_nobody_reads_holds_up_nothing(daemon, backend, full_pipe):
    one = daemon(POLICIES, backend=backend, errors_to=full_pipe.write_end,
                 output_to=full_pipe.write_end)
    client = one.line()
    one.write_config(POLICIES + "[policies.broken]\n")
    for _ in range(20):
        assert client.ask("RELOAD").code == "BADREQ"
        assert client.ask("CHECK api alice").allowed
    one.stop()


def test_a_failing_start_ends_although_nobody_reads_why(daemon, full_pipe):
    one = daemon(POLICIES)
    other = daemon(POLICIES, launch_only=True, server={"socket": one.socket},
                   errors_to=full_pipe.write_end)
    assert other.wait() == 1


def test_what_was_dropped_is_counted_and_told_once_there_is_room(daemon, full_pipe):
    one = daemon(POLICIES, errors_to=full_pipe.write_end)
    client = one.line()

    def dropped():
        rows = {row[0]: row[1] for row in client.ask("STATS").rows}
        return int(rows["log_lines_dropped"])

    for number in range(100):
        one.write_config(distinct_faults(number))
        client.ask("RELOAD")
        if dropped() > 0:
            break
    lost = dropped()
    assert lost > 0
    text = eventually(lambda: "dropped" in full_pipe.read() and full_pipe.read(), "it is told")
    told = sum(int(number) for number in re.findall(r"(\d+) lines? .* dropped", text))
    assert told == lost, text[-2000:]
    lines = text.count("\n")
    one.write_config(POLICIES)
    assert client.ask("RELOAD").word == "OK"
    eventually(lambda: "reloaded" in full_pipe.read(), "it goes on as before")
    assert dropped() == lost and full_pipe.read().count("\n") == lines + 1


def test_a_reader_that_went_away_ends_nothing(daemon, backend):
    pipe = Pipe(full=False)
    one = daemon(POLICIES, backend=backend, errors_to=pipe.write_end)
    pipe.close()
    client = one.line()
    for _ in range(3):
        assert client.ask("RELOAD").word == "OK"
    one.stop()


@pytest.mark.parametrize("closed", [[2], [1, 2], [0, 1, 2]], ids=str)
def test_without_a_standard_error_the_log_goes_nowhere(daemon, closed):
    one = daemon(POLICIES, prepare=lambda: [os.close(fd) for fd in closed])
    client = one.line()
    assert client.ask("COST ADD alice 1").word == "OK"
    assert client.ask("RELOAD").word == "OK"
    one.stop()
    for path in one.directory.rglob("*"):
        assert not path.is_file() or b"reloaded" not in path.read_bytes(), path


def test_the_last_words_are_not_lost(daemon):
    one = daemon(POLICIES)
    one.stop()
    assert one.output().rstrip().endswith("stopped")


def test_repeats_are_held_back_and_counted(daemon):
    one = daemon(POLICIES)
    client = one.line()
    one.write_config(POLICIES + "unknown = 1\n")
    for _ in range(200):
        assert client.ask("RELOAD").code == "BADREQ"
    one.stop()
    written = one.output().count("reload refused, nothing was changed: ")
    held_back = sum(map(int, re.findall(r"(\d+) more like it", one.output())))
    assert written < 50 and held_back >= 150, one.output()


@pytest.mark.parametrize("format_of", ["text", "json", "journal"])
def test_each_format_is_one_line_for_one_event(daemon, format_of):
    one = daemon(POLICIES + f'[log]\nformat = "{format_of}"\n')
    one.stop()
    lines = (one.directory / "err").read_text().splitlines()
    assert len(lines) >= 3
    for line in lines:
        if format_of == "json":
            entry = json.loads(line)
            assert sorted(entry) == ["level", "message", "time"]
        else:
            pattern = r"<[2-7]>\S" if format_of == "journal" else r"\d{4}-\d\d-\d\d [\d:.]+ \w+ +\S"
            assert re.match(pattern, line), line


def test_where_standard_error_is_the_journals_lines_carry_their_priority(daemon):
    ours, its = socket.socketpair()
    status = os.fstat(its.fileno())
    one = daemon(POLICIES, errors_to=its.fileno(),
                 environment={"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"})
    one.stop()
    lines = ours.recv(1 << 16).decode().splitlines()
    assert len(lines) >= 3 and all(re.match(r"<[2-7]>\S", line) for line in lines), lines
    ours.close()
    its.close()


def test_no_id_is_told_above_debug(daemon, redis):
    secret = "s3cret-user"
    one = daemon(f'[redis]\nurl = "unix://{redis.socket}"\n{POLICIES}')
    client = one.line()
    redis.client().set(f"gcra:api:{secret}", "no figure")
    redis.client().set(f"cost:{secret}:2020:01", "no figure")
    for request in (f"CHECK api {secret}", f"CHECK nopolicy {secret}", f"COST ADD {secret} x",
                    f"COST ADD {secret} 1 {secret}", f"COST GET {secret} 2020-01",
                    f"RESET api {secret}", f"{secret} {secret}"):
        client.ask(request)
    one.stop()
    assert secret not in one.output()
