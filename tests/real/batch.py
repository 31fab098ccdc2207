"""The recomputation: what LIFECYCLE's definitions say of a table of orders, by pandas, with no line of the engine's.

`orders` are (user, at, amount, coupon, day) up to a cut; `day` is the day as of which each user is judged: one
Timestamp, or a series by user. Weeks run from Monday to Sunday. `accounts` alone reads what the engine says.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd

from streams.core import period

TIERS = {
    ("high", "high", "high"): "champion",
    ("high", "low", "high"): "grow_frequency",
    ("low", "high", "high"): "keep",
    ("low", "low", "high"): "rescue",
    ("high", "high", "low"): "grow_basket",
    ("high", "low", "low"): "nurture",
    ("low", "high", "low"): "maintain",
    ("low", "low", "low"): "let_go",
}
"""By R, F and M."""


def last_days(orders):
    """The day of each user's newest order."""
    return orders.groupby("user")["day"].max()


def week(days):
    """The number of the week in which days lie."""
    days = pd.Series(days) if not isinstance(days, pd.Series) else days
    return days.dt.to_period("W-SUN").astype("int64")


def everybody(orders, day):
    """`day` as a series by user."""
    users = pd.Index(np.unique(orders["user"]), name="user")
    return day.reindex(users) if isinstance(day, pd.Series) else pd.Series(day, index=users)


def figures(orders, day, look_back_weeks):
    """R, F and M of each user: recency_days; in the look-back frequency, total and average (NaN without an order)."""
    day = everybody(orders, day)
    this_week = week(day)
    inside = orders[week(orders["day"]) > orders["user"].map(this_week) - look_back_weeks]
    window = inside.groupby("user")["amount"].agg(frequency="count", total="sum", average="mean").reindex(day.index)
    found = window.assign(recency_days=(day - last_days(orders)).dt.days, orders=orders.groupby("user").size())
    return found.fillna({"frequency": 0, "total": 0})


def tiers(found, cuts, monetary):
    """The tier of each user, by cuts of recency_days, frequency and monetary; each boundary belongs to high."""
    height = {True: "high", False: "low"}
    r = (found["recency_days"] <= cuts["recency_days"]).map(height)
    f = (found["frequency"] >= cuts["frequency"]).map(height)
    m = (found[monetary].fillna(0) >= cuts["monetary"]).map(height)
    return pd.Series([TIERS[key] for key in zip(r, f, m, strict=True)], index=found.index)


def bands(figure, bounds):
    """The band of each figure; none below the first bound, and for who has no figure."""
    edges = [*bounds.values(), np.inf]
    return pd.cut(figure, edges, right=False, labels=list(bounds)).astype(object).fillna("none")


def customers(orders, day, old_days):
    """The class of each customer: new with one order up to `old_days` ago, else old."""
    day, count = everybody(orders, day), orders.groupby("user").size()
    aged = (day - last_days(orders)).dt.days > old_days
    return pd.Series(np.where((count > 1) | aged, "old_customer", "new_customer"), index=count.index)


