"""The growth accounting of all partitions, from the workers that hold them: the period-based family of activity.

A user lives in one partition, so the counters of partitions add up. Workers whose newest period differs (time may be
the events' own) are asked again for the same one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from streams.ops.page import Page, partitions, without, workers
from streams.ops.page import told as asked
from streams.settings import Settings

COUNTERS = ("active", "new", "retained", "resurrected", "churned")
CLASSES = ("new", "active", "dormant", "churned", "returning")
NOTE = (
    "period-based family: who came in a period, and in the one before; churned = active in the period before, not in "
    "this one. Not the activity class of `awaken why`, which is threshold-based. The newest period is not over yet."
)


def ask(settings: Settings, urls: Sequence[str], grain: str, count: int) -> dict[str, Any]:
    """Return the accounts of the newest `count` periods, summed over the workers, and which partitions are missing.

    Raises:
        NotReady: a worker does not answer, refuses, or two of them tell of the same partition.
    """
    urls = workers(settings, urls)
    query: dict[str, object] = {"grain": grain, "count": count}
    pages = [asked(url, "/growth", "family", query) for url in urls]
    newest = max((p.body["periods"][-1]["start"] for p in pages if p.body["periods"]), default=None)
    if newest is not None:
        behind = query | {"until": newest}
        pages = [p if _newest(p) == newest else asked(p.url, "/growth", "family", behind) for p in pages]
    return _summed(pages, grain)


def page(told: dict[str, Any]) -> RenderableType:
    """Return the accounts as a table, with what they are and what they are not."""
    table = Table(told["grain"], *COUNTERS, "quick ratio", box=None, pad_edge=False)
    for column in table.columns[1:]:
        column.justify = "right"
    for account in told["periods"]:
        ratio = account["quick_ratio"]
        counts = (f"{account[name]:,}" for name in COUNTERS)
        table.add_row(account["start"], *counts, "-" if ratio is None else f"{ratio:.2f}")
    classes = told["population"]["users"]["activity"]
    now = ", ".join(f"{name} {classes[name]:,}" for name in CLASSES if name in classes)
    parts: list[RenderableType] = [
        table if told["periods"] else Text("nobody has acted yet"),
        Text(f"\n{NOTE}", style="dim"),
    ]
    parts.append(Text(f"Beside it, threshold-based, now: {now or 'nobody'}", style="dim"))
    if told["missing"]:
        parts.append(Text(without(told["missing"]), style="yellow"))
    return Group(*parts)


def render(told: dict[str, Any], console: Console) -> None:
    """Print the accounts."""
    console.print(page(told), highlight=False)


def _newest(answer: Page) -> str | None:
    periods = answer.body["periods"]
    return periods[-1]["start"] if periods else None


def _summed(pages: Sequence[Page], grain: str) -> dict[str, Any]:
    """Return the pages as one."""
    periods = [_account(rows) for rows in zip(*(p.body["periods"] for p in pages if p.body["periods"]), strict=True)]
    classes: dict[str, int] = {}
    for answer in pages:
        for value, users in answer.body["population"]["users"]["activity"].items():
            classes[value] = classes.get(value, 0) + users
    return {
        "family": pages[0].body["family"],
        "grain": grain,
        "periods": periods,
        "population": {"family": pages[0].body["population"]["family"], "users": {"activity": classes}},
    } | partitions(pages)


def _account(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the accounts of one period, of several workers, as one."""
    summed = {name: sum(row[name] for row in rows) for name in COUNTERS}
    churned = summed["churned"]
    ratio = (summed["new"] + summed["resurrected"]) / churned if churned else None
    return {"start": rows[0]["start"], **summed, "quick_ratio": ratio}
