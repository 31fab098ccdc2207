"""Histories that hypothesis makes, and a reader that feeds them to a merge and a shard chunk by chunk."""

import numpy as np
from hypothesis import strategies as st

from streams.core.activity import CLASSES, Rules
from streams.core.row import CAUSES, CLICKS, DAY, EVENT, NEVER, ORDERS
from streams.merge import Merge
from streams.shard import Shard

T0 = 1_700_006_400_000  # a UTC midnight
HOUR = DAY // 24

hours = st.integers(0, 24 * 90)
users = st.integers(0, 5)
acts = st.lists(st.tuples(hours, users, st.sampled_from((CLICKS, ORDERS))), min_size=1, max_size=80)
thresholds = st.sampled_from(
    [Rules(7 * DAY, 14 * DAY, 30 * DAY), Rules(NEVER, 14 * DAY, NEVER), Rules(2 * DAY, 3 * DAY, 4 * DAY)]
)
cuts = st.lists(st.tuples(st.sampled_from((CLICKS, ORDERS)), st.integers(1, 20)), max_size=60)


def topics(history):
    """The history in order of time as two topics: each an EVENT array with offsets and user keys."""
    found = {}
    for source in (CLICKS, ORDERS):
        rows = [(hour, user) for hour, user, s in sorted(history) if s == source]
        events = np.zeros(len(rows), EVENT)
        events["at"] = [T0 + hour * HOUR for hour, _ in rows]
        events["offset"] = np.arange(len(rows))
        events["source"], events["act"], events["amount"] = source, 1, 100 * source
        found[source] = events, [b"u%d" % user for _, user in rows]
    return found


class Reader:
    """Reads two topics in any cuts into a shard; remembers the moves by user."""

    def __init__(self, history, rules, shard=None):
        self.topics = topics(history)
        self.merge, self.shard = Merge(), shard or Shard(rules)
        self.read = {CLICKS: 0, ORDERS: 0}
        self.moves = {}

    def at_end(self, source):
        return self.read[source] >= len(self.topics[source][0])

    def chunk(self, source, size):
        """Read the next `size` events of a topic, and fold what has its turn."""
        events, keys = self.topics[source]
        start = self.read[source]
        part = events[start : start + size].copy()
        part["row"] = self.shard.intern(keys[start : start + size])
        self.merge.add(source, part)
        self.read[source] = start + len(part)
        self.note(self.shard.fold(self.merge.take([self.at_end(CLICKS), self.at_end(ORDERS), True]), {}))

    def pass_time(self, until):
        self.note(self.shard.advance(until))

    def note(self, moves):
        for m in moves:
            told = (int(m["seq"]), CLASSES[m["from"]], CLASSES[m["to"]], int(m["at"]), CAUSES[m["cause"]])
            self.moves.setdefault(self.shard.keys[m["row"]].decode(), []).append(told)

    def run(self, cut=(), *, sweep=False):
        """Read everything, by these cuts and then in one go; sweep after each chunk or only at the end."""
        for source, size in (*cut, (ORDERS, 10_000), (CLICKS, 10_000)):
            self.chunk(source, size)
            if sweep:
                self.pass_time(self.shard.newest)
        self.pass_time(self.shard.newest)
        return self

    def rows(self):
        """Every known user's row as bytes."""
        return {key: row.tobytes() for key, row in self.shard.users()}
