"""tollkeeper-bench runs and its figures hang together. No figure is judged here."""

import json
import re
import subprocess
import time
from xml.etree import ElementTree

import pytest

from support import binaries
from support.line_server import LineServer

POLICIES = """
[policies.api]
limits = ["1000000000/365d"]
"""


def bench(*arguments, environment=None, warmup=0.1, runs=1):
    """The measured targets of a finished run."""
    done = subprocess.run(
        [binaries.TOLLKEEPER_BENCH, "--json", "--seconds", "1", "--warmup", str(warmup),
         "--runs", str(runs), *map(str, arguments)], capture_output=True, text=True, check=False,
        timeout=25 * binaries.patience(), stdin=subprocess.DEVNULL,
        env={**binaries.clean_environment(), **(environment or {})})
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def assert_plausible(target, clients, depth):
    assert target["fault"] == ""
    assert target["throughput"] > 100
    latency = target["latency_us"]
    rising = [latency[name] for name in ("p50", "p90", "p99", "p99.9", "max")]
    assert 0 < rising[0] and rising == sorted(rising)
    # Little's law: what is in flight is throughput times latency; the median is near the mean.
    assert target["throughput"] * latency["p50"] / 1e6 <= 3 * clients * depth
    assert target["client_cpu_us"] > 0 and target["server_cpu_us"] > 0


@pytest.mark.parametrize("framing", ["line", "resp"])
def test_a_short_run_has_plausible_figures(daemon, shape, framing):
    one = daemon(POLICIES, **shape)
    measured = bench("--socket", one.socket, "--clients", 4, "--depth", 8, "--policy", "api",
                     "--framing", framing, "--ids", 1000)
    [target] = measured["targets"]
    assert_plausible(target, 4, 8)
    replies = target["replies"]
    assert replies["allow"] > 0 and replies["error"] == replies["deny"] == 0
    with one.line() as client:
        counted = dict(client.ask("STATS").rows)
    assert counted["allowed"] >= replies["allow"], "it counts what the daemon has answered"


STALL_S, STALL_EVERY_S = 0.2, 0.5


@pytest.fixture
def stalling(place):
    """Answers every line with one ALLOW, but not for 200 ms of each half second."""

    def answer(requests):
        into = time.monotonic() % STALL_EVERY_S
        if into < STALL_S:
            server.ended.wait(STALL_S - into)
        return b"ALLOW 10 9 0 100 local\n" * requests

    server = LineServer(place / "stalling.sock", answer)
    yield server.path
    server.close()


def test_an_open_loop_shows_a_stall_that_a_closed_one_hides(stalling):
    ask = ["--socket", stalling, "--clients", 2]
    [closed] = bench(*ask, "--depth", 1)["targets"]
    [opened] = bench(*ask, "--depth", 64, "--rate", 400)["targets"]
    [narrow] = bench(*ask, "--depth", 4, "--rate", 400)["targets"]
    assert "open_loop" not in closed
    assert closed["latency_us"]["p50"] <= closed["latency_us"]["p90"] < 50_000
    for target in opened, narrow:
        assert target["fault"] == ""
        assert target["latency_us"]["p99"] > 150_000
        # Four tenths of the requests are due during a stall, whether or not there was room.
        assert target["latency_us"]["p90"] > 100_000
    assert 300 < opened["open_loop"]["rate"] < 440 and opened["open_loop"]["sent"] > 250
    assert narrow["open_loop"]["late"] > 50, "those beyond the four in flight were sent late"


def test_a_rate_that_a_server_cannot_keep_up_with_is_told(stalling):
    [target] = bench("--socket", stalling, "--clients", 1, "--depth", 1, "--rate",
                     1_000_000)["targets"]
    told = target["open_loop"]
    assert told["sent"] >= 1 and told["rate"] < 500_000, "one at a time in Python is slower"
    assert told["unsent"] > 100_000 and told["late"] > told["sent"] / 2
    assert target["latency_us"]["p50"] > 100_000, "what was not sent has waited since it was due"


def test_the_floor_is_measured_in_the_same_run(daemon, backend):
    one = daemon(POLICIES, backend=backend)
    measured = bench("--socket", one.socket, "--clients", 4, "--depth", 8, "--floor", "--backend",
                     backend, "--policy", "api")
    assert len(measured["targets"]) == 2
    for target in measured["targets"]:
        assert_plausible(target, 4, 8)
    assert measured["against"] == "floor"
    assert 0 < measured["targets"][0]["ratio"]["throughput"] < 5


@pytest.mark.parametrize("algorithm", ["gcra", "sliding_log"])
def test_redis_itself_is_measured_in_the_same_run(daemon, backend, algorithm):
    one = daemon(POLICIES, backend=backend)
    measured = bench("--socket", one.socket, "--clients", 4, "--depth", 8, "--policy", "api",
                     "--direct", "--algorithm", algorithm, "--ids", 1000)
    of_daemon, direct = measured["targets"]
    assert (of_daemon["name"], direct["name"]) == ("daemon", "direct")
    for target in measured["targets"]:
        assert_plausible(target, 4, 8)
        assert target["replies"]["deny"] == target["replies"]["error"] == 0
    assert "redis" not in of_daemon, "which Redis it asks, if any, is not known"
    redis = direct["redis"]
    assert redis["calls_per_request"] == pytest.approx(1, abs=0.05)
    assert 0 < redis["call_us"] and 0 < redis["cpu_us"]
    assert of_daemon["ratio"]["throughput"] > 0 and of_daemon["ratio"]["p50"] > 0


