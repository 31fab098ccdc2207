"""A user on a page: who he is, what he is worth, how to reach him, what he likes, and what comes next."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from streams.core.dimension import GROWTH, LIFECYCLE, VALUE
from streams.ops.why.answer import Answer
from streams.ops.why.decided import Push
from streams.ops.why.meaning import BANDED, TOPICS, meaning, title
from streams.ops.why.push import line, trace
from streams.ops.why.wording import ago, listed, money, named, plural, reason
from streams.portrait import moment
from streams.wire.message import Transition

NONE = "none"
BARS = "▁▂▃▄▅▆▇█"
NEXT = 12
HISTORY = 30
PUSHES = 10
Line = tuple[str, str]


def render(answer: Answer, minor_units: int, console: Console) -> None:
    """Print the page; `minor_units` are the digits of the currency's."""
    console.print(page(answer, minor_units), highlight=False)


def page(answer: Answer, minor_units: int) -> RenderableType:
    """Return the page."""
    told = answer.told
    parts: list[RenderableType] = [
        _head(told),
        *_section("Who he is", _dimensions(answer, LIFECYCLE, minor_units)),
        *_section("What he is worth", _dimensions(answer, VALUE, minor_units), _lines(worth(told, minor_units))),
        *_section("What he has earned", _dimensions(answer, GROWTH, minor_units), _lines(earned(told))),
        *_section("When and through what he can be reached", _lines(reach(told))),
        *_section("His habits and interests", _lines(habits(told))),
        *_section("What comes next, if he does nothing", _next(told)),
    ]
    if answer.pushes:
        parts += _section("What was decided about him", _pushes(answer.pushes))
    if answer.history:
        parts += _section("What has happened", _history(answer.history, minor_units))
    parts += [Text(f"note: {note}", style="yellow") for note in answer.notes]
    return Group(*parts)


def worth(told: dict[str, Any], minor_units: int) -> Iterable[Line]:
    """Yield his orders and his spend."""
    orders, windows = told["orders"], told["windows"]
    count, spend = orders["count"], orders["spend"]
    average = f", {money(spend / count, minor_units)} each" if count else ""
    yield "all orders that stand", f"{plural(count, 'order')}, {money(spend, minor_units)} in all{average}"
    if orders["last_at"]:
        yield "newest order", f"{moment(orders['last_at'])}, {ago(orders['last_at'], told['now'])}"
    weekly = windows["orders_by_week"]
    if any(weekly):
        half = f"{plural(sum(weekly), 'order')}, {money(sum(windows['spend_by_week']), minor_units)}"
        yield "26 weeks", f"{half}  {bars(weekly[::-1])}"
        yield "of them with a coupon", str(sum(windows["coupons_by_week"]))


def earned(told: dict[str, Any]) -> Iterable[Line]:
    """Yield his points and his membership."""
    growth = told["growth"]
    yield "points to spend", f"{growth['points']:,}"
    if growth["member_until"]:
        yield "membership", f"from {growth['member_from']} until {growth['member_until']}"


def reach(told: dict[str, Any]) -> Iterable[Line]:
    """Yield the channels by which he can be reached, and the hours at which he is here."""
    allowed, reachable = told["contact"]["allowed"], told["contact"]["reachable"]
    yield "may and can be reached by", listed([c for c in allowed if c in reachable], "nothing")
    if lacking := [c for c in allowed if c not in reachable]:
        yield "allowed, but no address", listed(lacking)
    if refused := [c for c in reachable if c not in allowed]:
        yield "an address, but not allowed", listed(refused)
    hours = told["habits"]["best_hours"]
    yield "mostly here at (UTC)", listed([f"{hour:02d}:00" for hour in hours], "not known yet")
    if any(told["habits"]["hours"]):
        yield "hours, 00 to 23 (UTC)", bars(told["habits"]["hours"])
    social = told["social"]
    pushes, opens = social["pushes_of_4_weeks"], social["opens_of_4_weeks"]
    if pushes or opens:
        yield "our pushes in 4 weeks", f"{pushes}, of which he opened {opens}"


def habits(told: dict[str, Any]) -> Iterable[Line]:
    """Yield his rhythm, his interests, where he came from, and what he did for others."""
    rhythm, social = told["habits"], told["social"]
    gap = rhythm["usual_gap_days"]
    yield "active days", f"{rhythm['active_days_of_28']} of 28" + (f", usually every {gap:g} days" if gap else "")
    if told["dormant_after_days"] is not None:
        yield "counts as away after", f"{told['dormant_after_days']:g} days without an act"
    whole = sum(interest["weight"] for interest in told["interests"])
    shares = [f"{interest['category']} {interest['weight'] / whole:.0%}" for interest in told["interests"]]
    yield "interests, fading", listed(shares, "not known yet")
    yield "came by", told["source"] or "not known"
    if social["brought"]:
        yield "has brought", plural(social["brought"], "other")
    if social["feedbacks"] or social["open_complaints"]:
        yield "has given", f"{plural(social['feedbacks'], 'feedback')}; open complaints: {social['open_complaints']}"
    if social["best_rung"] != NONE:
        lost = f"; lost at {named(social['lost_rung'])}" if social["lost_rung"] else ""
        yield "highest rung ever", named(social["best_rung"]) + lost
    if social["seed"]:
        yield "seed user", "yes"


