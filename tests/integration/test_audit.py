"""The audit log: what is in it, that no id is, and that nobody changes it unnoticed."""

import json
import os
import socket

import pytest

from support import audit
from support.daemon import run_tollkeeperd
from support.store import joined, table
from support.waiting import eventually

POLICIES = """
[policies.once]
limits = ["1/365d"]
[policies.flight]
algorithm = "concurrency"
limit = 1
"""
ID = "someone-secret"
HASHED = audit.pseudonym(ID)


@pytest.fixture(name="log")
def _log(place):
    (place / "log").mkdir()
    return place / "log"


def of_kind(log, kind):
    return [record for record in audit.records(log) if record["kind"] == kind]


def waited_for(log, kind, count=1):
    return eventually(lambda: len(of_kind(log, kind)) >= count and of_kind(log, kind),
                      f"{count} records of {kind}")


def test_each_refusal_is_a_record_with_the_id_hashed(daemon, log, shape):
    one = daemon(POLICIES + audit.table(log), **shape)
    with one.line() as client:
        for request in (f"CHECK once {ID}", f"CHECK once {ID}", f"CHECK once {ID} 7",
                        f"ACQUIRE flight {ID}", f"ACQUIRE flight {ID}",
                        f"CHECK once other 1 once {ID} 1", f"CL.THROTTLE {ID} 0 1 100",
                        f"CL.THROTTLE {ID} 0 1 100", "CHECK once " + "x" * 512 + " 2"):
            client.ask(request)
    told = waited_for(log, "refusal", 6)
    assert [(each["policy"], each["units"], each["source"]) for each in told] == [
        ("once", 1, "local"), ("once", 7, "local"), ("flight", 1, "local"), ("once", 1, "local"),
        ("(throttle)", 1, "local"), ("once", 2, "local")]
    assert {each["id"] for each in told[:5]} == {HASHED}
    assert told[5]["id"] == audit.pseudonym("x" * 512)
    assert 0 < told[0]["retry"] <= 365 * 86_400_000 and told[1]["retry"] == -1
    one.stop()
    assert ID not in (log / "audit.log").read_text(encoding="utf-8")
    assert ID not in one.output()
    assert audit.kinds(log)[0] == "start" and audit.kinds(log)[-1] == "stop"
    assert audit.is_whole(log) == 8


def test_refusals_by_redis_and_from_memory_too(daemon, redis, log):
    one = joined(daemon(f'[redis]\nurl = "{redis.url()}"\n{POLICIES}' + audit.table(log)))
    with one.line() as client:
        for _ in range(3):
            client.ask(f"CHECK once {ID}")
        client.ask(f"CHECK once fresh 1 once {ID} 1")
    told = waited_for(log, "refusal", 3)
    assert {each["source"] for each in told} <= {"redis", "cache"}
    assert {each["id"] for each in told} == {HASHED}


def test_administration_is_told_with_who_and_what_became_of_it(daemon, log):
    one = daemon(POLICIES + audit.table(log))
    with one.line() as client:
        for request in (f"RESET once {ID}", "LEVEL debug", "LEVEL loud", "LEVEL", "RELOAD",
                        f"BUDGET SET {ID} 12.5", f"BUDGET CLEAR {ID}", "BUDGET SET x y",
                        f"BUDGET GET {ID}", "LOG CLEAR", f"RESET nothing {ID}"):
            client.ask(request)
        one.write_config("[policies\n")
        client.ask("RELOAD")
        client.ask("DRAIN")
    told = waited_for(log, "admin", 12)
    assert [(each["request"], each["outcome"]) for each in told] == [
        ("RESET", "OK"), ("LEVEL", "OK"), ("LEVEL", "BADREQ"), ("LEVEL", "BADREQ"),
        ("RELOAD", "OK"), ("BUDGET SET", "OK"), ("BUDGET CLEAR", "OK"), ("BUDGET SET", "BADREQ"),
        ("LOG CLEAR", "OK"), ("RESET", "NOPOLICY"), ("RELOAD", "BADREQ"), ("DRAIN", "OK")]
    assert {(each["uid"], each["gid"], each["pid"]) for each in told} == {
        (os.getuid(), os.getgid(), os.getpid())}
    assert (told[0]["policy"], told[0]["id"]) == ("once", HASHED)
    assert (told[5]["budget"], told[5]["id"]) == ("12.5", HASHED)
    changes = [(each["change"], each.get("outcome"), each.get("level"))
               for each in waited_for(log, "config", 4)]
    assert changes == [("level", None, "debug"), ("reload", "done", None),
                       ("reload", "refused", None), ("drain", None, None)]