@pytest.mark.parametrize("algorithm", ["gcra", "sliding_log"])
def test_redis_itself_keeps_the_limit_asked_for(daemon, backend, algorithm):
    one = daemon(POLICIES, backend=backend)
    measured = bench("--socket", one.socket, "--policy", "api", "--direct", "--ids", 1,
                     "--algorithm", algorithm, "--limit", "5/365d", warmup=0)
    replies = measured["targets"][1]["replies"]
    assert replies["allow"] == 5 and replies["deny"] > 100


@pytest.mark.parametrize("framing", ["line", "resp"])
def test_log_records_are_pushed_and_popped(daemon, framing):
    one = daemon(POLICIES)
    [target] = bench("--socket", one.socket, "--mix", "push=90,pop=10", "--record", 300,
                     "--clients", 2, "--depth", 8, "--framing", framing)["targets"]
    assert target["fault"] == "" and target["errors"] == {}
    records = target["records"]
    assert records["pushed_per_s"] > 100
    assert records["pushed_bytes_per_s"] == pytest.approx(300 * records["pushed_per_s"], rel=0.01)
    # More is asked for than is pushed, so nearly all comes back.
    assert records["popped_per_s"] == pytest.approx(records["pushed_per_s"], rel=0.2)
    assert records["popped_bytes_per_s"] == pytest.approx(300 * records["popped_per_s"], rel=0.01)


def test_log_records_are_pushed_to_redis_itself_in_the_same_run():
    measured = bench("--spawn", binaries.TOLLKEEPERD, "--redis", "--direct", "--mix", "push=1",
                     "--clients", 2, "--depth", 16)
    of_daemon, direct = measured["targets"]
    assert of_daemon["fault"] == direct["fault"] == ""
    assert list(of_daemon["sources"]) == ["redis"]
    assert direct["records"]["pushed_per_s"] == pytest.approx(100 * direct["throughput"], rel=0.1)
    assert of_daemon["ratio"]["records"] > 0 and of_daemon["ratio"]["cpu_per_record"] > 0


def test_a_daemon_is_started_before_a_redis_of_its_own():
    measured = bench("--spawn", binaries.TOLLKEEPERD, "--redis", "--direct", "--algorithm",
                     "sliding_log", "--limit", "1000/1m", "--ids", 1000)
    of_daemon, direct = measured["targets"]
    assert of_daemon["fault"] == direct["fault"] == ""
    assert of_daemon["redis"]["calls_per_request"] <= 1 < direct["redis"]["bytes_in"]
    assert direct["redis"]["calls_per_request"] > 0.9


def test_refusals_and_errors_are_counted_as_such(daemon, backend):
    one = daemon('[policies.api]\nlimits = ["5/365d"]\n', backend=backend)
    [target] = bench("--socket", one.socket, "--ids", 1, "--policy", "api")["targets"]
    assert target["replies"]["deny"] > 100 and target["replies"]["allow"] <= 5
    decided = target["replies"]["deny"] + target["replies"]["allow"]
    assert target["errors"] == {} and sum(target["sources"].values()) == decided


@pytest.mark.parametrize("framing", ["line", "resp"])
def test_an_error_is_a_fault_and_is_told_by_its_code(daemon, framing):
    one = daemon(POLICIES)
    done = subprocess.run(
        [binaries.TOLLKEEPER_BENCH, "--json", "--seconds", "0.2", "--warmup", "0", "--socket",
         one.socket, "--policy", "nosuch", "--framing", framing, "--clients", "1"],
        capture_output=True, text=True, check=False, timeout=25 * binaries.patience(),
        env=binaries.clean_environment())
    [target] = json.loads(done.stdout)["targets"]
    assert done.returncode == 1 and "NOPOLICY" in target["fault"]
    assert target["errors"] == {"NOPOLICY": target["replies"]["error"]} and target["errors"]
    assert target["sources"] == {}


def test_a_page_is_whole_and_loads_nothing(place):
    path = place / "bench.html"
    measured = bench("--spawn", binaries.TOLLKEEPERD, "--floor", "--direct", "--html", path,
                     "--policy", "bench", "--clients", 2, "--depth", 4, runs=2)
    page = path.read_text()
    drawings = [ElementTree.fromstring(text) for text in re.findall(r"<svg.*?</svg>", page, re.S)]
    latency, throughput = [drawing.findall("polyline") for drawing in drawings]
    assert len(latency) == 3 and len(throughput) == 6, "one line a target, one a slice"
    for line in latency + throughput:
        points = [tuple(map(float, point.split(","))) for point in line.get("points").split()]
        assert len(points) >= 50
        assert all(0 <= x <= 721 and -1 <= y <= 261 for x, y in points)
    assert all(target["name"] in page for target in measured["targets"])
    for told in ("tollkeeper ", "redis ", "Linux", "--floor", "depth=4"):
        assert told in page
    assert not re.search(r"(src|href)=|https?:|<script|@import|url\(", page)


def test_without_a_daemon_it_fails(place):
    done = subprocess.run([binaries.TOLLKEEPER_BENCH, "--socket", place / "nosuch.sock"],
                          capture_output=True, text=True, check=False, timeout=20,
                          env=binaries.clean_environment())
    assert done.returncode > 0 and "nosuch.sock" in done.stderr
