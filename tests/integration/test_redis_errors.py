"""Every error that Redis can give, and bytes that no Redis would: the client has its answer in
time, the error is counted, and when Redis behaves again so do we."""

import time

import pytest

from support.binaries import patience
from support.process import resident_bytes
from support.store import again_by_redis, health, joined, statistics, table
from support.waiting import eventually

POLICIES = """
[defaults]
deadline = "500ms"
[policies.local]
limits = ["1000000/365d"]
[policies.allow]
limits = ["1000000/365d"]
on_outage = "allow"
[policies.deny]
limits = ["1000000/365d"]
on_outage = "deny"
[policies.bucket]
algorithm = "token_bucket"
limits = ["10/365d"]
[policies.log]
algorithm = "sliding_log"
limits = ["10/365d"]
[policies.sliding]
algorithm = "sliding_window"
limits = ["10/365d"]
[policies.fixed]
algorithm = "fixed_window"
limits = ["10/365d"]
[policies.inflight]
algorithm = "concurrency"
limit = 10
"""
QUICK = {"health_interval": "100ms", "call_timeout": "300ms"}
BREAKER = '[redis.breaker]\nopen = "50ms"\nopen_max = "300ms"\n'

ERRORS = {
    "LOADING": "LOADING Redis is loading the dataset in memory",
    "READONLY": "READONLY You can't write against a read only replica.",
    "MASTERDOWN": "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to "
                  "'no'.",
    "NOREPLICAS": "NOREPLICAS Not enough good replicas to write.",
    "MISCONF": "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to "
               "persist to disk.",
    "OOM": "OOM command not allowed when used memory > 'maxmemory'.",
    "BUSY": "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN "
            "NOSAVE.",
    "NOAUTH": "NOAUTH Authentication required.",
    "WRONGPASS": "WRONGPASS invalid username-password pair or user is disabled.",
    "NOPERM": "NOPERM this user has no permissions to run the 'evalsha' command",
    "in-script-acl": "ERR The user executing the script can't run this command or subcommand "
                     "script: 8c1d, on @user_script:12.",
    "in-script-6": "ERR Error running script (call to f_5f2d): @user_script:1: -OOM command not "
                   "allowed when used memory > 'maxmemory'.",
    "max-clients": "ERR max number of clients reached",
    "MOVED": "MOVED 3999 127.0.0.1:6381",
    "ASK": "ASK 3999 127.0.0.1:6381",
    "CLUSTERDOWN": "CLUSTERDOWN The cluster is down",
    "TRYAGAIN": "TRYAGAIN Multiple keys request during rehashing of slot",
    "CROSSSLOT": "CROSSSLOT Keys in request don't hash to the same slot",
    "NOSCRIPT": "NOSCRIPT No matching script. Please use EVAL.",
    "unheard-of": "XYZZY nothing happens",
    "empty": "",
}

# What ends the conversation, since nothing after it can be understood.
NONSENSE = {
    "garbage": b"\x00\xff\xfenonsense\r\n\r\n",
    "html": b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n<html>",
    "huge-bulk": b"$999999999999\r\nx",
    "large-bulk": b"$536870912\r\nx",
    "huge-array": b"*1000000000\r\n",
    "negative-bulk": b"$-5\r\n",
    "no-number": b"$abc\r\n",
    "deep": b"*1\r\n" * 40 + b":1\r\n",
    "endless-line": b"+" + b"x" * 200_000,
    "resp3-map": b"%1\r\n+a\r\n+b\r\n",
    "two-replies": b"$2\r\nab\r\n$2\r\ncd\r\n",
    "silence": b"",
}

# Replies in good form that are none to what was asked.
UNFIT = {
    "status": b"+OK\r\n", "integer": b":5\r\n", "null": b"$-1\r\n", "null-array": b"*-1\r\n",
    "empty-bulk": b"$0\r\n\r\n", "short-bulk": b"$4\r\nabcd\r\n", "array": b"*2\r\n:1\r\n:2\r\n",
    "long-bulk": b"$100000\r\n" + b"\x01" * 100_000 + b"\r\n",
    "msgpack-array": b"$6\r\n\x95\x01\x02\x03\x04\x05\r\n",
    "msgpack-deep": b"$2000\r\n" + b"\x91" * 2000 + b"\r\n",
    "msgpack-huge": b"$5\r\n\xdd\xff\xff\xff\xff\r\n",
    "msgpack-torn": b"$3\r\n\x93\xcf\x00\r\n",
}