@pytest.mark.becomes_another_user
def test_who_may_not_is_told_of(daemon, log):
    one = daemon(POLICIES + audit.table(log), server={"socket_mode": "0666"})
    child = os.fork()
    if child == 0:
        os.setgid(65533)
        os.setuid(65534)
        with one.line() as client:
            for request in (f"RESET once {ID}", "LOG CLEAR", f"BUDGET SET {ID} 1", "LEVEL x y"):
                client.ask(request)
        os._exit(0)
    os.waitpid(child, 0)
    told = waited_for(log, "admin", 4)
    assert [(each["request"], each["outcome"]) for each in told] == [
        ("RESET", "NOPERM"), ("LOG CLEAR", "NOPERM"), ("BUDGET SET", "NOPERM"),
        ("LEVEL", "BADREQ")]
    assert {(each["uid"], each["gid"], each["pid"]) for each in told} == {(65534, 65533, child)}


def test_who_does_not_wait_for_the_reply_is_told_of(daemon, log):
    one = daemon(POLICIES + audit.table(log))
    for _ in range(20):
        client = socket.socket(socket.AF_UNIX)
        client.connect(one.socket)
        client.sendall(f"RESET once {ID}\n".encode())
        client.close()
    one.stop()
    assert [each["outcome"] for each in of_kind(log, "admin")] == ["OK"] * 20


def test_budgets_and_the_breaker(daemon, redis, log):
    quick = table(redis.url(), call_timeout="1s") + "[redis.breaker]\nfailures = 1\n"
    one = joined(daemon(quick + POLICIES + audit.table(log)))
    with one.line() as client:
        for request in (f"BUDGET SET {ID} 2", f"COST ADD {ID} 1.5", f"COST CHECK {ID} 1",
                        f"COST HOLD {ID} 1", f"COST ADD {ID} 1.5", f"COST CHECK {ID} 0.1"):
            client.ask(request)
        told = waited_for(log, "budget", 4)
        assert [(each["request"], each["spent"], each["budget"]) for each in told] == [
            ("check", "1.5", "2"), ("hold", "1.5", "2"), ("add", "3", "2"), ("check", "3", "2")]
        assert {each["id"] for each in told} == {HASHED}
        redis.pause()
        client.ask(f"CHECK once {ID}")
        opened = waited_for(log, "breaker")[0]
        assert opened["state"] == "open" and opened["cause"]
        redis.resume()


def test_refusals_past_the_rate_are_counted_in_the_next(daemon, log):
    one = daemon(POLICIES + audit.table(log, refusals_per_second=5), workers=2)
    with one.line() as client, one.line() as other:
        for _ in range(10):
            client.ask_all([f"CHECK once {ID}"] * 50)
            other.ask_all([f"CHECK once other-{ID}"] * 50)
        refused = 1000 - 2
        eventually(lambda: int(dict(client.ask("STATS").rows)["audit_skipped"]) +
                   len(of_kind(log, "refusal")) == refused, "all are counted")

        def told():
            client.ask(f"CHECK once {ID}")
            return [each["skipped"] for each in of_kind(log, "refusal") if "skipped" in each]
        eventually(told, "the next one tells", within=5)
    one.stop()
    last = audit.records(log)[-1]
    stats_skipped = sum(each.get("skipped", 0) for each in audit.records(log))
    assert last["kind"] == "stop"
    denied = len(of_kind(log, "refusal")) + stats_skipped
    assert denied >= refused, "each is a record or is counted in one"
    assert audit.is_whole(log)


# -- the key

def test_a_key_is_made_and_kept(daemon, place):
    config = POLICIES + f'[audit]\nfile = "{place}/audit.log"\n'
    one = daemon(config)
    key = one.directory / "state" / "audit-key"
    waited_for(place, "start")
    made = key.read_text(encoding="utf-8").strip()
    assert len(made) == 64 and key.stat().st_mode & 0o777 == 0o600
    assert (place / "audit.log").stat().st_mode & 0o777 == 0o600
    with one.line() as client:
        client.ask_all([f"CHECK once {ID}"] * 2)
    assert waited_for(place, "refusal")[0]["id"] == audit.pseudonym(ID, made)
    one.stop()
    one.start()
    with one.line() as client:
        client.ask_all([f"CHECK once {ID}"] * 2)
    told = waited_for(place, "refusal", 2)
    assert {each["id"] for each in told} == {audit.pseudonym(ID, made)}
    assert len({each["key"] for each in audit.records(place)}) == 1
    one.stop()
    for text in [one.output(), *audit.texts(place)]:
        assert made not in text
    asked = audit.tollkeeper("pseudonymize", ID, "b", STATE_DIRECTORY=str(key.parent))
    assert asked.stdout == f"{audit.pseudonym(ID, made)}  {ID}\n{audit.pseudonym('b', made)}  b\n"


