"""Sketches of a population: how its buyers' RFM figures are spread, small enough for the log and mergeable.

Every shard sketches its own users; merged in any order, the sketches are the whole population's. A figure falls into
a bucket whose bounds are a factor GAMMA apart, and a quantile is answered by the middle of a bucket: at most ERROR
off, relatively (the scheme of DDSketch, Masson, Rim & Lee, VLDB 2019). Means are exact.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from streams.core.row import DAY, WEEKS
from streams.core.window import WEEK_SHIFT

ERROR = 0.01
GAMMA = (1 + ERROR) / (1 - ERROR)
LOG_GAMMA = math.log(GAMMA)
FIGURES = ("recency_days", "frequency", "total", "average")
"""Days since the newest order; in the look-back: orders, what was spent (minor units), and that by order."""
SLICE = 32_768


@dataclass
class Sketch:
    """How one figure is spread.

    Attributes:
        sum: of all values.
        zeros: how many are 0.
        buckets: how many lie above GAMMA^(b-1), up to GAMMA^b, by b.
    """

    sum: float = 0
    zeros: int = 0
    buckets: dict[int, int] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """How many values there are."""
        return self.zeros + sum(self.buckets.values())

    def add(self, values: np.ndarray) -> None:
        """Take values in, none of them negative."""
        self.sum += values.sum().item()
        above = values[values > 0]
        self.zeros += len(values) - len(above)
        places, counts = np.unique(np.ceil(np.log(above) / LOG_GAMMA).astype(np.int64), return_counts=True)
        self._count(zip(places.tolist(), counts.tolist(), strict=True))

    def merge(self, other: Sketch) -> None:
        """Take in what another sketch took in."""
        self.sum += other.sum
        self.zeros += other.zeros
        self._count(other.buckets.items())

    def mean(self) -> float:
        """Return the mean, exactly; 0 where there are no values."""
        return self.sum / self.count if self.count else 0.0

    def median(self) -> float:
        """Return the median, at most ERROR off; 0 where there are no values."""
        count = self.count
        return (self._at((count - 1) // 2) + self._at(count // 2)) / 2 if count else 0.0

    def _count(self, counts: Iterable[tuple[int, int]]) -> None:
        for bucket, n in counts:
            self.buckets[bucket] = self.buckets.get(bucket, 0) + n

    def _at(self, rank: int) -> float:
        """Return the value that has `rank` others before it."""
        before = self.zeros
        if rank < before:
            return 0.0
        for bucket in sorted(self.buckets):
            before += self.buckets[bucket]
            if rank < before:
                return float(2 * GAMMA**bucket / (GAMMA + 1))
        raise IndexError(f"rank {rank} of {before} values")


Summary = dict[str, dict[str, Sketch]]
"""By kind of user and figure."""


def summarize(
    rows: np.ndarray, purchases: np.ndarray, day: int, look_back_weeks: int | Sequence[int], kinds: Sequence[str]
) -> Summary:
    """Return how the figures of the buyers among ROW[n] are spread as of `day`, by kind of user.

    `purchases` (PURCHASES[m]) are all of the shard; `look_back_weeks` is one number, or one for each kind. Who has no
    order that stands is no buyer.
    """
    summary: Summary = {kind: {figure: Sketch() for figure in FIGURES} for kind in kinds}
    weeks = np.broadcast_to(np.asarray(look_back_weeks, np.int64), len(kinds))
    for start in range(0, len(rows), SLICE):
        part = rows[start : start + SLICE]
        buyers = part[part["orders"] > 0]
        places = np.where(buyers["kind"] < len(kinds), buyers["kind"], 0)
        for place, kind in enumerate(kinds):
            found = buyers[places == place]
            if len(found):
                for figure, values in _figures(found, purchases[found["purchases"]], day, int(weeks[place])).items():
                    summary[kind][figure].add(values)
    return summary


def merge(summaries: Iterable[Summary]) -> Summary:
    """Return the summary of several shards' users together."""
    merged: Summary = {}
    for summary in summaries:
        for kind, sketches in summary.items():
            for figure, sketch in sketches.items():
                merged.setdefault(kind, {}).setdefault(figure, Sketch()).merge(sketch)
    return merged


def mean(summary: Summary, kind: str, *, average: bool = False) -> dict[str, float]:
    """Return a kind's mean R, F and M (total, or average order's value); nothing where it has no buyers."""
    return {name: sketch.mean() for name, sketch in _chosen(summary, kind, average=average).items()}


def median(summary: Summary, kind: str, *, average: bool = False) -> dict[str, float]:
    """Return a kind's median R, F and M, each at most ERROR off; nothing where it has no buyers.

    Days and orders are whole, so their median is a whole or a half: it is put right to that.
    """
    found = {name: sketch.median() for name, sketch in _chosen(summary, kind, average=average).items()}
    return {name: figure if name == "monetary" else round(figure * 2) / 2 for name, figure in found.items()}


def to_plain(summary: Summary) -> dict[str, Any]:
    """Return the summary as a dict that JSON can carry."""
    return {
        kind: {
            figure: {"sum": s.sum, "zeros": s.zeros, "buckets": {str(b): s.buckets[b] for b in sorted(s.buckets)}}
            for figure, s in sketches.items()
        }
        for kind, sketches in summary.items()
    }


def of_plain(plain: Mapping[str, Any]) -> Summary:
    """Return the summary that `to_plain` wrote."""
    return {
        kind: {
            figure: Sketch(s["sum"], s["zeros"], {int(b): n for b, n in s["buckets"].items()})
            for figure, s in sketches.items()
        }
        for kind, sketches in plain.items()
    }


def _chosen(summary: Summary, kind: str, *, average: bool) -> dict[str, Sketch]:
    sketches = summary.get(kind, {})
    chosen = {"recency_days": "recency_days", "frequency": "frequency", "monetary": "average" if average else "total"}
    return {name: sketches[figure] for name, figure in chosen.items() if figure in sketches and sketches[figure].count}


def _figures(buyers: np.ndarray, weekly: np.ndarray, day: int, weeks: int) -> dict[str, np.ndarray]:
    """Return each figure of ROW[n] and PURCHASES[n] as of `day`.

    A slot counts for the week that it held when its row last changed.
    """
    newest = buyers["week"].astype(np.int64)[:, None]
    held = newest - (newest - np.arange(WEEKS)) % WEEKS
    week = (day + WEEK_SHIFT) // 7
    counts = (held > week - weeks) & (held <= week)
    orders = (weekly["orders"] * counts).sum(axis=1, dtype=np.int64)
    total = (weekly["spend"] * counts).sum(axis=1, dtype=np.int64)
    return {
        "recency_days": np.maximum(day - buyers["last_order_at"] // DAY, 0),
        "frequency": orders,
        "total": total,
        "average": total / np.maximum(orders, 1),
    }
