"""One user's life, told event by event to a shard of his own."""

import numpy as np

from streams.core.activity import CLASSES
from streams.core.row import CAUSES, CLICKS, EVENT, ORDERS
from streams.shard import Shard

T0 = 1_700_006_400_000  # a UTC midnight


class Life:
    """A user whose moves are told as (from, to, cause, seq, at)."""

    def __init__(self, rules):
        self.shard = Shard(rules)
        self.offsets = [0, 0]

    @property
    def row(self):
        return self.shard.rows[0]

    def act(self, at, source=CLICKS, amount=0):
        event = np.zeros(1, EVENT)
        event["at"], event["source"], event["act"], event["amount"] = at, source, 1, amount
        event["offset"] = self.offsets[source]
        self.offsets[source] += 1
        event["row"] = self.shard.intern([b"u1"])
        return told(self.shard.fold(event, {}))

    def buy(self, at, amount):
        return self.act(at, ORDERS, amount)

    def time(self, until):
        return told(self.shard.advance(until))


def told(moves):
    return [(CLASSES[m["from"]], CLASSES[m["to"]], CAUSES[m["cause"]], int(m["seq"]), int(m["at"])) for m in moves]
