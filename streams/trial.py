"""Trials: of every playbook, and of all pushes together, what treated users did and what those did who got nothing.

A decision to push somebody, or to withhold a push from him for the sake of the comparison, opens his window: for so
long (`push.attribution_days`) from the transition on, what he buys is counted. He counts by the arm he belongs to,
whether the push reached him or was cancelled on its way, for of those who got nothing nobody knows whose would have
been. Once the watermark has passed the window's end, it is settled from his orders as the shard remembers them, and
never again: an order or a refund that is later still is not seen.

A user counts once in a trial for as long as his window is open, however many messages of the playbook come to him in
it; the first opens it. When it is over, the next one opens another. So he may count several times in the long run, and
is then like himself: the sums are kept by groups of users too, which tell how much (`lift.inflation`).

Windows and sums live in the changelog, beside the users, so that they come and go with the partition's transactions.
The sums add up over partitions. Who is erased is forgotten while his window is open; a sum knows nobody.
"""

from __future__ import annotations

import heapq
from collections import Counter
from typing import TYPE_CHECKING
from zlib import crc32

import msgspec
import numpy as np
from msgspec import Struct

from streams.core.activity import ACTIVITY, CHURNED, DORMANT
from streams.core.row import DAY, FEEDBACK, FEEDBACK_KINDS
from streams.playbook import ALL
from streams.tally import GROUPS, Arm, Slot, Sums, Tally, plus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from streams.shard import Shard
    from streams.wire.message import Decision

KEPT_DAYS = 400
"""For so long a day's sums are kept: a year, and a month to look back on it."""
OBJECTIONS = [FEEDBACK_KINDS.index("complained"), FEEDBACK_KINDS.index("unsubscribed")]
WINDOW, SUM = "window", "sum"


class Window(Struct, frozen=True, gc=False, array_like=True):
    """The time in which what a user does counts in a trial: after `at` up to `until`.

    It is settled when the watermark is past `due`. Times are int ms UTC.
    """

    trial: str
    arm: Arm
    at: int
    until: int
    due: int
    objected: bool = False


_encode = msgspec.json.Encoder().encode
_windows = msgspec.json.Decoder(tuple[Window, ...]).decode
_tally = msgspec.json.Decoder(Tally).decode


