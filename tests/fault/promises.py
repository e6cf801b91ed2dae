"""The promises, held against what the clients of one round were told. Each check returns a list of
violations as text; only what is certain is one, however slow the machine was.

A decision lies between a request's sending and its reply. So an admission belongs to a stretch of
time (a window, a life of Redis) only if both lie within it.
"""

import bisect
import collections
import itertools
import math
import typing

import support_path  # noqa: F401  pylint: disable=unused-import
from support import binaries

from mix import DEADLINE_S, HELD, POLICIES, SHORT_WINDOW_S
from tally import SILENT

SLACK_S = 2.0 * binaries.patience()  # what this machine may add to an answer's time
TICK_S = 0.002                       # Redis counts in whole milliseconds
PROMPT_S = DEADLINE_S / 2            # who is answered within this was not kept from Redis by time
UP_WITHIN_S = 4.0                    # less than the life of a heartbeat


class Told(typing.NamedTuple):
    """What one daemon's clients were told in a round."""

    member: object
    answers: list


class Round(typing.NamedTuple):
    told: list            # of Told
    began: float
    quiet: tuple          # (from, to): no fault, and all had settled before
    ended: float
    redis_starts: list    # with an empty memory, since ever
    hosts: int
    wall_ahead_s: tuple   # (least, most) of the wall clock before the monotonic one

    @property
    def answers(self):
        return [answer for told in self.told for answer in told.answers]

    def lives(self):
        """Of Redis, in this round: (from, to)."""
        ends = [*self.redis_starts[1:], math.inf]
        return [(start, end) for start, end in zip(self.redis_starts, ends) if end > self.began]


def within(answer, stretch):
    return stretch[0] <= answer.sent and answer.received <= stretch[1]


def used(answers):
    """Of each (policy, id), the admissions that Redis has surely counted: (answer, units)."""
    of_key = collections.defaultdict(list)
    for answer in answers:
        if answer.request.verb == "CHECK" and answer.by_redis:
            for policy, id_, units in answer.request.parts:
                of_key[policy, id_].append((answer, units))
    return of_key


def total(admissions):
    return sum(units for _, units in admissions)


# -- 1: never over


def never_over(round_):
    faults = []
    for life in round_.lives():
        answers = [answer for answer in round_.answers if within(answer, life)]
        given_back = collections.Counter()
        # A refund may have come about whatever its client was told, and whenever it was asked.
        for answer in round_.answers:
            if answer.request.verb == "REFUND":
                ((policy, id_, units),) = answer.request.parts
                given_back[policy, id_] += units
        for key, admissions in used(answers).items():
            policy = POLICIES[key[0]]
            if policy.family == "short":
                faults += short_windows(key, admissions, round_.wall_ahead_s)
            elif total(admissions) > policy.count + given_back[key]:
                faults.append(f"promise 1, {key}: {total(admissions)} units admitted by redis, of "
                              f"{policy.count} and {given_back[key]} given back")
        faults += held_at_once(answers)
    return faults


def most_within(admissions, length_s):
    """The most units admitted within any stretch of that length."""
    spans = sorted((answer.sent, answer.received, units) for answer, units in admissions)
    asked = [sent for sent, _, _ in spans]
    most = 0
    for first, start in enumerate(asked):
        last = bisect.bisect_left(asked, start + length_s)
        most = max(most, sum(units for _, told, units in spans[first:last]
                             if told < start + length_s))
    return most


def most_in_one_window(admissions, wall_ahead_s):
    """The most units within one of the windows that the wall clock divides time into."""
    totals = collections.Counter()
    for answer, units in admissions:
        first = math.floor((answer.sent + wall_ahead_s[0] - TICK_S) / SHORT_WINDOW_S)
        if first == math.floor((answer.received + wall_ahead_s[1] + TICK_S) / SHORT_WINDOW_S):
            totals[first] += units
    return max(totals.values(), default=0)


