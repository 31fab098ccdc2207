"""Backfills that an operator declares: spans of event time that are loaded late, and are history.

What follows from a span is told as always, with the same content but for its mark: `historic`, and nobody is pushed for
it. Declare it before the load begins. What is older than `historic_hours` is history without a word.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from streams.ops import NotReady
from streams.ops.control import at_control, free_id
from streams.wire.control import Backfill, key_of
from streams.wire.message import instant

if TYPE_CHECKING:
    from streams.settings import Settings
    from streams.worker.control import View, Writer

LIST = "awaken backfill list"


class NoSuchBackfill(NotReady):
    """There is no backfill of this name."""


def declare(settings: Settings, start: int, end: int, why: str) -> Backfill:
    """Declare that what happened from `start` up to `end` (int ms UTC) is loaded late, and return the backfill.

    Raises:
        NotReady: it would end before it begins, or Kafka is not there.
    """
    if end <= start:
        raise NotReady(f"a backfill from {instant(start)} to {instant(end)} would end before it begins", "swap them")

    async def write(view: View, writer: Writer) -> Backfill:
        ident = free_id(start, {known.id for known in view.backfills})
        backfill = Backfill(ident, start, end, why)
        await writer.write([backfill])
        return backfill

    return at_control(settings, write)


def undo(settings: Settings, ident: str) -> Backfill:
    """Take a backfill back: what comes from now on of its span is the present again. Return it.

    Raises:
        NoSuchBackfill: none has this name.
    """

    async def write(view: View, writer: Writer) -> Backfill:
        found = next((backfill for backfill in view.backfills if backfill.id == ident), None)
        if found is None:
            raise NoSuchBackfill(f"there is no backfill {ident}", f"see {LIST}")
        await writer.remove([key_of(found)])
        return found

    return at_control(settings, write)


def everything(settings: Settings) -> list[Backfill]:
    """Return all backfills on `control`, by their beginning."""

    async def ask(view: View, _: Writer) -> list[Backfill]:
        return view.backfills

    return at_control(settings, ask)


def render(backfills: Sequence[Backfill]) -> None:
    """Print backfills to the terminal."""
    table = Table("id", "from", "to", "why", box=None, pad_edge=False)
    for backfill in backfills:
        table.add_row(backfill.id, instant(backfill.start), instant(backfill.end), backfill.why)
    Console(soft_wrap=True).print(table if backfills else "no backfill is declared")
