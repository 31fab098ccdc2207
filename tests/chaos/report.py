"""The report of a run: a table for people, one line of JSON for others."""

import json
import statistics
from collections import Counter, defaultdict

from rich.console import Console
from rich.table import Table

PROMISES = (
    # what, of which figure, what is promised
    ("transitions lost", "lost", "none"),
    ("transitions told twice", "duplicates", "none"),
    ("transitions that are wrong", "wrong", "none"),
    ("breaks in a user's line", "broken", "none"),
    ("rows that do not add up", "rows_wrong", "none"),
    ("dormancies, losses undecided", "undecided", "none"),
    ("decided twice", "decided_twice", "none"),
    ("pushes undelivered", "undelivered", "none"),
    ("pushed twice, by key", "pushed_twice", "none"),
    ("pushes beyond a cap", "beyond_caps", "none"),
    ("budgets, stocks overspent", "overspent", "none"),
    ("purses that say otherwise", "misbooked", "none"),
    ("codes given twice", "codes_twice", "none"),
    ("held over, grains and pieces", "held_over", "too much at most, never too little"),
    ("pushes torn", "torn", "only when Redis was emptied"),
    ("posts repeated with their key", "repeated", "only of what was under way at a fault"),
    ("inbox messages forgotten", "forgotten", "only when Redis was emptied"),
)


def figures(run):
    """Return what a run has found, as JSON has it."""
    seconds = [hit.mark.seconds for hit in run.hits if hit.mark.seconds is not None]
    return {
        "seed": run.seed,
        "faults": len(run.hits),
        "by_kind": dict(Counter(hit.fault.kind for hit in run.hits)),
        "missed": len(run.missed),
        "hung": run.hung,
        "events": run.events,
        **run.verdict._asdict(),
        "recovery_seconds": spread(seconds),
        "exits": dict(Counter(str(end.code) for end in run.exits)),
        "forced": run.forced,
        "seconds": round(run.seconds),
    }


def spread(seconds):
    """The median and the greatest of some seconds; None of none."""
    if not seconds:
        return {"median": None, "max": None}
    return {"median": round(statistics.median(seconds), 1), "max": round(max(seconds), 1)}


def as_json(run):
    return json.dumps(figures(run))


def as_table(run, console=None):
    """Print a run's tables."""
    console = console or Console()
    console.print(_faults(run))
    console.print(_found(run))


def _faults(run):
    table = Table(title=f"{len(run.hits)} faults, seed {run.seed}, {run.seconds:.0f} s")
    for column, justify in (("fault", "left"), ("times", "right"), ("recovery median s", "right"), ("max s", "right")):
        table.add_column(column, justify=justify)
    by_kind = defaultdict(list)
    for hit in run.hits:
        by_kind[hit.fault.kind].append(hit.mark.seconds)
    for kind, seconds in sorted(by_kind.items()):
        found = spread([s for s in seconds if s is not None])
        table.add_row(kind, str(len(seconds)), str(found["median"]), str(found["max"]))
    table.caption = (
        "Recovery: from the fault (of one that lasts: from its end) until every partition has committed again.\n"
        f"Disk full: {run.disk}. Points not reached: {len(run.missed)}. "
        f"Workers' exits: {', '.join(f'{code} (x{n})' for code, n in Counter(e.code for e in run.exits).items())}; "
        f"{run.forced} had to be killed after SIGTERM."
    )
    return table


def _found(run):
    v = run.verdict
    table = Table(
        title=f"{run.events:,} events, {v.transitions:,} transitions, {v.decisions:,} decisions, {v.pushes:,} pushes"
    )
    for column, justify in (("what", "left"), ("found", "right"), ("promised", "left")):
        table.add_column(column, justify=justify)
    for what, figure, promised in PROMISES:
        count = getattr(v, figure)
        bad = figure in v.flaws
        table.add_row(what, f"[bold red]{count:,}" if bad else f"{count:,}", promised)
    table.caption = f"Refused: {', '.join(f'{reason} (x{n})' for reason, n in v.refused.items())}"
    if run.hung:
        table.caption += f"\nHUNG: {run.hung}"
    return table
