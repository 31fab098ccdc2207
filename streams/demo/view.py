"""The terminal view: the tally as one screen, at any size. Pure: what it shows arrives as arguments."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from rich import box
from rich.console import Group, RenderableType
from rich.layout import Layout
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from streams.demo.tally import CLASSES, GLANCE_SECONDS, Tally
from streams.demo.wording import CAUSES, day, moment, tell
from streams.push.reason import brief

if TYPE_CHECKING:
    from collections.abc import Iterable

COLOURS = {"new": "cyan", "active": "green", "dormant": "yellow", "churned": "red", "returning": "magenta"}
ORIGIN = "Orders are real (Complete Journey, 2017), clicks are simulated around them."
LEVELS = "▁▂▃▄▅▆▇█"
EIGHTHS = " ▏▎▍▌▋▊▉"
LEAST_WIDTH, LEAST_HEIGHT = 76, 21
ROOMY_HEIGHT, WIDE_WIDTH = 28, 96
FEW_ROWS = 3


class Facts(NamedTuple):
    """What stays the same: servers and speed in words, the history's span (ms UTC), the pages' URL."""

    servers: str
    speed: str
    first_at: int
    last_at: int
    pages: str


def draw(tally: Tally, facts: Facts, state: str, now: float, size: tuple[int, int]) -> RenderableType:
    """Return the screen of `size` (width, height); `state` says what goes on, `now` is the tally's clock."""
    width, height = size
    if width < LEAST_WIDTH or height < LEAST_HEIGHT:
        return Group(*small(tally, facts, state, now)[:height])
    roomy, wide = height >= ROOMY_HEIGHT, width >= WIDE_WIDTH
    screen, figures, pushes = Layout(), Layout(size=8 if roomy else 7), Layout(size=5)
    half = width // 2
    figures.split_row(Layout(flow(tally, now, half - 4, roomy=roomy), size=half), users(tally, width - half - 4))
    pushes.split_row(Layout(decided(tally), size=half), delivered(tally))
    screen.split_column(
        Layout(heading(tally, facts, state), size=3),
        figures,
        Layout(newest(tally, now, wide=wide)),
        pushes,
        Layout(footing(facts), size=1),
    )
    return screen


def heading(tally: Tally, facts: Facts, state: str) -> RenderableType:
    """Return what this is, the event time, and how far the history has come."""
    at = facts.first_at if tally.at is None else tally.at
    span = facts.last_at - facts.first_at
    top, bottom = Table.grid(expand=True), Table.grid(expand=True, padding=(0, 1))
    top.add_column(no_wrap=True)
    top.add_column(justify="right", no_wrap=True)
    top.add_row(
        Text.assemble((" AWAKEN ", "bold black on cyan"), (f" demo, {facts.servers}", "dim")),
        Text(f"{day(at)} UTC ", "bold"),
    )
    bottom.add_column(ratio=1)
    bottom.add_column(justify="right", no_wrap=True)
    bottom.add_row(
        ProgressBar(total=span, completed=at - facts.first_at, complete_style="cyan", finished_style="cyan"),
        Text(f"{state}, {facts.speed} ", "dim"),
    )
    return Group(top, Text(f" {ORIGIN}", no_wrap=True, overflow="ellipsis"), bottom)


def flow(tally: Tally, now: float, width: int, *, roomy: bool) -> Panel:
    """Return the events by topic, their trend and the latency, in `width` cells."""
    grid = Table.grid(expand=True)
    grid.add_column()
    grid.add_column(justify="right")
    grid.add_column(justify="right")
    for topic, rate in tally.events.items():
        grid.add_row(topic, f"{rate.per_second(now):,.0f}/s", f"{rate.total:,}")
    median, tail = tally.latency.recent(0.5), tally.latency.recent(0.99)
    latency = Text("latency  ", "dim")
    latency.append("no transition yet" if median is None else f"p50 {median:,.0f} ms  p99 {tail:,.0f} ms", "default")
    rows = (grid, "", spark(tally.trend, width), latency) if roomy else (grid, spark(tally.trend, width), latency)
    return framed(Group(*rows), "Events", f"{tally.per_second(now):,.0f}/s, {tally.sent:,} so far")


def users(tally: Tally, width: int) -> Panel:
    """Return the users by activity class, as bars in `width` cells."""
    known = sum(tally.users[name] for name in CLASSES)
    grid = Table.grid(padding=(0, 1))
    grid.add_column()
    grid.add_column(justify="right", min_width=6)
    for name in CLASSES:
        count = tally.users[name]
        length = max(width - 18, 4) * count / max(known, 1)
        grid.add_row(Text(name, COLOURS[name]), f"{count:,}", Text(bar(length), COLOURS[name]))
    return framed(grid, "Users", f"{known:,} known")


