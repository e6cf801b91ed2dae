"""Reloading while it runs, by RELOAD and by SIGHUP: a bad file changes nothing, counts survive."""

import signal
import threading

import pytest

from support.waiting import eventually

POLICIES = """
[policies.api]
limits = ["{limit}/365d"]
[policies.other]
limits = ["50/365d"]
"""
START = POLICIES.format(limit=10)
RAISED = POLICIES.format(limit=30)
LOWERED = POLICIES.format(limit=4)
BAD = START.replace('"50/365d"', '"fifty"')
WITHOUT_OTHER = START[:START.index("[policies.other]")]


@pytest.fixture(params=["RELOAD", "SIGHUP"])
def reload(request):
    """Makes a daemon read its new file, and waits until that is in force for every key."""
    def by_request(one, client, policy, limit):
        assert client.ask("RELOAD").word == "OK"
        assert in_force(client, policy, limit)

    def by_signal(one, client, policy, limit):
        one.send_signal(signal.SIGHUP)
        eventually(lambda: in_force(client, policy, limit), "the new file is in force")

    return by_request if request.param == "RELOAD" else by_signal


def in_force(client, policy, limit):
    """Whether keys of all workers know `policy` with `limit`."""
    replies = client.ask_all([f"PEEK {policy} probe{n}" for n in range(50)])
    return all(reply.values[0] == limit for reply in replies)


def listed(client):
    return {row[0]: row[2] for row in client.ask("POLICIES").rows}


def test_a_changed_limit_applies_and_counts_survive(daemon, shape, reload):
    one = daemon(START, **shape)
    client = one.line()
    ids = [f"id{n}" for n in range(20)]
    client.ask_all([f"CHECK api {id_} 7" for id_ in ids])
    one.write_config(RAISED)
    reload(one, client, "api", 30)
    assert listed(client)["api"] == "30/365d"
    for id_ in ids:
        peeked = client.ask(f"PEEK api {id_}").values
        assert peeked[0] == 30 and 22 <= peeked[1] <= 23
        assert client.ask(f"CHECK api {id_} 20").allowed
    one.write_config(LOWERED)
    reload(one, client, "api", 4)
    for id_ in ids:
        refused = client.ask(f"CHECK api {id_}")
        assert not refused.allowed and refused.limit == 4
    assert client.ask("PEEK other id0").values[:2] == [50, 50]


def test_an_unchanged_file_changes_nothing(daemon, shape):
    one = daemon(START, **shape)
    client = one.line()
    client.ask("CHECK api alice 7")
    for _ in range(300):  # more often than a revision counts
        assert client.ask("RELOAD").word == "OK"
    assert client.ask("PEEK api alice").values[:2] == [10, 3]


def test_a_removed_policy_is_unknown_and_a_new_one_known(daemon, shape, reload):
    one = daemon(START, **shape)
    client = one.line()
    client.ask("CHECK other alice 20")
    one.write_config(WITHOUT_OTHER + '[policies.new]\nlimits = ["2/365d"]\n')
    reload(one, client, "new", 2)
    assert client.ask("CHECK other alice").code == "NOPOLICY"
    assert client.ask("CHECK new alice").values[:2] == [2, 1]
    assert sorted(listed(client)) == ["api", "new"]
    one.write_config(START)
    reload(one, client, "other", 50)
    assert client.ask("CHECK other alice").limit == 50


def test_a_bad_file_changes_nothing_and_is_named_by_reload(daemon, shape):
    one = daemon(START, **shape)
    client = one.line()
    client.ask("CHECK api alice 7")
    one.write_config(BAD.replace("10/365d", "99/365d"))
    text = one.file.read_text(encoding="utf-8")
    line = text[:text.index("fifty")].count("\n") + 1
    refused = client.ask("RELOAD")
    assert refused.code == "BADREQ"
    assert f"tollkeeper.toml:{line}:" in refused.line and "policies.other.limits" in refused.line
    with one.raw_resp() as resp:
        assert f"tollkeeper.toml:{line}:" in resp.ask("RELOAD").text
    assert client.ask("PEEK api alice").values[:2] == [10, 3]
    assert listed(client) == {"api": "10/365d", "other": "50/365d"}
    one.write_config(RAISED)
    assert client.ask("RELOAD").word == "OK"
    assert listed(client)["api"] == "30/365d"


