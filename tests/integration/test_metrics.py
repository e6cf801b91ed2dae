"""The metrics page: what is on it, that it is true, who may not harm it; /livez and /readyz."""

import contextlib
import re
import signal
import socket

import pytest

from support import binaries
from support.daemon import run_tollkeeperd
from support.metrics import get, page, promtool, scrape
from support.redis_server import free_port
from support.store import gone, joined, patient, statistics, table
from support.waiting import eventually

POLICIES = """
[policies.api]
limits = ["10/365d"]
[policies.shut]
limits = ["10/365d"]
on_outage = "deny"
[policies.inflight]
algorithm = "concurrency"
limit = 2
"""


def with_redis(daemon, redis, config=None, **keys):
    """A daemon with a page, once its workers have that Redis. `config` as said, or patient."""
    return joined(daemon(config or patient(redis.url(), POLICIES, **keys), metrics=True))


def load(client):
    """Some of everything that needs no Redis."""
    for n in range(15):
        client.ask(f"CHECK api id{n % 2} 2")
    client.ask("CHECK api a 1 shut b 1")
    client.ask("ACQUIRE inflight x")
    client.ask("CL.THROTTLE key 1 1 60")
    client.ask("CHECK nosuch a")
    for amount in ("1", "2"):
        client.ask(f"COST ADD alice {amount}")
    client.ask("BUDGET SET bob 5")
    client.ask("COST CHECK bob 4")
    client.ask("COST CHECK bob 6")


# -- what is on it


def test_promtool_has_nothing_to_object_to(daemon, redis):
    one = with_redis(daemon, redis)
    with one.line() as client:
        load(client)
    checked = promtool("check", "metrics", text=page(one.metrics_port()))
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


def test_every_series_is_there_from_the_start(daemon, redis):
    one = with_redis(daemon, redis)
    before = scrape(one.metrics_port()).series.keys()
    with one.line() as client:
        load(client)
        redis.kill()
        gone(one)
        client.ask("CHECK api other")
        client.ask("CHECK shut other")
        client.ask("RELOAD")
    after = scrape(one.metrics_port()).series.keys()
    assert after == before


def test_series_are_the_same_without_redis_and_without_costs(daemon, redis):
    def names(config):
        return scrape(daemon(config, metrics=True).metrics_port()).series.keys()
    all_of_it = names(patient(redis.url(), POLICIES))
    assert names(POLICIES) == all_of_it
    assert names(POLICIES + "[costs]\nenabled = false\n") == all_of_it


def test_no_label_has_an_id_in_it_and_policies_come_and_go(daemon):
    one = daemon(POLICIES, metrics=True)
    with one.line() as client:
        client.ask("CHECK api someone-secret")
        client.ask("COST ADD someone-secret 1")
        one.write_config('[policies.new]\nlimits = ["1/1s"]\n')
        assert client.ask("RELOAD").word == "OK"
        client.ask("CHECK new someone-secret")
    figures = scrape(one.metrics_port())
    assert "someone-secret" not in figures.text
    assert figures("tollkeeper_checks_total", policy="new", result="allow", source="local") == 1
    policies = {dict(labels)["policy"] for name, labels in figures.series
                if name == "tollkeeper_checks_total"}
    assert policies == {"new", "(throttle)"}


def test_it_names_the_build(daemon):
    figures = scrape(daemon(POLICIES, metrics=True).metrics_port())
    assert figures("tollkeeper_build_info") == 1
    assert re.search(r'tollkeeper_build_info\{version="\d+\.\d+\.\d+"', figures.text)


# -- that it is true


