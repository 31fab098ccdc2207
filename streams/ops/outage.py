"""Outages that an operator declares: written to `control`, where every worker of the group credits them to absence.

A declared outage is credited to everybody who has not lapsed yet: his deadline moves by as much of the outage as falls
into his absence. Who has lapsed already stays as he is until his next act, since what was told to others is not
taken back. While an outage lasts, nobody lapses at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec
from rich.console import Console
from rich.table import Table

from streams.ops import NotReady
from streams.ops.control import at_control, free_id
from streams.wire.control import Outage, Stop, key_of
from streams.wire.message import instant
from streams.worker.control import View, Writer

if TYPE_CHECKING:
    from streams.settings import Settings

LIST = "awaken outage list"
OPERATOR = "an operator"
Span = Stop | Outage


class NoSuchOutage(NotReady):
    """There is no outage that could be meant; the text says which there are."""


def declare(settings: Settings, start: int, end: int | None, topics: Sequence[str], why: str) -> Outage:
    """Declare an outage from `start` to `end` (int ms UTC; None: until further notice), and return it.

    Raises:
        NotReady: it would end before it begins, names a topic that is no input, or Kafka is not there.
    """
    inputs = (settings.topics.clicks, settings.topics.orders)
    if end is not None and end <= start:
        raise NotReady(f"an outage from {instant(start)} to {instant(end)} would end before it begins", "swap them")
    unknown = [topic for topic in topics if topic not in inputs]
    if unknown:
        raise NotReady(f"--topic {unknown[0]}: is no input", f"there are {' and '.join(inputs)}")

    async def write(view: View, writer: Writer) -> Outage:
        ident = free_id(start, {known.id for known in view.outages})
        outage = Outage(ident, start, end, tuple(topics) or inputs, why)
        await writer.write([outage])
        return outage

    return at_control(settings, write)


def finish(settings: Settings, ident: str | None, end: int) -> Span:
    """End the outage or stop that lasts (the one named `ident` if there are several), and return it.

    A stop that the gate has found counts from then on as usual: what came in it is what is expected to come.

    Raises:
        NoSuchOutage: none lasts, several do, or none has this name.
    """

    async def write(view: View, writer: Writer) -> Span:
        lasting = {name_of(span): span for span in known(view) if span.end is None}
        if ident is None and len(lasting) > 1:
            raise NoSuchOutage(f"several outages last: {', '.join(lasting)}", "name one of them")
        found = lasting.get(ident) if ident else next(iter(lasting.values()), None)
        if found is None:
            raise NoSuchOutage(f"no outage {ident} lasts" if ident else "no outage lasts", f"see {LIST}")
        if end <= found.start:
            raise NotReady(
                f"{name_of(found)} began at {instant(found.start)}, later than {instant(end)}", f"see {LIST}"
            )
        ended: Span = msgspec.structs.replace(found, end=end)
        if isinstance(ended, Stop):
            ended = msgspec.structs.replace(ended, by=f"{ended.by}; ended by {OPERATOR}")
        await writer.write([ended])
        return ended

    return at_control(settings, write)


def undo(settings: Settings, ident: str) -> Outage:
    """Take a declared outage back, as if it had never been declared, and return it.

    Raises:
        NoSuchOutage: none has this name, or the gate has found it.
    """

    async def write(view: View, writer: Writer) -> Outage:
        found = next((span for span in known(view) if name_of(span) == ident), None)
        if isinstance(found, Stop):
            raise NoSuchOutage(
                f"{ident} was found by the gate and credited; it can be ended, not undone", f"see {LIST}"
            )
        if found is None:
            raise NoSuchOutage(f"there is no outage {ident}", f"see {LIST}")
        await writer.remove([key_of(found)])
        return found

    return at_control(settings, write)


def everything(settings: Settings) -> list[Span]:
    """Return all outages and stops on `control`, the newest last."""

    async def ask(view: View, _: Writer) -> list[Span]:
        return known(view)

    return at_control(settings, ask)


def known(view: View) -> list[Span]:
    """Return all outages and stops of a view, by their beginning."""
    spans: list[Span] = [*view.stops_found, *view.outages]
    return sorted(spans, key=lambda span: span.start)


def name_of(span: Span) -> str:
    """Return the name by which an operator speaks of an outage or a stop."""
    return span.id if isinstance(span, Outage) else f"stop-{span.start}"


def render(spans: Sequence[Span]) -> None:
    """Print outages and stops to the terminal."""
    table = Table("id", "from", "to", "topics", "why", box=None, pad_edge=False)
    for span in spans:
        why = span.why if isinstance(span, Outage) else f"{span.reason}: {span.by}"
        until = "lasts" if span.end is None else instant(span.end)
        table.add_row(name_of(span), instant(span.start), until, ", ".join(span.topics), why)
    Console(soft_wrap=True).print(table if spans else "there has been no outage")
