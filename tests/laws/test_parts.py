"""What bears upon all users at once comes to the same, whether it is done at once or in parts between other things."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams import rulebook
from streams import shard as room
from streams.core.row import EVENT, NEVER
from streams.shard import Plan, Shard
from streams.wire.block import Pairs
from tests.laws.history import (
    BOOK,
    CLICK_DEEDS,
    FEEDBACK_DEEDS,
    HOUR,
    LAST_HOUR,
    ORDER_DEEDS,
    PROFILE_DEEDS,
    REFUND_DEEDS,
    T0,
    histories,
    told,
    topics,
)
from tests.laws.test_rules import BOOKS, changed
from tests.laws.test_trust import END, NO_STOPS, spans

OTHER_WORDS = rulebook.build(
    changed(
        bands={"level": {"first": 0, "second": 50}, "points": {"large": 0, "empty": 1, "small": 60, "worth_using": 500}}
    ),
    BOOK,
    9,
)
some_plans = st.lists(
    st.tuples(st.integers(1, LAST_HOUR), st.sampled_from((*BOOKS, OTHER_WORDS))),
    max_size=2, unique_by=(lambda p: p[0], lambda p: p[1].number),
).map(lambda found: [Plan(0, BOOK), *(Plan(T0 + hour * HOUR, book) for hour, book in found)])  # fmt: skip
reading = st.tuples(st.just("read_some"), st.integers(1, 8))
passing = st.tuples(st.just("pass"), st.integers(0, 24 * 20), st.just(1))
vouched = st.one_of(st.none(), st.integers(0, LAST_HOUR + 24 * 30))
trusting = st.tuples(st.just("trust"), vouched, spans())
committing, crashing = st.just(("commit",)), st.just(("crash",))


def turns(*others):
    """Steps: now and then another, and between them time that begins to pass and events that come amid it."""
    some = st.tuples(
        st.lists(st.one_of(*others), max_size=1), passing, st.lists(st.one_of(reading, *others), max_size=4)
    )
    return st.lists(some, max_size=10).map(lambda found: [s for a, b, c in found for s in (*a, b, *c)])


LATE_HOURS = 24 * 3
MOST_PARTS = 12
"""Of a sweep of six users, with new rules amid it."""


@pytest.fixture(autouse=True, scope="module")
def few_at_once():
    """Have so few deadlines set at once that a handful of users is many."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(room, "SET_AT_ONCE", 2)
        yield


def arrived(history, delays):
    """The events (EVENT[n]) of a history as they come, some late; each one's user key, and the payloads."""
    late = sorted(range(len(history)), key=lambda k: history[k][0] + delays[k])
    history = [history[k] for k in late]
    found, read = topics(history), dict.fromkeys(range(4), 0)
    events, keys, payloads = np.zeros(len(history), EVENT), [], {}
    for k, (_, _, deed) in enumerate(history):
        mine, whose, said = found[deed.source]
        events[k] = mine[read[deed.source]]
        keys.append(whose[read[deed.source]])
        payloads |= said
        read[deed.source] += 1
    return events, keys, payloads


class Worker:
    """A shard that is told events, lets time pass in parts, commits, and may crash."""

    def __init__(self, stream, plans, stops=NO_STOPS):
        self.events, self.keys, self.payloads = stream
        self.plans, self.stops = plans, stops
        self.read, self.moves, self.changelog, self.log = 0, [], {room.TIME_KEY: b"[0,0]"}, []
        self._begin()
        self.commit()

    def _begin(self):
        self.shard = Shard(BOOK)
        self.shard.restore(Pairs.of(self.changelog.items()))
        self.shard.settle()
        self.note(self.shard.plan(self.plans))
        self.shard.trust(NEVER, self.stops)
        self.told = []

    @property
    def now(self):
        """The greatest time of what was read."""
        return int(self.events["at"][: self.read].max(initial=T0))

    def note(self, moves):
        self.moves += [(self.shard.index.key(int(move["row"])), told(move)) for move in moves]

    def do(self, what, *how):
        """Do something, and note what it amounts to: time passes when it begins to, trust counts when it next does."""
        if what == "pass":
            until = self.now + how[0] * HOUR
            if not self.shard.is_behind:
                self.log += [*self.told, ("whole", until)]
                self.told = []
            self.note(self.shard.advance(until, how[1]))
        elif what == "trust" and self.shard.is_behind:
            self.told = [(what, *how)]
            self.trust(*how)
        else:
            self.told = [] if what == "trust" else self.told
            self.log.append((what, *how))
            getattr(self, what)(*how)

    def whole(self, until):
        self.note(self.shard.advance(until))

    def read_some(self, count):
        last = min(self.read + count, len(self.events))
        some = self.events[self.read : last].copy()
        some["row"] = self.shard.intern(self.keys[self.read : last])
        self.read = last
        self.note(self.shard.fold(some, dict(self.payloads)))

    def trust(self, hour, stops):
        self.shard.trust(NEVER if hour is None else T0 + hour * HOUR, stops)

    def commit(self):
        self.note(self.shard.judge(self.shard.changed_users()))
        self.changelog |= dict(self.shard.take_changed().each())
        self._kept = self.read, len(self.moves), len(self.log)

    def crash(self):
        self.read, moves, log = self._kept
        self.moves, self.log = self.moves[:moves], self.log[:log]
        self._begin()

    def end(self):
        """Read everything, let all time pass, and return what is to be compared."""
        self.read_some(len(self.events))
        for _ in range(2):
            self.whole(END)
        self.commit()
        by_user = {}
        for key, move in self.moves:
            by_user.setdefault(key, []).append(move)
        shard = self.shard
        due = {key: int(shard.due[shard.index.find(key)]) for key, _ in shard.users()}
        return by_user, self.changelog, due, shard.population[:, 1:].tolist(), shard.watermark


def agree(stream, plans, steps, stops=NO_STOPS):
    parts = Worker(stream, plans, stops)
    for step in steps:
        parts.do(*step)
    for _ in range(2 * MOST_PARTS):  # ends what is under way, and lets come into force what was told amid it
        parts.do("pass", 0, 1)
    while parts.shard.is_behind:
        parts.do("pass", 0, 1)
    whole = Worker(stream, plans, stops)
    for what, *how in parts.log:
        getattr(whole, what)(*how)
        if what == "trust":
            whole.shard._set_deadlines(None)
    assert parts.end() == whole.end()


DEEDS = 2 * CLICK_DEEDS + 2 * ORDER_DEEDS + REFUND_DEEDS + 3 * FEEDBACK_DEEDS + 6 * PROFILE_DEEDS
some_streams = st.builds(
    arrived, histories(DEEDS, 50), st.lists(st.integers(0, LATE_HOURS), min_size=50, max_size=50)
)  # fmt: skip


# Without commits: they judge who changed, and by which stops a user is judged depends on which came first.
@given(some_streams, some_plans, turns(trusting))
def test_time_new_stops_and_new_rules_come_to_the_same_in_parts(stream, plans, steps):
    agree(stream, plans, steps)


@given(some_streams, some_plans, turns(committing, crashing), spans())
def test_a_crash_amid_the_parts_loses_nothing_and_tells_nothing_twice(stream, plans, steps, stops):
    agree(stream, plans, steps, stops)
