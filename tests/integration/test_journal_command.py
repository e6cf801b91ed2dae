"""`tollkeeper journal`: looks into the journal's files, with its daemon and without."""

import json
import subprocess

import pytest

from support import binaries

CONFIG = """
[policies.api]
limits = ["10/365d"]
"""


def journal(*words, json_=False):
    options = ["--json"] if json_ else []
    return subprocess.run([binaries.TOLLKEEPER, *options, "journal", *map(str, words)],
                          capture_output=True, text=True, check=False,
                          env=binaries.clean_environment())


@pytest.fixture(name="one")
def _one(daemon):
    one = daemon(CONFIG, workers=1)
    with one.line() as client:
        assert client.ask("COST ADD alice 0.5 key-1").line.startswith("OK 0.5")
        assert client.ask('COST ADD "b\\x01b" 2').line.startswith("OK 2")
        hold = client.ask("COST HOLD alice 3").line.split()[-1]
        assert client.ask(f"COST SETTLE alice {hold} 1.25").line.startswith("OK 1.75")
        assert client.ask("BUDGET SET alice 9").line == "OK 9"
    return one


def state(one):
    return one.directory / "state"


def segment(one):
    return next((state(one) / "journal").glob("*.journal"))


def test_lists_and_verifies_while_the_daemon_runs(one):
    listed = journal("ls", state(one))
    assert listed.returncode == 0 and listed.stderr == ""
    assert listed.stdout.splitlines()[1].split()[-1] == "whole"
    row = json.loads(journal("ls", state(one), json_=True).stdout)
    assert (row["epoch"], row["records"], row["state"]) == (1, 5, "whole")
    assert "1 segments" in journal("verify", state(one)).stdout
    assert "5 records: sound" in journal("verify", state(one) / "journal").stdout


def test_dumps_every_record_when_the_daemon_is_down(one):
    one.kill()
    lines = journal("dump", state(one)).stdout.splitlines()
    assert [line.split()[3] for line in lines] == ["charge", "charge", "hold", "settle", "budget"]
    assert '"b\\u0001b"' in lines[1], "nothing raw reaches the terminal"
    dumped = journal("dump", state(one), json_=True).stdout
    rows = [json.loads(line) for line in dumped.splitlines()]
    assert [row["amount"] for row in rows] == ["0.5", "2", "3", "1.25", "9"]
    assert (rows[0]["id"], rows[0]["key"]) == ("alice", "key-1")
    assert [row["sequence"] for row in rows[:2]] == [1, 2]


def test_damage_is_named_and_the_rest_is_shown(one):
    one.kill()
    path = segment(one)
    data = bytearray(path.read_bytes())
    data[data.index(b"alice")] ^= 1
    path.write_bytes(data)
    done = journal("verify", state(one))
    assert done.returncode == 1
    assert "are damaged" in done.stderr and path.name in done.stderr
    assert done.stdout.endswith("4 records: damaged\n")
    assert len(journal("dump", state(one)).stdout.splitlines()) == 4


def test_what_was_torn_at_the_end_is_no_damage(one):
    one.kill()
    path = segment(one)
    data = bytearray(path.read_bytes())
    end = data.rindex(b"alice") + 8
    data[end + 16:end + 40] = b"x" * 24
    path.write_bytes(data)
    done = journal("verify", state(one))
    assert (done.returncode, done.stderr) == (0, "")
    assert "never acknowledged" in done.stdout


@pytest.mark.parametrize("words", [(), ("list",), ("ls", "a", "b")])
def test_wrong_words_are_answered_with_the_usage(words):
    done = journal(*words)
    assert done.returncode == 2
    assert "usage: tollkeeper journal ls|verify|dump" in done.stderr


def test_a_missing_directory_is_named(place):
    done = journal("ls", place / "nowhere")
    assert done.returncode == 2
    assert str(place / "nowhere") in done.stderr
