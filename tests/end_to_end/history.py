"""Histories made from a seed: what users did and told us, and what must follow from it.

A history is a list of events in order of time. What must follow is the batch oracle's word (tests/oracle.py) about the
acts among them, partition by partition, since time in a partition ends with the newest event that it holds.
"""

import random
from datetime import UTC, datetime
from itertools import pairwise
from typing import NamedTuple

from aiokafka.partitioner import murmur2

from tests import oracle
from tests.oracle import DAY

START = 1_700_006_400_000  # a UTC midnight
CLICKS, ORDERS, PROFILES = "clicks", "orders", "profiles"
RULES = oracle.Rules()
BOTH = ("inbox", "webhook")
CONSENTS = (
    # by user number: what he consents to, and where he can be reached
    (BOTH, BOTH),
    (("inbox",), BOTH),
    (BOTH, ("webhook",)),
    (BOTH, ()),
    ((), BOTH),
)


class Event(NamedTuple):
    """One input event; `source` is the topic's field in the settings, `body` its JSON, None for a tombstone."""

    source: str
    user: str
    at: int
    body: dict | None

    @property
    def is_act(self):
        return self.source == CLICKS or (self.source == ORDERS and self.body["status"] == "paid")


class Row(NamedTuple):
    """A transition of the activity class as the oracle and the topic both tell it.

    Without its `seq`, which counts a user's transitions over all dimensions: the oracle knows of this one alone.
    """

    user: str
    from_: str
    to: str
    at: int
    cause: str


def generate(users=300, days=70, seed=1, start=START, *, by_turns=False):
    """Return clicks, orders and profiles of users who come, go and come back.

    `by_turns`: in one week a user only clicks, in the next he only buys, and on each seventh day everybody rests. Then
    events that reach the broker day by day are in order for each user, however the two topics are read.
    """
    dice = random.Random(seed)
    events = [event for number in range(users) for event in _life(dice, number, days, start, by_turns)]
    events += [profile(f"u{number:04d}", number, start) for number in range(users) if number % 6]
    return sorted(events, key=lambda event: event.at)


def stages(events, count):
    """Cut a history into pieces of as many days each."""
    first, last = events[0].at, events[-1].at + 1
    return cut(events, [first + (last - first) * k // count for k in range(1, count)])


def cut(events, edges):
    """Cut a history at these times (int ms UTC, ascending): what happens at one of them comes after it."""
    edges = [events[0].at, *edges, events[-1].at + 1]
    return [[e for e in events if first <= e.at < end] for first, end in pairwise(edges)]


def profile(user, number, at, **attributes):
    """A user's consent and contacts, which go by his number."""
    consent, contacts = CONSENTS[number % len(CONSENTS)]
    body = {
        "user": user,
        "at": at,
        "attributes": attributes,
        "consent": {name: name in consent for name in BOTH},
        "contacts": {name: f"{name}-{user}" for name in contacts},
    }
    return Event(PROFILES, user, at, body)


def click(user, at, **more):
    return Event(CLICKS, user, at, {"user": user, "at": at, "kind": "view", **more})


def order(user, at, status="paid", amount=12.34):
    body = {"user": user, "at": at, "order": f"o-{user}-{at}", "amount": amount, "status": status}
    return Event(ORDERS, user, at, body)


def padded(event, size):
    """The same event, so much longer that a topic of them takes several fetches."""
    return event._replace(body=event.body | {"page": "x" * size})


def _life(dice, number, days, start, by_turns):
    user, day = f"u{number:04d}", dice.uniform(0, days * 0.6)
    while day < days:
        at = start + round(day * DAY)
        if by_turns and int(day) % 7 == 6:
            day = int(day) + 1 + dice.random()
            continue
        buys = (int(day) // 7 + number) % 2 == 0 if by_turns else dice.random() < 0.15
        yield order(user, at, _status(dice), round(dice.gammavariate(2, 20), 2)) if buys else _clicked(dice, user, at)
        day += _gap(dice)


def _gap(dice):
    """Days until the next act: mostly a day or two, at times long enough to become dormant or churned."""
    return dice.choices(
        (dice.uniform(0.001, 0.02), dice.expovariate(1 / 1.5), dice.uniform(13, 29), dice.uniform(29, 60)),
        (20, 68, 8, 4),
    )[0]


def _status(dice):
    return dice.choices(("paid", "refunded", "cancelled"), (85, 10, 5))[0]


def _clicked(dice, user, at):
    written = datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds")
    said = click(user, at, item=f"i{dice.randrange(500)}", unknown={"field": ["of", "yours"]})
    return said._replace(body=said.body | {"at": written}) if dice.random() < 0.1 else said


def home(user, partitions):
    """The partition that Java's default partitioner gives a user."""
    return (murmur2(user.encode()) & 0x7FFFFFFF) % partitions


def expected(events, partitions, rules=RULES, lateness=0):
    """Return every Row that must follow, sorted; time in a partition ends `lateness` ms before its newest event."""
    rows = []
    for partition in range(partitions):
        here = [event for event in events if event.source != PROFILES and home(event.user, partitions) == partition]
        end = max((event.at for event in here), default=0) - lateness
        rows += told([(event.user, event.at) for event in here if event.is_act], rules, end)
    return sorted(rows)


def told(acts, rules, end):
    """Return the oracle's Rows for acts (user, at) of one partition."""
    lives = oracle.transitions(acts, rules, end)
    return [Row(user, s.from_, s.to, s.at, s.cause) for user, steps in lives.items() for s in steps]
