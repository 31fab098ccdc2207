"""What the pushes bring, from the workers that hold the trials: their sums added up, and the arms compared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import date
from functools import reduce
from typing import Any, NamedTuple

import msgspec
import numpy as np
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from streams import lift, tally
from streams.ops import NotReady
from streams.ops.page import partitions, told, without, workers
from streams.playbook import ALL
from streams.settings import Settings
from streams.tally import ARMS, GROUPS, Arm, Kind, Slot, Sums, Tally

EPOCH = date(1970, 1, 1)


class Measure(NamedTuple):
    """What is compared, in words; of a tally the users who did it, what they did in all, and its squares."""

    label: str
    columns: Callable[[Tally], tuple[float, float, float]]
    money: bool = False


def _share(label: str, field: Callable[[Tally], int]) -> Measure:
    """Return the measure of how many users did something."""
    return Measure(f"{label}, %", lambda t: (field(t),) * 3)


MEASURES = {
    "bought": _share("bought", lambda t: t.conversions),
    "spend": Measure("spend a user", lambda t: (t.conversions, t.spend, t.squares), money=True),
    "gone": _share("dormant or churned after it", lambda t: t.dormant + t.churned),
    "objected": _share("unsubscribed or complained", lambda t: t.objected),
}
NOTE = (
    f"Differences are points of per cent, or money a user; each interval holds the true one with {1 - lift.LEVEL:.0%}, "
    f"at every look, so look as often as you like. Too few to say: under {lift.LEAST_USERS} users in an arm, or under "
    f"{lift.LEAST_EITHER} of them who did it or did not. Of twenty lines of pure chance, one may seem to differ."
)


def ask(settings: Settings, urls: Sequence[str], since: str | None) -> dict[str, Any]:
    """Return each trial with its arms, their differences and their open windows, and which partitions are missing.

    Only windows that ended on the day `since` (an ISO date) or later count, where it is given.

    Raises:
        NotReady: `since` is no date; a worker does not answer, refuses, or two tell of the same partition.
    """
    first = _day(since)
    pages = [told(url, "/lift", "trials") for url in workers(settings, urls)]
    held = partitions(pages)
    sums = tally.merge(tally.read(page.body["trials"]) for page in pages)
    sums = {slot: told_of for slot, told_of in sums.items() if slot.kind == "group" or slot.number >= first}
    waiting = Counter[tuple[str, str]]()
    for row in (row for answer in pages for row in answer.body["waiting"]):
        waiting[row["trial"], row["arm"]] += row["users"]
    names = {slot.trial for slot in sums} | {name for name, _ in waiting}
    trials = [
        _trial(name, sums) | {"waiting": {arm: waiting[name, arm] for arm in ARMS}}
        for name in sorted(names, key=lambda name: (name != ALL, name))
    ]
    return {"attribution_days": pages[0].body["attribution_days"], "level": lift.LEVEL, "trials": trials} | held


def page(found: dict[str, Any], minor_units: int) -> RenderableType:
    """Return the trials as a table, with how it is to be read."""
    table = Table("trial", "", "pushed", "withheld", "difference", "of the withheld's", box=None, pad_edge=False)
    for column in table.columns[2:4]:
        column.justify = "right"
    for one in found["trials"]:
        _rows(table, one, minor_units)
    days = f"Counted is what users did within {found['attribution_days']:g} days. "
    parts: list[RenderableType] = [
        table if found["trials"] else Text("nobody was pushed yet, and from nobody was a push withheld"),
        Text(f"\n{days}{NOTE}", style="dim"),
    ]
    if any(not one["holdout"]["users"] + one["waiting"]["holdout"] for one in found["trials"]):
        parts.append(Text("note: where nobody is withheld nothing can be compared: push.holdout", style="yellow"))
    if found["missing"]:
        parts.append(Text(without(found["missing"]), style="yellow"))
    return Group(*parts)


def render(found: dict[str, Any], minor_units: int, console: Console) -> None:
    """Print the trials."""
    console.print(page(found, minor_units), highlight=False)


def _day(since: str | None) -> int:
    try:
        return (date.fromisoformat(since) - EPOCH).days if since else 0
    except ValueError as error:
        raise NotReady(f"--since {since}: is no date", "write it like 2026-11-22") from error


def _trial(name: str, sums: Sums) -> dict[str, Any]:
    """Return one trial: its arms' sums, and of each measure what is known of their difference."""
    days = sorted({slot.number for slot in sums if slot.trial == name and slot.kind == "day"})
    whole = {arm: _whole(sums, name, arm) for arm in ARMS}
    measures = {}
    for name_of, measure in MEASURES.items():
        arms = [_series(sums, (name, arm, "day"), days, measure) for arm in ARMS]
        groups = [_series(sums, (name, arm, "group"), range(GROUPS), measure) for arm in ARMS]
        found = lift.compare(arms[0], arms[1], groups)
        measures[name_of] = None if found is None else msgspec.to_builtins(found)
    return {"trial": name, "measures": measures} | {arm: msgspec.structs.asdict(whole[arm]) for arm in ARMS}


def _whole(sums: Sums, name: str, arm: str) -> Tally:
    """Return all that an arm did on the days that count."""
    found = (some for slot, some in sums.items() if (slot.trial, slot.arm, slot.kind) == (name, arm, "day"))
    return reduce(tally.plus, found, Tally())


def _series(sums: Sums, of: tuple[str, Arm, Kind], numbers: Sequence[int], measure: Measure) -> np.ndarray:
    """Return an arm's sums of one measure by day or group (f8[n, 4]), as `lift.compare` wants them."""
    tallies = [sums.get(Slot(*of, number), Tally()) for number in numbers]
    return np.array([(t.users, *measure.columns(t)) for t in tallies], float).reshape(-1, 4)


def _rows(table: Table, found: dict[str, Any], minor_units: int) -> None:
    """Add a trial's rows to the table."""
    arms = [msgspec.convert(found[arm], Tally) for arm in ARMS]
    waiting = [f" (+{found['waiting'][arm]:,} open)" if found["waiting"][arm] else "" for arm in ARMS]
    users = [f"{arm.users:,}{more}" for arm, more in zip(arms, waiting, strict=True)]
    table.add_row(Text(found["trial"], style="bold"), "users", *users)
    for name, measure in MEASURES.items():
        known = msgspec.convert(found["measures"][name], lift.Lift | None)
        scale, unit, decimals = (10.0**-minor_units, "a user", minor_units) if measure.money else (100.0, "points", 1)
        means = [f"{measure.columns(t)[1] / t.users * scale:,.{decimals}f}" if t.users else "-" for t in arms]
        table.add_row("", measure.label, *means, lift.say(known, scale, unit, decimals), _relative(known))
    table.add_section()


def _relative(known: lift.Lift | None) -> str:
    """Return a difference as a share of what the withheld do anyway, with its interval."""
    if known is None:
        return ""
    return f"{known.relative:+.1%} ({known.relative_low:+.1%} to {known.relative_high:+.1%})"
