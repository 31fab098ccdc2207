"""Moves → transitions: each of the fold's moves becomes a CloudEvent, keyed by user, on its dimension's topic.

This is on the hot path, so the JSON is written by compiled code, from texts that all moves of a kind have in common
and what is each one's own. That this and the declaration, `Envelope[Transition]`, are the same is a test's word.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from streams.core.compiled import compiled
from streams.core.dimension import RFM
from streams.core.row import CAUSES
from streams.core.rules import Rulebook
from streams.index import Index
from streams.wire.block import Pairs
from streams.wire.literal import (
    LARGE,
    MINUS,
    MOST_ESCAPED_BYTES,
    MOST_FIGURE_BYTES,
    MOST_INSTANT_BYTES,
    MOST_NUMBER_BYTES,
    Texts,
    start_of,
    write_figure,
    write_instant,
    write_integer,
    write_plain,
    write_quoted,
)

PRESENT = np.zeros((), bool)
WHAT = ("dimension", "from", "to", "cause", "kind", "rules")
FIGURES = 4
TO_ID, TO_SUBJECT, TO_TIME, TO_SEQ, TO_AT, TO_EVIDENCE, TO_HISTORIC_EVIDENCE, TO_FIGURES = range(8)
TO_CUTS, TO_END, TEXTS = TO_FIGURES + FIGURES, TO_FIGURES + FIGURES + 1, TO_FIGURES + FIGURES + 2
"""The texts of a kind: each leads to what follows it, which is each transition's own. Of the evidence, everything
begins with a comma; the first one becomes its brace."""
BRACE = ord("{")
FIRST_SLOTS = 256
KNOWN = np.uint64(1 << 63)
"""Set in the code of every kind, so that none is 0."""
GOLDEN = np.uint64(0x9E3779B97F4A7C15)
"""2⁶⁴ by the golden ratio: its multiples are spread evenly (D. Knuth's multiplicative hashing)."""


class Kind(NamedTuple):
    """What all transitions from one value of a dimension to another, by one cause, have in common."""

    topic: str
    texts: tuple[str, ...]


class Encoder:
    """Writes transitions, under whichever rules they were made. `source` is the CloudEvents' source."""

    def __init__(self, source: str) -> None:
        self.source = source
        self._books: dict[int, Rulebook] = {}
        self._forget()

    def know(self, book: Rulebook) -> None:
        """Take note of rules; moves tell by number under which they were made."""
        if self._books.get(book.number) is not book:
            self._books[book.number] = book
            self._forget()

    def encode(self, moves: np.ndarray, index: Index, historic: np.ndarray = PRESENT) -> dict[str, Pairs]:
        """Return (key, CloudEvent bytes) for each of the moves (MOVE[n]), by the settings' name of the topic.

        `historic` (bool[n], or one for all) says which of them are marked so.
        """
        n = len(moves)
        kinds, marks, spans = self._kinds_of(moves), np.empty(n, bool), np.empty((2, n, 2), np.int64)
        marks[:] = historic
        topics = self._topics[kinds]
        order = np.argsort(topics, kind="stable")
        users = Texts(index.blob, index.ends)
        data = np.empty(_most_bytes(moves, kinds, self._texts, users), np.uint8)
        _write(moves, order, kinds, marks, self._texts, users, data, *spans)
        ends = np.cumsum(np.bincount(topics, minlength=len(self._names))).tolist()
        parts = zip(self._names, [0, *ends], ends, strict=False)
        return {name: _part(data, *spans[:, first:last]) for name, first, last in parts if first < last}

    def _kinds_of(self, moves: np.ndarray) -> np.ndarray:
        """Return the place of each move's kind (i4[n])."""
        kinds, known = np.empty(len(moves), np.int32), 0
        while (known := _find(moves, known, self._codes, self._places, kinds)) < len(moves):
            self._learn(moves[known])
        return kinds

    def _forget(self) -> None:
        self._names: list[str] = []
        self._topics = np.empty(0, np.uint8)
        self._texts = Texts.of([])
        self._codes, self._places = np.zeros(FIRST_SLOTS, np.uint64), np.zeros(FIRST_SLOTS, np.int32)

    def _learn(self, move: np.void) -> None:
        """Take up the kind of a move."""
        topic, texts = self._describe(*(int(move[name]) for name in WHAT))
        if topic not in self._names:
            self._names.append(topic)
        if 2 * len(self._topics) >= len(self._codes):
            known = zip(self._codes[self._codes > 0], self._places[self._codes > 0], strict=True)
            self._codes, self._places = np.zeros(2 * len(self._codes), np.uint64), np.tile(self._places, 2)
            for code, place in known:
                self._enter(code, place)
        self._enter(_code(move), len(self._topics))
        self._topics = np.append(self._topics, np.uint8(self._names.index(topic)))
        self._texts = self._texts.followed(text.encode() for text in texts)

    def _enter(self, code: int, place: int) -> None:
        slot = _slot(np.uint64(code), self._codes)
        self._codes[slot], self._places[slot] = code, place

    def _describe(self, dimension: int, before: int, to: int, cause: int, user_kind: int, rules: int) -> Kind:
        """Return what such transitions have in common; their cuts are evidence too."""
        book = self._books[rules]
        name, values = book.dimensions[dimension], book.values[dimension]
        rule = book.table[user_kind]
        cuts: dict[str, float] = {}
        if dimension == RFM:
            cuts = {n: float(rule[n]) for n in ("recent_days", "frequent", "valuable")}
        elif rule["bands"][dimension] and to:
            cuts = {"at_least": float(rule["edges"][dimension, to - 1])}
        data = f'"dimension":"{name}","from":"{values[before]}","to":"{values[to]}","cause":"{CAUSES[cause]}"'
        figures = [f',"{figure}":' for figure in book.figures[dimension]]
        return Kind(
            book.topics[dimension],
            (
                '{"specversion":"1.0","id":"',
                f'","source":"{self.source}","type":"awaken.{name}.{values[to]}","subject":"',
                '","time":"',
                f'","datacontenttype":"application/json","data":{{{data},"seq":',
                ',"at":',
                f',"rules":"{book.version}","historic":false,"evidence":',
                f',"rules":"{book.version}","historic":true,"evidence":',
                *figures,
                *[""] * (FIGURES - len(figures)),
                "".join(f',"{n}":{number(x)}' for n, x in cuts.items()),
                "}}}",
            ),
        )


def number(figure: float) -> str:
    """Return a figure as JSON: whole where it is whole, else to four places."""
    return str(int(figure)) if figure == int(figure) else f"{figure:.4f}".rstrip("0").rstrip(".")


def _part(data: np.ndarray, keys: np.ndarray, values: np.ndarray) -> Pairs:
    """Return consecutive keys and values, with no more of the data than is theirs."""
    start = keys[0, 0]
    return Pairs(data[start : values[-1, 1]], keys - start, values - start)


@compiled
def _code(move):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    """Return what tells the kind of a move, as one number (u8)."""
    code = np.uint64(move["rules"])
    code = code << np.uint64(8) | np.uint64(move["kind"])
    code = code << np.uint64(8) | np.uint64(move["dimension"])
    code = code << np.uint64(8) | np.uint64(move["from"])
    code = code << np.uint64(8) | np.uint64(move["to"])
    return code << np.uint64(8) | np.uint64(move["cause"]) | KNOWN


@compiled
def _slot(code, codes):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    """Return the slot that holds a code, or the empty one where it belongs."""
    mask = np.uint64(codes.size - 1)
    slot = ((code * GOLDEN) >> np.uint64(32)) & mask
    while codes[slot] and codes[slot] != code:
        slot = (slot + np.uint64(1)) & mask
    return slot


@compiled
def _find(moves, first, codes, places, kinds):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    """Find the kinds of the moves from `first` on; return the first one whose kind is not known, or their number."""
    for k in range(first, moves.size):
        slot = _slot(_code(moves[k]), codes)
        if codes[slot] == 0:
            return k
        kinds[k] = places[slot]
    return moves.size


@compiled
def _most_bytes(moves, kinds, texts, users):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    """Return how many bytes the moves may take at most, with their keys."""
    most = 0
    for k in range(moves.size):
        row, first = moves[k]["row"], kinds[k] * TEXTS
        most += texts.ends[first + TEXTS - 1] - start_of(texts, first)
        most += (users.ends[row] - start_of(users, row)) * (1 + 2 * MOST_ESCAPED_BYTES)
        most += 4 * MOST_NUMBER_BYTES + MOST_INSTANT_BYTES
        for x in moves[k]["figures"]:
            most += MOST_NUMBER_BYTES if x < LARGE else MOST_FIGURE_BYTES
    return most


@compiled
def _write(moves, order, kinds, historic, texts, users, data, keys, values):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    """Write the key and the event of each of the moves, in that order, and their spans."""
    at = 0
    for n in range(order.size):
        k = order[n]
        keys[n, 0] = at
        at = write_plain(users, moves[k]["row"], data, at)
        keys[n, 1] = values[n, 0] = at
        at = _write_event(moves[k], kinds[k] * TEXTS, historic[k], texts, users, data, at)
        values[n, 1] = at


@compiled
def _write_event(move, first, historic, texts, users, data, at):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    """Write a move as a CloudEvent; `first` is the first text of its kind."""
    at = write_plain(texts, first + TO_ID, data, at)
    at = write_quoted(users, move["row"], data, at)
    data[at] = MINUS
    at = write_integer(np.int64(move["seq"]), data, at + 1)
    data[at] = MINUS
    at = write_integer(move["at"], data, at + 1)
    at = write_plain(texts, first + TO_SUBJECT, data, at)
    at = write_quoted(users, move["row"], data, at)
    at = write_plain(texts, first + TO_TIME, data, at)
    at = write_instant(move["at"], data, at)
    at = write_plain(texts, first + TO_SEQ, data, at)
    at = write_integer(np.int64(move["seq"]), data, at)
    at = write_plain(texts, first + TO_AT, data, at)
    at = write_integer(move["at"], data, at)
    at = write_plain(texts, first + (TO_HISTORIC_EVIDENCE if historic else TO_EVIDENCE), data, at)
    at = _write_evidence(move, first, texts, data, at)
    return write_plain(texts, first + TO_END, data, at)


@compiled
def _write_evidence(move, first, texts, data, at):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    """Write the figures that there are (from 0 on, and finite), and the cuts."""
    brace = at
    for f in range(FIGURES):
        text, x = first + TO_FIGURES + f, move["figures"][f]
        if 0 <= x < np.inf and texts.ends[text] > texts.ends[text - 1]:
            at = write_plain(texts, text, data, at)
            at = write_figure(x, data, at)
    at = write_plain(texts, first + TO_CUTS, data, at)
    data[brace] = BRACE
    return max(at, brace + 1)
