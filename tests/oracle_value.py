"""The batch oracle of what a user is worth: plain, slow, and written apart from the engine.

It keeps a user's deeds as they came, and works every value out anew from all of them, for each deed and for each day
that begins: customer class, RFM tier, bands, dependency on coupons, and dimensions of one's own. It shares no line
with the engine, so that where the two agree they agree about the definitions (LIFECYCLE §1).
"""

from collections import defaultdict
from collections.abc import Mapping
from datetime import date, timedelta
from types import MappingProxyType
from typing import NamedTuple

DAY_MS = 86_400_000
HALF_YEAR_DAYS = 189  # 26 weeks, and the one that runs
REMEMBERED_FOR_EVER = 4
TIERS = {
    "HHH": "champion", "HLH": "grow_frequency", "LHH": "keep", "LLH": "rescue",
    "HHL": "grow_basket", "HLL": "nurture", "LHL": "maintain", "LLL": "let_go",
}  # fmt: skip


class Deed(NamedTuple):
    """What one did: `what` is click, paid, refunded, cancelled or profile. Money in minor units."""

    user: str
    at: int
    what: str
    order: int = 0
    amount: int = 0
    coupon: bool = False
    kind: str = ""
    said: Mapping = MappingProxyType({})


class Ahead(NamedTuple):
    """Refunds of an order that has not come, and the time of the first."""

    at: int
    refunds: list


class Own(NamedTuple):
    """A dimension of one's own: of a fact in a window of days or weeks, or of words of an attribute."""

    of: str
    window: int
    bands: tuple = ()
    words: Mapping = MappingProxyType({})


class Terms(NamedTuple):
    """What holds for one kind of user; bands are (name, lower bound), ascending, money in minor units."""

    look_back_weeks: int
    recent_days: float
    frequency_orders: float
    monetary_amount: float
    average: bool
    old_days: int
    coupon_on: float
    coupon_off: float
    coupon_share: float
    coupon_prior: float
    coupon_half_life_days: float
    order_value: tuple
    order_frequency: tuple
    own: dict


