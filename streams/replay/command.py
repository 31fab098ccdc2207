"""The replay as a command: its options, in typer's terms. What it does stands in `run`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Files = Annotated[list[str] | None, typer.Option(metavar="PATH", help="a file, folder or pattern; may be repeated")]


def replay(
    files: Annotated[
        list[str] | None, typer.Argument(help="files, folders or patterns whose names begin with their topic's")
    ] = None,
    *,
    clicks: Files = None,
    orders: Files = None,
    profiles: Files = None,
    feedback: Files = None,
    column: Annotated[
        list[str] | None, typer.Option(metavar="FIELD=COLUMN", help="of CSV and Parquet: what stands for a field")
    ] = None,
    add_lines: Annotated[
        bool, typer.Option("--add-lines", help="orders have a row for each of their lines: add their amounts up")
    ] = False,
    at: Annotated[str | None, typer.Option(metavar="TIME", help="let time pass up to it, RFC 3339")] = None,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="write the transitions as JSON lines")] = None,
    bad: Annotated[Path | None, typer.Option(metavar="FILE", help="write what cannot be read as JSON lines")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="one line of JSON")] = False,
    config: Annotated[
        Path | None,
        typer.Option("--config", "-c", help="settings file, in place of config/awaken.toml"),
    ] = None,
) -> None:
    """Fold files of events (JSON lines, CSV, Parquet) by your rules, without Kafka: who would have moved, and where."""
    # Other commands need not wait for what the replay imports.
    import orjson  # noqa: PLC0415
    from rich.console import Console  # noqa: PLC0415

    from streams import settings as declared  # noqa: PLC0415
    from streams.core.row import CLICKS, FEEDBACK, ORDERS, PROFILES  # noqa: PLC0415
    from streams.replay import options, output, report, sources  # noqa: PLC0415
    from streams.replay.run import Replay, present  # noqa: PLC0415

    settings = declared.load(config)
    given = {CLICKS: clicks or (), ORDERS: orders or (), PROFILES: profiles or (), FEEDBACK: feedback or ()}
    found = sources.find(files or (), given, settings.topics)
    reading = options.Reading(options.columns(column or ()), add_lines)
    until = None if at is None else options.instant(at)
    with output.opened(settings, out, bad) as listener:
        run = Replay(settings, found, present(), reading, listener)
        run.run(until)
    told = report.told(run)
    if as_json:
        typer.echo(orjson.dumps(told).decode())
    else:
        report.render(told, Console())
