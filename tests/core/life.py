"""One user's life, told event by event to a shard of his own."""

import numpy as np

from streams.core.row import CAUSES, CLICK_KINDS, CLICKS, EVENT, ORDER_KINDS, ORDERS
from streams.shard import Shard

T0 = 1_700_006_400_000  # a UTC midnight


class Life:
    """A user whose moves in one dimension are told as (from, to, cause, seq, at)."""

    def __init__(self, book, dimension="activity"):
        self.shard = Shard(book)
        self.place = book.dimensions.index(dimension)
        self.offsets = [0, 0]

    @property
    def row(self):
        return self.shard.rows[0]

    @property
    def weekly(self):
        return self.shard.weekly(0)

    @property
    def value(self):
        return self.shard.book.values[self.place][self.row["values"][self.place]]

    def act(self, at, source=CLICKS, amount=0, **more):
        event = np.zeros(1, EVENT)
        event["at"], event["source"], event["act"], event["amount"] = at, source, 1, amount
        event["kind"] = CLICK_KINDS.index("view") if source == CLICKS else 0
        event["hash"] = self.offsets[source] + 1
        for name, value in more.items():
            event[name] = value
        event["offset"] = self.offsets[source]
        self.offsets[source] += 1
        event["row"] = self.shard.intern([b"u1"])
        return self.told(self.shard.fold(event, {}))

    def do(self, at, kind, **more):
        return self.act(at, kind=CLICK_KINDS.index(kind), **more)

    def buy(self, at, amount, **more):
        return self.act(at, ORDERS, amount, **more)

    def refund(self, at, order, amount=0, kind="refunded"):
        return self.act(at, ORDERS, amount, kind=ORDER_KINDS.index(kind), act=0, hash=order)

    def time(self, until):
        return self.told(self.shard.advance(until))

    def told(self, moves):
        names = self.shard.book.values[self.place]
        return [
            (names[m["from"]], names[m["to"]], CAUSES[m["cause"]], int(m["seq"]), int(m["at"]))
            for m in moves
            if m["dimension"] == self.place
        ]