@pytest.fixture(name="start")
def _start(daemon, scripted):
    def start(**options):
        config = table(scripted.url(), **QUICK) + BREAKER + POLICIES
        return joined(daemon(config, workers=1, **options))
    return start


@pytest.fixture(name="one")
def _one(start):
    return start()


def answered_in_time(client, request):
    began = time.monotonic()
    reply = client.ask(request)
    took = time.monotonic() - began
    assert took < 0.5 + 0.1 * patience(), f"{request}: {took:.3f} s"
    return reply.word, reply.source


def survived(one, scripted, counter):
    """What holds for each: the policies answer, it is counted, and it ends."""
    with one.line() as client:
        assert answered_in_time(client, "CHECK local someone") == ("ALLOW", "local")
        assert answered_in_time(client, "CHECK allow someone") == ("ALLOW", "open")
        assert answered_in_time(client, "CHECK deny someone") == ("DENY", "closed")
        assert answered_in_time(client, "CHECK local a 1 local b 1") == ("ALLOW", "local")
        replies = client.ask_all(["CHECK local someone"] * 300)
        assert {reply.source for reply in replies} == {"local"}
        assert statistics(client)[counter] > 0
        assert scripted.said > 0
        scripted.behave()
        again_by_redis(client, "CHECK local someone")
        eventually(lambda: again_by_redis(client, "CHECK local someone") and
                   health(client)["state"] == "ready", "ready")
        assert client.ask("CHECK deny someone").source == "redis"


@pytest.mark.parametrize("name", ERRORS)
def test_an_error(one, scripted, name):
    scripted.on("EVALSHA", b"-" + ERRORS[name].encode() + b"\r\n")
    survived(one, scripted, "redis_errors")
    assert one.output().count("answered a batch with an error") <= 2, "told once in a while"


@pytest.mark.parametrize("name", [name for name in ERRORS if name != "NOSCRIPT"])
def test_an_error_to_the_heartbeat_too(one, scripted, name):
    scripted.on("EVALSHA", b"-" + ERRORS[name].encode() + b"\r\n", heartbeats_too=True)
    with one.line() as client:
        eventually(lambda: health(client)["state"] == "degraded", "degraded, without a request")
    survived(one, scripted, "redis_errors")


@pytest.mark.parametrize("name", NONSENSE)
def test_nonsense(start, scripted, name, backend):
    one = start(backend=backend)
    scripted.on("EVALSHA", NONSENSE[name])
    # The first of two replies is read as one to the question, and is none.
    survived(one, scripted, "redis_errors" if name == "two-replies" else "redis_lost")


def test_a_reply_without_end_is_cut_off(one, scripted):
    scripted.on("EVALSHA", b"$999999999999\r\n" + b"x" * (96 << 20))
    with one.line() as client:
        resident = resident_bytes(one.pid)
        assert answered_in_time(client, "CHECK local someone") == ("ALLOW", "local")
        eventually(lambda: statistics(client)["redis_lost"] > 0, "the link is cut")
        assert resident_bytes(one.pid) - resident < (64 << 20) * patience()
    survived(one, scripted, "redis_lost")


@pytest.mark.parametrize("name", UNFIT)
def test_an_unfit_reply(one, scripted, name):
    scripted.on("EVALSHA", UNFIT[name])
    survived(one, scripted, "redis_errors")


# -- the greeting


