"""Several targets of tollkeeper-bench take turns, and the comparison is made of them."""

import itertools
import json
import re
import subprocess

import pytest

from support import binaries
from support.line_server import LineServer
from support.terminal import Terminal

SPAWN = ["--spawn", binaries.TOLLKEEPERD]
QUICK = ["--warmup", "0.1", "--slice", "0.2", "--seconds", "0.6", "--clients", "2", "--depth", "8"]
ALL = ["local", "leased", "exact", "direct", "floor"]


def run(*arguments):
    return subprocess.run([binaries.TOLLKEEPER_BENCH, *map(str, arguments)], capture_output=True,
                          text=True, check=False, timeout=25 * binaries.patience(),
                          stdin=subprocess.DEVNULL, env=binaries.clean_environment())


def bench(*arguments):
    """The targets of a finished run, by name."""
    done = run("--json", *QUICK, *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    measured = json.loads(done.stdout)
    return measured, {target["name"]: target for target in measured["targets"]}


def test_targets_take_turns_slice_by_slice():
    measured, targets = bench(*SPAWN, "--targets", ",".join(ALL), "--against", "direct",
                              "--ids", 10)
    assert list(targets) == ALL and measured["against"] == "direct"
    turns = sorted((piece["begin_s"], name, piece["seconds"])
                   for name, target in targets.items() for piece in target["slices"])
    assert [name for _, name, _ in turns] == ALL * 3, "each in turn, over and over"
    for (begin, _, seconds), (following, _, _) in itertools.pairwise(turns):
        assert begin + seconds <= following, "one at a time"
    for name, target in targets.items():
        assert target["fault"] == "" and target["server_bytes"] > 1_000_000
        # Replies are those of all slices. Redis that stands still for a while is away: "closed".
        replies = target["replies"]
        assert replies["allow"] + replies["deny"] == sum(
            each["replies"] for each in target["slices"])
        assert replies["deny"] == target["sources"].get("closed", 0), name
    assert targets["direct"]["ratio"]["throughput"] == 1
    assert set(targets["local"]["sources"]) == {"local"}
    assert "redis" in targets["exact"]["sources"] and "lease" not in targets["exact"]["sources"]
    assert "lease" in targets["leased"]["sources"]


def test_calls_and_bytes_of_redis_are_counted_per_request():
    _, targets = bench(*SPAWN, "--targets", "local,exact,direct", "--ids", 50, "--limit", "99/1s")
    assert "redis" not in targets["local"]
    direct = targets["direct"]["redis"]
    assert direct["calls_per_request"] == pytest.approx(1, abs=0.05)
    words = ["EVALSHA", "0" * 40, "1", "gcra:bench:user-00000000001", "99", "1000000", "1"]
    asked = len("*7\r\n") + sum(len(f"${len(word)}\r\n{word}\r\n") for word in words)
    assert direct["bytes_in"] == pytest.approx(asked, rel=0.02)
    assert 20 < direct["bytes_out"] < 40
    exact = targets["exact"]["redis"]
    assert 0 < exact["calls_per_request"] < 0.9, "batches"


@pytest.mark.parametrize("mix", ["cost=1", "budget=1", "hold=1", "push=100,pop=1"])
def test_redis_itself_is_asked_for_costs_and_records_too(mix):
    _, targets = bench(*SPAWN, "--targets", "exact,direct", "--mix", mix, "--ids", 100)
    exact, direct = (targets[name]["replies"] for name in ("exact", "direct"))
    answered = "allow" if mix in ("budget=1", "hold=1") else "ok"
    for replies in exact, direct:
        assert [kind for kind, count in replies.items() if count] == [answered]
    assert targets["direct"]["redis"]["calls_per_request"] == pytest.approx(1, abs=0.05)
    if mix.startswith("push"):
        records = targets["direct"]["records"]
        assert records["popped_per_s"] == pytest.approx(records["pushed_per_s"], rel=0.5)


@pytest.mark.parametrize("reply, told", [
    (b"OK 7 local\n", "answered by ALLOW or DENY and 0 were"),
    (b"MAYBE\n", "errors, the first one: MAYBE"),
    (b"ERR UNAVAILABLE no\n", "errors, the first one: ERR UNAVAILABLE no"),
    (b"ALLOW 10 9 0 100 local\n" * 2, "requests in flight"),
])
def test_wrong_replies_fail_the_run(place, reply, told):
    server = LineServer(place / "wrong.sock", lambda requests: reply * requests)
    try:
        done = run(*QUICK, "--socket", server.path, "--targets", "floor,daemon", "--json")
    finally:
        server.close()
    assert done.returncode == 1
    if done.stdout:
        floor, wrong = json.loads(done.stdout)["targets"]
        assert floor["fault"] == "" and told in wrong["fault"]
    else:
        assert told in done.stderr


@pytest.mark.parametrize("words, told", [
    (["--targets", "local"], "need --spawn"),
    (["--targets", "floor,floor"], "twice"),
    (["--targets", "floor", "--floor"], "leave --floor"),
    (["--targets", "nothing"], "nothing"),
    (["--targets", "floor", "--against", "direct"], "--against"),
    (["--targets", "direct", "--mix", "peek=1"], "Redis itself is asked"),
    (["--hot", "0.9"], "--hot"),
    (["--hot", "0.9:10", "--ids", "10"], "--hot"),
    (["--hot", "0.9:10", "--zipf", "1"], "--hot"),
    (["--suite", "results"], "--suite needs --spawn"),
])
def test_what_does_not_go_together_is_told(words, told):
    done = run(*words)
    assert done.returncode == 2 and told in done.stderr and done.stdout == ""


def test_a_terminal_sees_one_line_that_goes_with_the_load():
    command = [binaries.TOLLKEEPER_BENCH, *SPAWN, "--targets", "local,floor", "--clients", "2",
               "--warmup", "0.1", "--seconds", "1", "--slice", "0.5"]
    with Terminal(command, columns=60) as terminal:
        assert terminal.ended() == 0
        seen = terminal.seen
    line = r"\r(local|floor) [12]/2: \d+ requests/s, p99 \d+\.\d us\x1b\[K"
    assert {found.group(1) for found in re.finditer(line, seen)} == {"local", "floor"}
    progress, report = seen.rsplit("\r\x1b[K", 1)
    assert "\n" not in progress and report.startswith("local (medians of 2)")
    assert all(len(shown) < 60 + len("\x1b[K") for shown in progress.split("\r"))
    assert "\r" not in run(*command[1:]).stdout, "nobody watches a pipe"


def test_the_comparison_writes_its_three_files(place):
    folder = place / "results"
    done = run(*SPAWN, *QUICK, "--suite", folder, "--only", "1 x 1")
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in folder.iterdir()) == [
        "README.md", "results.html", "results.json"]
    results = json.loads((folder / "results.json").read_text())
    assert {"date", "machine", "command", "load before"} <= set(results["facts"])
    titles = [question["title"] for question in results["questions"]]
    assert titles == ["gcra, 1 x 1", "sliding_log, 1 x 1"]
    for question in results["questions"]:
        [figure] = question["figures"]
        assert figure["at_most"] == 1.6 and figure["met"] == (figure["measured"] <= 1.6)
        assert [target["name"] for target in question["measured"]["targets"]] == ["exact", "direct"]
        assert all(target["fault"] == "" for target in question["measured"]["targets"])
        assert f"{figure['name']}: {figure['text']}, wanted at most 1.6 x" in done.stdout
    text = (folder / "README.md").read_text()
    page = (folder / "results.html").read_text()
    for title in titles:
        assert f"\n## {title}\n" in text and f"<h2>{title}</h2>" in page
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len(rows) == 2 + 2 + 2 * (2 + 2), "the figures, and a table for each question"
    assert all(row.endswith("|") for row in rows)
    assert not re.search(r"(src|href)=|https?:|<script|@import|url\(", page)


def test_a_comparison_of_nothing_writes_nothing(place):
    done = run(*SPAWN, *QUICK, "--suite", place / "results", "--only", "no such question")
    assert done.returncode == 1 and "--only" in done.stderr
    assert not (place / "results").exists()