def test_a_bad_file_changes_nothing_and_is_named_in_the_log_at_sighup(daemon, backend):
    one = daemon(START, backend=backend)
    client = one.line()
    one.write_config("[broken\n" + RAISED)
    since = len(one.output())
    one.send_signal(signal.SIGHUP)
    one.says("tollkeeper.toml:", since)
    assert listed(client) == {"api": "10/365d", "other": "50/365d"}


def test_a_missing_file_changes_nothing(daemon, backend):
    one = daemon(START, backend=backend)
    client = one.line()
    one.file.unlink()
    assert client.ask("RELOAD").code == "BADREQ"
    assert listed(client) == {"api": "10/365d", "other": "50/365d"}


def test_what_only_a_restart_changes_is_named(daemon, backend):
    one = daemon(START, backend=backend, workers=1)
    client = one.line()
    since = len(one.output())
    one.write_config(RAISED, workers=2, max_clients=77)
    reply = client.ask("RELOAD")
    assert reply.word == "OK"
    said = eventually(lambda: "server.workers" in one.output()[since:] + reply.line
                      and one.output()[since:] + reply.line, "server.workers is named")
    assert "server.max_clients" in said and "restart" in said
    assert "server.socket " not in said
    assert listed(client)["api"] == "30/365d", "the rest applies"


def test_the_log_level_of_the_file_applies(daemon, backend):
    one = daemon(START + '[log]\nlevel = "error"\n', backend=backend)
    client = one.line()
    one.write_config(START + '[log]\nlevel = "debug"\n')
    assert client.ask("RELOAD").word == "OK"
    since = len(one.output())
    assert client.ask("RELOAD").word == "OK"
    eventually(lambda: len(one.output()) > since, "a reload is told at level debug")


def test_level_silences_and_restores_the_log(daemon, backend):
    one = daemon(START, backend=backend)
    client = one.line()
    assert client.ask("LEVEL off").line == "OK"
    since = len(one.output())
    one.write_config("[broken\n")
    assert client.ask("RELOAD").code == "BADREQ"
    assert client.ask("LEVEL info").line == "OK"
    quiet = len(one.output())
    assert client.ask("RELOAD").code == "BADREQ"
    one.says("tollkeeper.toml:", quiet)
    assert "tollkeeper.toml:" not in one.output()[since:quiet]


@pytest.mark.bound(60)
def test_reloading_under_load_loses_no_reply(daemon, shape):
    """Only what is named by the request may change between replies: the limit, never the order."""
    one = daemon(START, **shape)
    turns, per_turn, failures = 60, 500, []

    def load(client):
        try:
            for turn in range(turns):
                client.send(*(f"CHARGE api {client.socket.fileno()}-{turn}-{n} {n + 1}\n"
                              f"CHECK other pair{n} 1 api {client.socket.fileno()}-{n} 1"
                              for n in range(per_turn)))
                for n in range(per_turn):
                    charged, checked = client.read_reply(), client.read_reply()
                    assert charged.values in ([10 - n - 1], [30 - n - 1], [4 - n - 1]), charged
                    assert checked.word in ("ALLOW", "DENY"), checked
        except BaseException as error:  # pylint: disable=broad-except; raised below
            failures.append(error)

    clients = [one.line() for _ in range(3)]
    threads = [threading.Thread(target=load, args=(client,), daemon=True) for client in clients]
    for thread in threads:
        thread.start()
    admin = one.line()
    files, reloads = (RAISED, LOWERED, BAD, START), 0
    while any(thread.is_alive() for thread in threads):
        one.write_config(files[reloads % len(files)])
        if reloads % 2:
            one.send_signal(signal.SIGHUP)
        reply = admin.ask("RELOAD")
        assert reply.word == ("ERR" if files[reloads % len(files)] is BAD else "OK"), reply
        reloads += 1
    assert not failures, failures[0]
    assert reloads >= 4, "the load was over before the policies had changed"
    assert admin.ask("PING").line == "OK pong"
