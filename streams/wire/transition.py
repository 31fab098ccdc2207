"""Moves → transitions: each of the fold's moves becomes a CloudEvent, keyed by user, on its dimension's topic.

This is on the hot path, so the JSON is written by a template rather than from a dictionary (a third of the time);
that the two are the same, `Envelope[Transition]` and this, is a test's word.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
import orjson

from streams.core.dimension import RFM
from streams.core.row import CAUSES
from streams.core.rules import Rulebook
from streams.index import Index

Keyed = tuple[bytes, bytes]
PRESENT = np.zeros((), bool)
WHAT = ["dimension", "from", "to", "cause", "kind", "rules"]


class Kind(NamedTuple):
    """What all transitions from one value of a dimension to another, by one cause, have in common."""

    topic: str
    type: str
    data: str
    figures: tuple[str, ...]
    evidence: str
    rules: str


class Encoder:
    """Writes transitions, under whichever rules they were made. `source` is the CloudEvents' source."""

    def __init__(self, source: str) -> None:
        self.source = source
        self._books: dict[int, Rulebook] = {}
        self._kind = cache(self._describe)

    def know(self, book: Rulebook) -> None:
        """Take note of rules; moves tell by number under which they were made."""
        if self._books.get(book.number) is not book:
            self._books[book.number] = book
            self._kind.cache_clear()

    def encode(self, moves: np.ndarray, index: Index, historic: np.ndarray = PRESENT) -> dict[str, list[Keyed]]:
        """Return (key, CloudEvent bytes) for each of the moves (MOVE[n]), by the settings' name of the topic.

        `historic` (bool[n], or one for all) says which of them are marked so.
        """
        times = np.datetime_as_string(moves["at"].astype("datetime64[ms]"), timezone="UTC").tolist()
        columns = (moves[name].tolist() for name in ("at", "seq", "figures"))
        marks = np.where(np.broadcast_to(historic, len(moves)), "true", "false").tolist()
        written: dict[str, list[Keyed]] = {}
        for key, what, time, mark, at, seq, figures in zip(
            index.keys(moves["row"]), moves[WHAT].tolist(), times, marks, *columns, strict=True
        ):
            kind, user = self._kind(*what), quoted(key.decode())
            evidence = ",".join(
                [f'"{name}":{number(x)}' for name, x in zip(kind.figures, figures, strict=False) if x >= 0]
            )
            event = (
                f'{{"specversion":"1.0","id":"{user}-{seq}-{at}","source":"{self.source}",'
                f'"type":"{kind.type}","subject":"{user}","time":"{time}",'
                f'"datacontenttype":"application/json","data":{{{kind.data},"seq":{seq},"at":{at},'
                f'"rules":"{kind.rules}","historic":{mark},"evidence":{{{evidence}'
                f"{kind.evidence if evidence else kind.evidence[1:]}}}}}}}"
            )
            written.setdefault(kind.topic, []).append((key, event.encode()))
        return written

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
        return Kind(
            book.topics[dimension],
            f"awaken.{name}.{values[to]}",
            f'"dimension":"{name}","from":"{values[before]}","to":"{values[to]}","cause":"{CAUSES[cause]}"',
            book.figures[dimension],
            "".join(f',"{n}":{number(x)}' for n, x in cuts.items()),
            book.version,
        )


def number(figure: float) -> str:
    """Return a figure as JSON: whole where it is whole, else to four places."""
    return str(int(figure)) if figure == int(figure) else f"{figure:.4f}".rstrip("0").rstrip(".")


def quoted(text: str) -> str:
    """Return the text as it stands between the quotes of a JSON string."""
    return text if text.isalnum() else orjson.dumps(text).decode()[1:-1]