def short_windows(key, admissions, wall_ahead_s):
    policy = POLICIES[key[0]]
    if policy.algorithm in ("fixed_window", "sliding_window"):
        seen = [(most_in_one_window(admissions, wall_ahead_s), policy.count, "one window")]
    elif policy.algorithm == "sliding_log":
        most = most_within(admissions, SHORT_WINDOW_S - TICK_S)
        seen = [(most, policy.count, "a window's length")]
    else:  # a full burst, and what comes back meanwhile
        seen = [(most_within(admissions, length_s),
                 policy.count * (1 + length_s / SHORT_WINDOW_S) + 1, f"{length_s} s")
                for length_s in (0.01, SHORT_WINDOW_S / 4, SHORT_WINDOW_S, 3 * SHORT_WINDOW_S)]
    return [f"promise 1, {key}: {most} units admitted by redis in {where}, of {limit}"
            for most, limit, where in seen if most > limit]


def held_at_once(answers):
    """A ticket is surely held from when its taker was told of it until it was to be released."""
    released = {answer.request.ticket: answer.sent for answer in answers
                if answer.request.verb == "RELEASE"}
    events = collections.defaultdict(list)
    for answer in answers:
        if answer.request.verb == "ACQUIRE" and answer.by_redis:
            until = released.get(answer.fields[5], math.inf)
            id_ = answer.request.parts[0][1]
            events[id_] += [(answer.received, 1), (until, -1)]
    faults = []
    for id_, steps in events.items():
        held = most = 0
        for _, step in sorted(steps):
            held += step
            most = max(most, held)
        if most > HELD:
            faults.append(f"promise 1, inflight {id_}: {most} tickets of redis' held, of {HELD}")
    return faults


# -- 2: a refusal is free


def refusals_are_free(round_, used_by_key):
    """What Redis says is used is what was acknowledged, and at most what may have been counted
    beside: of an answer given without Redis, or lost. `used_by_key` is as it was after the round.
    """
    faults = []
    since = max(round_.redis_starts)
    surely = used([answer for answer in round_.answers if answer.sent >= since])
    maybe = collections.Counter()
    for answer in round_.answers:
        if answer.request.verb != "CHECK":
            continue
        decided = answer.came and answer.source in ("redis", "cache")
        before = answer.received <= since
        refused = answer.word == "DENY"
        if decided and (refused or before or answer.sent >= since):
            continue
        for policy, id_, units in answer.request.parts:
            maybe[policy, id_] += units
    for key, found in used_by_key.items():
        low = total(surely.get(key, ()))
        if not low <= found <= low + maybe[key]:
            faults.append(f"promise 2, {key}: redis says {found} units are used; {low} were "
                          f"acknowledged, and {maybe[key]} may have been counted beside")
    return faults


# -- 3: in time


def in_time(round_):
    faults = []
    for told in round_.told:
        for answer in told.answers:
            if answer.word == SILENT:
                faults.append(f"promise 3, daemon {told.member.number}: never answered: {answer}")
            elif answer.came:
                took = answer.received - answer.sent
                stopped = told.member.stopped_s(answer.sent, answer.received)
                if took > DEADLINE_S + stopped + SLACK_S:
                    faults.append(f"promise 3, daemon {told.member.number}: late, of which "
                                  f"{stopped:.3f} s stopped: {answer}")
    return faults


# -- 5: bounded when dark


def bounded_when_dark(round_):
    faults = []
    certain = hosts_certain(round_)
    for told in round_.told:
        starts = [*told.member.starts, math.inf]
        for life in zip(starts, starts[1:]):
            # Of its process: what was asked of the next one was asked after that was started.
            answers = [answer for answer in told.answers
                       if life[0] <= answer.sent < life[1] and answer.came]
            for key, units in spent_in_the_dark(answers, certain).items():
                policy = POLICIES[key[0]]
                share = policy.count // round_.hosts if certain else policy.count
                if units > share:
                    faults.append(f"promise 5, daemon {told.member.number}, {key}: {units} units "
                                  f"spent when it admitted without redis, of {share}")
    return faults


