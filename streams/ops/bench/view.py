"""The figures of a benchmark as a table."""

from __future__ import annotations

from typing import Any

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from streams.ops.bench.latency import PERCENTILES


def render(figures: dict[str, Any], console: Console) -> None:
    """Print the figures."""
    console.print(page(figures), highlight=False)


def page(figures: dict[str, Any]) -> RenderableType:
    """Return what was measured, and how."""
    parts: list[RenderableType] = [Text(_plan(figures)), Text(), _summary(figures)]
    if len(figures["runs"]) > 1:
        parts += [Text(), _runs(figures["runs"])]
    parts += [Text(), Text(_kinds(figures), style="dim")]
    if "latency_ms" in figures:
        parts.append(Text(_instruments(figures), style="dim"))
    parts += [Text(f"warning: {doubt}", style="yellow") for doubt in dict.fromkeys(figures.get("doubts", ()))]
    return Group(*parts)


def _plan(figures: dict[str, Any]) -> str:
    cores = ", ".join(map(str, figures["cores"]))
    many = "a worker on core" if figures["workers"] == 1 else f"{figures['workers']} workers on core"
    paced = f" at {figures['rate']:,} a second" if figures["rate"] else ""
    return (
        f"{figures['events']:,} events of {figures['users']:,} users{paced}, {figures['partitions']} partitions,\n"
        f"{figures['guarantee']}, {'every dimension' if figures['dimensions'] == 'all' else 'the activity class'}, "
        f"{many} {cores}, a commit every {figures['commit_seconds']:g} s"
    )


def _summary(figures: dict[str, Any]) -> Table:
    """Return each figure, with its spread where there are several runs."""
    several = len(figures["runs"]) > 1
    table = Table(
        "", *(("median", "least", "greatest") if several else ("",)), show_header=several, box=None, pad_edge=False
    )
    for column in table.columns[1:]:
        column.justify = "right"

    def row(label: str, name: str, form: str) -> None:
        spread = [f"{value:{form}}" for value in figures["spread"][name]] if several else []
        table.add_row(label, Text(f"{figures[name]:{form}}", style="bold"), *spread)

    row("events/s", "events_per_second", ",")
    row("µs of CPU an event", "cpu_us_per_event", ".2f")
    for step, used in figures["steps_us_per_event"].items():
        table.add_row(f"  {step}", f"{used:.3f}", style="dim")
    row("MB of memory, peak", "rss_mb", ",")
    row("ms, the loop's longest pause", "longest_pause_ms", ",.1f")
    if "latency_ms" in figures:
        table.add_row("ms from event to subscriber")
        for name in PERCENTILES:
            table.add_row(f"  {name}", Text(f"{figures['latency_ms'][name]:,.1f}", style="bold"))
    return table


def _runs(runs: list[dict[str, Any]]) -> Table:
    """Return a line for each run."""
    timed = PERCENTILES if "latency_ms" in runs[0] else ()
    table = Table("run", "events/s", "µs CPU", "MB", "pause ms", *timed, "rows", box=None, pad_edge=False)
    for column in table.columns[1:]:
        column.justify = "right"
    for number, run in enumerate(runs, 1):
        table.add_row(
            str(number),
            f"{run['events_per_second']:,}",
            f"{run['cpu_us_per_event']:.2f}",
            f"{run['rss_mb']:,}",
            f"{run['longest_pause_ms']:,.1f}",
            *(f"{run['latency_ms'][name]:,.1f}" for name in timed),
            "equal" if run["rows_equal"] else f"-{run['rows_missing']} +{run['rows_wrong']}",
        )
    return table


def _instruments(figures: dict[str, Any]) -> str:
    """Return how many transitions were timed, and how those did who timed them."""
    producer, subscriber = figures["producer"], figures["subscriber"]
    return (
        f"timed: {figures['transitions_timed']:,} transitions that events caused, the warm-up left out\n"
        f"producer: late p99 {producer['late_ms']['p99']:g} ms, acknowledged p99 "
        f"{producer['acknowledged_ms']['p99']:g} ms, {producer['core']:.0%} of a core\n"
        f"subscriber: held up p99 {subscriber['held_up_ms']['p99']:g} ms, {subscriber['core']:.0%} of a core\n"
        f"the broker's data: {figures['broker_data']}"
    )


def _kinds(figures: dict[str, Any]) -> str:
    """Return how the transitions stand beside the oracle's."""
    kinds = "  ".join(f"{kind} {count:,}" for kind, count in figures["transitions"].items())
    if figures["rows_equal"]:
        said = "equal, row by row"
    else:
        said = f"{figures['rows_missing']:,} missing, {figures['rows_wrong']:,} wrong"
        if figures["rate"]:
            said += " (live, an order may be read a moment after a later click)"
    return f"transitions beside the oracle's: {said}\n{kinds}"