def day_of(at):
    return date(1970, 1, 1) + timedelta(days=at // DAY_MS)


def week_of(day):
    """A week is its Monday."""
    return day - timedelta(days=day.weekday())


def band_of(figure, bands):
    names = [name for name, bound in bands if figure >= bound]
    return names[-1] if names else "none"


class User:
    """One user's deeds so far, and the values that he came to."""

    def __init__(self, terms):
        self.terms = terms
        self.kind = ""
        self.known = False
        self.orders = []  # each [at, amount, with a coupon, stands]
        self.remembered = {}  # id → one of them, or the refunds that came before it; the newest told last
        self.clicks = []
        self.visits = set()
        self.said = {}
        self.values = defaultdict(lambda: "none")
        self.steps = []

    def hear(self, deed):
        if deed.kind:
            self.kind = deed.kind
        if deed.what == "paid":
            self.buy(deed)
        elif deed.what in ("refunded", "cancelled"):
            self.take_back(deed)
        elif deed.what == "click":
            self.clicks.append(day_of(deed.at))
            self.visits.add(day_of(deed.at))
        else:
            self.said = deed.said
        self.known = self.known or deed.what in ("click", "paid", "profile")

    def buy(self, deed):
        ahead = self.remembered.get(deed.order, Ahead(deed.at, []))
        if not isinstance(ahead, Ahead):
            return
        self.visits.add(day_of(deed.at))
        self.remembered.pop(deed.order, None)
        self.remembered[deed.order] = [deed.at, deed.amount, deed.coupon, True]
        self.orders.append(self.remembered[deed.order])
        for refund in ahead.refunds:
            self.take_back(refund)
        self.forget(day_of(deed.at))

    def take_back(self, deed):
        if deed.order not in self.remembered:
            self.remembered[deed.order] = Ahead(deed.at, [])
            self.forget(day_of(deed.at))
        order = self.remembered[deed.order]
        if isinstance(order, Ahead):
            order.refunds.append(deed)
        elif deed.what == "refunded" and 0 < deed.amount < order[1]:
            order[1] -= deed.amount
        else:
            order[3] = False

    def forget(self, day):
        """Of what is older than half a year only the newest told are remembered."""
        newest_first = list(reversed(self.remembered.items()))
        for ident, told in newest_first[REMEMBERED_FOR_EVER:]:
            if day_of(told[0]) < day - timedelta(days=HALF_YEAR_DAYS):
                del self.remembered[ident]

    def standing(self):
        return [(day_of(at), amount, coupon) for at, amount, coupon, stands in self.orders if stands]

    def recent(self, day, weeks):
        first = week_of(day) - timedelta(weeks=weeks - 1)
        return [order for order in self.standing() if order[0] >= first]

    def worth(self, day):
        """Every value as of a day: {dimension: value}."""
        terms = self.terms[self.kind]
        found = {"customer": self.customer(day, terms), "rfm": self.tier(day, terms)}
        recent = self.recent(day, terms.look_back_weeks)
        mean = sum(o[1] for o in recent) / len(recent) if recent else 0
        found["order_value"] = band_of(mean, terms.order_value) if recent else "none"
        found["order_frequency"] = band_of(len(recent), terms.order_frequency)
        found["coupon"] = self.dependency(day, terms)
        for name, own in terms.own.items():
            if own.words:
                found[name] = own.words.get(str(self.said.get(own.of)), "none")
            else:
                found[name] = band_of(self.fact(own, day), own.bands)
        return found

    def customer(self, day, terms):
        bought = self.standing()
        if not bought:
            return "prospect"
        aged = (day - max(o[0] for o in bought)).days > terms.old_days
        return "old_customer" if len(bought) > 1 or aged else "new_customer"

    def tier(self, day, terms):
        bought = self.standing()
        if not bought:
            return "none"
        recent = self.recent(day, terms.look_back_weeks)
        spend = sum(o[1] for o in recent)
        monetary = (spend / len(recent) if recent else 0) if terms.average else spend
        recency = (day - max(o[0] for o in bought)).days
        high = (
            recency <= terms.recent_days,
            len(recent) >= terms.frequency_orders,
            monetary >= terms.monetary_amount,
        )
        return TIERS["".join("H" if h else "L" for h in high)]

    def share(self, day, terms):
        """The share of orders with a coupon, of half a year; an order of a half-life ago counts for half."""
        orders = coupons = 0.0
        for when, _, coupon in self.recent(day, 26):
            age = (week_of(day) - week_of(when)).days
            weight = 0.5 ** (age / terms.coupon_half_life_days)
            orders += weight
            coupons += weight * coupon
        return (coupons + terms.coupon_prior * terms.coupon_share) / (orders + terms.coupon_prior)

    def dependency(self, day, terms):
        if not self.standing():
            return "none"
        share = self.share(day, terms)
        bound = terms.coupon_off if self.values["coupon"] == "dependent" and share >= terms.coupon_off else None
        return "dependent" if share > terms.coupon_on or bound is not None else "independent"

    def fact(self, own, day):
        if own.of == "clicks":
            return sum(1 for when in self.clicks if when > day - timedelta(days=own.window))
        if own.of == "active_days":
            return sum(1 for when in self.visits if when > day - timedelta(days=own.window))
        recent = self.recent(day, own.window)
        if own.of == "orders":
            return len(recent)
        if own.of == "coupons":
            return sum(1 for o in recent if o[2])
        spend = sum(o[1] for o in recent)
        if own.of == "spend":
            return spend
        return spend / len(recent) if recent else 0

    def settle(self, day, at, cause):
        for name, value in self.worth(day).items():
            if value != self.values[name]:
                self.steps.append((name, self.values[name], value, at, cause))
                self.values[name] = value


def moves(deeds, terms, until):
    """Return each user's moves as {user: [(dimension, from, to, at, cause)]}, with the users' values at the end.

    `deeds` in order of time; `terms`: kind of user → Terms, "" for everybody; a day that begins before `until` has.
    """
    users = defaultdict(lambda: User(terms))
    newest = {}
    for deed in deeds:
        pass_days(users[deed.user], newest.get(deed.user), deed.at)
        newest[deed.user] = deed.at
        user = users[deed.user]
        user.hear(deed)
        if user.known:
            user.settle(day_of(deed.at), deed.at, "event")
    for name, user in users.items():
        pass_days(user, newest[name], until)
    return dict(users)


def pass_days(user, since, until):
    """Settle every day that begins after `since` and before `until`."""
    if since is None or not user.known:
        return
    for number in range(since // DAY_MS + 1, -(-until // DAY_MS)):
        user.settle(day_of(number * DAY_MS), number * DAY_MS, "time")
