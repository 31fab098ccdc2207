"""Histories that hypothesis makes, and a reader that feeds them to a merge and a shard chunk by chunk.

A deed is what somebody did or what happened to him; a history is a list of (hour, user, deed). The plain ones, of
visits and orders alone, are (hour, user, source).
"""

from typing import NamedTuple

import numpy as np
import orjson
from hypothesis import strategies as st

from streams import rulebook
from streams.core.activity import CLASSES
from streams.core.row import (
    CAUSES,
    CLICK_KINDS,
    CLICKS,
    DAY,
    EVENT,
    FEEDBACK,
    FEEDBACK_KINDS,
    IS_SAID,
    NEVER,
    ORDER_KINDS,
    ORDERS,
    PROFILES,
    SOURCES,
)
from streams.core.rules import activity_only
from streams.merge import Merge
from streams.settings import Settings
from streams.shard import Shard
from streams.threshold import Activity, Growth, Own, Social, Stage, Value

T0 = 1_700_006_400_000  # a UTC midnight, of a Wednesday
HOUR = DAY // 24
HALF = HOUR // 2
"""Events lie on the half hour, so that none coincides with the beginning of a day."""
LAST_HOUR = 24 * 90

hours = st.integers(0, LAST_HOUR)
users = st.integers(0, 5)
acts = st.lists(st.tuples(hours, users, st.sampled_from((CLICKS, ORDERS))), min_size=1, max_size=80)
thresholds = st.sampled_from(
    [
        activity_only(7 * DAY, 14 * DAY, 30 * DAY),
        activity_only(NEVER, 14 * DAY, NEVER),
        activity_only(2 * DAY, 3 * DAY, 4 * DAY),
    ]
)
cuts = st.lists(st.tuples(st.sampled_from((CLICKS, ORDERS)), st.integers(1, 20)), max_size=60)
wide_cuts = st.lists(st.tuples(st.integers(0, len(SOURCES) - 1), st.integers(1, 20)), max_size=60)


class Deed(NamedTuple):
    """One thing that happens; `order` is its id, `body` what is handed on whole, without user and time."""

    source: int
    kind: int
    order: int = 0
    amount: int = 0
    category: int = 0
    origin: int = 0
    coupon: int = 0
    side: int = 0
    body: dict | None = None


def click(kind, **more):
    return Deed(CLICKS, CLICK_KINDS.index(kind), **more)


def order(ident, amount, kind="paid", **more):
    return Deed(ORDERS, ORDER_KINDS.index(kind), order=ident, amount=amount, **more)


def feedback(kind, **more):
    place = FEEDBACK_KINDS.index(kind)
    return Deed(FEEDBACK, place, body={"decision": "d", "kind": kind, **more} if IS_SAID[place] else None)


def profile(**said):
    return Deed(PROFILES, 0, body=said)


