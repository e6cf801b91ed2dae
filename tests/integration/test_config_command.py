"""`tollkeeper config`: a file checked, shown, and held against the daemon that runs."""

import json
import subprocess

from support import binaries
from support.daemon import run_tollkeeperd
from support.store import table

POLICIES = """
[policies.api]
limits = ["100/1s"]
[policies.login]
limits = ["5/1m"]
"""

SAME, DIFFERENT, WRONG, NO_DAEMON = 0, 1, 2, 3


def config(*words, environment=None):
    return subprocess.run([binaries.TOLLKEEPER, *map(str, words)], capture_output=True, text=True,
                          check=False, stdin=subprocess.DEVNULL,
                          env={**binaries.clean_environment(), **(environment or {})})


def told(done):
    return done.returncode, done.stdout, done.stderr


def test_check_and_show_are_what_tollkeeperd_says(place):
    good, bad = place / "good.toml", place / "bad.toml"
    good.write_text(POLICIES, encoding="utf-8")
    bad.write_text('[server]\nworker = 2\n[policies.api]\nlimits = ["x"]\n', encoding="utf-8")
    environment = {"TOLLKEEPER_SERVER_WORKERS": "3"}
    for file in (good, bad, place / "nosuch.toml"):
        for ours, theirs in (("check", "--check"), ("show", "--print-config")):
            done = config("config", ours, file, environment=environment)
            expected = run_tollkeeperd(theirs, "--config", file, environment=environment)
            assert told(done) == told(expected)
    assert config("config", "check", good).returncode == 0
    assert config("config", "check", bad).returncode == 1
    assert "workers = 3" in config("config", "show", good, environment=environment).stdout


def test_the_same_file_has_no_difference(daemon):
    one = daemon(POLICIES)
    assert told(one.tollkeeper("config", "diff", str(one.file))) == (SAME, "", "")


def test_differences_say_who_takes_them_and_a_reload_does(daemon):
    one = daemon(POLICIES)
    one.write_config('[policies.api]\nlimits = ["200/1s"]\nburst = 7\n'
                     '[policies.new]\nlimits = ["1/1s"]\n[log]\nlevel = "warn"\n',
                     workers=5)
    done = one.tollkeeper("config", "diff", str(one.file))
    assert done.returncode == DIFFERENT and done.stderr == ""
    lines = done.stdout.splitlines()
    assert set(lines) == {
        "server.workers: 2 -> 5  (restart)",
        'log.level: "info" -> "warn"  (reload)',
        'policies.api.limits: ["100/1s"] -> ["200/1s"]  (reload)',
        "policies.api.burst: 100 -> 7  (reload)",
        'policies.new.limits: none -> ["1/1s"]  (reload)',
        'policies.login.limits: ["5/1m"] -> none  (reload)',
        "a reload takes 5, only a restart takes 1",
    }
    rows = [json.loads(line) for line in
            one.tollkeeper("config", "diff", str(one.file), "--json").stdout.splitlines()]
    assert len(rows) == 6
    workers = next(row for row in rows if row["key"] == "server.workers")
    assert (workers["running"], workers["file"], workers["taken"]) == ("2", "5", "restart")
    with one.line() as client:
        assert client.ask("RELOAD").line == "OK restart for server.workers"
    after = one.tollkeeper("config", "diff", str(one.file))
    assert after.stdout.splitlines()[0] == "server.workers: 2 -> 5  (restart)"
    assert after.returncode == DIFFERENT and after.stdout.count("\n") == 2


def test_what_the_environment_says_is_no_difference_unless_the_file_says_otherwise(daemon):
    one = daemon(POLICIES, environment={"TOLLKEEPER_LOG_LEVEL": "error",
                                        "RATE_LIMIT_EXTRA": "7,60"})
    assert told(one.tollkeeper("config", "diff", str(one.file))) == (SAME, "", "")
    one.write_config(POLICIES + '[log]\nlevel = "debug"\n')
    done = one.tollkeeper("config", "diff", str(one.file))
    assert done.returncode == DIFFERENT
    assert done.stdout.startswith('log.level: "error" -> "debug"  (overridden: the daemon has it '
                                  "from its environment TOLLKEEPER_LOG_LEVEL)\n")


def test_no_password_is_told(daemon, redis):
    redis.client().config_set("requirepass", "s3cret-of-redis")
    secret = redis.url().replace("unix://", "unix://:s3cret-of-redis@", 1)
    one = daemon(table(secret) + POLICIES)
    with one.line() as client:
        rows = client.ask("CONFIG").rows
    assert "s3cret" not in str(rows) and ["redis.password", '"***"'] in [
        list(row[:2]) for row in rows]
    assert "s3cret" not in one.tollkeeper("config", "diff", str(one.file)).stdout


def test_faults_nobody_there_and_wrong_words(daemon, place):
    one = daemon(POLICIES)
    bad = place / "bad.toml"
    bad.write_text("[server]\nworker = 2\n", encoding="utf-8")
    done = one.tollkeeper("config", "diff", str(bad))
    assert done.returncode == WRONG and "server.worker" in done.stderr
    assert config("--socket", place / "no.sock", "config", "diff",
                  one.file).returncode == NO_DAEMON
    for words in ((), ("what",), ("diff", "a", "b")):
        assert config("config", *words).returncode == WRONG