def test_figures_agree_with_stats(daemon, redis):
    one = with_redis(daemon, redis)
    with one.line() as client:
        load(client)
        eventually(lambda: statistics(client)["costs_applied"] == 2, "redis has the charges")
        stats = statistics(client)
        figures = scrape(one.metrics_port())
    assert figures("tollkeeper_requests_total") == stats["requests"]
    assert figures("tollkeeper_request_errors_total") == stats["errors"] == 1
    for result, name in (("allow", "allowed"), ("deny", "denied")):
        assert figures("tollkeeper_checks_total", result=result) + figures(
            "tollkeeper_budget_checks_total", result=result) == stats[name] > 0
    for source in ("redis", "cache", "local"):
        decided = figures("tollkeeper_checks_total", source=source)
        assert decided == stats[f"source_{source}"]
        assert decided == figures("tollkeeper_check_duration_seconds_count", source=source)
    assert figures("tollkeeper_redis_batch_requests_sum") == stats["redis_requests"] > 0
    assert figures("tollkeeper_redis_calls_total", purpose="limits") == stats["redis_calls"]
    assert figures("tollkeeper_charges_accepted_total") == 2
    assert figures("tollkeeper_charges_applied_total") == 2
    assert figures("tollkeeper_journal_bytes") > 0 and stats["journal_bytes"] > 0
    assert figures("tollkeeper_keys") == stats["keys"]


def test_checks_are_counted_by_policy_result_and_source(daemon, redis):
    one = with_redis(daemon, redis)
    with one.line() as client:
        for _ in range(3):
            client.ask("CHECK api alice 5")
        client.ask("CHECK api alice 5")
        client.ask("ACQUIRE inflight x 3")
    checks = scrape(one.metrics_port())
    name = "tollkeeper_checks_total"
    assert checks(name, policy="api", result="allow", source="redis") == 2
    assert checks(name, policy="api", result="deny", source="redis") == 1
    assert checks(name, policy="api", result="deny", source="cache") == 1
    assert checks(name, policy="inflight", result="deny") == 1
    assert checks(name, policy="shut") == 0


def test_equal_requests_of_a_batch_are_counted_as_merged(daemon, redis):
    one = with_redis(daemon, redis)
    with one.line() as client:
        client.ask_all(["CHECK api merged"] * 200)
    figures = scrape(one.metrics_port())
    calls = figures("tollkeeper_redis_batch_requests_count")
    decided = figures("tollkeeper_redis_batch_requests_sum")
    assert figures("tollkeeper_redis_requests_merged_total") >= decided - 2 * calls > 0


def test_what_becomes_of_a_redis_that_goes_away(daemon, redis):
    quick = table(redis.url(), call_timeout="50ms", health_interval="50ms")
    quick += "[redis.breaker]\nfailures = 1\n"
    one = with_redis(daemon, redis, quick + POLICIES)
    figures = scrape(one.metrics_port())
    assert figures("tollkeeper_redis_configured") == figures("tollkeeper_redis_connected") == 1
    assert figures("tollkeeper_redis_breaker_state", state="closed") == 1
    assert figures("tollkeeper_journal_oldest_unapplied_timestamp_seconds") == 0
    redis.pause()
    with one.line() as client:
        client.ask("CHECK api alice")
        client.ask("CHECK shut alice")
        client.ask("COST ADD alice 1")
        away = eventually(lambda: not_connected(one), "it lost redis")
    assert away("tollkeeper_redis_calls_lost_total", reason="timeout") >= 1
    assert away("tollkeeper_fallback_answers_total", reason="away") >= 2
    assert away("tollkeeper_checks_total", policy="shut", result="deny", source="closed") == 1
    assert away("tollkeeper_redis_breaker_trips_total") >= 1
    oldest = away("tollkeeper_journal_oldest_unapplied_timestamp_seconds")
    assert 0 <= away("process_start_time_seconds") <= oldest
    redis.resume()
    eventually(lambda: scrape(one.metrics_port())(
        "tollkeeper_journal_oldest_unapplied_timestamp_seconds") == 0, "redis has the charge")


def not_connected(one):
    figures = scrape(one.metrics_port())
    lost = figures("tollkeeper_redis_connected") == 0
    trips = figures("tollkeeper_redis_breaker_trips_total")
    return figures if lost and trips else None


