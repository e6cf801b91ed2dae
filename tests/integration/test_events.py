"""WATCH: who watches is told of everything or of what is missing, and slows nobody."""

import json
import resource
import subprocess
import threading

import pytest

from support import audit, binaries
from support.resp import Simple
from support.store import joined, table
from support.waiting import eventually

POLICIES = """
[policies.once]
limits = ["1/365d"]
[policies.api]
limits = ["1000000/1s"]
"""
ID = "someone-secret"
SPENT = f"CHECK once {ID}"


def event(client):
    """The next one: its topic and its fields."""
    words = client.read_reply().line.split(" ")
    assert words[0] == "EVENT", words
    return words[1], dict(word.split("=", 1) for word in words[2:])


def watching(one, *topics):
    client = one.line()
    assert client.ask("WATCH " + " ".join(topics)).line == "OK"
    return client


def stats(one):
    with one.line() as client:
        return dict(client.ask("STATS").rows)


def test_a_refusal_is_told_to_each_watcher_on_each_worker(daemon, place, shape):
    one = daemon(POLICIES + audit.table(place), **shape)
    watchers = [watching(one, "refusals") for _ in range(4)]
    with one.line() as client:
        client.ask_all([SPENT, SPENT, f"CHECK once {ID} 7"])
    for watcher in watchers:
        topic, fields = event(watcher)
        assert topic == "refusals" and int(fields.pop("retry")) > 0
        assert fields == {"policy": "once", "id": audit.pseudonym(ID), "units": "1",
                          "source": "local"}, "as the audit log has it"
        assert event(watcher)[1]["units"] == "7"
        watcher.close()
    eventually(lambda: stats(one)["watchers"] == 0, "all have gone")
    assert stats(one)["events_sent"] == 8 and stats(one)["events_lost"] == 0


def test_without_an_audit_log_the_key_is_made_for_the_first_who_watches(daemon):
    one = daemon(POLICIES)
    key = one.directory / "state" / "audit-key"
    with watching(one, "refusals") as watcher, one.line() as client:
        assert not key.exists(), "it needs none so far"
        client.ask_all([SPENT, SPENT])
        hashed = event(watcher)[1]["id"]
    assert hashed == audit.pseudonym(ID, key.read_text(encoding="utf-8").strip())


def test_in_resp_an_event_is_an_array(daemon):
    one = daemon(POLICIES)
    with one.raw_resp() as watcher, one.line() as client:
        assert watcher.ask("WATCH", "refusals", "config") == Simple("OK")
        client.ask("LEVEL debug")
        assert watcher.read_reply() == [b"EVENT", b"config", b"change=level", b"level=debug"]
        client.ask_all([SPENT, SPENT])
        words = watcher.read_reply()
        assert words[:3] == [b"EVENT", b"refusals", b"policy=once"]
        assert watcher.ask("PING") == Simple("PONG")


def test_only_the_topics_that_were_named(daemon):
    one = daemon(POLICIES)
    with watching(one, "config") as watcher, one.line() as client:
        client.ask_all([SPENT, SPENT])
        client.ask("RELOAD")
        assert event(watcher) == ("config", {"change": "reload", "outcome": "done"})
        assert watcher.ask("WATCH refusals").word == "OK", "topics are added"
        client.ask(SPENT)
        assert event(watcher)[0] == "refusals"
        one.write_config("[policies\n")
        client.ask("RELOAD")
        told = watcher.read_reply().line
        assert told.startswith('EVENT config change=reload outcome=refused "reason=')
        client.ask("DRAIN")
        assert event(watcher) == ("config", {"change": "drain"})


def test_who_watches_asks_no_more(daemon):
    one = daemon(POLICIES)
    with one.line() as client:
        wrong = client.ask("WATCH refusals weather")
        assert wrong.code == "BADREQ"
        for topic in ("pain", "pleasure", "refusals", "breaker", "budget", "config"):
            assert topic in wrong.line
        assert client.ask("WATCH").code == "BADREQ"
        assert client.ask("CHECK api a").allowed, "so far it does not watch"
        assert client.ask("WATCH pain pleasure").word == "OK"
        assert client.ask("CHECK api a").code == "BADREQ"
        assert client.ask("HELP").code == "BADREQ"
        assert client.ask("PING").line == "OK pong"
        assert client.ask("QUIT").word == "OK"
        assert client.read_line() is None


def test_what_was_asked_before_is_answered_before(daemon, redis):
    one = joined(daemon(f'[redis]\nurl = "{redis.url()}"\n{POLICIES}'))
    with one.line() as client:
        client.send(*[f"CHECK api {number}" for number in range(50)], "WATCH refusals", "PING")
        assert all(client.read_reply().allowed for _ in range(50))
        assert client.read_reply().line == "OK" and client.read_reply().line == "OK pong"