def spent_in_the_dark(answers, with_redis):
    """Of each key that was only checked, the most units that a daemon knew to be spent through it
    when it admitted some more without Redis, those included: without Redis, or at all. What it had
    not told anyone by then is left out."""
    admissions = collections.defaultdict(list)
    for answer in answers:
        if answer.word == "ALLOW" and answer.source in ("local", "redis"):
            for policy, id_, units in answer.request.parts:
                if POLICIES[policy].only_checked:
                    admissions[policy, id_].append((answer, units))
    return {key: most_spent(all_, with_redis) for key, all_ in admissions.items()}


def most_spent(admissions, with_redis):
    local = [(answer, units) for answer, units in admissions if answer.source == "local"]
    if not with_redis:
        return total(local)
    known = sorted((answer.received, units) for answer, units in admissions)
    times = [received for received, _ in known]
    sums = [0, *itertools.accumulate(units for _, units in known)]
    return max((sums[bisect.bisect_left(times, answer.sent)] + units for answer, units in local),
               default=0)


def hosts_certain(round_):
    """Whether every daemon knew of all the others all the while: nobody and no count was lost, and
    each was seen with its Redis so often that its heartbeats cannot have been missed."""
    if max(round_.redis_starts) > round_.began:
        return False
    for told in round_.told:
        if max(told.member.starts) > round_.began:
            return False
        samples = told.member.watcher.since(round_.began)
        up = [round_.began, *(each.asked for each in samples if each.redis == "up"), round_.ended]
        if max(after - before for before, after in zip(up, up[1:])) > UP_WITHIN_S:
            return False
        if any(each.hosts != round_.hosts for each in samples):
            return False
    return True


# -- 7: honest


SOURCES = {"local": {"redis", "cache", "local"}, "allow": {"redis", "cache", "open"},
           "deny": {"redis", "cache", "closed"}}
ONLY = {"cache": "DENY", "open": "ALLOW", "closed": "DENY"}


def honest(round_):
    faults = []
    for told in round_.told:
        for answer in told.answers:
            fault = answer.came and inconsistent(answer)
            if fault:
                faults.append(f"promise 7, daemon {told.member.number}: {fault}: {answer}")
        faults += without_reason(told, round_.quiet)
    return faults


def inconsistent(answer):
    """What no daemon may say to that request, whatever is going on."""
    policy = POLICIES[answer.request.parts[answer.position][0]]
    if answer.word == "ERR":
        alone = answer.fields[0] == "UNAVAILABLE" and policy.on_outage != "local"
        return "" if alone else "an error"
    if answer.source is None:
        return "" if answer.word == "OK" else "no reply to that"
    if answer.source not in SOURCES[policy.on_outage]:
        return "no source of this policy's"
    if answer.word != "OK" and ONLY.get(answer.source, answer.word) != answer.word:
        return "no decision of this source's"
    if answer.source in ("redis", "cache", "open") and answer.fields[0] != policy.count:
        return f"not the limit of {policy.name}, which is {policy.count}"
    return ""


def without_reason(told, quiet):
    """Where no fault is on and all had settled, answers are Redis'. But a call that this machine
    made late may cost Redis its good name for a while, and whoever asked then was told late."""
    late = [answer.sent for answer in told.answers
            if answer.received >= quiet[0] and answer.received - answer.sent > PROMPT_S]
    excused_from = min(late, default=math.inf)
    return [f"promise 7, daemon {told.member.number}: all is well, and this was not redis': "
            f"{answer}" for answer in told.answers
            if within(answer, quiet) and answer.source in ("local", "open", "closed")
            and answer.received < excused_from]


def checks(round_, used_by_key):
    return [*never_over(round_), *refusals_are_free(round_, used_by_key), *in_time(round_),
            *bounded_when_dark(round_), *honest(round_)]