def test_a_restart_remembers_since_when_charges_wait(daemon, redis):
    one = with_redis(daemon, redis)
    redis.kill()
    gone(one)
    with one.line() as client:
        assert client.ask("COST ADD alice 1").word == "OK"
    name = "tollkeeper_journal_oldest_unapplied_timestamp_seconds"
    oldest = eventually(lambda: scrape(one.metrics_port())(name), "a charge waits")
    one.kill()
    one.start()
    again = eventually(lambda: scrape(one.metrics_port())(name), "it waits still")
    assert abs(again - oldest) < 0.001


def test_errors_of_redis_are_told_apart(daemon, redis):
    one = with_redis(daemon, redis)
    redis.client().lpush("gcra:api:list", "x")
    with one.line() as client:
        client.ask("CHECK api list")
    redis.client().config_set("maxmemory", "1")
    with one.line() as client:
        eventually(lambda: client.ask("CHECK api new").line.endswith(" local"), "redis is full")
    figures = scrape(one.metrics_port())
    assert figures("tollkeeper_redis_errors_total", kind="oom") >= 1
    assert figures("tollkeeper_fallback_answers_total", reason="poisoned") >= 1


def test_a_refused_reload_is_seen(daemon):
    one = daemon(POLICIES, metrics=True)
    good = scrape(one.metrics_port())
    assert good("tollkeeper_config_last_reload_successful") == 1
    loaded = good("tollkeeper_config_last_reload_success_timestamp_seconds")
    with one.line() as client:
        one.write_config("[policies.api]\nlimits = []\n")
        assert client.ask("RELOAD").word == "ERR"
        bad = scrape(one.metrics_port())
        one.write_config(POLICIES)
        assert client.ask("RELOAD").word == "OK"
    assert bad("tollkeeper_config_last_reload_successful") == 0
    assert bad("tollkeeper_config_last_reload_success_timestamp_seconds") == loaded
    again = scrape(one.metrics_port())
    assert again("tollkeeper_config_last_reload_successful") == 1
    assert again("tollkeeper_config_last_reload_success_timestamp_seconds") > loaded
    assert again("tollkeeper_config_reloads_total", result="refused") == 1


# -- livez and readyz


def test_live_and_ready_without_redis(daemon):
    port = daemon(POLICIES, metrics=True).metrics_port()
    assert get(port, "/livez") == (200, "live\n")
    status, _ = eventually(lambda: told(port, "ready redis=off "), "it is ready")
    assert status == 200
    assert get(port, "/readyz?verbose=1")[0] == 200


def test_redis_away_is_degraded_and_serves_on(daemon, redis):
    one = with_redis(daemon, redis)
    port = one.metrics_port()
    eventually(lambda: get(port, "/readyz")[1].startswith("ready redis=up "), "redis is there")
    redis.kill()
    status, _ = eventually(lambda: told(port, "degraded redis=away "), "redis is away")
    assert status == 200, "it answers without redis"
    assert get(port, "/livez") == (200, "live\n")


def told(port, state):
    status, body = get(port, "/readyz")
    return (status, body) if body.startswith(state) else None


def test_an_end_under_way_is_not_ready_but_lives(daemon):
    one = daemon(POLICIES, metrics=True, server={"max_output": "64KiB"})
    port = one.metrics_port()
    with one.line() as client:
        # Replies that are not read keep the daemon from ending at once.
        client.send_raw(b"HELP\n" * 2_000)
        one.send_signal(signal.SIGTERM)
        status, _ = eventually(lambda: told(port, "draining "), "it is draining")
        assert status == 503
        assert get(port, "/livez") == (200, "live\n")
        assert scrape(port)("tollkeeper_state", state="draining") == 1
    assert one.wait() == 0


# -- the address


def test_an_address_that_was_named_must_be_had(place):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run_tollkeeperd("--socket", place / "t.sock", environment={
            "TOLLKEEPER_METRICS_LISTEN": f"127.0.0.1:{port}",
            "STATE_DIRECTORY": str(place / "state")})
    assert done.returncode == 1
    assert f"cannot listen on 127.0.0.1 port {port}: Address already in use" in done.stderr
    assert "set metrics.listen" in done.stderr


