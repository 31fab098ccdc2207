"""One partition's users: rows, deadlines and the index from key to row. Worker, replay and benchmark drive this.

A shard is told events and the watermark and answers with moves; which rows changed since the last `take_changed`
it keeps in mind for the changelog. It holds no clock and does no I/O.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from streams.core.activity import CLASSES, NONE, Rules
from streams.core.fold import MOST_MOVES, find_due, fold, set_deadlines, sweep
from streams.core.row import MOVE, NEVER, PROFILES, ROW

FIRST_CAPACITY = 1024


class Index(dict[bytes, int]):
    """User key → row number; an unknown key gets the next row."""

    def __init__(self, keys: list[bytes]) -> None:
        super().__init__()
        self.keys_by_row = keys

    def __missing__(self, key: bytes) -> int:
        row = self[key] = len(self.keys_by_row)
        self.keys_by_row.append(key)
        return row


class Shard:
    """The users of one partition.

    Attributes:
        keys: row number → user key.
        rows: ROW[capacity]; the first `len(keys)` are users.
        due: i8[capacity], each row's next deadline (int ms UTC), NEVER for none.
        profiles: row number → newest profile as its JSON bytes; only users who have one.
        watermark: time up to which absence has been settled, int ms UTC.
        newest: greatest time of a click or an order folded, int ms UTC; a profile's time moves no clock.
        population: i8[classes], users by activity class.
        skipped: redelivered events that were already applied.
        erased: keys of users who were erased, for others to forget them too; who has done so takes them out.
    """

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.keys: list[bytes] = []
        self.index = Index(self.keys)
        self.rows = np.zeros(FIRST_CAPACITY, ROW)
        self.due = np.full(FIRST_CAPACITY, NEVER, np.int64)
        self.changed = np.zeros(FIRST_CAPACITY, np.uint8)
        self.profiles: dict[int, bytes] = {}
        self.watermark = 0
        self.newest = 0
        self.population = np.zeros(len(CLASSES), np.int64)
        self.skipped = 0
        self.erased: list[bytes] = []

    def intern(self, keys: Sequence[bytes]) -> np.ndarray:
        """Return the row numbers (i4[n]) of user keys, giving new users their rows."""
        who = np.fromiter(map(self.index.__getitem__, keys), np.int32, len(keys))
        if len(self.keys) > len(self.rows):
            self._grow(len(self.keys))
        return who

    def fold(self, events: np.ndarray, payloads: dict[int, bytes | None]) -> np.ndarray:
        """Fold events (EVENT[n], in order) and return the moves they make (MOVE[m]).

        `payloads` maps the offset of a profile event to its JSON bytes, None to erase the user.
        """
        if not payloads:
            return self._fold(events)
        moves, start = [], 0
        for k in np.flatnonzero(events["source"] == PROFILES).tolist():
            moves.append(self._fold(events[start:k]))
            self._apply_profile(events[k : k + 1], payloads.pop(int(events["offset"][k])))
            start = k + 1
        moves.append(self._fold(events[start:]))
        return np.concatenate(moves)

    def advance(self, watermark: int) -> np.ndarray:
        """Let time pass up to `watermark` (int ms UTC) and return the moves it makes (MOVE[m])."""
        if watermark <= self.watermark:
            return np.empty(0, MOVE)
        self.watermark = watermark
        who = find_due(self.due[: len(self.keys)], watermark)
        moves = np.empty(MOST_MOVES * len(who), MOVE)
        made = int(sweep(self.rows, self.due, self.changed, who, watermark, self.rules, moves)) if len(who) else 0
        return self._counted(moves[:made])

    def take_changed(self) -> tuple[list[bytes], np.ndarray, list[bytes | None]]:
        """Return what changed since the last call: keys, copies of their rows (ROW[n]), their profiles.

        A row that `is_blank` was erased.
        """
        who = np.flatnonzero(self.changed[: len(self.keys)])
        self.changed[who] = 0
        numbers = who.tolist()
        profiles: list[bytes | None] = [None] * len(numbers)
        if self.profiles:
            profiles = list(map(self.profiles.get, numbers))
        return list(map(self.keys.__getitem__, numbers)), self.rows[who], profiles

    def restore(self, keys: Sequence[bytes], rows: np.ndarray, profiles: Iterable[tuple[int, bytes]]) -> None:
        """Put rows (ROW[n]) read back from the changelog in place, later ones over earlier ones.

        `profiles` gives (position in keys, JSON bytes). Call `settle` once when all are in.
        """
        who = self.intern(keys)
        self.rows[who] = rows
        for number in who.tolist() if self.profiles else ():
            self.profiles.pop(number, None)
        for position, profile in profiles:
            self.profiles[int(who[position])] = profile

    def settle(self) -> None:
        """Derive deadlines, population and the newest event time from the rows, as after recovery."""
        rows = self.rows[: len(self.keys)]
        set_deadlines(rows, self.due, self.rules)
        self.population = np.bincount(rows["activity"], minlength=len(CLASSES)).astype(np.int64)
        self.newest = int(rows["last_at"].max(initial=0))
        self.changed[:] = 0

    def erase(self, row: int) -> None:
        """Blank a user's row and drop his profile. His number stays his: events on their way may still hold it."""
        self.population[self.rows["activity"][row]] -= 1
        self.population[NONE] += 1
        self.rows[row] = np.zeros((), ROW)
        self.due[row] = NEVER
        self.changed[row] = 1
        self.profiles.pop(row, None)

    def describe(self, key: bytes) -> dict[str, object] | None:
        """Return what is known of a user, by name; times are int ms UTC, money int minor units. None if unknown."""
        number = self.index.get(key)
        if number is None or is_blank(self.rows[number : number + 1])[0]:
            return None
        row, due = self.rows[number], int(self.due[number])
        return {
            "activity": CLASSES[row["activity"]],
            "since": int(row["since"]),
            "first_at": int(row["first_at"]),
            "last_at": int(row["last_at"]),
            "next_deadline": None if due == NEVER else due,
            "transitions": int(row["seq"]),
            "orders": int(row["orders"]),
            "spend": int(row["spend"]),
        }

    def profile(self, key: bytes) -> bytes | None:
        """Return a user's newest profile as its JSON bytes, None where there is none."""
        return self.profiles.get(self.index.get(key, -1))

    def seq(self, key: bytes) -> int:
        """Return how many transitions a user has made; 0 for one who is unknown."""
        number = self.index.get(key)
        return 0 if number is None else int(self.rows["seq"][number])

    def users(self) -> Iterator[tuple[bytes, np.void]]:
        """Yield each known user's key and row."""
        for row in np.flatnonzero(~is_blank(self.rows[: len(self.keys)])).tolist():
            yield self.keys[row], self.rows[row]

    def _fold(self, events: np.ndarray) -> np.ndarray:
        if not len(events):
            return np.empty(0, MOVE)
        moves = np.empty(MOST_MOVES * len(events), MOVE)
        made, skipped = fold(self.rows, self.due, self.changed, events, self.rules, moves)
        self.skipped += skipped
        self.newest = max(self.newest, int(events["at"].max(where=events["source"] != PROFILES, initial=0)))
        return self._counted(moves[:made])

    def _apply_profile(self, event: np.ndarray, payload: bytes | None) -> None:
        row = int(event["row"][0])
        if event["offset"][0] < self.rows["applied"][row, PROFILES]:
            self.skipped += 1
        elif payload is None:
            self.erase(row)
            self.erased.append(self.keys[row])
        else:
            self._fold(event)
            self.profiles[row] = payload

    def _counted(self, moves: np.ndarray) -> np.ndarray:
        self.population += np.bincount(moves["to"], minlength=len(CLASSES))
        self.population -= np.bincount(moves["from"], minlength=len(CLASSES))
        return moves

    def _grow(self, least: int) -> None:
        """Make room for `least` users, and for half as many again; what is new is not touched until it is used."""
        capacity = max(least, len(self.rows) * 3 // 2)
        self.rows = _grown(self.rows, capacity)
        self.changed = _grown(self.changed, capacity)
        known = len(self.due)
        self.due = _grown(self.due, capacity)
        self.due[known:] = NEVER


def _grown(column: np.ndarray, capacity: int) -> np.ndarray:
    grown = np.zeros(capacity, column.dtype)
    grown[: len(column)] = column
    return grown


def is_blank(rows: np.ndarray) -> np.ndarray:
    """Say of each row (ROW[n]) whether nothing was ever applied to it: unknown yet, or erased."""
    return np.logical_not(rows["applied"].any(axis=1))