def test_budgets_and_the_breaker_are_told(daemon, redis):
    quick = table(redis.url(), call_timeout="1s") + "[redis.breaker]\nfailures = 1\n"
    one = joined(daemon(quick + POLICIES))
    with watching(one, "budget", "breaker") as watcher, one.line() as client:
        client.ask_all([f"BUDGET SET {ID} 1", f"COST ADD {ID} 0.5", f"COST CHECK {ID} 1"])
        topic, fields = event(watcher)
        assert (topic, fields["request"], fields["spent"], fields["budget"]) == (
            "budget", "check", "0.5", "1")
        assert ID not in str(fields)
        client.ask(f"COST ADD {ID} 0.75")
        assert event(watcher)[1]["spent"] == "1.25"
        redis.pause()
        client.ask("CHECK api a")
        opened = watcher.read_reply().line
        assert opened.startswith("EVENT breaker state=open ") and "cause=" in opened
        redis.resume()


# -- slow watchers

def small_receive_buffer(client):
    client.socket.setsockopt(1, 8, 4096)  # SOL_SOCKET, SO_RCVBUF


def gap_of(client):
    """Reads until a gap; how many events came before, and how many are lost."""
    events = 0
    while True:
        topic, fields = event(client)
        if topic == "gap":
            return events, int(fields["lost"])
        events += 1


@pytest.mark.bound(60)
def test_a_slow_watcher_slows_nobody_and_is_told_of_its_gap(daemon):
    one = daemon(POLICIES, workers=2)
    asked = 0
    with watching(one, "refusals") as slow, one.line() as client:
        while stats(one)["events_lost"] < 1000:
            replies = client.ask_all([SPENT] * 200)
            asked += len(replies)
            assert not any(reply.allowed for reply in replies[1:])
            assert asked < 200_000
        eventually(lambda: stats(one)["events_sent"] + stats(one)["events_lost"] == asked - 1,
                   "each is told or lost")
        lost = stats(one)["events_lost"]
        came, missing = gap_of(slow)
        total = came + missing
        while total < asked - 1:  # what comes behind the first gap may have one itself
            topic, fields = event(slow)
            total += int(fields["lost"]) if topic == "gap" else 1
        assert total == asked - 1 and stats(one)["events_lost"] == lost
        client.ask(SPENT)
        assert event(slow)[0] == "refusals", "and it goes on"


@pytest.mark.bound(60)
def test_a_thousand_watchers_that_do_not_read_are_bounded(daemon):
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    count = min(1000, most - 300)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    one = daemon(POLICIES, workers=2)

    def resident_kib():
        with open(f"/proc/{one.pid}/status", encoding="ascii") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))

    watchers = [watching(one, "refusals") for _ in range(count)]
    before = resident_kib()
    with one.line() as client:
        def lose():
            assert not any(reply.allowed for reply in client.ask_all([SPENT] * 200)[1:])
            return stats(one)["events_lost"] > 100 * count
        eventually(lose, "they lose events", within=40)
        assert client.ask("CHECK api a").allowed
    # 64 KiB of each, in chunks of 16 KiB, and what is on its way to a worker.
    assert resident_kib() - before < count * (64 + 2 * 16) + 20_000
    for watcher in watchers:
        watcher.close()
    eventually(lambda: stats(one)["watchers"] == 0, "all have gone")


# -- the command

def test_the_command_prints_events_and_finds_the_daemon_again(daemon, place):
    one = daemon(POLICIES)
    with subprocess.Popen([binaries.TOLLKEEPER, "--socket", one.socket, "--json", "watch",
                           "refusals", "config"], stdout=subprocess.PIPE,
                          stderr=(place / "err").open("wb"), text=True,
                          env=binaries.clean_environment()) as command:
        lines = []
        reader = threading.Thread(target=lambda: lines.extend(iter(command.stdout.readline, "")))
        reader.start()
        try:
            def told(count):
                def refuse():
                    with one.line() as client:
                        client.ask_all([SPENT, SPENT])
                    return len(lines) >= count
                eventually(refuse, f"{count} events", within=10)
            told(1)
            first = json.loads(lines[0])
            assert (first["event"], first["policy"], first["units"]) == ("refusals", "once", 1)
            one.kill()
            one.start()
            so_far = len(lines)
            told(so_far + 1)
            assert b"watching again" in (place / "err").read_bytes()
        finally:
            command.terminate()
            reader.join()


def test_the_command_says_what_cannot_be_watched(daemon):
    one = daemon(POLICIES)
    wrong = one.tollkeeper("watch", "weather")
    assert wrong.returncode == 2 and "ERR BADREQ" in wrong.stdout
    assert one.tollkeeper("watch").returncode == 2
    one.stop()
    assert one.tollkeeper("watch", "config").returncode == 3