@pytest.mark.parametrize("command, reply, said", [
    ("PING", b"-LOADING Redis is loading the dataset in memory\r\n", "still loading"),
    ("INFO", b"-NOAUTH Authentication required.\r\n", "password"),
    ("INFO replication", b"$12\r\nrole:slave\r\n\r\n", "replica"),
    ("SCRIPT", b"$40\r\n" + b"0" * 40 + b"\r\n", "digest"),
    ("SCRIPT", b"-ERR Error compiling script\r\n", "cannot be loaded"),
    ("SELECT", b"-ERR DB index is out of range\r\n", "database 2"),
    ("PING", b"$99999999999\r\n", "no greeting within"),
    ("PING", b"HTTP/1.1 400 Bad Request\r\n", "is it a Redis?"),
    ("CLIENT", b"-ERR max number of clients reached\r\n", "maxclients"),
    ("PING", b"-BUSY Redis is busy running a script.\r\n", "busy"),
    ("PING", b"-MASTERDOWN Link with MASTER is down\r\n", "replica"),
    ("PING", b"-DENIED Redis is running in protected mode\r\n", "protected"),
], ids=lambda value: value if isinstance(value, str) else None)
def test_a_greeting_that_goes_wrong_is_told_and_tried_again(daemon, scripted, command, reply, said):
    scripted.on(command, reply)
    config = table(scripted.url() + "?db=2", **QUICK) + BREAKER + POLICIES
    one = daemon(config, workers=1)
    one.says(said)
    with one.line() as client:
        assert health(client)["redis"] == "away"
        assert answered_in_time(client, "CHECK deny someone") == ("DENY", "closed")
        scripted.behave()
        again_by_redis(client, "CHECK local someone", within=3)
    assert one.output().count("redis is away") <= 3, "once, not at each try"


@pytest.mark.parametrize("command", ["CLIENT SETNAME", "CLIENT NO-EVICT", "INFO server",
                                     "INFO memory", "INFO replication", "SCRIPT", "SUBSCRIBE"])
def test_what_the_greeting_can_do_without(daemon, redis, scripted, command):
    """Redis may refuse each of these; an administrator may have loaded the scripts."""
    joined(daemon(table(redis.url()) + POLICIES))
    scripted.on(command, b"-NOPERM this user has no permissions to run this command\r\n")
    one = joined(daemon(table(scripted.url(), **QUICK) + BREAKER + POLICIES, workers=1))
    with one.line() as client:
        assert client.ask("CHECK local someone").source == "redis"


def test_scripts_lost_and_not_to_be_loaded(daemon, redis, scripted):
    scripted.on("SCRIPT", b"-NOPERM this user has no permissions to run this command\r\n")
    one = daemon(table(scripted.url(), **QUICK) + BREAKER + POLICIES, workers=1)
    with one.line() as client:
        assert answered_in_time(client, "CHECK deny someone") == ("DENY", "closed")
        joined(daemon(table(redis.url()) + POLICIES))  # an administrator loads them
        again_by_redis(client, "CHECK local someone", within=3)


# -- the real one's


POISON = {
    "local": ("gcra:local:poisoned", "LPUSH"), "bucket": ("tokenbucket:bucket:poisoned:tokens",
                                                          "LPUSH"),
    "log": ("ratelimit:log:poisoned", "SET"), "sliding": ("slidingwindow:sliding:poisoned", "SET"),
    "inflight": ("concurrency:inflight:poisoned", "SET"),
}


@pytest.mark.parametrize("policy", POISON)
def test_a_key_that_holds_something_else_concerns_nobody_else(daemon, redis, policy):
    one = joined(daemon(table(redis.url(), **QUICK) + POLICIES, workers=1))
    store = redis.client()
    key, command = POISON[policy]
    store.execute_command(command, key, "what is this")
    before = store.dump(key)
    verb = "ACQUIRE" if policy == "inflight" else "CHECK"
    with one.line() as client:
        for _ in range(10):
            replies = client.ask_all([f"{verb} {policy} {id_}" for id_ in ("a", "poisoned", "b")])
            assert [reply.source for reply in replies] == ["redis", "local", "redis"]
        assert statistics(client)["redis_poisoned"] == 10
        assert health(client)["breaker"] == "closed"
        if policy != "inflight":
            reply = client.ask(f"CHECK {policy} poisoned 1 deny c 1")
            assert reply.source == "closed", "all or nothing: nobody could say"
            assert client.ask("PEEK deny c").values[1] == 1_000_000
        assert store.dump(key) == before, "what is not ours is left alone"
        assert client.ask(f"RESET {policy} poisoned").line.split()[:2] in (
            ["OK"], ["ERR", "UNAVAILABLE"])


def test_evicting_any_key_is_warned_of(daemon, redis_servers):
    server = redis_servers(maxmemory_policy="allkeys-lru")
    one = joined(daemon(table(server.url()) + POLICIES))
    one.says("maxmemory-policy")
    assert one.output().count("limits may be forgotten") == 1
