"""What is usual of a topic: records a second by hour of the week, learnt while it is healthy.

An hour counts when at least half of it was seen and no outage fell into it. Before an hour of the week has been seen
once, all that is known of it is the rate of late: no topic is expected to fall under a tenth of that within minutes.
What was seen in an outage is kept aside: if it turns out to be the new usual, it is adopted.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from streams.settings import Gate
from streams.wire.control import Usual

HOUR = 3_600_000
WEEK_HOURS = 168
MONDAY = 72
"""1970-01-01 00:00 was a Thursday: so many hours after Monday."""
LONGEST_LOOK_SECONDS = 900.0
"""Looks further apart than this say nothing about an hour."""
HALF_AN_HOUR = 1800.0
MINUTE = 60.0
UNKNOWN_RATIO = 0.1
LEAST_RATIO = 0.1
PART_RATIO = 0.25
"""Of its share of the topic's records, what a partition gets at least."""
PART_RECORDS = 100
"""Records of a partition from which its share is known well enough."""
MANY_RECORDS = 100_000
DAY_SECONDS = 86_400.0
SURPRISE = 1.25
"""A standard deviation in mean deviations, of what is distributed normally."""


class Due(NamedTuple):
    """What should have come in a span.

    Attributes:
        records: that many at least, or some are missing.
        back: that many at least for an outage to be over: nearer to the usual, lest it come and go.
        rate: the same, a second.
        needed: so many missing ones are no chance.
        steady: whether a rate that is too low means something; else only silence does.

    """

    records: float
    back: float
    rate: float
    needed: float
    steady: bool


