"""`awaken preview`: what a real user would get from a playbook as the command's own settings have it, step by step.

The playbook, what it offers and its budget are sent along whole to the worker that holds the user; all else (channels,
caps, thresholds) is as that worker has it.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any

import msgspec
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from streams.ops import NotReady
from streams.ops.page import workers
from streams.ops.why.ask import ask as ask_workers
from streams.ops.why.wording import listed, named
from streams.portrait import moment
from streams.push.policy import CHAIN
from streams.push.reason import whole
from streams.settings import Settings
from streams.wire.message import Decision, Grant
from streams.wire.message import Text as Said

WIDTH = 72
CUT = "…"
PLAIN = ("title", "body")
"""Parts of a message that need no name beside them."""
ELSEWHERE = frozenset(rule.name for rule in CHAIN if rule.needs)
"""Rules that need somebody's answer, who was not asked."""
NOTE = (
    "Nothing was sent, counted or spent. What he had before and how much is left were not asked: caps, budgets and "
    "stocks, the breaker. Codes are samples, which no shop takes."
)


def ask(settings: Settings, playbook: str, user: str, urls: Sequence[str]) -> dict[str, Any]:
    """Return what the worker that holds the user tells of a playbook of these settings.

    Raises:
        NotReady: there is no such playbook, nothing is known of the user, or no worker that was asked can tell.
    """
    body = msgspec.json.encode({"playbook": playbook, "settings": brought(settings, playbook)})
    return ask_workers(workers(settings, urls), user, "/preview", body)


def brought(settings: Settings, playbook: str) -> dict[str, Any]:
    """Return a playbook with the offers and the budget that it names, as a settings file would hold them.

    Raises:
        NotReady: there is no such playbook.
    """
    if playbook not in settings.playbooks:
        near = difflib.get_close_matches(playbook, settings.playbooks, 1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(settings.playbooks)}"
        raise NotReady(f"there is no playbook {playbook} in these settings", f"{hint}; --config names another file")
    found = settings.playbooks[playbook]
    messages = [found.message(step) for step in range(1, len(found.steps) + 2)]
    offers = {message.offer for message in messages}
    sections = {
        "playbooks": {playbook: found},
        "offers": {name: offer for name, offer in settings.offers.items() if name in offers},
        "budgets": {name: budget for name, budget in settings.budgets.items() if name == found.budget},
    }
    return {section: msgspec.to_builtins(some, str_keys=True) for section, some in sections.items() if some}


def render(found: dict[str, Any], console: Console, *, trace: bool = False, enabled: bool = True) -> None:
    """Print the page; with `trace` what was asked, rule by rule."""
    console.print(page(found, trace=trace, enabled=enabled), highlight=False)


def page(found: dict[str, Any], *, trace: bool = False, enabled: bool = True) -> RenderableType:
    """Return the page; `enabled` says whether the playbook is switched on where the command was called."""
    parts: list[RenderableType] = [_head(found), *_meant(found)]
    if not enabled:
        parts.append(Text("The playbook is switched off (enabled = false).", style="yellow"))
    for step in found["steps"]:
        parts += _step(step, len(found["steps"]), found["now"], trace=trace)
    return Group(*parts, Text(f"\n{NOTE}", style="dim"))


def verdict(decision: Decision) -> tuple[str, str]:
    """Return what would become of a message, in words, and the style in which that is shown."""
    if decision.action == "send":
        return "would be sent", "bold green"
    if decision.action == "hold":
        until = f" until {moment(decision.until)} UTC" if decision.until is not None else ""
        return f"would be held{until}: {whole(decision.reason)}", "bold yellow"
    detail = decision.trace[-1].detail
    return f"would not be sent: {whole(decision.reason)}" + (f" ({detail})" if detail else ""), "bold red"


def _head(found: dict[str, Any]) -> Text:
    head = Text.assemble((found["playbook"], "bold"), " for ", (found["user"], "bold"), style="cyan")
    head.append(f"   as of {moment(found['now'])} UTC, partition {found['partition']}\n", style="dim")
    return head


def _meant(found: dict[str, Any]) -> Iterator[RenderableType]:
    """Yield whether he is where the playbook waits, and whether it is meant for him."""
    trigger, conditions = found["trigger"], found["when"]
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_row(
        _mark(trigger["there"]),
        Text(f"comes to {named(trigger['on']).replace('.', ': ', 1)}"),
        Text(_where(trigger), style="dim"),
    )
    for one in conditions:
        has = "not known" if one["value"] is None else named(one["value"])
        wanted = f"{one['name']} is {' or '.join(map(named, one['wanted']))}"
        table.add_row(_mark(one["holds"]), Text(wanted), Text(f"his is {has}", style="dim"))
    yield table
    if not all(one["holds"] for one in conditions):
        yield Text("It is not meant for him: he gets nothing of this. If it were:", style="yellow")
    elif trigger["there"] is False:
        yield Text("He is not there now. Were he to come there this minute:", style="yellow")


