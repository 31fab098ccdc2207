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

from streams.ops import NotReady
from streams.ops.page import Page, get, workers
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
    pages = [_asked(url, query) for url in urls]
    newest = max((p.body["periods"][-1]["start"] for p in pages if p.body["periods"]), default=None)
    if newest is not None:
        behind = query | {"until": newest}
        pages = [p if _newest(p) == newest else _asked(p.url, behind) for p in pages]
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
        missing = ", ".join(map(str, told["missing"]))
        parts.append(
            Text(f"note: without partitions {missing}: name the workers that hold them with --url", style="yellow")
        )
    return Group(*parts)


def render(told: dict[str, Any], console: Console) -> None:
    """Print the accounts."""
    console.print(page(told), highlight=False)


def _asked(url: str, query: dict[str, object]) -> Page:
    answer = get(url, "/growth", query)
    if answer.status != 200:  # noqa: PLR2004 (OK)
        raise NotReady(f"{url}: {answer.body['error']}", "ask again" if answer.status == 503 else "")  # noqa: PLR2004
    if "family" not in answer.body:
        raise NotReady(f"{url} does not answer as a worker of Awaken does", "name a worker's: --url")
    return answer


def _newest(answer: Page) -> str | None:
    periods = answer.body["periods"]
    return periods[-1]["start"] if periods else None


def _summed(pages: Sequence[Page], grain: str) -> dict[str, Any]:
    """Return the pages as one."""
    held: dict[int, str] = {}
    for answer in pages:
        for number in answer.body["partitions"]:
            if number in held:
                raise NotReady(
                    f"{held[number]} and {answer.url} both tell of partition {number}",
                    "name each worker once; amid a rebalance, ask again",
                )
            held[number] = answer.url
    of = max(answer.body["of"] for answer in pages)
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
        "partitions": sorted(held),
        "of": of,
        "missing": [number for number in range(of) if number not in held],
    }


def _account(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the accounts of one period, of several workers, as one."""
    summed = {name: sum(row[name] for row in rows) for name in COUNTERS}
    churned = summed["churned"]
    ratio = (summed["new"] + summed["resurrected"]) / churned if churned else None
    return {"start": rows[0]["start"], **summed, "quick_ratio": ratio}
