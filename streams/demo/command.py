"""The demo as a command: its options, in typer's terms. What it does stands in `run`."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

YEAR = 2017


def demo(
    *,
    speed: Annotated[str, typer.Option(help="event time per real second: 1d, 6h, 3600s")] = "1d",
    seconds: Annotated[float | None, typer.Option(min=0, help="end after this long; default: with the year")] = None,
    report_file: Annotated[Path | None, typer.Option("--report", help="write the summary as JSON")] = None,
    kafka: Annotated[str, typer.Option(help="HOST:PORT of your Kafka in place of the embedded one")] = "",
    redis: Annotated[str, typer.Option(help="URL of your Redis in place of the embedded one")] = "",
    partitions: Annotated[int, typer.Option(min=1, max=1000, help="of each topic")] = 4,
    start: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="begin on this day of 2017")] = None,
    seed: Annotated[int, typer.Option(min=0, help="of the simulated clicks and profiles")] = 2017,
    config: Annotated[Path | None, typer.Option("--config", "-c", help="settings file, for other rules")] = None,
) -> None:
    """Play a year of real orders, with clicks simulated around them, through a worker, and watch it live."""
    from streams.demo.run import Plan, run  # noqa: PLC0415 (other commands need not wait for what the demo imports)
    from streams.demo.speed import parse_speed  # noqa: PLC0415

    if start is not None and start.year != YEAR:
        raise typer.BadParameter(f"the orders are of {YEAR}", param_hint="--start")
    first = None if start is None else int(start.replace(tzinfo=UTC).timestamp() * 1000)
    plan = Plan(parse_speed(speed), seconds, kafka, redis, partitions, seed, first, config)
    run(plan, report_file)