def _where(trigger: dict[str, Any]) -> str:
    if trigger["there"] is None:
        return "a day or an event, and no state of his"
    return "he is there now" if trigger["there"] else f"he is {named(trigger['value'])} now"


def _step(step: dict[str, Any], steps: int, now: int, *, trace: bool) -> Iterator[RenderableType]:
    decision = msgspec.convert(step["decision"], Decision)
    of = f"Message {step['step']} of {steps}" if steps > 1 else "The message"
    said, style = verdict(decision)
    yield Text.assemble((f"\n{of}", "bold cyan"), (f"  {_when(step, now)}, {decision.kind}", "dim"))
    parts: list[RenderableType] = [Text(said, style=style), _lines(_ways(decision, step["not_ready"]))]
    parts += [_panel(names, _marked(shown, decision)) for names, shown in _alike(step["shown"])]
    if trace:
        parts.append(_trace(decision))
    yield Padding(Group(*parts), (0, 0, 0, 2))


def _when(step: dict[str, Any], now: int) -> str:
    if step["at"] == now:
        return "at once"
    days = f"{step['after_days']:g}"
    return f"after {days} day{'' if days == '1' else 's'} ({moment(step['at'])} UTC), if he has not moved"


def _ways(decision: Decision, not_ready: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield what there is to know beside the words: the ways, the cost, the offer."""
    if decision.channels:
        yield "by", listed(list(decision.channels))
        if decision.fallbacks:
            yield "if that fails", ", then ".join(decision.fallbacks)
        yield "costs", f"at most {_money(decision.cost)} to send" if decision.cost else "nothing to send"
    if not_ready:
        yield "not set up", listed(list(not_ready))
    if decision.offer is not None:
        yield from _offer(decision.offer)


def _offer(grant: Grant) -> Iterator[tuple[str, str]]:
    yield "offer", f"{grant.offer}: {grant.terms}"
    yield "", f"code {grant.code} (a sample); costs at most {_money(grant.value)} when it is used"


def _alike(shown: dict[str, dict[str, str]]) -> Iterator[tuple[list[str], dict[str, str]]]:
    """Yield what is seen, with the channels on which it looks the same."""
    ordered = sorted(shown.items(), key=lambda one: list(one[1].items()))
    groups = [[name for name, _ in group] for _, group in groupby(ordered, key=lambda one: one[1])]
    for names in sorted(groups, key=lambda names: min(map(list(shown).index, names))):
        yield sorted(names, key=list(shown).index), shown[names[0]]


def _marked(shown: dict[str, str], decision: Decision) -> dict[str, str]:
    """Return what is seen, with a mark where a channel has no room for all of it."""
    own = Said(decision.title, decision.body), *decision.texts.values()
    if any(text.title.endswith(CUT) or text.body.endswith(CUT) for text in own):
        return shown
    return {name: f"{text} (cut)" if text.endswith(CUT) else text for name, text in shown.items()}


def _panel(names: Sequence[str], shown: dict[str, str]) -> RenderableType:
    """Return what is seen on channels, in a frame."""
    parts: list[RenderableType] = [
        Text(text, style="bold" if name == "title" else "") for name, text in shown.items() if name in PLAIN
    ]
    rest = [(name, text) for name, text in shown.items() if name not in PLAIN]
    if rest:
        parts.append(_lines(rest))
    return Panel(Group(*parts), title=", ".join(names), title_align="left", width=WIDTH, border_style="dim")


def _lines(lines: Iterable[tuple[str, str]]) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    for name, text in lines:
        table.add_row(Text(name, style="dim"), Text(text, overflow="fold"))
    return table


def _trace(decision: Decision) -> RenderableType:
    """Return what was asked, rule by rule, up to the one that said no."""
    table = Table.grid(padding=(0, 2, 0, 0))
    for one in decision.trace:
        unasked = one.passed and one.rule in ELSEWHERE
        detail = one.detail or ("not asked" if unasked else "")
        table.add_row(_mark(None if unasked else one.passed), Text(named(one.rule)), Text(detail, style="dim"))
    return table


def _mark(passed: bool | None) -> Text:  # noqa: FBT001
    """Return a tick, a cross, or a dot for what is neither."""
    return Text("·", "dim") if passed is None else Text("✓", "green") if passed else Text("✗", "red")


def _money(amount: float) -> str:
    """Return units of the currency."""
    return f"{amount:,.10g}"