SAYING = ("bounced", "complained", "unsubscribed", "subscribed")
CLICK_DEEDS = [
    *(click(kind) for kind in CLICK_KINDS if kind not in ("redeem", "complaint", "resolved")),
    *(click("view", category=category, origin=category % 4) for category in range(1, 12)),
]
TILL_DEEDS = [click("redeem", amount=20), click("redeem", amount=500), click("complaint"), click("resolved")]
"""What depends on the state that it meets: redemptions, and complaints that are opened before they are resolved."""
ORDER_DEEDS = [
    order(ident, amount, coupon=coupon, category=ident % 5, origin=ident % 3)
    for ident, amount, coupon in (
        (1, 12_000, 1),
        (2, 4_900, 1),
        (3, 30_000, 0),
        (4, 100, 1),
        (5, 9_999, 1),
        (6, 500, 0),
    )
]
REFUND_DEEDS = [
    *(order(ident, 0, "refunded") for ident in range(1, 5)),
    *(order(ident, 60, "refunded") for ident in range(1, 7)),
    *(order(ident, 0, "cancelled") for ident in (1, 5, 6)),
]
SIDE_DEEDS = [click("view", side=1), click("view", side=2), order(7, 2_000, side=2)]
FEEDBACK_DEEDS = [
    *(feedback(kind) for kind in (*FEEDBACK_KINDS, "delivered", "delivered")),
    *(feedback(kind, channel=channel) for kind in SAYING for channel in ("email", "sms")),
    *(feedback(kind, channel="email", about="offer") for kind in ("unsubscribed", "subscribed")),
    feedback("unsubscribed", about="content"),
]
PROFILE_DEEDS = [
    profile(attributes={"region": "Harbin", "age": 30}, contacts={"email": "a@example.org"}, consent={"email": True}),
    profile(attributes={"region": "Shenzhen"}, seed=True, time_zone="Asia/Shanghai"),
    profile(side="rider", attributes={"age": 12}),
    profile(membership={"since": T0 + 5 * DAY, "until": T0 + 40 * DAY}, consent={"sms": True, "email": False}),
    profile(membership={"since": T0 + 5 * DAY, "until": T0 + 80 * DAY}, attributes={"region": "nowhere"}),
    profile(
        contacts={"sms": "1", "email": "b@example.org"}, consent={"sms": True, "email": True},
        merged=[{"user": "other", "consent": {"email": True}}],
    ),
]  # fmt: skip
CLOCKED_DEEDS = CLICK_DEEDS + TILL_DEEDS + 2 * ORDER_DEEDS + REFUND_DEEDS + SIDE_DEEDS
"""Deeds whose times move the user's clock. What others tell of him (profiles, what came back of pushes) moves none."""
DEEDS = CLOCKED_DEEDS + FEEDBACK_DEEDS + PROFILE_DEEDS


def histories(deeds=DEEDS, size=60, until=LAST_HOUR, users=users):
    """A strategy of histories of some deeds, in order of time."""
    happening = st.tuples(st.integers(0, until), users, st.sampled_from(deeds))
    return st.lists(happening, min_size=1, max_size=size).map(lambda found: sorted(found, key=lambda h: h[:2]))


SETTINGS = Settings(
    activity=Activity(new_days=5, dormant_days=9, churned_days=20),
    stage=Stage(growth_days=2, maturity_days=3),
    value=Value(
        look_back_weeks=4, recent_days=10, frequency_orders=2, monetary_amount=120, old_days=20,
        coupon_on=0.37, coupon_off=0.29, coupon_prior=1.7, coupon_half_life_days=14,
    ),
    social=Social(leader_score=4, influence_half_life_days=10, quiet_days=6, tired_score=2, exhausted_score=4),
    growth=Growth(early_access_days=4, streak_bonus=30, renewal_days=9, level_warn_days=150),
    own={
        "spender": Own(of="spend", weeks=2, bands={"small": 1, "middling": 100, "big": 300}),
        "basket": Own(of="order_value", weeks=3, bands={"light": 1, "heavy": 100}),
        "busy": Own(of="clicks", days=6, bands={"calm": 0, "lively": 2, "restless": 4}),
        "keen": Own(of="active_days", days=9, bands={"rarely": 0, "often": 3}),
        "saver": Own(of="coupons", weeks=5, bands={"full_price": 0, "saving": 1, "hunting": 2}),
        "region": Own(of="attributes.region", values={"north": ("Beijing", "Harbin"), "south": ("Shenzhen",)}),
    },
    kinds={
        "rider": {
            "activity": {"dormant_days": 4, "churned_days": 6},
            "value": {"frequency_orders": 1, "monetary_amount": 20},
            "bands": {"order_frequency": {"no_order": 0, "one_order": 1, "two_to_five": 3, "six_or_more": 4}},
        }
    },
)  # fmt: skip
BOOK = rulebook.build(SETTINGS)
PLACE = {name: place for place, name in enumerate(BOOK.dimensions)}


def plain(source):
    """The deed of the plain histories: every order is another one, of an amount of its source."""
    return Deed(source, 2 if source == CLICKS else 0, order=-1, amount=100 * source)


