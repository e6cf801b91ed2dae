"""HOT: what is decided on most, without telling an id."""

import re

import pytest

POLICIES = """
[policies.api]
limits = ["1000000/365d"]
[policies.login]
limits = ["1000000/365d"]
"""


@pytest.fixture(name="tolls", scope="module")
def _tolls(shared_daemon):
    return shared_daemon(POLICIES)


def test_the_hottest_come_first_and_no_id_is_told(tolls):
    with tolls.line() as client:
        assert client.ask("HOT").line == "LIST 0"
        # Half of all is one key, a quarter another, the rest spread over many.
        for batch in range(40):
            client.ask_all([request for n in range(100) for request in (
                "CHECK api very-hot-id", "CHECK login warm-id", "CHECK api very-hot-id",
                f"CHECK api cold-id-{batch}-{n}")])
        rows = client.ask("HOT 5").rows
        assert 2 <= len(rows) <= 5
        assert [row[0] for row in rows[:2]] == ["api", "login"]
        for _, hashed, share in rows:
            assert re.fullmatch(r"[0-9a-f]{12}", str(hashed).zfill(12)) and 0 < float(share) <= 1
        assert 0.35 < float(rows[0][2]) < 0.65 and 0.12 < float(rows[1][2]) < 0.4
        assert "id" not in str(rows)
        assert client.ask("HOT 1").line == "LIST 1"


def test_two_daemons_hash_with_keys_of_their_own(daemon):
    seen = []
    for one in (daemon(POLICIES), daemon(POLICIES)):
        with one.line() as client:
            for _ in range(10):
                client.ask_all(["CHECK api alice"] * 100)
            seen.append(str(client.ask("HOT 1").rows[0][1]))
    assert seen[0] != seen[1]


def test_wrong_words(tolls):
    with tolls.line() as client:
        for words in ("0", "-1", "1001", "many"):
            assert client.ask(f"HOT {words}").code == "BADREQ"
        assert client.ask("HOT 1 2").code == "BADREQ"
