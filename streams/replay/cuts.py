"""Population cuts in a replay: frozen as time goes on, every `value.refreeze_hours`, as a worker freezes them.

They are never taken from users as they became later: what is decided in March knows nothing of April. Until they are
first taken, the figures that the settings say are the cuts.
"""

from __future__ import annotations

import numpy as np

from streams import rulebook
from streams.core import sketch
from streams.core.row import DAY
from streams.settings import Settings
from streams.shard import Plan, Shard


class Freezer:
    """Takes a population's cuts at regular times.

    Attributes:
        every_ms: how often; 0 where all cuts are the settings' own.
        times: how often they were taken.
        cuts: the newest, by kind of user.
    """

    def __init__(self, settings: Settings, shard: Shard) -> None:
        self.every_ms = rulebook.refreeze_ms(settings)
        self.times = 0
        self.cuts: dict[str, dict[str, float]] = {}
        self._settings = settings
        self._book = shard.book
        self._plans = [Plan(0, shard.book)]
        self._due: int | None = None

    def place(self, events: np.ndarray) -> int | None:
        """Return the place of the first event (EVENT[n], in order) before which cuts are to be taken, or None."""
        if not self.every_ms or not len(events):
            return None
        if self._due is None:
            self._due = int(events["at"][0]) + self.every_ms
        due = np.flatnonzero(events["at"] >= self._due)
        return int(due[0]) if len(due) else None

    def freeze(self, shard: Shard, at: int) -> Plan | None:
        """Take the cuts of the shard's users, and let them hold from `at` (int ms UTC) on; None where nobody bought."""
        self._due = at + self.every_ms
        rows, day = shard.rows[: len(shard.index)], at // DAY
        weeks = shard.book.table["look_back_weeks"].tolist()
        as_of = max(day, int(rows["day"].max(initial=0)))
        found = sketch.summarize(rows, shard.purchases, as_of, weeks, shard.book.kinds)
        cuts = rulebook.population_cuts(self._settings, found)
        if not cuts:
            return None
        self.cuts, self.times = cuts, self.times + 1
        plan = Plan(at, rulebook.with_cuts(self._book, cuts, self._book.number + self.times))
        self._plans = [self._plans[-1], plan]
        shard.plan(self._plans)
        return plan
