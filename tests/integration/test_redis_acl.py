"""The rule of config/redis-acl.conf: all that is needed works under it, and none of it can go."""

import re
import time

import pytest

from support import binaries
from support.store import hears, joined, patient, statistics
from support.waiting import eventually

RULE_FILE = binaries.REPOSITORY / "config" / "redis-acl.conf"
PASSWORD = "change me"
ALGORITHMS = ("gcra", "token_bucket", "sliding_log", "sliding_window", "fixed_window")

POLICIES = "".join(
    f'[policies.{name}]\nalgorithm = "{name}"\nlimits = ["{count}/{window}"]\n'
    f'[policies.{name}_pair]\nalgorithm = "{name}"\n'
    f'limits = ["{count}/{window}", "{count + 1}/300d"]\n'
    for name in ALGORITHMS for count, window in [(10, "365d")]) + """
[policies.brief_log]
algorithm = "sliding_log"
limits = ["10/1ms"]
[policies.inflight]
algorithm = "concurrency"
limit = 4
[logs]
max = 3
"""


def rule():
    """The words of the file's one rule, its user's name behind them cut off."""
    lines = [line for line in RULE_FILE.read_text(encoding="utf-8").splitlines()
             if line.startswith("user ")]
    assert len(lines) == 1
    words = lines[0].split()
    assert words[:3] == ["user", "tollkeeper", "on"]
    return words[2:]


# For what a daemon left behind that was killed.
AFTER_A_DEATH = {"+srem"}
COMMANDS = [word for word in rule() if word.startswith("+") and word not in AFTER_A_DEATH]
PATTERNS = [word for word in rule() if word[0] in "~&"]


@pytest.fixture(name="server")
def _server(redis_servers, place):
    (place / "users.acl").write_text("user default on nopass ~* &* +@all\nuser tollkeeper "
                                     + " ".join(rule()) + "\n", encoding="utf-8")
    return redis_servers(aclfile=place / "users.acl")


@pytest.fixture(name="config")
def _config(server, place):
    file = place / "password"
    file.write_text(PASSWORD + "\n", encoding="ascii")
    file.chmod(0o600)
    return patient(server.url(database=1), POLICIES, username="tollkeeper", password_file=file,
                   health_interval="50ms")


def everything(one, other):
    """Uses all that there is, and says what was not answered by Redis."""
    wrong = []
    with one.line() as client, one.raw_resp() as resp:
        def ask(request):
            reply = client.ask(request)
            if not ({"redis", "OK"} & set(reply.line.split())):
                wrong.append((request, reply))
            return reply

        for name in [name + pair for name in ALGORITHMS for pair in ("", "_pair")]:
            for request in ("CHECK {} id 6", "CHECK {} id 6", "PEEK {} id", "CHARGE {} id 2",
                            "REFUND {} id 1", "CHECK {} id 1 {} other 1", "RESET {} id",
                            "REFUND {} other 1", "CHARGE {} other 3"):
                ask(request.replace("{}", name))
        for _ in range(3):
            ask("CHECK brief_log id 5")
            time.sleep(0.003)
        ticket = ask("ACQUIRE inflight id").line.split()[-1]
        ask("PEEK inflight id")
        for request in (f"RELEASE inflight id {ticket}", "ACQUIRE inflight id 4 1ms",
                        "ACQUIRE inflight id", "RESET inflight id"):
            ask(request)
        if resp.ask("CL.THROTTLE", "user", 2, 10, 36000)[:2] != [0, 3]:
            wrong.append("CL.THROTTLE")
        costs(ask)
        log_records(one, ask)
        refunded_elsewhere(client, other, wrong)
    return wrong


def costs(ask):
    ask("COST HOLD id 1 1ms")
    ask("COST ADD id 1")
    hold = ask("COST HOLD id 1").line.split()[-1]
    ask(f"COST SETTLE id {hold} 1")
    for request in ("COST ADD id 1 key", "COST GET id", "BUDGET SET id 5", "COST CHECK id 1",
                    "BUDGET CLEAR id", "COST CHECK id 1"):
        ask(request)


def log_records(one, ask):
    with one.line() as client:
        for _ in range(5):  # more than there is room for
            ask("LOG PUSH {}")
        client.ask("LOG PEEK")
        client.ask("LOG POP")
        ask("LOG CLEAR")
        client.send("LOG WAIT 5000")
        time.sleep(0.3)  # for the connection that waits to be made
        ask("LOG PUSH {}")
        client.read_reply()
        ask("LOG PUSH {}")
        # What it asked for goes back, unless the reply was sent before it hung up.
        began = time.monotonic()
        while time.monotonic() - began < 3:
            ask("LOG PUSH {}")
            with one.line() as gone:
                gone.send(*["LOG PEEK"] * 20, "LOG POP")
            ask("LOG SIZE")
            if statistics(client)["logs_returned"]:
                break
        ask("LOG SIZE")


def refunded_elsewhere(client, other, wrong):
    client.ask("CHECK gcra heard 10")
    client.ask("CHECK gcra heard")
    with other.line() as elsewhere:
        elsewhere.ask("RESET gcra heard")
    began = time.monotonic()
    while not client.ask("CHECK gcra heard").allowed and time.monotonic() - began < 1:
        time.sleep(0.01)
    if time.monotonic() - began >= 1:
        wrong.append("the news of a RESET elsewhere")


def denied(admin):
    """What Redis has refused: by command, or by key, or channel."""
    return {(entry["reason"], entry["object"]) for entry in admin.acl_log()}


def test_all_works_under_it(daemon, server, config, shape):
    one, other = (joined(daemon(config, **shape), within=10) for _ in range(2))
    joined(one, hosts=2)
    hears(server, 2)
    assert not everything(one, other)
    with one.line() as client:
        server.client().script_flush()
        assert client.ask("CHECK gcra reloaded").source == "redis"
    for each in (one, other):
        each.stop()
        assert "NOPERM" not in each.output() and "let us hear" not in each.output()
    assert not denied(server.client()), "it tries nothing that it may not"
    assert not server.client(db=1).exists("tollkeeper:nodes"), "both have left"


def test_the_rule_gives_nothing_else(server):
    client = server.client(username="tollkeeper", password=PASSWORD)
    for words in (["KEYS", "*"], ["FLUSHALL"], ["CONFIG", "GET", "*"], ["EVAL", "return 1", "0"],
                  ["SCRIPT", "FLUSH"], ["GET", "elsewhere"], ["SHUTDOWN"], ["CLIENT", "LIST"],
                  ["PUBLISH", "elsewhere", "x"], ["ACL", "WHOAMI"]):
        with pytest.raises(Exception, match="(?i)noperm|permissions"):
            client.execute_command(*words)


@pytest.mark.parametrize("word", [*COMMANDS, *PATTERNS])
def test_none_of_it_can_go(daemon, server, config, word):
    admin = server.client()
    admin.execute_command("ACL", "SETUSER", "tollkeeper", "reset",
                          *[each for each in rule() if each != word])
    one, other = (daemon(config, workers=1) for _ in range(2))
    with one.line() as client:
        def settled():
            return denied(admin) or "redis=up hosts=2" in re.sub(
                r" breaker.*hosts", " hosts", client.ask("HEALTH").line)

        eventually(settled, "they have come, or may not")
        if not denied(admin):
            everything(one, other)
    one.stop()
    other.stop()
    objects = {name.decode() if isinstance(name, bytes) else name for _, name in denied(admin)}
    assert objects, f"{word} is not needed"
    if word.startswith("+"):
        assert {name.lower() for name in objects} == {word[1:]}