def bars(figures: Sequence[int]) -> str:
    """Return figures as a row of bars, the highest full."""
    most = max(figures, default=0)
    return "".join(BARS[-(-figure * (len(BARS) - 1) // most)] if most else BARS[0] for figure in figures)


def _head(told: dict[str, Any]) -> Text:
    now = told["now"]
    head = Text()
    head.append(told["user"], style="bold")
    head.append(f"   kind: {told['kind']}   partition {told['partition']}   rules {told['rules']}\n", style="dim")
    if told["last_at"]:
        head.append(f"first seen {moment(told['first_at'])}, {ago(told['first_at'], now)}; ")
        head.append(f"last seen {moment(told['last_at'])}, {ago(told['last_at'], now)}; ")
    else:
        head.append("never seen to act; ")
    head.append(f"{plural(told['transitions'], 'transition')} so far. Times are UTC; as of {moment(now)}.")
    return head


def _section(name: str, *parts: RenderableType | None) -> list[RenderableType]:
    found = [Padding(part, (0, 0, 0, 2)) for part in parts if part is not None]
    return [Text(f"\n{name}", style="bold cyan"), *found] if found else []


def _dimensions(answer: Answer, topic: str, minor_units: int) -> RenderableType | None:
    """Return the dimensions of a topic, two lines each; those in which he has no place yet in one."""
    told, none = answer.told, []
    table = Table.grid(padding=(0, 3, 0, 0))
    for name, held in told["values"].items():
        if TOPICS.get(name, VALUE) != topic:
            continue
        if held["value"] == NONE:
            none.append(named(name))
            continue
        value = Text(named(held["value"]), style="bold green")
        since = f"since {_since(held, told['now'])}" if held["since"] else "since long ago"
        table.add_row(Text(title(name)), value, Text(since))
        why = answer.reasons.get(name)
        because = reason(why, minor_units) if why else ""
        table.add_row(Text(named(name), style="dim"), Text(_meaning(name, held["value"])), Text(because, style="dim"))
    parts: list[RenderableType] = [table] if table.row_count else []
    if none:
        parts.append(Text(f"no place in: {listed(none)}", style="dim"))
    return Group(*parts) if parts else None


def _since(held: dict[str, Any], now: int) -> str:
    """Return since when a value holds: to the minute where that is known, else the day."""
    if at := held.get("since_at"):
        return f"{moment(at)}, {ago(at, now)}"
    return str(held["since"])


def _meaning(dimension: str, value: str) -> str:
    if value == NONE:
        return "has no place in it any more"
    return meaning(dimension, value) or (f"a band of yours: bands.{dimension}" if dimension in BANDED else "")


def _lines(lines: Iterable[Line]) -> RenderableType | None:
    table = Table.grid(padding=(0, 3, 0, 0))
    for name, text in lines:
        table.add_row(Text(name), Text(text))
    return table if table.row_count else None


def _next(told: dict[str, Any]) -> RenderableType:
    table = Table.grid(padding=(0, 3, 0, 0))
    for move in told["next"][:NEXT]:
        late = "overdue: " if move["at"] < told["now"] else ""
        when = f"{late}{ago(move['at'], told['now'])}"
        change = Text.assemble(f"{named(move['dimension'])}: {named(move['from'])} → ", (named(move["to"]), "bold"))
        table.add_row(Text(moment(move["at"])), Text(when), change, Text(_meaning(move["dimension"], move["to"])))
    if not table.row_count:
        return Text("nothing: time alone changes nothing about him within a year")
    if (left := len(told["next"]) - NEXT) > 0:
        table.add_row(Text(f"and {left} more; --json has all", style="dim"))
    return table


def _pushes(pushes: Sequence[Push]) -> RenderableType:
    """Return the newest decisions, the newest first, two lines each: what, and what was asked."""
    table = Table.grid(padding=(0, 3, 0, 0))
    for push in pushes[:PUSHES]:
        playbook = named(push.playbook) + (f", message {push.step}" if push.step > 1 else "")
        table.add_row(Text(moment(push.at)), Text(playbook, style="bold"), Text(line(push)))
        table.add_row(Text(), Text(), Text(trace(push), style="dim"))
    if (left := len(pushes) - PUSHES) > 0:
        table.add_row(Text(), Text(), Text(f"and {left} before; --json has all", style="dim"))
    return table


def _history(history: Sequence[Transition], minor_units: int) -> RenderableType:
    table = Table.grid(padding=(0, 3, 0, 0))
    if len(history) > HISTORY:
        table.add_row(Text(f"the newest {HISTORY} of {len(history)}; --json has all", style="dim"))
    for t in history[-HISTORY:]:
        change = f"{named(t.dimension)}: {named(t.from_)} → {named(t.to)}"
        table.add_row(Text(moment(t.at)), Text(change), Text(reason(t, minor_units), style="dim"))
    return table
