"""Tallies: what users did in windows that are over, summed up by trial and arm, by day and by groups of users.

They add up, whoever counted them.
"""

from __future__ import annotations

from operator import add
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import msgspec
from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Iterable

Arm = Literal["treated", "holdout"]
Kind = Literal["day", "group"]
ARMS: tuple[Arm, ...] = ("treated", "holdout")
GROUPS = 64
"""Of users, by a hash of their ids: enough of them to tell a variance by, few enough to be kept for every trial."""


class Tally(Struct, frozen=True, gc=False):
    """Windows that are over, summed up.

    `users` counts them; `conversions` those with a paid order that stands; `spend` and `squares` what was paid in each
    and its square, in minor units; `objected` those in which the user unsubscribed or complained of a push; `dormant`
    and `churned` those after which he was so.
    """

    users: int = 0
    conversions: int = 0
    spend: int = 0
    squares: float = 0
    objected: int = 0
    dormant: int = 0
    churned: int = 0


class Slot(NamedTuple):
    """What a tally is of: a trial's arm, and the day (since 1970-01-01) on which windows ended, or a group of users."""

    trial: str
    arm: Arm
    kind: Kind
    number: int


Sums = dict[Slot, Tally]


def plus(one: Tally, other: Tally) -> Tally:
    """Return two tallies as one."""
    return Tally(*map(add, msgspec.structs.astuple(one), msgspec.structs.astuple(other)))


def merge(parts: Iterable[Sums]) -> Sums:
    """Return the sums of several partitions as one."""
    whole: Sums = {}
    for part in parts:
        for slot, tally in part.items():
            whole[slot] = plus(whole.get(slot, Tally()), tally)
    return whole


def plain(sums: Sums) -> list[dict[str, Any]]:
    """Return sums as they are told in JSON: `read` takes them back."""
    return [slot._asdict() | msgspec.structs.asdict(tally) for slot, tally in sorted(sums.items())]


def read(told: Iterable[dict[str, Any]]) -> Sums:
    """Return sums that were told in JSON."""
    return {Slot(*(row[field] for field in Slot._fields)): msgspec.convert(row, Tally) for row in told}
