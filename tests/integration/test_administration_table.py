"""The administration table, in both framings."""

import re

import pytest

from support.resp import Error, Simple, plain

POLICIES = """
[policies.api]
limits = ["100/1s", "5000/1h"]
[policies.login]
algorithm = "sliding_log"
limits = ["5/1m"]
mode = "local"
on_outage = "deny"
[policies.inflight]
algorithm = "concurrency"
limit = 20
ttl = "2m"
"""

VERBS = ("CHECK", "PEEK", "REFUND", "CHARGE", "RESET", "ACQUIRE", "RELEASE", "CL.THROTTLE", "PING",
         "HEALTH", "STATS", "POLICIES", "HOT", "CONFIG", "RELOAD", "LEVEL", "DRAIN", "WATCH",
         "VERSION", "HELP")


@pytest.fixture(scope="module")
def tolls(shared_daemon):
    return shared_daemon(POLICIES)


@pytest.fixture
def line(tolls):
    with tolls.line() as client:
        yield client


@pytest.fixture
def resp(tolls):
    with tolls.raw_resp() as client:
        yield client


def flat(rows):
    return " ".join(str(word) for row in rows for word in (row if isinstance(row, list) else [row]))


def test_ping(line, resp):
    assert line.ask("PING").line == "OK pong"
    assert resp.ask("PING") == Simple("PONG"), "redis clients compare with PONG"


def test_version(line, resp):
    text = line.ask("VERSION").line
    assert re.fullmatch(r"OK tollkeeper \d+\.\d+\.\d+\S*", text)
    framed = plain(resp.ask("VERSION"))
    assert "OK " + (framed if isinstance(framed, str) else " ".join(framed)) == text


def test_health_says_ready_and_the_loop_in_use(shared_daemon, backend):
    one = shared_daemon(POLICIES, backend=backend)
    with one.line() as line, one.raw_resp() as resp:
        reply = line.ask("HEALTH")
        assert (reply.word, reply.values[0]) == ("OK", "ready")
        for name in ("redis=", "breaker=", "journal="):
            assert f" {name}" in reply.line
        assert f" backend={backend} " in reply.line
        framed = plain(resp.ask("HEALTH"))
        assert framed[0] == "ready" and f"backend={backend}" in framed


def test_stats_is_a_list_of_names_and_values_that_move(line, resp):
    before = dict(line.ask("STATS").rows)
    for _ in range(3):
        line.ask("CHECK api stats")
    line.ask("CHECK api")
    after = dict(line.ask("STATS").rows)
    assert after.keys() == before.keys()
    assert after["requests"] >= before["requests"] + 5
    assert after["allowed"] >= before["allowed"] + 3
    assert after["errors"] >= before["errors"] + 1
    framed = plain(resp.ask("STATS"))
    assert [name for name, _ in framed] == list(before)
    assert int(dict(framed)["requests"]) >= after["requests"]


def test_policies_lists_name_algorithm_limits_mode_and_outage(line, resp):
    expected = [["api", "gcra", "100/1s,5000/1h", "exact", "local"],
                ["inflight", "concurrency", "20", "exact", "local"],
                ["login", "sliding_log", "5/1m", "local", "deny"]]
    listed = line.ask("POLICIES")
    assert (listed.word, listed.values) == ("LIST", [3])
    assert sorted([str(word) for word in row] for row in listed.rows) == expected
    assert sorted([str(word) for word in row] for row in plain(resp.ask("POLICIES"))) == expected


def test_config_lists_key_value_and_origin(line, resp):
    rows = line.ask("CONFIG").rows
    assert ["server.workers", 2] == rows[[row[0] for row in rows].index("server.workers")][:2]
    told = {row[0]: row[1:] for row in rows}
    assert told["policies.login.mode"][0] == '"local"'
    assert "tollkeeper.toml:" in told["policies.login.mode"][1]
    assert told["log.format"] == ['"auto"', "default"]
    assert len(resp.ask("CONFIG")) == len(rows)


def test_level_changes_at_run_time_and_refuses_what_is_none(line, resp):
    assert line.ask("LEVEL debug").line == "OK"
    assert line.ask("LEVEL loud").code == "BADREQ"
    assert resp.ask("LEVEL", "info") == Simple("OK")


def test_reload_in_both_framings(line, resp):
    assert line.ask("RELOAD").word == "OK"
    assert not isinstance(resp.ask("RELOAD"), Error)


def test_help_lists_every_verb(line, resp):
    listed = line.ask("HELP")
    assert listed.word == "LIST" and listed.values == [len(listed.rows)]
    for verb in VERBS:
        assert re.search(rf"(^|[\s\"]){re.escape(verb)}\b", flat(listed.rows)), f"no help on {verb}"
    assert "CHECK" in flat(plain(resp.ask("HELP")))


def test_help_on_one_verb_shows_its_usage(line, resp):
    assert "CHECK policy id [units]" in flat(line.ask("HELP check").rows)
    assert "REFUND policy id units" in flat(plain(resp.ask("HELP", "REFUND")))
    assert line.ask("HELP nonsense").word == "ERR"


def test_errors_in_resp_carry_the_code_first(resp):
    assert resp.ask("CHECK", "nosuch", "a").code == "NOPOLICY"
    assert resp.ask("CHECK", "api").code == "BADREQ"
    assert resp.ask("CHECK", "api", "a", "0").code == "BADREQ"
    unknown = resp.ask("FLY")
    assert isinstance(unknown, Error) and unknown.code in ("UNKNOWN", "ERR")


def test_quit_answers_and_closes(tolls):
    with tolls.line() as line:
        assert line.ask("QUIT").word == "OK"
        assert line.closed_by_daemon()
    with tolls.raw_resp() as resp:
        assert resp.ask("QUIT") == Simple("OK")
        assert resp.closed_by_daemon()
