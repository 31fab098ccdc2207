"""The batch oracle of the activity class (A1): plain, slow, and written apart from the engine.

It goes by the definitions alone: a user's first act makes him new; a second active day, or `new_days`, makes
him active; `dormant_days` without an act make him dormant and `churned_days` churned, dated at the deadline;
his next act makes him returning until his second active day. It shares no line with the engine, so that where
the two agree they agree about the definition.
"""

from collections import defaultdict
from typing import NamedTuple

DAY = 86_400_000


class Rules(NamedTuple):
    """Thresholds in days; 0 for none."""

    new_days: float = 7
    dormant_days: float = 14
    churned_days: float = 30


class Step(NamedTuple):
    """One transition of one user, with the fields' names as the messages have them (`from` is a keyword)."""

    seq: int
    from_: str
    to: str
    at: int
    cause: str


class User:
    """One user's life so far."""

    def __init__(self, rules):
        self.rules = rules
        self.stage = "none"
        self.first_at = 0  # his first act
        self.last_at = 0  # his newest act
        self.entered_at = 0  # the act by which he became new or returning
        self.steps = []

    def move(self, to, at, cause):
        self.steps.append(Step(len(self.steps) + 1, self.stage, to, at, cause))
        self.stage = to

    def deadlines(self):
        """Yield (when, which goes first at the same instant, into what) for what time alone would do."""
        new, dormant, churned = (round(days * DAY) for days in self.rules)
        if self.stage == "new" and new:
            yield self.first_at + new, 1, "active"
        if self.stage in ("new", "active", "returning") and dormant:
            yield self.last_at + dormant, 2, "dormant"
        if self.stage == "dormant" and churned:
            yield self.last_at + churned, 3, "churned"

    def settle(self, until):
        """Take every deadline that lies strictly before `until`, the earliest first."""
        while due := [deadline for deadline in self.deadlines() if deadline[0] < until]:
            at, _, to = min(due)
            self.move(to, at, "time")

    def act(self, at):
        if self.stage == "none":
            self.first_at = self.last_at = self.entered_at = at
            self.move("new", at, "event")
            return
        if at < self.last_at:
            return  # an older act changes nothing
        self.settle(at)
        if self.stage in ("dormant", "churned"):
            self.entered_at = at
            self.move("returning", at, "event")
        elif self.stage in ("new", "returning") and at // DAY > self.entered_at // DAY:
            self.move("active", at, "event")
        self.last_at = at


def transitions(acts, rules, end):
    """Return each user's steps, as {user: [Step, ...]}.

    `acts`: (user, at) in order of `at`, int ms UTC. `end`: the end of time; deadlines before it have passed.
    """
    users = defaultdict(lambda: User(rules))
    for user, at in acts:
        users[user].act(at)
    for life in users.values():
        life.settle(end)
    return {user: life.steps for user, life in users.items()}
