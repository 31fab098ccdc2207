"""The plan: which faults come, in which order, to whom and for how long; a pure function of the seed.

Kinds come from a deck in which each has its share of cards; it is shuffled, dealt to the end and shuffled again, so
that no run of some length leaves a kind out. The points at which a worker kills itself are dealt likewise.
"""

import random
from typing import NamedTuple

STEPS = ("AddPartitionsToTxn", "Produce", "AddOffsetsToTxn", "TxnOffsetCommit", "EndTxn")
"""What a worker asks of the broker in a commit, in this order."""
COMMIT_POINTS = tuple(f"{when} {step}" for step in STEPS for when in ("before", "after"))
RECOVERY_POINTS = (
    "before InitProducerId", "after InitProducerId", "recovery begins", "amid recovery", "recovery ends",
)  # fmt: skip
REBALANCE_POINTS = ("rebalance begins", "partitions closed", "partitions opened")
POINTS = {
    "kill in a commit": COMMIT_POINTS,
    "kill in recovery": RECOVERY_POINTS,
    "kill in a rebalance": REBALANCE_POINTS,
}
SHARES = {
    "kill": 3,
    "kill in a commit": 10,
    "kill in recovery": 4,
    "kill in a rebalance": 3,
    "sleep": 2,
    "scale": 1,
    "move": 1,
    "broker killed": 2,
    "broker down": 1,
    "disk full": 1,
    "Redis killed": 2,
    "Redis emptied": 2,
}
OUTAGES = ("broker down", "disk full", "Redis killed")
OVERLAPPING = 0.25
SHORTEST_SECONDS = 1.0
MOST_COMMITS = 8
WORKERS = 2
"""As many there are but for scaling and moving."""


class Fault(NamedTuple):
    """One fault. `victim`: the worker's number. `point`: where it kills itself, at its `after`-th time there from 0.

    `seconds`: how long the outage lasts. `delay`: seconds from the end of what was before. `overlaps`: the next one
    does not wait until this one is recovered from.
    """

    kind: str
    victim: int
    point: str
    after: int
    seconds: float
    delay: float
    overlaps: bool


def plan(faults, seed, outage_seconds=30.0, without=()):
    """Return so many Faults, of all kinds but those `without`; no outage is longer than `outage_seconds`."""
    dice = random.Random(seed)
    kinds = _deal(dice, [kind for kind, share in SHARES.items() if kind not in without for _ in range(share)])
    points = {kind: _deal(dice, list(chosen)) for kind, chosen in POINTS.items()}
    return [_fault(dice, next(kinds), points, outage_seconds) for _ in range(faults)]


def _fault(dice, kind, points, outage_seconds):
    return Fault(
        kind,
        dice.randrange(WORKERS),
        next(points[kind]) if kind in points else "",
        dice.randrange(MOST_COMMITS) if kind == "kill in a commit" else 0,
        round(dice.uniform(SHORTEST_SECONDS, outage_seconds), 1) if kind in OUTAGES else 0.0,
        round(dice.uniform(0.1, 1.5), 1),
        dice.random() < OVERLAPPING,
    )


def _deal(dice, deck):
    while True:
        yield from dice.sample(deck, len(deck))
