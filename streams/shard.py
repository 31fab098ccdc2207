"""One partition's users: rows, deadlines, orders and the index. Worker, replay and benchmark drive this.

A shard is told events and the watermark and answers with moves; what changed since the last `take_changed` it keeps in
mind for the changelog. It holds no clock and does no I/O. Which rules hold from when, and how far absence may be
decided, it is told as well (`plan`, `trust`).

What bears upon all users at once would hold everything else up. So it is done in parts between the folds, and before
an event of a user is folded, all of it that concerns him is: what comes of it is the same as if it were done at once.

    new rules      users come under them by and by, or with their next event (`_follow`)
    a sweep        comes to some at a time (`Sweep`); until it is over, no other begins, and the watermark stands still
    new deadlines  are derived from the rows by and by (`_stale`), as the first part of the next sweep
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

import numpy as np
import orjson

from streams import consent
from streams.birthday import Birthdays
from streams.column import Column
from streams.core import fold as core
from streams.core import order, period
from streams.core.activity import NONE
from streams.core.fold import MOST_MOVES, Law, State
from streams.core.row import (
    CHANNELS,
    DAY,
    EVENT,
    FEEDBACK,
    MOVE,
    NEVER,
    ORDER,
    ORDERS,
    PROFILES,
    PURCHASES,
    ROW,
    RULES,
    SEED,
    TIME,
)
from streams.core.row import MAX_DIMENSIONS as DIMENSIONS
from streams.core.rules import MAX_VALUES, Rulebook, carried, carry
from streams.dictionary import OTHER, Codes, Dictionary
from streams.hold import held_pushes, next_steps
from streams.index import Index
from streams.invitation import Invitations
from streams.sweep import Sweep
from streams.tally import Arm
from streams.trial import Trials
from streams.wire.block import NOTHING, Pairs
from streams.wire.changelog import ASIDE, decode_rows, encode_rows
from streams.wire.decode import Names, Payloads, is_whole, read_feedback
from streams.wire.event import Feedback, Profile, instant_ms

FIRST_CAPACITY = 1024
SHARED_BITS = {"wechat": ("wechat", "wechat_mini", "wecom")}
"""Channels for which one bit of the row stands together."""
NO_STOPS = np.empty((0, 2), np.int64)
NOTHING_APPLIED = bytes(ROW["applied"].itemsize)
NO_MOVES, NOBODY = np.empty(0, MOVE), np.empty(0, np.int64)
NO_PLACES = np.full(DIMENSIONS, -1, np.int64)
PERIODS_KEY, CATEGORY_KEY, ORIGIN_KEY = ASIDE + b"periods\0", ASIDE + b"category\0", ASIDE + b"origin\0"
HOLD_KEY, STEP_KEY, TRIAL_KEY = ASIDE + b"hold\0", ASIDE + b"step\0", ASIDE + b"trial\0"
INVITATION_KEY, CALENDAR_KEY, TIME_KEY = ASIDE + b"invitation\0", ASIDE + b"calendar\0", ASIDE + b"time\0"
FOLLOWED_AT_ONCE = 10_000
"""Rows that are judged under new rules between two folds, so that a million of them do not hold the stream up."""
SET_AT_ONCE = 100_000
"""Deadlines that are derived anew between two folds: it is quicker by so much."""
COUNTED_AT_ONCE = 200_000
"""Rows that are counted at a time after they were read back."""


class Plan(NamedTuple):
    """Rules, and the event time from which they hold, int ms UTC."""

    since: int
    book: Rulebook


class Beside(Protocol):
    """What a shard keeps beside its users' rows, by name."""

    def take(self) -> Iterator[tuple[str, bytes | None]]:
        """Yield what changed since the last time: its name and JSON, None where it is gone."""

    def restore(self, ident: str, value: bytes | None, /) -> None:
        """Put back what `take` said."""

    def forget(self, user: str) -> None:
        """Let all go that belongs to a user."""


