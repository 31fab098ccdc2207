"""The command `awaken`. Each command's work stands in its own room; here are only its words and options."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Optional

import typer

from streams import settings as declared
from streams.demo.command import demo
from streams.settings import SettingsError

app = typer.Typer(
    name="awaken",
    help="A real-time user-operations engine: lifecycle transitions and reactivation pushes from your event streams.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
)
app.command()(demo)
Config = Annotated[
    Optional[Path],  # noqa: UP045 (typer reads it at run time)
    typer.Option("--config", "-c", help="settings file; default: config/awaken.toml where there is one"),
]


@app.command()
def worker(
    config: Config = None,
    web_port: Annotated[Optional[int], typer.Option(help="where /metrics and /health listen")] = None,  # noqa: UP045
) -> None:
    """Run a worker; several share the partitions."""
    from streams.ops import doctor
    from streams.ops import topics as ops
    from streams.worker import run

    settings = declared.load(config)
    if web_port is not None:
        settings = declared.replace(settings, web_port=web_port)
    doctor.require(settings)
    if settings.create_topics:
        ops.create(settings)
    raise typer.Exit(run.run(settings))


@app.command()
def topics(config: Config = None) -> None:
    """Create the topics that are missing, and say what is wrong with the others."""
    from streams.ops import topics as ops

    settings = declared.load(config)
    for name in ops.create(settings):
        typer.echo(f"created {name}")
    problems = ops.check(settings)
    for problem in problems:
        typer.echo(str(problem), err=True)
    raise typer.Exit(1 if problems else 0)


@app.command()
def doctor(config: Config = None) -> None:
    """Check Kafka, Redis, topics and packages; say what to do about what is wrong."""
    from streams.ops import doctor as ops

    findings = ops.check(declared.load(config))
    ops.render(findings)
    raise typer.Exit(0 if all(f.ok for f in findings) else 1)


@app.command()
def settings() -> None:
    """Print every setting with its meaning, bounds and default, as a settings file."""
    typer.echo(declared.document(), nl=False)


@app.command()
def bench(
    events: Annotated[int, typer.Option(help="how many events")] = 1_000_000,
    users: Annotated[int, typer.Option(help="of how many users")] = 100_000,
    partitions: Annotated[int, typer.Option(help="of each topic")] = 4,
    guarantee: Annotated[str, typer.Option(help="exactly-once or at-least-once")] = "exactly-once",
    kafka: Annotated[Optional[str], typer.Option(help="HOST:PORT; without it a real Kafka is started")] = None,  # noqa: UP045
    core: Annotated[int, typer.Option(help="the core to which the worker is pinned")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="one line of JSON")] = False,  # noqa: FBT002 (a flag)
) -> None:
    """Run the lifecycle job on a worker pinned to one core, and compare what it wrote with the oracle."""
    import orjson

    from streams.ops import bench as ops

    figures = ops.run(events, users, partitions, guarantee, kafka, core)
    typer.echo(orjson.dumps(figures).decode() if as_json else ops.table(figures))
    raise typer.Exit(0 if figures["rows_equal"] else 1)


def main() -> None:
    """Run the command; a setting that cannot be used, or a server that is not there, is told in a line."""
    from streams.ops.doctor import NotReady

    try:
        app()
    except (SettingsError, NotReady) as error:
        typer.echo(f"awaken: {error}", err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
