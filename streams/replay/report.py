"""What came of a replay: told as JSON has it, and as a page for the terminal."""

from __future__ import annotations

from typing import Any

import numpy as np
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from streams.core.row import DAY, SOURCES
from streams.population import population
from streams.portrait import moment
from streams.replay.output import plain
from streams.replay.run import Replay

AT_THE_END = ("activity", "stage", "rfm")
"""Dimensions of which the page shows how many users have each value at the end; JSON has all."""


def told(run: Replay) -> dict[str, Any]:
    """Return what came of a run."""
    book = run.shard.book
    events = int(run.events.sum())
    spread = bool(run.last_at)
    return {
        "events": dict(zip(SOURCES, run.events.tolist(), strict=True)) | {"all": events},
        "users": sum(1 for _ in run.shard.users()) if events else 0,
        "first_at": run.first_at if spread else None,
        "last_at": run.last_at if spread else None,
        "until": run.shard.watermark,
        "rules": book.version,
        "cuts": _cuts(run),
        "transitions": _transitions(run.moves, book.dimensions, book.values),
        "population": population([run.shard]),
        "bad": dict(run.bad.most_common()),
        "bad_first": [plain(found) for found in run.shown],
        "out_of_order": {"events": run.late.events, "most_days": round(run.late.most_ms / DAY, 3)},
        "seconds": round(run.wall_s, 3),
        "events_per_second": round(events / run.wall_s) if run.wall_s else 0,
        "cpu_us_per_event": round(run.cpu_s / events * 1e6, 3) if events else 0.0,
    }


def page(found: dict[str, Any]) -> RenderableType:
    """Return what was told as a page."""
    parts: list[RenderableType] = [Text(line) for line in _head(found)]
    parts += [Text(f"\n{found['transitions']['all']:,} transitions", style="bold"), _moves(found["transitions"])]
    parts.append(Text(f"\nUsers at the end, {moment(found['until'])}", style="bold"))
    parts.append(_users(found["population"]))
    parts.append(Text(f"\n{cuts_in_words(found['cuts'])}", style="dim"))
    parts += [Text(line, style="yellow") for line in _warnings(found)]
    return Group(*parts)


def render(found: dict[str, Any], console: Console) -> None:
    """Print the page."""
    console.print(page(found), highlight=False)


def cuts_in_words(cuts: dict[str, Any]) -> str:
    """Return by which cuts R, F and M were high."""
    if not cuts["every_hours"]:
        return "R, F and M are high by the figures of the settings (value.thresholds = fixed)."
    if not cuts["times"]:
        return (
            f"R, F and M are high by the figures of the settings: the population's cuts would have been taken every "
            f"{cuts['every_hours']:g} hours, and there were no buyers in time."
        )
    figures = "; ".join(
        f"{kind}: " + ", ".join(f"{name} {figure:,.2f}" for name, figure in found.items())
        for kind, found in cuts["newest"].items()
    )
    return (
        f"R, F and M are high by cuts of the population, taken {cuts['times']:,} times, every {cuts['every_hours']:g} "
        f"hours as time went on; before, by the figures of the settings. The newest: {figures} (minor units)."
    )


def _cuts(run: Replay) -> dict[str, Any]:
    freezer = run.freezer
    return {"every_hours": freezer.every_ms / 3_600_000, "times": freezer.times, "newest": freezer.cuts}


def _transitions(moves: np.ndarray, dimensions: tuple[str, ...], values: tuple[tuple[str, ...], ...]) -> dict[str, Any]:
    """Return the transitions by dimension and value, and how many there are."""
    named = {
        name: {value: int(moves[place, k]) for k, value in enumerate(values[place]) if moves[place, k]}
        for place, name in enumerate(dimensions)
    }
    return {"all": int(moves.sum()), "to": {name: found for name, found in named.items() if found}}


def _head(found: dict[str, Any]) -> list[str]:
    events = found["events"]
    by_source = ", ".join(f"{name} {events[name]:,}" for name in SOURCES if events[name])
    lines = [f"{events['all']:,} events ({by_source or 'none'}) of {found['users']:,} users"]
    if found["first_at"] is not None:
        lines.append(f"{moment(found['first_at'])} to {moment(found['last_at'])}, rules {found['rules']}")
    lines.append(
        f"{found['events_per_second']:,} events/s, {found['cpu_us_per_event']:g} µs of CPU an event, "
        f"{found['seconds']:g} s"
    )
    return lines


def _moves(transitions: dict[str, Any]) -> Table:
    table = Table("dimension", "transitions", "to", box=None, pad_edge=False)
    table.columns[1].justify = "right"
    for name, values in transitions["to"].items():
        table.add_row(name, f"{sum(values.values()):,}", _counted(values))
    return table


def _users(users: dict[str, dict[str, int]]) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    for name in AT_THE_END:
        if name in users:
            table.add_row(name, _counted({value: count for value, count in users[name].items() if count}) or "nobody")
    return table


def _counted(values: dict[str, int]) -> str:
    return ", ".join(f"{value} {count:,}" for value, count in values.items())


def _warnings(found: dict[str, Any]) -> list[str]:
    lines = []
    late = found["out_of_order"]
    if late["events"]:
        lines.append(
            f"\n{late['events']:,} events came too late in their files, by up to {late['most_days']:g} days: absence "
            "may have been decided without them. Sort the files by time."
        )
    if found["bad"]:
        lines.append(f"\n{sum(found['bad'].values()):,} bad records: {_counted(found['bad'])}; the first:")
        lines += [f"  {bad['file']}:{bad['line']}  {bad['reason']}: {bad['detail']}" for bad in found["bad_first"]]
    return lines
