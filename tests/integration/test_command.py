"""The `tollkeeper` command: one request, a file, a pipe, JSON, and its exit codes."""

import json
import subprocess

import pytest

from support import binaries

POLICIES = """
[policies.api]
limits = ["10/365d"]
[policies.wide]
limits = ["1000000/365d"]
"""

DONE, DENIED, FAILED, NO_DAEMON = 0, 1, 2, 3


@pytest.fixture(scope="module")
def tolls(shared_daemon):
    return shared_daemon(POLICIES)


# -- one request


def test_an_admitted_request_is_printed_and_exits_0(tolls):
    done = tolls.tollkeeper("CHECK", "api", "alice")
    assert done.stdout.startswith("ALLOW 10 9 0 ") and done.stdout.endswith(" local\n")
    assert (done.returncode, done.stderr) == (DONE, "")
    assert tolls.tollkeeper("PING").stdout == "OK pong\n"


def test_a_refused_request_exits_1(tolls):
    tolls.tollkeeper("CHECK", "api", "bob", "10")
    done = tolls.tollkeeper("CHECK", "api", "bob")
    assert done.stdout.startswith("DENY 10 0 ")
    assert done.returncode == DENIED


def test_an_error_exits_2(tolls):
    for words in (("FLY",), ("CHECK", "nosuch", "alice"), ("CHECK", "api"),
                  ("CHECK", "api", "a", "0")):
        done = tolls.tollkeeper(*words)
        assert done.returncode == FAILED, words
        assert "ERR " in done.stdout + done.stderr


def test_no_daemon_exits_3(place):
    for path in (place / "nosuch.sock", place):
        done = subprocess.run([binaries.TOLLKEEPER, "--socket", path, "PING"], capture_output=True,
                              text=True, check=False, timeout=10, stdin=subprocess.DEVNULL,
                              env=binaries.clean_environment())
        assert done.returncode == NO_DAEMON
        assert str(path) in done.stderr and not done.stdout


def test_a_list_is_printed_line_by_line(tolls):
    done = tolls.tollkeeper("PEEK", "api", "list-a", "list-b")
    assert done.returncode == DONE
    assert done.stdout.splitlines()[-2:] == ["10 10 0 local", "10 10 0 local"]


def test_words_with_blanks_quotes_and_line_ends_are_one_word(tolls):
    for odd in ("two words", 'a "quoted" word', "back\\slash", "line\nend", "tab\tbed", "ünïcode"):
        assert tolls.tollkeeper("CHECK", "api", odd, "3").stdout.startswith("ALLOW 10 7 ")
        assert tolls.tollkeeper("CHECK", "api", odd, "2").stdout.startswith("ALLOW 10 5 ")
    assert tolls.tollkeeper("CHECK", "api", "").returncode == FAILED
    done = tolls.tollkeeper("ECHO", "a  b\\")
    assert (done.returncode, done.stdout) == (DONE, 'OK "a  b\\\\"\n')


def test_help_and_version(tolls):
    assert tolls.tollkeeper("--help").returncode == DONE
    assert "0." in tolls.tollkeeper("--version").stdout
    assert "CHECK policy id" in tolls.tollkeeper("HELP", "CHECK").stdout


# -- many


def test_a_pipe_of_ten_thousand_requests_is_answered_in_order(tolls):
    requests = "".join(f"CHECK wide piped{n % 10}\n" for n in range(10_000))
    done = tolls.tollkeeper(text_input=requests)
    assert done.returncode == DONE, done.stderr
    lines = done.stdout.splitlines()
    assert [int(line.split()[2]) for line in lines] == [999_999 - n // 10 for n in range(10_000)]


def test_a_file_of_requests(tolls, place):
    file = place / "requests"
    file.write_text("PING\n\nPEEK api x y\nCHECK api filed\n", encoding="ascii")
    done = tolls.tollkeeper("-f", str(file))
    assert done.returncode == DONE, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "OK pong" and lines[-1].startswith("ALLOW 10 9 ")


def test_the_worst_reply_of_many_is_the_exit_code(tolls):
    denied = tolls.tollkeeper(text_input="PING\nCHECK api worst 11\nPING\n")
    assert denied.returncode == DENIED
    failed = tolls.tollkeeper(text_input="CHECK api worst 11\nFLY\nPING\n")
    assert failed.returncode == FAILED
    assert failed.stdout.splitlines()[-1] == "OK pong", "it goes on after an error"


def test_a_missing_file_is_an_error(tolls, place):
    done = tolls.tollkeeper("-f", str(place / "nosuch"))
    assert done.returncode == FAILED and "nosuch" in done.stderr


def test_a_last_line_without_its_end_is_a_request(tolls):
    assert tolls.tollkeeper(text_input="PING\nPING").stdout == "OK pong\nOK pong\n"


def test_words_that_look_like_options_are_the_requests(tolls):
    assert tolls.tollkeeper("ECHO", "--json").stdout == "OK --json\n"
    assert tolls.tollkeeper("--nonsense").returncode == FAILED


def test_the_socket_may_come_from_the_environment(tolls):
    done = subprocess.run([binaries.TOLLKEEPER, "PING"], capture_output=True, text=True,
                          check=False, stdin=subprocess.DEVNULL, timeout=10,
                          env={**binaries.clean_environment(), "TOLLKEEPER_SOCKET": tolls.socket})
    assert (done.returncode, done.stdout) == (DONE, "OK pong\n")


# -- JSON


def as_json(one, *words):
    done = one.tollkeeper("--json", *words)
    return done.returncode, json.loads(done.stdout)


def test_json_of_a_decision(tolls):
    code, admitted = as_json(tolls, "CHECK", "api", "json", "4")
    reset = admitted.pop("reset_ms")
    assert code == DONE and reset > 0
    assert admitted == {"result": "allow", "limit": 10, "remaining": 6, "retry_ms": 0,
                        "source": "local"}
    code, refused = as_json(tolls, "CHECK", "api", "json", "7")
    assert code == DENIED and refused["result"] == "deny" and refused["retry_ms"] > 0
    _, several = as_json(tolls, "CHECK", "api", "json", "2", "api", "json-too", "1")
    assert several["position"] == 0 and several["remaining"] == 4


def test_json_of_values_lists_and_errors(tolls):
    assert as_json(tolls, "PING") == (DONE, {"result": "ok", "values": ["pong"]})
    assert as_json(tolls, "PEEK", "api", "json-a", "json-b") == (
        DONE, {"result": "list", "rows": [[10, 10, 0, "local"]] * 2})
    code, failed = as_json(tolls, "CHECK", "nosuch", "json")
    assert (code, failed["result"], failed["code"]) == (FAILED, "error", "NOPOLICY")
    assert failed["message"]


def test_json_of_many_is_one_document_a_line(tolls):
    done = tolls.tollkeeper("--json", text_input="PING\nCHECK api a\nPEEK api a b\nFLY\n")
    results = [json.loads(line)["result"] for line in done.stdout.splitlines()]
    assert results == ["ok", "allow", "list", "error"]
    assert done.returncode == FAILED
