"""The demo's year as a stream: real orders, clicks simulated around them, profiles, in order of event time.

It is made a day at a time, as it is read: the clicks around a day's orders reach up to a week beyond it, and
wait until their own day comes. Each day has its own generator, so a history that starts later is the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
import orjson

from streams.demo.journey import Journey
from streams.demo.profile import profiles
from streams.demo.session import DAY, KINDS, LEAD, SOURCES, VISIT, Clicks, join, simulate

if TYPE_CHECKING:
    from collections.abc import Iterator

Topic = Literal["clicks", "orders", "profiles"]
TOPICS: tuple[Topic, ...] = ("clicks", "orders", "profiles")
SPILL_DAYS = 7
"""A day's clicks come less than this after it."""


class Event(NamedTuple):
    """One message of an input topic; `at` is its event time, int ms UTC."""

    topic: Topic
    key: bytes
    value: bytes
    at: int


class History:
    """The events of 2017, some 2.9 million, the same for the same seed, from `first_at` to `last_at` (ms)."""

    def __init__(self, seed: int = 2017) -> None:
        self.seed = seed
        self.journey = Journey()
        self.first_at = int(self.journey.at[0]) - LEAD
        self.last_at = int(self.journey.at[-1])
        self.households = len(np.unique(self.journey.household))
        self._products = [
            f',"category":{orjson.dumps(name).decode()}}}' if name else "}" for name in self.journey.categories
        ]

    def events(self, start: int | None = None) -> Iterator[Event]:
        """Yield the events with at >= `start` (ms UTC; default: all), in order of time.

        The profiles of households that came before `start` are dated at it.
        """
        start = self.first_at if start is None else max(start, self.first_at)
        days = range(start // DAY - SPILL_DAYS, self.last_at // DAY + 1)
        joining = self._profiles(start)
        waiting: list[Clicks] = []
        for day in days:
            waiting += self._clicks(day)
            until = (day + 1) * DAY - LEAD if day < days[-1] else self.last_at + 1
            if not waiting or until <= start:
                continue
            clicks = join(waiting)
            ripe = (clicks.at >= start) & (clicks.at < until)
            waiting = [clicks.take(clicks.at >= until)]
            orders = self.journey.find(max(start, day * DAY - LEAD), until)
            arrived = [event for event in joining if event.at < until]
            joining = joining[len(arrived) :]
            yield from in_order([*arrived, *self._orders(orders), *self._encode(clicks.take(ripe))])

    def _clicks(self, day: int) -> list[Clicks]:
        baskets = self.journey.find(day * DAY, (day + 1) * DAY)
        if baskets.start == baskets.stop:
            return []
        return [simulate(self.journey, baskets, np.random.default_rng((self.seed, day)))]

    def _profiles(self, start: int) -> list[Event]:
        """Return the profiles, each before its household's first click, in order of time."""
        households, first = np.unique(self.journey.household, return_index=True)
        seen = np.maximum(self.journey.at[first] - LEAD, start)
        known = profiles(self.journey, self.seed)
        rows = [(int(seen[n]), household) for n, household in enumerate(households.tolist())]
        return [
            Event("profiles", b"h%d" % household, orjson.dumps({**known[household], "at": at}), at)
            for at, household in sorted(rows)
        ]

    def _orders(self, baskets: slice) -> list[Event]:
        return [
            Event("orders", order["user"].encode(), orjson.dumps(order), order["at"])
            for order in self.journey.orders(baskets)
        ]

    def _encode(self, clicks: Clicks) -> Iterator[Event]:
        journey, nothing = self.journey, clicks.line < 0
        items = journey.product[clicks.line].tolist()
        tails = journey.category[clicks.line].tolist()
        columns = (clicks.at, clicks.kind, clicks.household, clicks.visit, clicks.source, nothing)
        for at, kind, household, visit, source, bare, item, tail in zip(
            *(column.tolist() for column in columns), items, tails, strict=True
        ):
            if not bare:
                end = f'"item":"{item}"{self._products[tail]}'
            else:
                end = f'"source":"{SOURCES[source]}"}}' if kind == VISIT else '"page":"search"}'
            value = f'{{"user":"h{household}","at":{at},"kind":"{KINDS[kind]}","session":"s{visit}",{end}'
            yield Event("clicks", b"h%d" % household, value.encode(), at)


def in_order(events: list[Event]) -> list[Event]:
    """Return the events in order of time; at the same instant in the order given."""
    order = np.argsort(np.fromiter((event.at for event in events), np.int64, len(events)), kind="stable")
    return [events[n] for n in order.tolist()]