def test_the_credential_is_the_key_and_a_short_one_is_a_fault(daemon, place):
    (place / "audit-key").write_text(audit.KEY, encoding="utf-8")
    one = daemon(POLICIES + f'[audit]\nfile = "{place}/audit.log"\n',
                 environment={"CREDENTIALS_DIRECTORY": str(place)})
    with one.line() as client:
        client.ask_all([f"CHECK once {ID}"] * 2)
    assert waited_for(place, "refusal")[0]["id"] == HASHED
    assert not (one.directory / "state" / "audit-key").exists()
    (place / "short").write_text("fifteen bytes..\n", encoding="utf-8")
    (place / "t.toml").write_text(f'[audit]\nkey_file = "{place}/short"\n', encoding="utf-8")
    checked = run_tollkeeperd("--config", place / "t.toml", "--check")
    assert checked.returncode == 1 and "key_file" in checked.stderr + checked.stdout
    assert "fifteen" not in checked.stderr + checked.stdout


def test_pseudonymize_reads_ids_from_a_pipe(place):
    audit.table(place)
    asked = audit.tollkeeper("pseudonymize", "--key-file", place / "audit-key",
                             text=f"{ID}\nwith blanks\n")
    assert asked.stdout.splitlines() == [f"{HASHED}  {ID}",
                                         f"{audit.pseudonym('with blanks')}  with blanks"]
    wrong = audit.tollkeeper("pseudonymize", "--key-file", place / "nowhere", "a")
    assert wrong.returncode == 2 and "nowhere" in wrong.stderr


# -- the chain

@pytest.fixture(name="written")
def _written(daemon, log):
    """A log of 12 records."""
    one = daemon(POLICIES + audit.table(log))
    with one.line() as client:
        client.ask_all([f"CHECK once {ID}"] * 11)
    one.stop()
    assert audit.is_whole(log) == 12
    return log / "audit.log"


def broken_at(file):
    verified = audit.tollkeeper("audit", "verify", file)
    assert verified.returncode == 1, verified.stdout
    return verified.stdout


def test_any_flipped_byte_is_found(written):
    whole = written.read_bytes()
    line_ends = [at for at, byte in enumerate(whole) if byte == ord("\n")]
    for at in range(line_ends[3] + 1, line_ends[4] + 1, 7):  # of the fifth line
        flipped = bytearray(whole)
        flipped[at] ^= 1
        written.write_bytes(flipped)
        said = broken_at(written)
        assert f"{written}:5: " in said or f"{written}:4: record 4 was changed, or" in said, at


def test_a_line_removed_swapped_or_added_is_found(written):
    lines = written.read_text(encoding="utf-8").splitlines(keepends=True)

    def said_of(*changed):
        written.write_text("".join(changed), encoding="utf-8")
        return broken_at(written)

    assert said_of(*lines[:6], *lines[7:]) == (
        f"{written}:7: record 7 is missing: 8 follows 6\n")
    assert f"{written}:5: record 5 is missing" in said_of(*lines[:4], lines[5], lines[4],
                                                          *lines[6:])
    assert f"{written}:6: record 5 is out of its place" in said_of(*lines[:5], lines[4],
                                                                   *lines[5:])
    assert f"{written}:6: record 6 is broken" in said_of(*lines[:5], "hello\n", *lines[5:])
    first = json.loads(lines[0])
    first["prev"] = "1" * 64
    assert f"{written}:1: record 1" in said_of(json.dumps(first, separators=(",", ":")) + "\n",
                                               *lines[1:])


def test_verify_takes_the_configured_file(written):
    verified = audit.tollkeeper("audit", "verify", TOLLKEEPER_AUDIT_FILE=str(written))
    assert verified.returncode == 0 and verified.stdout.startswith("12 records, from 20")
    assert audit.tollkeeper("audit", "verify").returncode == 2
    assert audit.tollkeeper("audit", "verify", "/nowhere").returncode == 2
    assert audit.tollkeeper("audit", "look").returncode == 2
