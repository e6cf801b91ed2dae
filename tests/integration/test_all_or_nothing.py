"""A CHECK of several limits charges all or none, whoever owns the keys and however many ask."""

import random

import pytest

from support.crowd import crowd

POLICIES = """
[policies.one]
limits = ["1/365d"]
[policies.ten]
limits = ["10/365d"]
[policies.hundred]
limits = ["100/365d"]
[policies.steps]
limits = ["4/365d", "6/360d", "20/300d"]
"""

KEYS_IN_A_CHECK = 16  # what the daemon takes at most in one request
SEED = 20250


def used(client, policy, ids):
    """Units used of each id."""
    replies = client.ask_all([f"PEEK {policy} {id_}" for id_ in ids])
    return [reply.values[0] - reply.values[1] for reply in replies]


def check(policy, ids, units=1):
    return "CHECK " + " ".join(f"{policy} {id_} {units}" for id_ in ids)


def test_a_policy_of_several_limits_charges_all_or_none(daemon, shape):
    client = daemon(POLICIES, **shape).line()
    assert client.ask("CHECK steps a 3").remaining == 1
    for _ in range(20):  # were the wide limits charged by refusals, they would run out here
        assert client.ask("CHECK steps a 2").limit == 4
    assert client.ask("CHECK steps a 1").remaining == 0
    assert client.ask("REFUND steps a 4").values == [4]


def test_a_refused_pair_charges_nothing_anywhere(daemon, shape):
    client = daemon(POLICIES, **shape).line()
    ids = [f"id{n}" for n in range(KEYS_IN_A_CHECK)]
    for blocked in range(KEYS_IN_A_CHECK):
        name = f"blocked{blocked}"
        assert client.ask(f"CHECK ten {name} 10").allowed
        asked = ids[:blocked] + [name] + ids[blocked + 1:]
        refused = client.ask(check("ten", asked))
        assert (refused.word, refused.position) == ("DENY", blocked)
        assert refused.remaining == 0 and refused.retry > 0
    assert used(client, "ten", ids) == [0] * KEYS_IN_A_CHECK
    admitted = client.ask(check("ten", ids, 2))
    assert (admitted.word, admitted.remaining, admitted.retry) == ("ALLOW", 8, 0)
    assert used(client, "ten", ids) == [2] * KEYS_IN_A_CHECK


def test_the_position_is_that_of_the_limit_described(daemon, shape):
    client = daemon(POLICIES, **shape).line()
    for position in range(KEYS_IN_A_CHECK):
        ids = [f"{position}-{n}" for n in range(KEYS_IN_A_CHECK)]
        client.ask(f"CHECK ten {ids[position]} 4")
        admitted = client.ask(check("ten", ids, 2))
        assert (admitted.word, admitted.remaining, admitted.position) == ("ALLOW", 4, position)
        client.ask(f"CHECK ten {ids[position]} 3")  # one left here, eight everywhere else
        refused = client.ask(check("ten", ids, 2))
        assert (refused.word, refused.remaining, refused.position) == ("DENY", 1, position)


def test_the_longest_wait_is_described_when_several_refuse(daemon, shape):
    client = daemon(POLICIES, **shape).line()
    client.ask_all(["CHECK ten short 10", "CHECK one long", "CHECK hundred shorter 100"])
    refused = client.ask("CHECK ten short 1 hundred shorter 1 one long 1")
    assert (refused.word, refused.limit, refused.position) == ("DENY", 1, 2)
    never = client.ask("CHECK ten free 11 one long 1")
    assert (never.word, never.retry, never.position) == ("DENY", -1, 0)


def test_the_same_key_twice_in_one_check_counts_twice(daemon, shape):
    client = daemon(POLICIES, **shape).line()
    assert not client.ask("CHECK one twice 1 one twice 1").allowed
    assert used(client, "one", ["twice"]) == [0]
    assert client.ask("CHECK ten twice 4 hundred between 1 ten twice 5").remaining == 1
    assert used(client, "ten", ["twice"]) == [9]
    assert not client.ask("CHECK ten twice 1 hundred between 1 ten twice 1").allowed
    assert used(client, "ten", ["twice"]) + used(client, "hundred", ["between"]) == [9, 1]


def test_a_bad_part_refuses_the_whole_and_charges_nothing(daemon, shape):
    client = daemon(POLICIES, **shape).line()
    assert client.ask("CHECK ten a 1 nosuch b 1").code == "NOPOLICY"
    assert client.ask("CHECK nosuch b 1 ten a 1").code == "NOPOLICY"
    assert client.ask("CHECK ten a 1 ten b 0").code == "BADREQ"
    assert client.ask('CHECK ten a 1 ten "" 1').code == "BADREQ"
    assert client.ask("CHECK ten a 1 ten b").code == "BADREQ"
    assert client.ask(check("ten", ["a"] * 400)).code == "BADREQ"
    assert used(client, "ten", ["a", "b"]) == [0, 0]


@pytest.mark.bound(60)
def test_several_clients_never_admit_more_than_the_limit(daemon, shape):
    one = daemon(POLICIES, **shape)
    ids = [f"id{n}" for n in range(20)]

    def work(index):
        generator = random.Random(SEED + index)
        with one.line() as client:
            asked = [generator.choice(ids) for _ in range(1000)]
            replies = client.ask_all([f"CHECK hundred {id_}" for id_ in asked])
        return [id_ for id_, reply in zip(asked, replies) if reply.allowed]

    admitted = [id_ for result in crowd(6, work) for id_ in result]
    assert [admitted.count(id_) for id_ in ids] == [100] * len(ids)


@pytest.mark.bound(60)
def test_clients_that_ask_for_the_same_pairs_use_up_all_of_both(daemon, shape):
    one = daemon(POLICIES, **shape)
    pairs = [(f"left{n}", f"right{n}") for n in range(4)]

    def work(index):
        generator = random.Random(SEED + index)
        admitted = dict.fromkeys(pairs, 0)
        with one.line() as client:
            for _ in range(20):
                asked = [generator.choice(pairs) for _ in range(50)]
                for pair, reply in zip(asked, client.ask_all([check("hundred", p) for p in asked])):
                    admitted[pair] += reply.allowed
        return admitted

    results = crowd(6, work)  # 6000 requests for 400 admissions
    with one.line() as client:
        for pair in pairs:
            assert sum(result[pair] for result in results) == 100
            assert used(client, "hundred", pair) == [100, 100]


@pytest.mark.bound(60)
def test_what_was_used_is_what_was_admitted_however_checks_overlap(daemon, shape):
    """Random overlapping sets, in random order: a refused one leaves no trace on any key."""
    one = daemon(POLICIES, **shape)
    ids = [f"id{n}" for n in range(40)]

    def work(index):
        generator = random.Random(SEED + index)
        asked = [generator.sample(ids, generator.randint(2, KEYS_IN_A_CHECK)) for _ in range(600)]
        with one.line() as client:
            replies = []
            for start in range(0, len(asked), 100):
                replies += client.ask_all([check("hundred", some)
                                           for some in asked[start:start + 100]])
        return [id_ for some, reply in zip(asked, replies) if reply.allowed for id_ in some]

    admitted = [id_ for result in crowd(4, work) for id_ in result]
    counted = [admitted.count(id_) for id_ in ids]
    assert max(counted) <= 100
    assert sum(counted) > 100, "some checks must pass for this to say anything"
    with one.line() as client:
        assert used(client, "hundred", ids) == counted
