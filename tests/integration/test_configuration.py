"""The command line's --check and --print-config, and where settings come from."""

import re
import tomllib

import pytest

from support.daemon import run_tollkeeperd

GOOD = """
[server]
socket = "{place}/t.sock"
workers = 3
max_line = "16KiB"
[defaults]
algorithm = "token_bucket"
deadline = "20ms"
[policies.api]
limits = ["100/1s", "5000/1h"]
[policies.login]
algorithm = "sliding_log"
limits = ["5/1m"]
on_outage = "deny"
key = "ratelimit:{{id}}"
[policies.inflight]
algorithm = "concurrency"
limit = 20
ttl = "2m"
[log]
level = "warn"
"""


@pytest.fixture(name="file")
def _file(place):
    path = place / "tollkeeper.toml"
    path.write_text(GOOD.format(place=place), encoding="ascii")
    return path


def check(file, **options):
    done = run_tollkeeperd("--config", file, "--check", **options)
    return done.returncode, done.stdout + done.stderr


def printed(*arguments, **options):
    """What --print-config prints, as text and as what it means."""
    done = run_tollkeeperd(*arguments, "--print-config", **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout, tomllib.loads(done.stdout)


# -- --check


def test_check_accepts_a_good_file_and_starts_nothing(file, place):
    for option in ("--check", "-t"):
        done = run_tollkeeperd("--config", file, option)
        assert done.returncode == 0, done.stdout + done.stderr
    assert not (place / "t.sock").exists()


@pytest.mark.parametrize("line, column, fault, named", [
    ("workers = 3", 11, "workers = -3", "server.workers"),
    ("workers = 3", 11, 'workers = "many"', "server.workers"),
    ("workers = 3", 1, "wrokers = 3", "workers"),
    ("[defaults]", None, "[default]", "defaults"),
    ('max_line = "16KiB"', 12, 'max_line = "16 parsecs"', "server.max_line"),
    ('deadline = "20ms"', 12, 'deadline = "soon"', "defaults.deadline"),
    ('algorithm = "token_bucket"', 13, 'algorithm = "leaky_bucket"', "algorithm"),
    ('limits = ["5/1m"]', None, 'limits = ["5"]', "policies.login.limits"),
    ('limits = ["5/1m"]', None, 'limits = ["0/1m"]', "policies.login.limits"),
    ('limits = ["5/1m"]', None, 'limits = ["5/400d"]', "policies.login.limits"),
    ('limits = ["5/1m"]', None, "limits = []", "login"),
    ('on_outage = "deny"', 13, 'on_outage = "panic"', "policies.login.on_outage"),
    ("limit = 20", None, "limit = 0", "policies.inflight"),
    ('ttl = "2m"', None, 'ttl = "2 minutes"', "policies.inflight.ttl"),
    ('level = "warn"', 9, 'level = "loud"', "log.level"),
    ("[log]", None, "[log", None),
])
def test_check_names_file_line_column_and_key_of_a_fault(file, line, column, fault, named):
    text = file.read_text(encoding="ascii")
    assert text.count(line) == 1
    file.write_text(text.replace(line, fault), encoding="ascii")
    number = text[:text.index(line)].count("\n") + 1
    code, output = check(file)
    assert code == 1
    place = re.search(rf"{re.escape(file.name)}:(\d+):(\d+): ", output)
    assert place, output
    if named:
        assert (int(place.group(1)), named in output) == (number, True), output
    if column:
        assert int(place.group(2)) == column, output


def test_check_names_every_fault(file):
    text = file.read_text(encoding="ascii")
    file.write_text(text.replace("workers = 3", "workers = -3").replace('"warn"', '"loud"')
                    .replace('"5/1m"', '"5/1y"'), encoding="ascii")
    code, output = check(file)
    assert code == 1
    for key in ("server.workers", "log.level", "policies.login.limits"):
        assert len(re.findall(rf"^.*:\d+:\d+: {key}\b.*$", output, re.M)) == 1, output


def test_check_of_a_missing_file_fails(place):
    code, output = check(place / "nosuch.toml")
    assert code == 1 and "nosuch.toml" in output


@pytest.mark.parametrize("variable, value", [
    ("TOLLKEEPER_SERVER_WORKERS", "many"), ("RATE_LIMIT_GENERAL", "lots"),
    ("RATE_LIMIT_MODE", "sometimes")])
def test_check_names_a_bad_variable(file, variable, value):
    code, output = check(file, environment={variable: value})
    assert code == 1 and variable in output, output


def test_a_daemon_does_not_start_with_a_bad_file(file, place):
    file.write_text('[server]\nworkers = "many"\n', encoding="ascii")
    done = run_tollkeeperd("--config", file, "--socket", place / "t.sock")
    assert done.returncode == 1
    assert f"{file.name}:2:" in done.stdout + done.stderr


# -- --print-config


def test_print_config_shows_what_is_in_force(file, place):
    text, meaning = printed("--config", file)
    assert meaning["server"]["workers"] == 3
    assert meaning["server"]["socket"] == f"{place}/t.sock"
    assert meaning["server"]["max_clients"] == 10000
    assert meaning["policies"]["api"]["limits"] == ["100/1s", "5000/1h"]
    assert meaning["policies"]["login"]["on_outage"] == "deny"
    assert meaning["log"]["level"] == "warn"
    assert re.search(r"^workers = 3\s+# .*tollkeeper\.toml:4", text, re.M), text
    assert re.search(r"^max_clients = 10000\s+# .*default", text, re.M), text


def test_print_config_loads_back_as_the_same(file, place):
    text, meaning = printed("--config", file)
    again = place / "again.toml"
    again.write_text(text, encoding="utf-8")
    assert check(again)[0] == 0
    assert printed("--config", again)[1] == meaning


def test_the_embedded_defaults_print_and_load_back(place):
    text, meaning = printed(environment={"RUNTIME_DIRECTORY": str(place)})
    assert meaning["server"]["socket"].startswith(f"{place}/")
    assert set(meaning["policies"]) == {"general", "auth", "sensitive", "admin", "mfa", "financial",
                                        "s1", "s2", "s3", "s4", "s5", "api"}
    again = place / "again.toml"
    again.write_text(text, encoding="utf-8")
    assert check(again)[0] == 0
    assert printed("--config", again)[1] == meaning


def test_command_line_goes_before_environment_before_file(file, place):
    environment = {"TOLLKEEPER_SERVER_WORKERS": "2", "TOLLKEEPER_LOG_LEVEL": "error",
                   "TOLLKEEPER_SERVER_SOCKET": f"{place}/from-environment.sock"}
    text, meaning = printed("--config", file, environment=environment)
    assert meaning["server"]["workers"] == 2
    assert meaning["log"]["level"] == "error"
    assert meaning["server"]["socket"] == f"{place}/from-environment.sock"
    assert "TOLLKEEPER_SERVER_WORKERS" in text
    _, meaning = printed("--config", file, "--socket", f"{place}/from-command-line.sock",
                         environment=environment)
    assert meaning["server"]["socket"] == f"{place}/from-command-line.sock"


def test_the_variables_of_existing_deployments_are_understood(file):
    _, meaning = printed("--config", file, environment={
        "RATE_LIMIT_GENERAL": "7,60", "RATE_LIMIT_MODE": "memory"})
    assert meaning["policies"]["general"]["limits"] == ["7/1m"]
    modes = {policy.get("mode", meaning["defaults"]["mode"])
             for policy in meaning["policies"].values()}
    assert modes == {"local"}


# -- Redis

SECRET = "s3cr3t-word"
REDIS = """
[redis]
url = "redis://gateway:{secret}@redis.internal:7000/3"
[redis.breaker]
failures = 7
[policies.api]
limits = ["100/1s"]
"""


def redis_file(place, text=REDIS, **names):
    path = place / "redis.toml"
    path.write_text(text.format(secret=SECRET, **names), encoding="ascii")
    return path


def test_redis_is_printed_with_its_origins_and_without_its_password(place):
    file = redis_file(place)
    text, meaning = printed("--config", file, environment={"REDIS_PORT": "7001"})
    redis = meaning["redis"]
    assert redis["enabled"] is True
    assert (redis["url"], redis["username"]) == ("redis://redis.internal:7001/3", "gateway")
    assert redis["breaker"]["failures"] == 7 and redis["breaker"]["open_max"] == "10s"
    assert re.search(r"^url = .*# environment REDIS_PORT", text, re.M), text
    assert re.search(r'^# password = "\*\*\*"\s+# .*redis\.toml:3', text, re.M), text
    assert SECRET not in text
    again = place / "again.toml"
    again.write_text(text, encoding="utf-8")
    assert printed("--config", again)[1] == meaning


@pytest.mark.parametrize("source, named", [
    ("REDIS_PASSWORD", "environment REDIS_PASSWORD"),
    ("TOLLKEEPER_REDIS_PASSWORD", "environment TOLLKEEPER_REDIS_PASSWORD"),
    ("REDIS_URL", "environment REDIS_URL"),
    ("file", "file /"), ("credential", "credential redis-password")])
def test_a_password_is_named_by_where_it_came_from_and_never_shown(place, source, named):
    environment = {"REDIS_HOST": "h"}
    if source in ("file", "credential"):
        (place / "redis-password").write_text(SECRET + "\n", encoding="ascii")
        (place / "redis-password").chmod(0o600)
        environment |= ({"CREDENTIALS_DIRECTORY": str(place)} if source == "credential" else
                        {"TOLLKEEPER_REDIS_PASSWORD_FILE": str(place / "redis-password")})
    elif source == "REDIS_URL":
        environment = {source: f"redis://:{SECRET}@h"}
    else:
        environment[source] = SECRET
    done = run_tollkeeperd("--print-config", environment=environment)
    assert done.returncode == 0, done.stderr
    assert re.search(rf'^# password = "\*\*\*"\s+# {named}', done.stdout, re.M), done.stdout
    assert SECRET not in done.stdout + done.stderr
    done = run_tollkeeperd("--check", environment=environment)
    assert done.returncode == 0 and SECRET not in done.stdout + done.stderr


@pytest.mark.parametrize("line", [
    'url = "rediss://:{secret}@h"', 'url = "redis://:{secret}@h:port"', 'url = "{secret}"',
    'url = ["{secret}"]', 'password_file = "{secret}"', 'password = "{secret}"',
    'url = "redis://:{secret}@h', 'url = "redis://:{secret}@h"\nurl = "redis://:{secret}@h"',
    'url = "redis://:{secret}@h"\npassword_file = "/nonexistent/file"'])
def test_a_fault_does_not_show_the_password(place, line):
    code, output = check(redis_file(place, "[redis]\n" + line + "\n"))
    assert code == 1 and re.search(r"redis\.toml:[23]:\d+: ", output), output
    assert SECRET not in output


def test_a_table_that_is_an_address_does_not_show_the_password(place):
    code, output = check(redis_file(place, 'redis = "redis://:{secret}@h"\n'))
    assert code == 1 and "redis" in output and SECRET not in output, output


@pytest.mark.parametrize("variable", ["REDIS_URL", "REDIS_ADDRESS", "REDIS_HOST",
                                      "TOLLKEEPER_REDIS_URL", "TOLLKEEPER_REDIS_PASSWORD_FILE"])
def test_a_bad_variable_does_not_show_the_password(variable):
    done = run_tollkeeperd("--check", environment={variable: f"rediss:/{SECRET}@h:x"})
    output = done.stdout + done.stderr
    assert done.returncode == 1 and variable in output and SECRET not in output, output


@pytest.mark.parametrize("line, fault", [
    ("tls = true", "TLS"), ('sentinels = ["a:26379"]', "Sentinel"), ("cluster = true", "Cluster")])
def test_what_comes_in_a_later_version_is_named(place, line, fault):
    code, output = check(redis_file(place, "[redis]\n" + line + "\n"))
    assert code == 1
    assert re.search(rf"redis\.toml:2:1: redis\.\w+: .*{fault}.*later", output), output