def newest(tally: Tally, now: float, *, wide: bool) -> Panel:
    """Return the newest transitions, each in a line of words."""
    grid = Table.grid(expand=True, padding=(0, 2, 0, 0))
    for style in ("dim", "bold"):
        grid.add_column(no_wrap=True, style=style)
    for _ in range(3 if wide else 1):
        grid.add_column(no_wrap=True)
    grid.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
    for user, move in tally.newest:
        to = Text(move.to, COLOURS.get(move.to, "default"))
        step = [Text(move.from_, "dim"), Text("→ ").append(to), CAUSES.get(move.cause, move.cause)] if wide else [to]
        grid.add_row(moment(move.at), user, *step, tell(move))
    body = grid if tally.newest else Text("none yet: the first users are on their way", "dim")
    rate = tally.moves.per_second(now)
    title = "Newest transitions, a sample" if rate * GLANCE_SECONDS > 1 else "Newest transitions"
    return framed(body, title, f"{rate:,.0f}/s, {tally.moves.total:,} so far")


def decided(tally: Tally) -> Panel:
    """Return the pushes decided, by reason, the most frequent first."""
    rows = [
        (Text(brief(code), "green" if code == "sent" else "default"), Text(f"{count:>5,}"))
        for code, count in sorted(tally.decisions.items(), key=lambda item: -item[1])
    ]
    return framed(pairs(rows, "none yet: nobody is dormant"), "Pushes decided", f"{tally.decisions.total():,} so far")


def delivered(tally: Tally) -> Panel:
    """Return the deliveries by channel, what failed among them, and the dead letters."""
    rows: list[tuple[Text, Text]] = []
    for channel in sorted({channel for channel, _ in tally.outcomes}):
        text = Text(f"{tally.outcomes[channel, 'delivered']:,}", "green")
        for outcome in ("failed", "uncertain", "cancelled"):
            if count := tally.outcomes[channel, outcome]:
                text.append(f", {count:,} {outcome}", "red")
        if channel == "webhook":
            text.append(f" ({tally.received:,} arrived)", "dim")
        rows.append((Text(channel), text))
    style = "red" if tally.dead_letters else "default"
    rows.append((Text("dead letters"), Text(f"{tally.dead_letters:,}", style)))
    return framed(pairs(rows, ""), "Delivered", f"{tally.delivered:,} so far")


def footing(facts: Facts) -> Text:
    """Return where to look further and how to stop."""
    return Text.assemble(
        (" metrics ", "dim"), f"{facts.pages}/metrics", ("  health ", "dim"), "/health/ready",
        ("  stop ", "dim"), "Ctrl-C", no_wrap=True, overflow="ellipsis",
    )  # fmt: skip


def small(tally: Tally, facts: Facts, state: str, now: float) -> list[Text]:
    """Return the least there is to say, a line each, for a terminal too small for the screen."""
    lines = [f"{user} {move.to}: {tell(move)}" for user, move in tally.newest]
    head = ["AWAKEN demo", ORIGIN, state, line(tally, now), f"{facts.pages}/metrics  Ctrl-C stops"]
    return [Text(text, no_wrap=True, overflow="ellipsis") for text in (*head, *lines)]


def line(tally: Tally, now: float) -> str:
    """Return the tally in a line of plain text, for a log."""
    tail, speed = tally.latency.recent(0.99), tally.per_second(now)
    parts = (
        f"{'-' if tally.at is None else day(tally.at)}: {tally.sent:,} events ({speed:,.0f}/s)",
        f"users: {', '.join(f'{name} {tally.users[name]:,}' for name in CLASSES)}",
        f"{tally.moves.total:,} transitions",
        f"pushes: {tally.decisions['sent']:,} sent, {tally.delivered:,} delivered",
        f"p99 {'-' if tail is None else f'{tail:,.0f} ms'}",
        f"dead letters: {tally.dead_letters:,}",
    )
    return "; ".join(parts)


def framed(body: RenderableType, title: str, total: str) -> Panel:
    """Return the body in a frame with its title at the left and its total after it."""
    head = Text.assemble((f" {title}: ", "bold"), (f"{total} ", "cyan"))
    return Panel(body, title=head, title_align="left", box=box.ROUNDED, border_style="bright_black", padding=(0, 1))


def pairs(rows: list[tuple[Text, Text]], empty: str) -> RenderableType:
    """Return names and figures, two pairs to a line where they are many; `empty` where there are none.

    Where there is no room for all, it is the names of many, or the remarks behind the figures of few, that are cut.
    """
    if not rows:
        return Text(empty, "dim")
    across = 1 if len(rows) <= FEW_ROWS else 2
    name, figure = (max(row[side].cell_len for row in rows) for side in (0, 1))
    grid = Table.grid(padding=(0, 2, 0, 0), expand=True)
    for _ in range(across):
        for width, flexible in ((name, across > 1), (figure, across == 1)):
            ratio, fixed = (1, None) if flexible else (None, width)
            grid.add_column(no_wrap=True, overflow="ellipsis", ratio=ratio, width=fixed)
    for n in range(0, len(rows), across):
        grid.add_row(*(cell for row in rows[n : n + across] for cell in row))
    return grid


def bar(length: float) -> str:
    """Return a bar of `length` cells, to an eighth of a cell."""
    eighths = round(length * 8)
    return "█" * (eighths // 8) + EIGHTHS[eighths % 8].strip()


def spark(values: Iterable[float], width: int) -> Text:
    """Return the newest `width` values as a row of columns, the greatest full."""
    shown = list(values)[-width:]
    top = max(shown, default=0.0) or 1.0
    return Text("".join(LEVELS[round(value / top * (len(LEVELS) - 1))] for value in shown), "cyan", no_wrap=True)
