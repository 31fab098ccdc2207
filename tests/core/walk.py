"""A user walked through his days: the rooms of the core that are about his visits, called in the order of the fold.

Orders, social facts and profiles are put into the row as given: they are other rooms'.
"""

import numpy as np

from streams.core import activity, engagement, habit, period
from streams.core.dimension import ACTIVITY, ATTENTION, DIMENSIONS, RUNG, STAGE
from streams.core.row import (
    CAUSES,
    DAY,
    EVENT_CAUSE,
    MOVE,
    NEVER,
    NEVER_DAY,
    PURCHASES,
    ROW,
    THRESHOLD_CAUSE,
    TIME_CAUSE,
    WEEKS,
)
from streams.core.rules import RULE
from streams.core.window import mark_active, was_active, week_of

T0 = 1_700_438_400_000  # 2023-11-20, a Monday, 00:00 UTC
D0 = T0 // DAY
DEFAULTS = {
    "new_ms": 7 * DAY, "dormant_ms": 14 * DAY, "churned_ms": 30 * DAY,
    "growth_orders": 1, "growth_days": 4, "growth_window": 14,
    "maturity_orders": 2, "maturity_days": 8, "maturity_window": 28,
    "habit_days": 3, "habit_window": 7, "habit_weeks": 3,
    "attention_share": 0.5, "look_back_weeks": 26, "dwell_days": 0,
}  # fmt: skip
NO_STOPS = np.zeros((0, 2), np.int64)


def ruled(**figures):
    rules = np.zeros(1, RULE)
    for name, figure in (DEFAULTS | figures).items():
        rules[name] = figure
    rules["on"][0, [ACTIVITY, STAGE, RUNG, ATTENTION]] = 1
    return rules


class Walk:
    """A row, and the moves of its user as (dimension, from, to, cause, day after D0)."""

    def __init__(self, rules=None, periods=None, stops=NO_STOPS):
        self.rules = ruled() if rules is None else rules
        self.stops = stops
        self.rows, self.weekly = np.zeros(1, ROW), np.zeros(1, PURCHASES)[0]
        self.periods = period.empty() if periods is None else periods
        self.origins = np.zeros(65_536, np.int64)
        self.moves = np.zeros(4096, MOVE)
        self.n = 0
        self.told = 0

    @property
    def row(self):
        return self.rows[0]

    def value(self, dimension):
        return DIMENSIONS[dimension].values[self.row["values"][dimension]]

    def act(self, at, *, used=0, orders=0, brought=0, category=0, origin=0, vouched=NEVER):
        self.pass_time(min(at, vouched))
        rows, day = self.rows, np.int64(at // DAY)
        first = rows["values"][0, ACTIVITY] == activity.NONE
        habit.pass_days(rows[0], self.weekly, day)
        if not was_active(rows[0], day):
            period.count(self.periods, rows[0], day)
            mark_active(rows[0], day)
            habit.settle_days(rows[0])
        if first or at > rows["last_at"][0]:
            self.n = activity.act(rows[0], np.int64(at), self.moves, self.n)
            habit.remember(rows[0], at, first)
        else:
            self.n = activity.late_act(rows[0], np.int64(at), self.rules[0], self.moves, self.n)
        rows["first_at"][0] = at if first else min(at, rows["first_at"][0])
        habit.note(rows[0], at, category)
        habit.touch(rows[0], at, origin, self.origins)
        rows["used"][0] += used
        rows["brought"][0] += brought
        self.order(at, orders)
        return self.judge(at)

    def order(self, at, orders):
        ring, week = self.weekly["orders"], week_of(at // DAY)
        self.rows["orders"][0] = int(self.rows["orders"][0]) + orders
        if week > int(self.rows["week"][0]) - WEEKS:
            ring[week % WEEKS] = int(ring[week % WEEKS]) + orders

    def undo(self, at):
        """Take back an order made on the day of `at`."""
        habit.pass_days(self.rows[0], self.weekly, np.int64(at // DAY))
        self.order(at, -1)
        return self.judge(at)

    def judge(self, at, cause=EVENT_CAUSE):
        day = np.int64(self.rows["day"][0])
        self.n = engagement.judge(
            self.rows[0], self.weekly, day, np.int64(at), cause, self.rules[0], self.moves, self.n, self.stops
        )
        assert self.due > day
        return self.tell()

    @property
    def due(self):
        return int(self.rows["due_engagement"][0])

    def time(self, until):
        """Make the moves of time before `until`."""
        self.pass_time(until)
        return self.tell()

    def pass_time(self, until):
        while True:
            deadline = int(activity.deadline(self.rows[0], self.rules, self.stops))
            due = self.due * DAY if 0 < self.due < NEVER_DAY else NEVER
            at = min(deadline, due)
            if at >= until:
                return
            if deadline == at:
                self.n = activity.lapse(self.rows[0], np.int64(at), TIME_CAUSE, self.rules, self.moves, self.n)
            habit.pass_days(self.rows[0], self.weekly, np.int64(at // DAY))
            day = np.int64(at // DAY)
            self.n = engagement.judge(
                self.rows[0], self.weekly, day, np.int64(at), TIME_CAUSE, self.rules[0], self.moves, self.n, self.stops
            )
            assert self.due > day

    def rule_anew(self, at, **figures):
        self.rules = ruled(**figures)
        self.n = activity.reconsider(self.rows[0], np.int64(at), self.rules, self.stops, self.moves, self.n)
        return self.judge(at, THRESHOLD_CAUSE)

    def tell(self):
        """Return the moves that were not told yet, but for those of the activity class."""
        new, self.told = self.moves[self.told : self.n], self.n
        return [told(move) for move in new if move["dimension"] != ACTIVITY]


def told(move):
    dimension = DIMENSIONS[move["dimension"]]
    day = int(move["at"] // DAY - D0)
    return dimension.name, dimension.values[move["from"]], dimension.values[move["to"]], CAUSES[move["cause"]], day


def figures(walk, dimension):
    """Return the evidence of the newest move of a dimension."""
    moves = walk.moves[: walk.n]
    return moves[moves["dimension"] == dimension][-1]["figures"].tolist()