class Trials:
    """One partition's open windows and its sums. What changed since the last `take` it keeps in mind.

    Attributes:
        sums: what is settled.
        window_ms: how long a window is that opens now.
        patience_ms: how long after the transition a window stays open at least: for so long the transition may be
            decided about once more, after offsets were set back, and must find that it is counted.
    """

    def __init__(self) -> None:
        self.sums: Sums = {}
        self.window_ms = 7 * DAY
        self.patience_ms = 0
        self._open: dict[str, tuple[Window, ...]] = {}
        self._due: list[tuple[int, str]] = []
        self._changed: dict[str | Slot, None] = {}

    def open(self, decision: Decision, of_all: Arm | None = None) -> None:
        """Open the windows of a decision's user, unless they are open; any other than to push or withhold opens none.

        `of_all` is his arm in the trial of all pushes; without it, it is that of the playbook's.
        """
        withheld = decision.reason == "holdout"
        if decision.action == "suppress" and not withheld:
            return
        arm: Arm = "holdout" if withheld else "treated"
        at, until = decision.at, decision.at + self.window_ms
        due = max(until, at + self.patience_ms)
        known = self._open.get(decision.user, ())
        windows = Window(decision.playbook, arm, at, until, due), Window(ALL, of_all or arm, at, until, due)
        fresh = tuple([w for w in windows if all(w.trial != k.trial for k in known)]) if known else windows
        if fresh:
            self._put(decision.user, known + fresh)
            self._changed[decision.user] = None

    def hear(self, events: np.ndarray, key: Callable[[int], bytes]) -> None:
        """Note which users complained of a push or unsubscribed (EVENT[n]); `key` gives the key of a row."""
        if not self._open:
            return
        heard = events[events["source"] == FEEDBACK]
        for event in heard[np.isin(heard["kind"], OBJECTIONS)]:
            self._object(key(int(event["row"])).decode(), int(event["at"]))

    def settle(self, shard: Shard, watermark: int) -> list[tuple[str, Arm]]:
        """Count the windows that were over before `watermark` (int ms UTC); return the trial and arm of each."""
        over: list[tuple[str, Arm]] = []
        while self._due and self._due[0][0] < watermark:
            user = heapq.heappop(self._due)[1]
            windows = self._open.get(user, ())
            ripe = [w for w in windows if w.due < watermark]
            if ripe:
                self._leave(user, [w for w in windows if w not in ripe])
                over += self._count(shard, user, ripe)
        return over

    def forget(self, user: str) -> None:
        """Forget a user whose windows are open."""
        if user in self._open:
            self._leave(user, [])

    def waiting(self) -> Counter[tuple[str, Arm]]:
        """Return the number of open windows by trial and arm."""
        return Counter((w.trial, w.arm) for windows in self._open.values() for w in windows)

    def take(self) -> Iterator[tuple[str, bytes | None]]:
        """Yield what changed since the last time, by name: its JSON, None where it is gone."""
        for changed in self._changed:
            if isinstance(changed, Slot):
                tally = self.sums.get(changed)
                name = "\0".join((SUM, *map(str, changed[1:]), changed.trial))
                yield name, None if tally is None else _encode(tally)
            else:
                windows = self._open.get(changed)
                yield f"{WINDOW}\0{changed}", None if windows is None else _encode(windows)
        self._changed.clear()

    def restore(self, name: str, value: bytes | None) -> None:
        """Put back what `take` said."""
        what, _, rest = name.partition("\0")
        if what == WINDOW:
            if value is None:
                self._open.pop(rest, None)
            else:
                self._put(rest, _windows(value))
            return
        arm, kind, number, trial = rest.split("\0", 3)
        slot = Slot(trial, arm, kind, int(number))  # type: ignore[arg-type] # as `take` wrote them
        if value is None:
            self.sums.pop(slot, None)
        else:
            self.sums[slot] = _tally(value)

    def _put(self, user: str, windows: tuple[Window, ...]) -> None:
        known = [window.due for window in self._open.get(user, ())]
        self._open[user] = windows
        for window in windows:
            if window.due not in known:
                known.append(window.due)
                heapq.heappush(self._due, (window.due, user))

    def _leave(self, user: str, windows: Sequence[Window]) -> None:
        """Leave a user no other windows than these, which he has already."""
        if windows:
            self._open[user] = tuple(windows)
        else:
            del self._open[user]
        self._changed[user] = None

    def _object(self, user: str, at: int) -> None:
        windows = self._open.get(user, ())
        heard = tuple(msgspec.structs.replace(w, objected=True) if w.at < at <= w.until else w for w in windows)
        if heard != windows:
            self._open[user] = heard
            self._changed[user] = None

    def _count(self, shard: Shard, user: str, windows: Iterable[Window]) -> Iterator[tuple[str, Arm]]:
        """Count what a user did in windows that are over; nothing of whom nothing is known."""
        row = shard.number(user.encode())
        if row is None:
            return
        orders, activity = shard.orders(row), int(shard.rows["values"][row, ACTIVITY])
        for window in windows:
            told = outcome(window, orders, activity)
            self._add(Slot(window.trial, window.arm, "day", window.until // DAY), told)
            self._add(Slot(window.trial, window.arm, "group", crc32(user.encode()) % GROUPS), told)
            yield window.trial, window.arm

    def _add(self, slot: Slot, tally: Tally) -> None:
        if slot not in self.sums and slot.kind == "day":
            self._forget_days(slot.number - KEPT_DAYS)
        self.sums[slot] = plus(self.sums.get(slot, Tally()), tally)
        self._changed[slot] = None

    def _forget_days(self, last: int) -> None:
        """Forget the days up to `last`."""
        for slot in [s for s in self.sums if s.kind == "day" and s.number <= last]:
            del self.sums[slot]
            self._changed[slot] = None


def outcome(window: Window, orders: np.ndarray, activity: int) -> Tally:
    """Return what one window brought, of a user with these orders (ORDER[n]) and this activity class."""
    made = (orders["at"] > window.at) & (orders["at"] <= window.until) & (orders["undone"] == 0)
    spend = int(orders["amount"][made].sum())
    return Tally(
        users=1,
        conversions=int(made.any()),
        spend=spend,
        squares=float(spend) ** 2,
        objected=int(window.objected),
        dormant=int(activity == DORMANT),
        churned=int(activity == CHURNED),
    )