def topics(history):
    """The history as one topic a source: each an EVENT array with offsets, user keys, and payloads."""
    told = [(h, u, d if isinstance(d, Deed) else plain(d)) for h, u, d in history]
    found = {}
    for source in range(len(SOURCES)):
        rows = [(hour, user, deed) for hour, user, deed in told if deed.source == source]
        events = np.zeros(len(rows), EVENT)
        payloads = {}
        for k, (hour, user, deed) in enumerate(rows):
            event = events[k]
            event["at"], event["offset"], event["source"] = T0 + hour * HOUR + HALF, k, source
            event["hash"] = k + 1 if deed.order < 0 else user * 1000 + deed.order
            for name in ("kind", "amount", "category", "origin", "coupon", "side"):
                event[name] = getattr(deed, name)
            event["act"] = source == CLICKS or (source == ORDERS and deed.kind == 0)
            if deed.body is not None:
                payloads[source, k] = orjson.dumps({"user": f"u{user}", "at": int(event["at"]), **deed.body})
        found[source] = events, [b"u%d" % user for _, user, _ in rows], payloads
    return found


class Reader:
    """Reads the topics in any cuts into a shard; remembers the moves by user."""

    def __init__(self, history, rules=BOOK, shard=None):
        # By time, and by user; what one user does at the same time keeps its order.
        self.topics = topics(sorted(history, key=lambda h: h[:2]))
        self.merge, self.shard = Merge(), shard or Shard(rules)
        self.read = dict.fromkeys(self.topics, 0)
        self.payloads = {}
        self.told = {}

    def at_end(self):
        return [self.read[source] >= len(events) for source, (events, _, _) in self.topics.items()]

    def chunk(self, source, size):
        """Read the next `size` events of a topic, and fold what has its turn."""
        events, keys, payloads = self.topics[source]
        start = self.read[source]
        part = events[start : start + size].copy()
        part["row"] = self.shard.intern(keys[start : start + size])
        places = [(source, k) for k in range(start, start + len(part))]
        self.payloads |= {place: payloads[place] for place in places if place in payloads}
        self.merge.add(source, part)
        self.read[source] = start + len(part)
        self.note(self.shard.fold(self.merge.take(self.at_end()), self.payloads))

    def pass_time(self, until):
        self.note(self.shard.advance(until))

    def note(self, moves):
        for m in moves:
            self.told.setdefault(self.shard.index.key(m["row"]).decode(), []).append(m.copy())

    @property
    def moves(self):
        """Moves of the activity class by user: (seq, from, to, at, cause)."""
        return {
            user: [
                (int(m["seq"]), CLASSES[m["from"]], CLASSES[m["to"]], int(m["at"]), CAUSES[m["cause"]])
                for m in moves
                if m["dimension"] == 0
            ]
            for user, moves in self.told.items()
        }

    @property
    def all_moves(self):
        """All that is told of all moves, by user."""
        return {user: [told(move) for move in moves] for user, moves in self.told.items()}

    def run(self, cut=(), *, sweep=False, until=None):
        """Read everything, by these cuts and then in one go; sweep after each chunk or only at the end."""
        rest = [(source, 10_000) for source in (PROFILES, FEEDBACK, ORDERS, CLICKS)]
        for source, size in (*cut, *rest):
            self.chunk(source, size)
            if sweep:
                self.pass_time(self.shard.newest)
        self.pass_time(self.shard.newest if until is None else until)
        return self

    def rows(self, but=()):
        """Every known user's row, purchases and orders, but for what is in memory only and the fields `but`."""
        found = {}
        for key, row in self.shard.users():
            kept = row.copy()
            for name in ("first_order", "purchases", *but):
                kept[name] = 0
            number = self.shard.index.find(key)
            found[key] = kept.tobytes(), self.shard.weekly(number).tobytes(), self.shard.orders(number).tobytes()
        return found


def told(move):
    """All of a move but the number of its row, which depends on the order in which users were met."""
    fields = ("at", "seq", "dimension", "from", "to", "cause", "kind", "rules")
    return *(int(move[name]) for name in fields), *move["figures"].tolist()


def named(shard, move):
    """A move as (dimension, from, to, at, cause)."""
    values = shard.book.values[move["dimension"]]
    return (
        shard.book.dimensions[move["dimension"]],
        values[move["from"]],
        values[move["to"]],
        int(move["at"]),
        CAUSES[move["cause"]],
    )