def test_a_default_that_is_taken_is_passed_over_with_a_warning(daemon):
    with contextlib.ExitStack() as held:
        # Another may hold it already, which is as good.
        with contextlib.suppress(OSError):
            held.enter_context(socket.create_server(("127.0.0.1", 9464)))
        one = daemon(POLICIES, metrics=None)
        one.says("the metrics page cannot listen on 127.0.0.1 port 9464")
        with one.line() as client:
            assert client.ask("PING").line == "OK pong"


def test_ipv6_has_its_brackets(daemon):
    port = free_port()
    one = daemon(POLICIES + f'[metrics]\nlisten = "[::1]:{port}"\n', metrics=None)
    one.says(f"metrics: http://[::1]:{port}/metrics")
    with socket.create_connection(("::1", port), timeout=10) as client:
        client.sendall(b"GET /livez HTTP/1.0\r\n\r\n")
        assert client.makefile("rb").read().endswith(b"\r\n\r\nlive\n")


# -- scrapers that are slow, wrong or many


@pytest.fixture(scope="module")
def tolls(shared_daemon):
    return shared_daemon(POLICIES, metrics=True)


def ask_raw(port, data):
    with socket.create_connection(("127.0.0.1", port), timeout=10 * binaries.patience()) as client:
        client.sendall(data)
        return client.makefile("rb").read()


@pytest.mark.parametrize("request_bytes, status", [
    (b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", 200), (b"GET /livez HTTP/1.0\n\n", 200),
    (b"HEAD /metrics HTTP/1.1\r\n\r\n", 200), (b"GET /nosuch HTTP/1.1\r\n\r\n", 404),
    (b"GET /../etc/passwd HTTP/1.1\r\n\r\n", 404), (b"POST /metrics HTTP/1.1\r\n\r\n", 405),
    (b"GET\r\n\r\n", 400), (b"GET metrics HTTP/1.1\r\n\r\n", 400), (b"\r\n\r\n", 400),
    (b"GET / SPDY/3\r\n\r\n", 400), (b"\x16\x03\x01\x02\x00\n\n\xff", 400),
    (b"GET /" + b"x" * 10_000, 431)])
def test_each_request_has_its_status(tolls, request_bytes, status):
    reply = ask_raw(tolls.metrics_port(), request_bytes)
    assert reply.startswith(f"HTTP/1.1 {status} ".encode())
    head, _, body = reply.partition(b"\r\n\r\n")
    length = int(re.search(rb"Content-Length: (\d+)", head)[1])
    assert len(body) == (0 if request_bytes.startswith(b"HEAD") else length)


def test_a_request_in_pieces_is_one(tolls):
    port = tolls.metrics_port()
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        for piece in (b"GET /li", b"vez HTTP/1.1\r", b"\nHost: x\r\n\r", b"\n"):
            client.sendall(piece)
            assert get(port, "/livez")[0] == 200, "others are served meanwhile"
        assert client.makefile("rb").read().endswith(b"live\n")


def test_scrapers_that_hold_on_keep_nobody_out(tolls):
    port = tolls.metrics_port()
    with contextlib.ExitStack() as stack, tolls.line() as client:
        for n in range(60):
            held = stack.enter_context(
                socket.create_connection(("127.0.0.1", port), timeout=10))
            # Nothing, half a request, or one whose reply nobody reads.
            with contextlib.suppress(OSError):
                held.sendall((b"", b"GET /metr", b"GET /metrics HTTP/1.1\r\n\r\n")[n % 3])
            if n % 10 == 0:
                assert get(port, "/livez") == (200, "live\n")
                assert client.ask("PING").line == "OK pong"
        assert scrape(port)("tollkeeper_workers") == 2
        assert scrape(port)("process_open_fds") < 80