class Profile:
    """What is usual of one topic with so many partitions."""

    def __init__(self, topic: str, partitions: int, usual: Usual | None = None) -> None:
        self.topic = topic
        self.rates: list[float | None] = list(usual.rates) if usual else [None] * WEEK_HOURS
        self.noise = usual.noise if usual else 0.15
        self.spread = usual.spread if usual else 1.0
        self.recent = usual.recent if usual else 0.0
        shares = usual.shares if usual and len(usual.shares) == partitions else (0.0,) * partitions
        self.seen = [share * 10 * PART_RECORDS * partitions for share in shares]
        self._elapsed = HALF_AN_HOUR if usual else 0.0
        self._hour = Tally()
        self._hour_at = 0
        self._quiet = 0.0
        self._minute = Tally()
        self._last_minute = Tally()
        self._aside: dict[int, float] = {}
        self._outage = Tally()
        self._outage_seen = [0] * partitions

    def record(self) -> Usual:
        """Return what was learnt, to be kept."""
        whole = sum(self.seen) or 1.0
        shares = tuple(round(n / whole, 6) for n in self.seen)
        rates = tuple(None if rate is None else round(rate, 6) for rate in self.rates)
        return Usual(self.topic, rates, round(self.noise, 4), round(self.spread, 3), round(self.recent, 6), shares)

    def due(self, start: int, end: int, limits: Gate) -> Due:
        """Return what should have come of the topic from `start` to `end` (int ms UTC)."""
        ratio = min(limits.slow_ratio, max(LEAST_RATIO, 1 - 3 * self.noise))
        records, back, at = 0.0, 0.0, start
        while at < end:
            until = min(end, (at // HOUR + 1) * HOUR)
            least, again = self._rates((at + until) // 2, ratio)
            records += least * (until - at) / 1000
            back += again * (until - at) / 1000
            at = until
        steady = self.rates[hour_of_week(end)] is not None
        # A topic that is healthy is ahead of `ratio` of its rate, and falls n records behind it by chance with a
        # probability of less than exp(-2(1 - ratio)n), by Lundberg's bound for a Poisson process.
        needed = self.spread * -math.log(limits.chance) / (2 * (1 - ratio) if steady else 1)
        return Due(records, back, self._rates(end, ratio)[0], needed, steady)

    def due_of_part(self, partition: int, total: int, limits: Gate) -> Due:
        """Return what a partition should have had of the topic's `total` records."""
        known = self.seen[partition] >= PART_RECORDS
        share = PART_RATIO * self.seen[partition] / sum(self.seen) if known else 0.0
        needed = self.spread * -math.log(limits.chance)
        return Due(share * total, share * total, share * self.recent, needed, steady=False)

    def learn(self, start: int, end: int, counts: Sequence[int], *, healthy: bool) -> bool:
        """Learn from what each partition got from `start` to `end`; say whether an hour of the week is known anew."""
        seconds, count = (end - start) / 1000, sum(counts)
        if seconds > LONGEST_LOOK_SECONDS:
            return False
        closed = self._close_hour(start)
        self._hour.add(seconds, count)
        if healthy:
            self._aside.clear()
            self._outage = Tally()
            self._outage_seen = [0] * len(counts)
            self._learn_recent(seconds, count)
            self._learn_shares(counts)
        else:
            self._hour.spoiled = True
            self._outage.add(seconds, count)
            self._outage_seen = [a + b for a, b in zip(self._outage_seen, counts, strict=True)]
        return closed

    def adopt(self) -> None:
        """Take what was seen in the present outage for usual; after a day of it, nothing older counts."""
        if self._hour.seconds:
            self._aside.setdefault(hour_of_week(self._hour_at), self._hour.rate)
        if self._outage.seconds >= DAY_SECONDS:
            self.rates = [None] * WEEK_HOURS
        for hour, rate in self._aside.items():
            self.rates[hour] = rate
        self.recent = self._outage.rate
        if any(self._outage_seen):
            self.seen = [float(n) for n in self._outage_seen]
        self._aside.clear()

    def _rates(self, at: int, ratio: float) -> tuple[float, float]:
        """Return how many records a second there must be at `at`, and how many for an outage to be over.

        Between the middles of two hours the usual rate goes in a straight line; and what is usual half an hour sooner
        or later is usual too, or every steep morning would be slow at first.
        """
        hour, into = hour_of_week(at), at % HOUR / HOUR
        usual = self.rates[hour]
        if usual is None:
            return self.recent * UNKNOWN_RATIO, self.recent * UNKNOWN_RATIO
        before, after = self.rates[hour - 1], self.rates[(hour + 1) % WEEK_HOURS]
        sooner = usual if before is None else before + (usual - before) * into
        later = usual if after is None else usual + (after - usual) * into
        return min(sooner, later) * ratio, (sooner + later) / 2 * (1 + ratio) / 2

    def _close_hour(self, at: int) -> bool:
        """Begin another hour if `at` lies in it; say whether the one before was learnt."""
        if at // HOUR * HOUR == self._hour_at:
            return False
        done, hour, self._hour, self._hour_at = self._hour, hour_of_week(self._hour_at), Tally(), at // HOUR * HOUR
        if done.seconds < HALF_AN_HOUR:
            return False
        if done.spoiled:
            self._aside[hour] = done.rate
            return False
        self._learn_hour(hour, done.rate)
        return True

    def _learn_hour(self, hour: int, rate: float) -> None:
        usual = self.rates[hour]
        if not usual:
            self.rates[hour] = rate
            return
        self.noise += 0.05 * (min(SURPRISE * abs(rate / usual - 1), 1.0) - self.noise)
        self.rates[hour] = usual + 0.3 * (min(max(rate, usual / 4), usual * 4) - usual)

    def _learn_recent(self, seconds: float, count: int) -> None:
        """Follow the rate of late. A silence counts when it is over: it may have been one that tells."""
        self._quiet += seconds
        if not count:
            return
        self._learn_spread(self._quiet, count)
        self._elapsed += self._quiet
        weight = max(1 - math.exp(-self._quiet / HALF_AN_HOUR), self._quiet / self._elapsed)
        self.recent += weight * (count / self._quiet - self.recent)
        self._quiet = 0.0

    def _learn_spread(self, seconds: float, count: int) -> None:
        """Learn how far a minute's records stray from those of the minute before: they may come in bursts."""
        self._minute.add(seconds, count)
        if self._minute.seconds < MINUTE:
            return
        last, self._last_minute, self._minute = self._last_minute, self._minute, Tally()
        if last.seconds:
            times = self._last_minute.seconds / last.seconds
            strayed = abs(self._last_minute.count - last.count * times) / math.sqrt(last.count * times * (1 + times))
            usually = math.sqrt(self.spread) / SURPRISE
            self.spread = max(1.0, (SURPRISE * (usually + 0.05 * (strayed - usually))) ** 2)

    def _learn_shares(self, counts: Sequence[int]) -> None:
        self.seen = [a + b for a, b in zip(self.seen, counts, strict=True)]
        if sum(self.seen) > MANY_RECORDS * len(self.seen):
            self.seen = [n / 2 for n in self.seen]


class Tally:
    """Records counted over a span that was watched."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.count = 0
        self.spoiled = False

    @property
    def rate(self) -> float:
        """Records a second."""
        return self.count / self.seconds if self.seconds else 0.0

    def add(self, seconds: float, count: int) -> None:
        """Count so many records more, of so many seconds."""
        self.seconds += seconds
        self.count += count


def hour_of_week(at: int) -> int:
    """Return the hour of the week (0 to 167, UTC, from Monday 00:00) in which `at` (int ms UTC) lies."""
    return (at // HOUR + MONDAY) % WEEK_HOURS
