"""Redis' own clients talk to the socket: Python's redis, redis-cli and redis-benchmark."""

import re
import subprocess

import pytest
import redis

from support.resp import Error, Simple, plain

POLICIES = """
[policies.api]
limits = ["1000000/365d"]
"""


@pytest.fixture(scope="module")
def tolls(shared_daemon):
    return shared_daemon(POLICIES)


@pytest.fixture
def resp(tolls):
    with tolls.raw_resp() as client:
        yield client


# -- the handshake, word by word


def test_ping_and_echo(resp):
    assert resp.ask("PING") == Simple("PONG")
    assert resp.ask("PING", "hello") == b"hello"
    assert resp.ask("ECHO", b"any \x00 bytes\r\n") == b"any \x00 bytes\r\n"


def test_there_is_one_database(resp):
    assert resp.ask("SELECT", 0) == Simple("OK")
    assert isinstance(resp.ask("SELECT", 1), Error)
    assert isinstance(resp.ask("SELECT", "zero"), Error)
    assert resp.ask("PING") == Simple("PONG")


def test_command_answers_with_an_array(resp):
    assert isinstance(resp.ask("COMMAND"), list)
    assert isinstance(resp.ask("COMMAND", "DOCS"), list)


def test_client_answers_what_clients_say_of_themselves(resp):
    assert resp.ask("CLIENT", "SETNAME", "gateway") == Simple("OK")
    assert resp.ask("CLIENT", "SETINFO", "LIB-NAME", "redis-py") == Simple("OK")
    assert resp.ask("CLIENT", "SETINFO", "LIB-VER", "4.3.4") == Simple("OK")
    assert isinstance(resp.ask("CLIENT", "ID"), int)
    assert resp.ask("CLIENT", "GETNAME") in (None, b"", b"gateway")


def test_hello_2_is_accepted(resp):
    for words in (("HELLO", 2), ("HELLO",)):
        greeting = plain(resp.ask(*words))
        fields = dict(zip(greeting[::2], greeting[1::2]))
        assert fields["proto"] == 2 and "server" in fields and "version" in fields


def test_hello_3_is_declined_so_that_clients_fall_back(resp):
    declined = resp.ask("HELLO", 3)
    assert isinstance(declined, Error)
    assert re.match(r"NOPROTO |ERR unknown command", declined.text)
    assert isinstance(resp.ask("HELLO", "x"), Error)
    assert resp.ask("PING") == Simple("PONG")


# -- Python's redis


def test_python_redis_connects_with_its_default_options(tolls):
    client = tolls.resp()
    assert client.ping() is True
    assert client.execute_command("CHECK", "api", "python", 5)[:3] == [1, 1000000, 999995]
    with pytest.raises(redis.ResponseError):
        client.execute_command("CHECK", "nosuch", "python")
    client.close()


def test_python_redis_connects_with_a_name_and_health_checks(tolls):
    client = tolls.resp(client_name="gateway", health_check_interval=1, db=0)
    assert client.ping() is True
    assert client.echo("hello") == b"hello"
    client.close()


def test_python_redis_pipelines(tolls):
    client = tolls.resp(decode_responses=True)
    pipeline = client.pipeline(transaction=False)
    for _ in range(1000):
        pipeline.execute_command("CHECK", "api", "pipeline")
    remaining = [reply[2] for reply in pipeline.execute()]
    assert remaining == list(range(999999, 998999, -1))
    client.close()


# -- redis-cli and redis-benchmark


def test_redis_cli_shows_replies_and_errors(tolls):
    shown = tolls.redis_cli("CHECK", "api", "cli")
    assert shown.returncode == 0
    assert shown.stdout.split()[:3] == ["1", "1000000", "999999"]
    assert "NOPOLICY" in tolls.redis_cli("CHECK", "nosuch", "cli").stdout
    assert tolls.redis_cli("PING").stdout == "PONG\n"


def test_redis_cli_runs_a_script_and_falls_back_from_resp3(tolls):
    shown = tolls.redis_cli(text_input="PING\nECHO hello\nSELECT 0\nPING\n")
    assert shown.stdout.split() == ["PONG", "hello", "OK", "PONG"]
    assert "PONG" in tolls.redis_cli("-3", "PING").stdout


def test_redis_cli_pipe_mode_loses_nothing(tolls):
    requests = "".join("*3\r\n$5\r\nCHECK\r\n$3\r\napi\r\n$4\r\npipe\r\n" for _ in range(2000))
    shown = tolls.redis_cli("--pipe", text_input=requests)
    assert "errors: 0, replies: 2000" in shown.stdout, shown.stdout + shown.stderr
    with tolls.line() as line:
        assert line.ask("PEEK api pipe").values[1] == 1000000 - 2000


@pytest.mark.bound(60)
def test_redis_benchmark_runs_without_errors(daemon, shape):
    one = daemon(POLICIES, **shape)
    done = subprocess.run(
        ["redis-benchmark", "-s", one.socket, "-n", "20000", "-P", "16", "--csv",
         "CHECK", "api", "__rand_int__"],
        capture_output=True, text=True, check=False, timeout=50)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Error from server" not in done.stdout + done.stderr
    assert '"CHECK api __rand_int__"' in done.stdout
    with one.line() as line:  # without -r the word goes out as it stands
        assert line.ask("PEEK api __rand_int__").values[1] == 1000000 - 20000