class Reached(NamedTuple):
    """How far the days are done: up to before `at` (int ms UTC), and at it for whose hashes are below `share`."""

    at: int
    share: int


class Columns(NamedTuple):
    """A shard's columns: of users the first three, of orders and of users who bought the others."""

    rows: Column
    due: Column
    changed: Column
    pool: Column
    purchases: Column


class Shard:
    """The users of one partition.

    Attributes:
        book: the rules that hold.
        index: user key ⇄ row number.
        profiles: row number → newest profile and what he has said himself, as `consent` keeps them; only users of
            whom there is either.
        categories, origins: names ⇄ codes.
        periods: the growth accounting (`core.period`).
        watermark: time up to which absence has been settled of all users, int ms UTC.
        newest: greatest time of a click or an order folded, int ms UTC; a profile's time moves no clock.
        population: i8[dimensions, values], users by value.
        sources: i8[65536], users by the code of their first-touch source.
        skipped: redelivered events that were already applied.
        hold: pushes that wait for their time.
        steps: playbooks' next steps that wait for theirs.
        trials: what pushes bring, to be compared with what withheld ones would have.
        invitations: by whom users say that they were brought, until their first order.
        birthdays: when users have theirs, once somebody has asked; None before.
        calendar_until: how far the days on which pushes go out are done; None before the first one.
        erased: keys of users who were erased, for others to forget them too; who has done so takes them out.
        objections: complaints and unsubscriptions that were folded, for others to count; who has done so takes them
            out.
    """

    def __init__(self, book: Rulebook) -> None:
        self.book = book
        self._places, self._sides = _places(book), _sides(book)
        self.index = Index()
        dtypes = ROW, np.int64, np.uint8, ORDER, PURCHASES
        self._columns = Columns(*(Column(dtype, FIRST_CAPACITY) for dtype in dtypes))
        self.heads = np.array([0, 0, 1])
        self.profiles: dict[int, bytes] = {}
        self.categories, self.origins = Dictionary(), Dictionary()
        self.periods = period.empty()
        self.sources = np.zeros(OTHER + 1, np.int64)
        self.watermark = 0
        self.newest = 0
        self.population = np.zeros((DIMENSIONS, MAX_VALUES), np.int64)
        self.skipped = 0
        self.erased: list[bytes] = []
        self.hold, self.steps, self.trials = held_pushes(), next_steps(), Trials()
        self.invitations = Invitations()
        self._beside: dict[bytes, Beside] = {
            HOLD_KEY: self.hold, STEP_KEY: self.steps, TRIAL_KEY: self.trials, INVITATION_KEY: self.invitations,
        }  # fmt: skip
        self.birthdays: Birthdays | None = None
        self.calendar_until: Reached | None = None
        self._calendar_told: Reached | None = None
        self.objections: list[Feedback] = []
        self._plans: list[Plan] = []
        self._since = 0
        self._books = {book.number: book}
        self._groups = core.kept_groups(book.table)
        self._followed = 0
        self._stale = self._stale_until = 0
        self._told: tuple[int, np.ndarray] | None = None
        self._sweep: Sweep | None = None
        self._asked = 0
        self._resumed = 0
        self._time_told = [0, 0]
        self._vouched = NEVER
        self._stops = NO_STOPS
        self._periods_told = self.periods.copy()

    @property
    def rows(self) -> np.ndarray:
        """Return the rows (ROW[capacity]), of which the first `len(index)` are users; grown, it is another array."""
        return self._columns.rows.array

    @property
    def due(self) -> np.ndarray:
        """Return each row's next deadline (i8[capacity], int ms UTC), NEVER for none; 0 behind the last user."""
        return self._columns.due.array

    @property
    def changed(self) -> np.ndarray:
        """Return which rows changed since they were last taken (u1[capacity])."""
        return self._columns.changed.array

    @property
    def pool(self) -> np.ndarray:
        """Return the users' orders (ORDER[capacity])."""
        return self._columns.pool.array

    @property
    def purchases(self) -> np.ndarray:
        """Return what users bought by week (PURCHASES[capacity]), at the places that their rows say."""
        return self._columns.purchases.array

    @property
    def is_behind(self) -> bool:
        """Whether time has yet to come to some of the users: call `advance` again."""
        return self._sweep is not None or self._resumed > 0

    def plan(self, plans: Sequence[Plan]) -> np.ndarray:
        """Say which rules hold from when: those that held when the shard was last at work at once, others in time.

        Returns the moves (MOVE[m]) that are made at once.
        """
        plans = sorted(plans, key=lambda p: p.since)
        self._books |= {plan.book.number: plan.book for plan in plans}
        begun = [p for p in plans if p.since <= max(self.newest, self._since)] or plans[:1]
        self._plans = [p for p in plans if p.since > begun[-1].since]
        if begun[-1].book.number != self.book.number or begun[-1].book.version != self.book.version:
            return self.adopt(*begun[-1])
        return NO_MOVES

    def adopt(self, since: int, book: Rulebook) -> np.ndarray:
        """Let rules hold from now on; who moves by them moves by threshold, with time or with his next event.

        Returns the moves (MOVE[m]) that are made at once: what is left of a sweep, under the rules of before.
        """
        moves = self._sweep_some(None)
        self._books[book.number] = book
        self.book, self._since, self._followed = book, since, 0
        self._places, self._sides = _places(book), _sides(book)
        self._groups = core.kept_groups(book.table)
        self._set_later()
        self._carry()
        return moves

    def trust(self, vouched: int, stops: np.ndarray) -> None:
        """Say how far absence may be decided (int ms UTC), and in which spans (i8[k, 2]) its clock stood still.

        A sweep that is under way ends as it began: what is told amid it holds from the next one on.
        """
        self._told = (vouched, stops) if self._sweep is not None else None
        if self._told is not None:
            return
        self._vouched = vouched
        if not np.array_equal(stops, self._stops):
            self._stops = np.ascontiguousarray(stops, np.int64)
            self._set_later()

    def intern(self, keys: Sequence[bytes]) -> np.ndarray:
        """Return the row numbers (i4[n]) of user keys, giving new users their rows."""
        known = len(self.index)
        who = self.index.intern(keys)
        self._make_room_for_users(known)
        return who

    def intern_spans(self, data: np.ndarray, spans: np.ndarray) -> np.ndarray:
        """Return the row numbers (i4[n]) of user keys that are spans (i8[n, 2], none null) of `data` (u1[size])."""
        known = len(self.index)
        who = self.index.intern_spans(data, spans)
        self._make_room_for_users(known)
        return who

    def names(self) -> Names | None:
        """Return the codes of names; None where no dimension asks for them."""
        if self.book.table["on"].sum() == len(self.book.kinds):
            return None
        return Names(self.categories, self.origins, self._sides)

    def fold(self, events: np.ndarray, payloads: Payloads) -> np.ndarray:
        """Fold events (EVENT[n], in order) and return the moves they make (MOVE[m]).

        `payloads` holds what was handed on whole; what is folded of it is taken out.
        """
        self.trials.hear(events, self.index.key)
        moves, start = [self._sweep_among(events["row"])], 0
        for k in np.flatnonzero(is_whole(events)).tolist() if payloads else ():
            moves.append(self._fold_in_time(events[start:k]))
            place = int(events["source"][k]), int(events["offset"][k])
            moves.append(self._apply(events[k : k + 1], payloads.pop(place)))
            start = k + 1
        moves.append(self._fold_in_time(events[start:]))
        return np.concatenate(moves)

    def advance(self, watermark: int, most: int | None = None) -> np.ndarray:
        """Let time pass up to `watermark` (int ms UTC), as far as it is vouched for; return its moves (MOVE[m]).

        It comes to at most so many users; then the shard may be behind (`is_behind`), and the next call goes on with
        that, whatever watermark it is told.
        """
        moves = []
        self._resume()
        if self._sweep is None:
            if self._told is not None:
                self.trust(*self._told)
            moves.append(self._follow())
            self._begin_sweep(watermark)
        moves.append(self._sweep_some(most))
        while self._sweep is None and self._plans and self._plans[0].since <= self._asked:
            moves.append(self.adopt(*self._plans.pop(0)))
            self._begin_sweep(self._asked)
            moves.append(self._sweep_some(most))
        return np.concatenate(moves)

    def settle_trials(self) -> list[tuple[str, Arm]]:
        """Count whose attribution window is over, as far as that is vouched for; return the trial and arm of each."""
        return self.trials.settle(self, min(self.watermark, self._vouched))

    def take_changed(self) -> Pairs:
        """Return what changed since the last call, as the changelog's; the value of who was erased is null."""
        who = self.changed_users()
        users, aside = self.written(who), self.take_aside()
        self.took(who)
        return Pairs.joined([users, aside]) if len(aside) else users

    @property
    def is_following(self) -> bool:
        """Whether the rules are new to some users yet: `judge` them before they are written.

        Their values may have been carried over to other places, which their rules do not say.
        """
        return self._followed < len(self.index)

    def judge(self, who: np.ndarray) -> np.ndarray:
        """Judge those of the rows (i8[n]) to whom the rules are new; return their moves (MOVE[m])."""
        return self._fold(_pass(who, RULES, self._since))

    def changed_users(self) -> np.ndarray:
        """Return the rows (i8[n], ascending) that changed since they were last taken."""
        return np.flatnonzero(self.changed[: len(self.index)])

    def took(self, who: np.ndarray) -> None:
        """Note that the rows `who` (i8[n]) have not changed since they were last taken."""
        self.changed[who] = 0

    def written(self, who: np.ndarray) -> Pairs:
        """Return users (i8[n]) as the changelog's."""
        counts, orders = self._orders_of(who)
        profiles = list(map(self.profiles.get, who.tolist())) if self.profiles else []
        names, keys = self.index.gather(who)
        data, values = encode_rows(self.rows, who, self.purchases, counts, orders, profiles, before=names)
        values[~self.rows["applied"][who].any(axis=1)] = NOTHING
        return Pairs(data, keys, values)

    def take_aside(self) -> Pairs:
        """Return what changed besides users since the last call, as the changelog's."""
        return Pairs.of(self._aside())

    def restore(self, pairs: Pairs) -> None:
        """Put back what was read from the changelog, later values over earlier ones. Call `settle` once all is in."""
        self.birthdays = None
        start = 0
        for k in np.flatnonzero(_is_aside(pairs) | (pairs.values[:, 0] < 0)).tolist():
            self._restore_users(pairs, start, k)
            start = k + 1
            [(key, value)] = pairs[k : k + 1].each()
            self._restore_aside(key or b"", value)
        self._restore_users(pairs, start, len(pairs))

    def settle(self) -> None:
        """Derive deadlines, population and the newest event time from the rows, as after recovery."""
        for _ in self.settling():
            pass
        self._set_deadlines(None)

    def settling(self) -> Iterator[int]:
        """Settle, some users at a time, but leave the deadlines to `advance`; yield how many users are counted.

        Nothing else is to be done before it ends.
        """
        self.population[:], self.sources[:], self.newest = 0, 0, 0
        self.changed[:] = 0
        self._periods_told = self.periods.copy()
        self._followed, self._sweep, self._told = 0, None, None
        self._set_later()
        for first in range(0, len(self.index), COUNTED_AT_ONCE):
            rows = self.rows[first : min(first + COUNTED_AT_ONCE, len(self.index))]
            self.newest = max(self.newest, int(core.count(rows, self.population, self.sources)))
            yield first + len(rows)

    def erase(self, row: int) -> None:
        """Blank a user's row, orders and profile. His number stays his: events on their way may still hold it."""
        values = self.rows["values"][row]
        self.population[np.arange(DIMENSIONS), values] -= 1
        self.population[:, NONE] += 1
        self.sources[self.rows["source"][row]] -= 1
        self.sources[0] += 1
        order.forget_all(self._state(), self.rows[row])
        place = self.rows["purchases"][row]
        self.rows[row] = np.zeros((), ROW)
        self.rows["purchases"][row], self.purchases[place] = place, np.zeros((), PURCHASES)
        self.due[row] = NEVER
        self.changed[row] = 1
        self.profiles.pop(row, None)
        if self.birthdays is not None:
            self.birthdays.note(row, None)
        for kept in self._beside.values():
            kept.forget(self.index.key(row).decode())

    def profile(self, key: bytes) -> bytes | None:
        """Return what is kept of a user's profile, for `consent.read`; None where there is nothing."""
        number = self.index.find(key)
        return None if number is None else self.profiles.get(number)

    def seqs(self, keys: Sequence[bytes]) -> list[int]:
        """Return how many transitions each of several users has made; 0 for one who is unknown."""
        numbers = self.index.find_many(keys)
        made: list[int] = np.where(numbers < 0, 0, self.rows["seq"][np.maximum(numbers, 0)]).tolist()
        return made

    def place(self, dimension: str) -> int | None:
        """Return the place of a dimension among the values of a row, None where there is none such."""
        return self._places.get(dimension)

    def number(self, key: bytes) -> int | None:
        """Return the row number of a user of whom something is known; None where nothing is, or no more."""
        number = self.index.find(key)
        return None if number is None or self.rows["applied"][number].tobytes() == NOTHING_APPLIED else number

    def orders(self, row: int) -> np.ndarray:
        """Return the orders (ORDER[n]) that are remembered of a user, the newest first."""
        return self._orders_of(np.array([row]))[1]

    def weekly(self, row: int) -> np.void:
        """Return what a user bought by week (PURCHASES)."""
        found: np.void = self.purchases[self.rows["purchases"][row]]
        return found

    def users(self) -> Iterator[tuple[bytes, np.void]]:
        """Yield each known user's key and row."""
        for row in np.flatnonzero(~is_blank(self.rows[: len(self.index)])).tolist():
            yield self.index.key(row), self.rows[row]

    def _state(self) -> State:
        return State(
            self.rows, self.due, self.changed, self.pool, self.purchases, self.heads, self.periods, self.sources
        )

    def _law(self) -> Law:
        return Law(self.book.table, self.book.number, self._groups, self._since, self._vouched, self._stops)

    def _carry(self) -> None:
        """Put the values of rows under older rules where their words stand now."""
        older = sorted(self._books.keys() - {self.book.number})
        places = np.array([carried(self._books[number], self.book) for number in older], np.uint8)
        moved = np.flatnonzero((places != np.arange(MAX_VALUES)).any(axis=(0, 2))) if older else NOBODY
        if len(moved):
            carry(self.rows[: len(self.index)], np.array(older), places, moved, self.population)

    def _fold_in_time(self, events: np.ndarray) -> np.ndarray:
        """Fold events, each under the rules that held at its time."""
        moves = []
        while self._plans and (later := np.flatnonzero(events["at"] >= self._plans[0].since)).size:
            moves.append(self._fold(events[: later[0]]))
            events = events[later[0] :]
            moves.append(self.adopt(*self._plans.pop(0)))
        moves.append(self._fold(events))
        return moves[0] if len(moves) == 1 else np.concatenate(moves)

    def _fold(self, events: np.ndarray, places: np.ndarray = NO_PLACES) -> np.ndarray:
        if not len(events):
            return NO_MOVES
        self._freshen(events["row"])
        bought = int(np.count_nonzero(events["source"] == ORDERS))
        self._make_room_for_orders(bought, bought)
        made, start = [], 0
        while start < len(events):
            moves = np.empty(MOST_MOVES + 2 * (len(events) - start), MOVE)
            n, skipped, start = core.fold(self._state(), self._law(), events, places, moves, start)
            self.skipped += skipped
            made.append(moves[:n])
        self.newest = max(self.newest, int(events["at"].max(where=events["source"] < PROFILES, initial=0)))
        return self._counted(made)

    def _begin_sweep(self, watermark: int) -> None:
        """Begin to let time pass up to `watermark`, or up to when new rules hold if that is before."""
        self._asked, self._resumed = watermark, 0
        until = min([watermark, *(plan.since for plan in self._plans[:1])])
        self._sweep = Sweep(min(until, self._vouched), until, len(self.index))

    def _resume(self) -> None:
        """Begin the sweep again that was under way when what was read back was written."""
        if self._resumed:
            self._begin_sweep(self._resumed)

    def _sweep_some(self, most: int | None) -> np.ndarray:
        """Go on with the sweep that is under way: with the deadlines by which it goes, or with those who are due."""
        sweep = self._sweep
        if sweep is None or not self._set_deadlines(most):
            return NO_MOVES
        moves = self._fold(_pass(sweep.some(self.due, most), TIME, sweep.until))
        if sweep.is_over:
            self._sweep, self.watermark = None, max(self.watermark, sweep.watermark)
        return moves

    def _sweep_among(self, who: np.ndarray) -> np.ndarray:
        """Come to those of some rows (i4[n]) who still wait for the sweep; to everybody if new rules wait for it."""
        self._resume()
        sweep = self._sweep
        if sweep is None:
            return NO_MOVES
        if self._plans and self._plans[0].since <= self._asked:
            return self.advance(self._asked)
        who = sweep.among(who)
        self._freshen(who)
        return self._fold(_pass(who[self.due[who] < sweep.until], TIME, sweep.until))

    def _set_later(self) -> None:
        """Have the deadlines of all users derived anew, as the first part of the next sweep."""
        self._stale, self._stale_until = 0, len(self.index)

    def _set_deadlines(self, most: int | None) -> bool:
        """Derive some deadlines anew, all that are left where `most` is None; say whether none is left."""
        last = self._stale_until if most is None else min(self._stale + SET_AT_ONCE, self._stale_until)
        core.set_deadlines(self._state(), self._law(), np.arange(self._stale, last))
        self._stale = last
        return last == self._stale_until

    def _freshen(self, who: np.ndarray) -> None:
        """Derive the deadlines of some rows (i4[n]) anew before their turn."""
        if self._stale < self._stale_until:
            core.set_deadlines(self._state(), self._law(), np.ascontiguousarray(who, np.int64))

    def _follow(self) -> np.ndarray:
        """Judge some more rows under rules that are new to them."""
        first, last = self._followed, min(self._followed + FOLLOWED_AT_ONCE, len(self.index))
        self._followed = last
        return self.judge(np.arange(first, last))

    def _apply(self, event: np.ndarray, payload: bytes | None) -> np.ndarray:
        """Fold an event (EVENT[1]) that was handed on whole, unless it was already."""
        row, source = int(event["row"][0]), int(event["source"][0])
        if event["offset"][0] < self.rows["applied"][row, source]:
            self.skipped += 1
            return NO_MOVES
        if payload is None:
            self.erase(row)
            self.erased.append(self.index.key(row))
            return NO_MOVES
        return self._hear(event, payload) if source == FEEDBACK else self._apply_profile(event, payload)

    def _hear(self, event: np.ndarray, payload: bytes) -> np.ndarray:
        """Keep what a user says back of a push beside his profile, and fold the event."""
        row, feedback = int(event["row"][0]), read_feedback(payload)
        self.profiles[row] = consent.spoken(self.profiles.get(row), feedback)
        self._note_reach(self.rows[row], consent.read(self.profiles[row]))
        if feedback.kind in consent.OBJECTIONS:
            self.objections.append(feedback)
        return self._fold_in_time(event)

    def _apply_profile(self, event: np.ndarray, payload: bytes) -> np.ndarray:
        row = int(event["row"][0])
        self.profiles[row] = consent.renewed(self.profiles.get(row), payload)
        profile = consent.read(self.profiles[row])
        self._note_reach(self.rows[row], profile)
        self._note_profile(self.rows[row], profile)
        if self.birthdays is not None:
            self.birthdays.note(row, profile)
        if profile.side in self.book.kinds:
            event["side"] = self.book.kinds.index(profile.side) + 1
        return self._fold(event, self._attribute_values(profile))

    def _note_reach(self, row: np.void, profile: Profile) -> None:
        """Bring into the row on which channels a user can be reached, and which he allows."""
        consents = consent.allowed(profile)
        reached = {name for name, address in profile.contacts.items() if address and consent.usable(profile, name)}
        row["contacts"] = sum(1 << k for k, name in enumerate(CHANNELS) if reached.intersection(_of(name)))
        row["consents"] = sum(1 << k for k, name in enumerate(CHANNELS) if any(map(consents.get, _of(name))))

    def _note_profile(self, row: np.void, profile: Profile) -> None:
        """Bring what else the fold must know of a profile into the row."""
        row["flags"] = (int(row["flags"]) & ~SEED) | (SEED if profile.seed else 0)
        if profile.membership is not None:
            row["member_from"] = instant_ms(profile.membership.since) // DAY
            row["member_until"] = instant_ms(profile.membership.until) // DAY

    def _attribute_values(self, profile: Profile) -> np.ndarray:
        """Return the places (i8[dimensions]) that attributes give to own dimensions; -1 where they have no say."""
        places = np.full(DIMENSIONS, -1, np.int64)
        for dimension, name, words in self.book.attributes:
            said = profile.attributes.get(name)
            if words:
                places[dimension] = words.get(str(said), 0)
            else:
                rule = self.book.table[0]
                edges = rule["edges"][dimension][: rule["bands"][dimension]]
                if isinstance(said, int | float) and not isinstance(said, bool):
                    places[dimension] = np.searchsorted(edges, said, side="right")
                else:
                    places[dimension] = 0
        return places

    def _counted(self, made: list[np.ndarray]) -> np.ndarray:
        """Join moves, and count them in the population."""
        if not made:
            return NO_MOVES
        moves = made[0] if len(made) == 1 else np.concatenate(made)
        np.add.at(self.population, (moves["dimension"], moves["to"]), 1)
        np.subtract.at(self.population, (moves["dimension"], moves["from"]), 1)
        return moves

    def _orders_of(self, who: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the number of orders of rows (i4[n]) and all of them (ORDER[m])."""
        counts = np.empty(len(who), np.int32)
        orders = np.empty(int(order.count(self._state(), who, counts)), ORDER)
        order.copy(self._state(), who, orders)
        return counts, orders

    def _make_room_for_orders(self, count: int, buyers: int) -> None:
        """Make sure that so many more orders fit, and what so many more users bought."""
        if self.heads[0] + count > len(self.pool):
            self._columns.pool.grow(int(self.heads[0]) + count)
        if self.heads[2] + buyers > len(self.purchases):
            self._columns.purchases.grow(int(self.heads[2]) + buyers)

    def _aside(self) -> Iterator[tuple[bytes, bytes | None]]:
        """Yield what changed besides users: names, what waits, how far days and time have come, growth accounting."""
        for prefix, dictionary in ((CATEGORY_KEY, self.categories), (ORIGIN_KEY, self.origins)):
            for name in dictionary.added:
                yield prefix + name.encode(), orjson.dumps(dictionary[name])
            dictionary.added.clear()
        for prefix, kept in self._beside.items():
            for name, value in kept.take():
                yield prefix + name.encode(), value
        if self.calendar_until is not None and self.calendar_until != self._calendar_told:
            yield CALENDAR_KEY, orjson.dumps(list(self.calendar_until))
            self._calendar_told = self.calendar_until
        told = [self._since, self._resumed if self._sweep is None else self._asked]
        if told != self._time_told:
            yield TIME_KEY, orjson.dumps(told)
            self._time_told = told
        for grain, slot in np.argwhere((self.periods != self._periods_told).any(axis=2)).tolist():
            *counters, number = self.periods[grain, slot].tolist()
            yield PERIODS_KEY + f"{period.GRAINS[grain]}-{number}".encode(), orjson.dumps(counters)
        self._periods_told = self.periods.copy()

    def _restore_aside(self, key: bytes, value: bytes | None) -> None:
        if not key.startswith(ASIDE):
            self.erase(int(self.intern([key])[0]))
        elif (prefix := key[: key.index(b"\0", 1) + 1]) in self._beside:
            self._beside[prefix].restore(key.removeprefix(prefix).decode(), value)
        elif value is not None and key == CALENDAR_KEY:
            self.calendar_until = self._calendar_told = Reached(*orjson.loads(value))
        elif value is not None and key == TIME_KEY:
            self._since, self._resumed = self._time_told = orjson.loads(value)
        elif value is not None and key.startswith(PERIODS_KEY):
            grain, _, number = key.removeprefix(PERIODS_KEY).decode().partition("-")
            period.put(self.periods, period.GRAINS.index(grain), int(number), orjson.loads(value))
        elif value is not None:
            for prefix, dictionary in ((CATEGORY_KEY, self.categories), (ORIGIN_KEY, self.origins)):
                if key.startswith(prefix):
                    dictionary.put(key.removeprefix(prefix).decode(), orjson.loads(value))

    def _restore_users(self, pairs: Pairs, first: int, last: int) -> None:
        if first == last:
            return
        who = self.intern_spans(pairs.data, pairs.keys[first:last])
        rows, counts, orders, purchases, profiles = decode_rows(pairs.data, pairs.values[first:last])
        self._make_room_for_orders(len(orders), len(purchases))
        order.put(self._state(), who, rows, counts, orders, purchases)
        for number in who.tolist() if self.profiles else ():
            self.profiles.pop(number, None)
        for place, profile in profiles:
            self.profiles[int(who[place])] = profile

    def _make_room_for_users(self, known: int) -> None:
        """Give those who came after the first `known` their rows; no more of the columns is touched than they need."""
        if len(self.index) > len(self.rows):
            for column in self._columns[:3]:
                column.grow(len(self.index))
        self.due[known : len(self.index)] = NEVER


def _of(bit: str) -> tuple[str, ...]:
    """Return the channels for which a bit of the row stands."""
    return SHARED_BITS.get(bit, (bit,))


def _pass(who: np.ndarray, source: int, at: int) -> np.ndarray:
    """Return events (EVENT[n]) by which the rows `who` come to the time `at`."""
    events = np.zeros(len(who), EVENT)
    events["row"], events["source"], events["at"] = who, source, at
    return events


def _is_aside(pairs: Pairs) -> np.ndarray:
    """Say of each key whether it is no user's."""
    aside: np.ndarray = pairs.data[pairs.keys[:, 0]] == ASIDE[0]
    return aside


def _places(book: Rulebook) -> dict[str, int]:
    """Return the place of each dimension."""
    return {name: place for place, name in enumerate(book.dimensions)}


def _sides(book: Rulebook) -> Codes:
    """Return the codes of kinds of user."""
    return Codes({name: k for k, name in enumerate(book.kinds, 1)})


def is_blank(rows: np.ndarray) -> np.ndarray:
    """Say of each row (ROW[n]) whether nothing was ever applied to it: unknown yet, or erased."""
    return np.logical_not(rows["applied"].any(axis=1))
