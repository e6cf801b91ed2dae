"""What clients were told: one Answer for each request, also for those that never got one."""

import collections
import typing

from mix import Request

# Instead of a reply's first word: the connection ended first, or nothing came for very long.
LOST = "LOST"
SILENT = "SILENT"


class Answer(typing.NamedTuple):
    """Times are of the monotonic clock, which all processes of the machine share."""

    request: Request
    sent: float
    received: float
    word: str
    fields: tuple = ()

    @property
    def source(self):
        """Who decided, or None where the reply does not say."""
        if self.word in ("ALLOW", "DENY"):
            return self.fields[4]
        return self.fields[3] if self.word == "OK" and self.request.verb == "PEEK" else None

    @property
    def position(self):
        """Which of its request's parts the reply describes."""
        together = len(self.request.parts) > 1 and self.word in ("ALLOW", "DENY")
        return self.fields[5] if together else 0

    @property
    def came(self):
        return self.word not in (LOST, SILENT)

    @property
    def by_redis(self):
        """Units surely counted by Redis: a ticket or an admission that says so."""
        return self.word == "ALLOW" and self.source in ("redis", "lease")

    def __str__(self):
        told = " ".join(str(field) for field in self.fields)
        return (f"{' '.join(self.request.words())} -> {self.word} {told} "
                f"(asked at {self.sent:.3f}, {1000 * (self.received - self.sent):.0f} ms)")


class Recent(typing.NamedTuple):
    """A summary of the answers to what was asked since some time."""

    answers: int
    by_source: collections.Counter
    slowest_s: float

    @property
    def without_redis(self):
        return sum(self.by_source[source] for source in ("local", "open", "closed"))


def recent(answers):
    sources = collections.Counter(answer.source for answer in answers if answer.source)
    slowest = max((answer.received - answer.sent for answer in answers if answer.came), default=0.0)
    return Recent(sum(answer.came for answer in answers), sources, slowest)
