"""`tollkeeper status`: one screen, or one line of JSON; exit statuses as `tollkeeper health`."""

import json
import re
import subprocess

from support import binaries
from support.store import gone, joined, table

POLICIES = """
[policies.api]
limits = ["10/365d"]
[policies.login]
limits = ["5/365d"]
"""

READY, DEGRADED, DOWN, WRONG = 0, 1, 2, 3


def test_it_is_one_screen_that_says_how_the_daemon_is(daemon):
    one = daemon(POLICIES)
    with one.line() as client:
        for _ in range(12):
            client.ask("CHECK api alice")
        client.ask("COST ADD alice 0.5")
        client.ask('LOG PUSH {"id":1}')
    done = one.tollkeeper("status")
    assert (done.returncode, done.stderr) == (READY, "")
    lines = done.stdout.splitlines()
    assert len(lines) <= 23 and all(len(line) <= 80 for line in lines)
    text = re.sub(r"\s+", " ", done.stdout)
    assert re.match(r"state ready, tollkeeper \S+ for \d+s, since \d{4}-\d\d-\d\d ", text)
    for part in ("redis off", ": 10 allowed, 2 denied, 0 errors", " 12 local,", " of 1.0 GiB; ",
                 "costs ready, 1 charges taken journal", "journal ready, ",
                 "logs ready, 1 records pushed", "policies 2: api, login"):
        assert part in text, f"{part}: {done.stdout}"


def test_json_is_one_line_with_all_figures(daemon):
    one = daemon(POLICIES)
    for words in (("--json", "status"), ("status", "--json")):
        done = one.tollkeeper(*words)
        assert done.returncode == READY and done.stdout.count("\n") == 1
        told = json.loads(done.stdout)
        assert told["health"]["state"] == "ready" and told["health"]["workers"] == 2
        assert told["version"].startswith("tollkeeper ")
        assert told["stats"]["policy_api_allowed"] == 0 and told["stats"]["memory_max"] == 1 << 30
        assert told["policies"][0] == {"name": "api", "algorithm": "gcra", "limits": "10/365d",
                                       "mode": "exact", "on_outage": "local"}


def test_it_says_how_redis_is(daemon, redis):
    one = joined(daemon(table(redis.url()) + POLICIES))
    done = one.tollkeeper("status")
    assert done.returncode == READY and "redis     up, breaker closed" in done.stdout
    redis.kill()
    gone(one)
    done = one.tollkeeper("status")
    assert done.returncode == DEGRADED and done.stdout.startswith("state     degraded")


def test_nobody_there_or_wrong_words(place):
    for words, status in ((("status",), DOWN), (("status", "now"), WRONG)):
        done = subprocess.run([binaries.TOLLKEEPER, "--socket", place / "no.sock", *words],
                              capture_output=True, text=True, check=False,
                              env=binaries.clean_environment())
        assert done.returncode == status and done.stderr