class Dependency:
    """Whether users depend on coupons: each looked at after every order of his and at the start of every week.

    The share is decayed by weeks over 26 of them and shrunk to everybody's share. `after` is what is said after
    each order, `starts` what is said at the start of each week.
    """

    def __init__(self, orders, until, rule):
        numbers = week(orders["day"])
        span = range(numbers.min() - 25, week([until])[0] + 1)
        table = orders.assign(week=numbers).pivot_table(index="week", columns="user", values="coupon", aggfunc="sum")
        self.coupons = table.reindex(span).fillna(0).to_numpy(float)
        table = orders.assign(week=numbers).pivot_table(index="week", columns="user", values="coupon", aggfunc="size")
        self.orders = table.reindex(span).fillna(0).to_numpy(float)
        self.rule, self.users, self.first = rule, table.columns, span[0]
        self.state, self.known = np.zeros(len(self.users), bool), np.zeros(len(self.users), bool)
        self.after, self.starts = pd.Series(data=False, index=orders.index), {}
        place = pd.Series(self.users.get_indexer(orders["user"]), index=orders.index)
        by_week = dict(iter(place.groupby(numbers)))
        for this in range(numbers.min(), span[-1] + 1):
            self._pass_week(this, by_week.get(this, place[:0]), orders["coupon"])

    def _pass_week(self, this, place, coupon):
        weight = 0.5 ** (np.arange(25, 0, -1) / (self.rule.coupon_half_life_days / 7))
        inside = slice(this - 25 - self.first, this - self.first)
        counts = [(weight[:, None] * table[inside]).sum(axis=0) for table in (self.orders, self.coupons)]
        self._look(np.flatnonzero(self.known), *counts)
        self.starts[this] = pd.Series(self.state.copy(), index=self.users)
        nth = place.groupby(place).cumcount()
        for n in range(nth.max() + 1 if len(nth) else 0):
            now = place[nth == n]
            counts[0][now] += 1
            counts[1][now] += coupon[now.index]
            self.known[now] = True
            self._look(now.to_numpy(), *counts)
            self.after[now.index] = self.state[now]

    def _look(self, who, orders, coupons):
        rule = self.rule
        share = (coupons[who] + rule.coupon_prior * rule.coupon_share) / (orders[who] + rule.coupon_prior)
        self.state[who] = (share > rule.coupon_on) | (self.state[who] & (share >= rule.coupon_off))

    def as_of(self, orders, day=None):
        """What is said of each user as of a day, or without one as of his newest order."""
        found = self.after[orders.groupby("user").tail(1).index].set_axis(orders.groupby("user").tail(1)["user"])
        if day is not None:
            this = week([day])[0]
            before = last_days(orders)[week(last_days(orders)) < this].index
            found[before] = self.starts[this][before]
        return found.map({True: "dependent", False: "independent"}).sort_index()


def growth(orders, grain):
    """The accounts of every period from the first to the last: active, new, retained, resurrected, churned, ratio."""
    period = orders["day"].dt.to_period({"day": "D", "week": "W-SUN", "month": "M"}[grain])
    number = period.astype("int64")
    active = pd.DataFrame({"user": orders["user"], "period": number}).drop_duplicates().sort_values(["user", "period"])
    gap = active.groupby("user")["period"].diff()
    kinds = {"active": gap.isna() | True, "new": gap.isna(), "retained": gap == 1, "resurrected": gap > 1}
    counts = pd.DataFrame({name: kind.groupby(active["period"]).sum() for name, kind in kinds.items()})
    whole = range(number.min(), number.max() + 1)
    counts = counts.reindex(whole, fill_value=0)
    counts["churned"] = counts["active"].shift(fill_value=0) - counts["retained"]
    came = counts["new"] + counts["resurrected"]
    counts["quick_ratio"] = (came / counts["churned"]).where(counts["churned"] > 0)
    first = period.min()
    counts.index = [str((first + int(n - number.min())).start_time.date()) for n in whole]
    return counts


def accounts(periods, grain, like):
    """The engine's own accounts of the periods of a recomputation, in the form in which `growth` has them."""
    place = period.GRAINS.index(grain)
    newest = period.number(place, (np.datetime64(like.index[-1]) - np.datetime64(0, "D")).astype(int))
    found = pd.DataFrame(period.table(periods, place, newest, len(like))).set_index("start")
    return found.rename_axis(like.index.name).astype(like.dtypes)


def same(found, right):
    """Assert that two series by user say the same of the same users."""
    pd.testing.assert_series_equal(found, right.sort_index(), check_names=False, check_dtype=False)


class Repurchase(NamedTuple):
    """Buyers in a window; those with two orders in it; those who had bought before it. Rates are shares of buyers."""

    buyers: int
    again: int
    before: int


def repurchase(orders, since, until):
    """Repurchase in the days from `since` up to `until`: within the window, and by history."""
    inside = orders[(orders["day"] >= since) & (orders["day"] < until)]
    counts = inside.groupby("user").size()
    before = orders["user"][orders["day"] < since].unique()
    return Repurchase(len(counts), int((counts >= 2).sum()), int(counts.index.isin(before).sum()))
