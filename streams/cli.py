"""The command `awaken`. Each command's work stands in its own room; here are only its words and options."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Annotated, Optional

import typer

from streams import settings as declared
from streams.demo.command import demo
from streams.ops.dead_letters.command import app as dead_letters
from streams.replay.command import replay
from streams.settings import SettingsError

app = typer.Typer(
    name="awaken",
    help="A real-time user-operations engine: lifecycle transitions and reactivation pushes from your event streams.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
)
app.command()(demo)
app.command()(replay)
outage = typer.Typer(
    no_args_is_help=True, help="Declare, list, end and undo outages, in which nobody's absence counts."
)
app.add_typer(outage, name="outage")
backfill = typer.Typer(
    no_args_is_help=True, help="Declare, list and undo backfills: what is loaded late, and pushes nobody."
)
app.add_typer(backfill, name="backfill")
app.add_typer(dead_letters, name="dead-letters")
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
def schema(
    config: Config = None,
    topic: Annotated[Optional[str], typer.Option(help="only this topic's")] = None,  # noqa: UP045
    asyncapi: Annotated[bool, typer.Option("--asyncapi", help="an AsyncAPI 3 document of all topics")] = False,  # noqa: FBT002 (a flag)
) -> None:
    """Print the JSON Schema of every topic, under the rules that the settings say."""
    import orjson

    from streams import __version__, rulebook
    from streams.wire import schema as wire

    settings = declared.load(config)
    book = rulebook.build(settings)
    found: dict[str, dict[str, object]] = wire.schemas(settings.topics, book)
    if asyncapi:
        found = wire.asyncapi(settings.topics, book, __version__)
    elif topic is not None:
        if topic not in found:
            raise SettingsError(f"--topic {topic}: there is no such topic; there are {', '.join(found)}")
        found = found[topic]  # type: ignore[assignment]
    typer.echo(orjson.dumps(found, option=orjson.OPT_INDENT_2).decode())


@app.command()
def bench(
    events: Annotated[int, typer.Option(min=1, help="how many events, where there is no --rate")] = 1_000_000,
    users: Annotated[int, typer.Option(min=1, help="of how many users")] = 100_000,
    partitions: Annotated[int, typer.Option(min=1, help="of each topic")] = 4,
    guarantee: Annotated[str, typer.Option(help="exactly-once or at-least-once")] = "exactly-once",
    dimensions: Annotated[str, typer.Option(help="activity, or all that are kept by default")] = "activity",
    kafka: Annotated[Optional[str], typer.Option(help="HOST:PORT; without it a real Kafka is started")] = None,  # noqa: UP045
    workers: Annotated[int, typer.Option(min=1, help="how many share the partitions")] = 1,
    core: Annotated[Optional[list[int]], typer.Option(help="to which workers are pinned; several: in turn")] = None,  # noqa: UP045
    rate: Annotated[Optional[int], typer.Option(min=1, help="events a second, to measure latency")] = None,  # noqa: UP045
    seconds: Annotated[float, typer.Option(min=1, help="for how long at this rate, the warm-up apart")] = 30,
    commit_seconds: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(min=0.005, max=60, help="how often each partition commits; 0.5, with --rate 0.03"),
    ] = None,
    repeats: Annotated[int, typer.Option(min=1, help="how often; the medians are told")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="one line of JSON")] = False,  # noqa: FBT002 (a flag)
) -> None:
    """Run the lifecycle job on workers pinned to cores, and compare what they wrote with the oracle."""
    import orjson
    from rich.console import Console

    from streams.ops.bench import view
    from streams.ops.bench.plan import plan
    from streams.ops.bench.run import run

    planned = plan(
        rate, seconds, commit_seconds, events=events, users=users, partitions=partitions, guarantee=guarantee,
        dimensions=dimensions, workers=workers, cores=core or (1,), repeats=repeats,
    )  # fmt: skip
    figures = run(planned, kafka)
    if as_json:
        typer.echo(orjson.dumps(figures).decode())
    else:
        view.render(figures, Console())
    raise typer.Exit(0 if figures["rows_equal"] or rate is not None else 1)


@app.command()
def why(
    user: Annotated[str, typer.Argument(help="his id, as in your events")],
    url: Annotated[Optional[list[str]], typer.Option(help="a worker's, as http://host:6066; or several")] = None,  # noqa: UP045
    topics: Annotated[bool, typer.Option("--topics", help="without a worker: fold his topics anew")] = False,  # noqa: FBT002 (a flag)
    as_json: Annotated[bool, typer.Option("--json", help="one line of JSON")] = False,  # noqa: FBT002 (a flag)
    config: Config = None,
) -> None:
    """Say who a user is: his values, since when and why, what he is worth, how to reach him, and what comes next."""
    import orjson
    from rich.console import Console

    from streams.ops.why import answer, view

    settings = declared.load(config)
    found = answer.from_topics(settings, user) if topics else answer.from_worker(settings, user, url or ())
    if as_json:
        typer.echo(orjson.dumps(found.plain()).decode())
    else:
        view.render(found, settings.minor_units, Console())


@app.command()
def preview(
    playbook: Annotated[str, typer.Argument(help="of [playbooks.NAME], as these settings have it")],
    user: Annotated[str, typer.Argument(help="his id, as in your events")],
    url: Annotated[Optional[list[str]], typer.Option(help="a worker's, as http://host:6066; or several")] = None,  # noqa: UP045
    trace: Annotated[bool, typer.Option("--trace", help="what was asked, rule by rule")] = False,  # noqa: FBT002 (a flag)
    as_json: Annotated[bool, typer.Option("--json", help="one line of JSON")] = False,  # noqa: FBT002 (a flag)
    config: Config = None,
) -> None:
    """Show what a user would get from a playbook, before it is deployed: where, when, in which words, at what cost."""
    import orjson
    from rich.console import Console

    from streams.ops import preview as ops

    settings = declared.load(config)
    found = ops.ask(settings, playbook, user, url or ())
    if as_json:
        typer.echo(orjson.dumps(found).decode())
    else:
        ops.render(found, Console(), trace=trace, enabled=settings.playbooks[playbook].enabled)


@app.command()
def growth(
    url: Annotated[Optional[list[str]], typer.Option(help="a worker's, as http://host:6066; name all of them")] = None,  # noqa: UP045
    grain: Annotated[str, typer.Option(help="day, week or month")] = "week",
    count: Annotated[int, typer.Option(min=1, help="the newest so many periods")] = 12,
    as_json: Annotated[bool, typer.Option("--json", help="one line of JSON")] = False,  # noqa: FBT002 (a flag)
    config: Config = None,
) -> None:
    """Show how the active users grow, period by period: new, retained, resurrected, churned."""
    import orjson
    from rich.console import Console

    from streams.ops import growth as ops

    found = ops.ask(declared.load(config), url or (), grain, count)
    if as_json:
        typer.echo(orjson.dumps(found).decode())
    else:
        ops.render(found, Console())


@app.command()
def lift(
    url: Annotated[Optional[list[str]], typer.Option(help="a worker's, as http://host:6066; name all of them")] = None,  # noqa: UP045
    since: Annotated[Optional[str], typer.Option(help="only what ended from this day on, as 2026-11-22")] = None,  # noqa: UP045
    as_json: Annotated[bool, typer.Option("--json", help="one line of JSON")] = False,  # noqa: FBT002 (a flag)
    config: Config = None,
) -> None:
    """Show what pushes bring: pushed users beside those from whom the same pushes were withheld."""
    import orjson
    from rich.console import Console

    from streams.ops import lift as ops

    settings = declared.load(config)
    found = ops.ask(settings, url or (), since)
    if as_json:
        typer.echo(orjson.dumps(found).decode())
    else:
        ops.render(found, settings.minor_units, Console())


@app.command()
def offer(
    name: Annotated[str, typer.Argument(help="of [offers.NAME]")],
    code: Annotated[Optional[str], typer.Argument(help="is this one of its codes?")] = None,  # noqa: UP045
    key: Annotated[bool, typer.Option("--key", help="the key by which a shop verifies its codes")] = False,  # noqa: FBT002 (a flag)
    seed: Annotated[bool, typer.Option("--seed", help="a draw's seed: publish it when the draw is over")] = False,  # noqa: FBT002
    config: Config = None,
) -> None:
    """Show what an offer says and costs; or verify a code of it."""
    from streams.ops import offer as ops

    settings = declared.load(config)
    if code is not None:
        answer = ops.verify(settings, name, code)
        typer.echo(answer)
        raise typer.Exit(answer != "genuine")
    if key or seed:
        typer.echo((ops.key if key else ops.seed)(settings, name))
    else:
        typer.echo("\n".join(ops.preview(settings, name, time.time_ns() // 1_000_000)))


@app.command()
def tail(
    topic: Annotated[list[str] | None, typer.Argument(help="which topics; without any, all that tell anything")] = None,
    user: Annotated[Optional[str], typer.Option(help="only this user's")] = None,  # noqa: UP045
    where: Annotated[list[str] | None, typer.Option(help="only where FIELD=VALUE, as to=dormant, reason=sent")] = None,
    from_beginning: Annotated[bool, typer.Option("--from-beginning", help="what is there already too")] = False,  # noqa: FBT002
    count: Annotated[int, typer.Option("-n", min=0, help="end after so many; 0: never")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="the events as they are written")] = False,  # noqa: FBT002
    config: Config = None,
) -> None:
    """Follow transitions, decisions and outcomes as they are written."""
    import orjson

    from streams.ops import tail as ops

    settings, asked = declared.load(config), ops.conditions(where or ())
    shown = 0

    def show(value: bytes) -> bool:
        nonlocal shown
        event = orjson.loads(value)
        if ops.fits(event, user, asked):
            typer.echo(value.decode() if as_json else ops.line(event, settings.minor_units))
            shown += 1
        return not count or shown < count

    ops.follow(settings, ops.topics_named(settings, topic or ()), show, from_beginning=from_beginning)


@outage.command("declare")
def outage_declare(
    start: Annotated[str, typer.Option("--from", help="when it began, RFC 3339, as 2026-11-22T08:30:00Z")],
    reason: Annotated[str, typer.Option(help="why, for those who read the list")],
    end: Annotated[Optional[str], typer.Option("--to", help="when it ended; without it, it lasts")] = None,  # noqa: UP045
    topic: Annotated[Optional[list[str]], typer.Option(help="which input; without it, all")] = None,  # noqa: UP045
    config: Config = None,
) -> None:
    """Declare an outage, past or present: those who have not lapsed yet are credited with it."""
    from streams.ops import outage as ops
    from streams.ops.when import parse

    until = None if end is None else parse(end, "--to")
    made = ops.declare(declared.load(config), parse(start, "--from"), until, topic or (), reason)
    typer.echo(f"declared {made.id}; who has lapsed already stays so until his next act")


@outage.command("list")
def outage_list(config: Config = None) -> None:
    """List the outages that were declared, and the stops that the gate has found."""
    from streams.ops import outage as ops

    ops.render(ops.everything(declared.load(config)))


@outage.command("end")
def outage_end(
    ident: Annotated[Optional[str], typer.Argument(metavar="[ID]", help="which, if several last")] = None,  # noqa: UP045
    at: Annotated[Optional[str], typer.Option("--at", help="when it ended, RFC 3339; without it, now")] = None,  # noqa: UP045
    config: Config = None,
) -> None:
    """End the outage that lasts; one that the gate has found teaches it what is usual now."""
    from streams.ops import outage as ops
    from streams.ops.when import parse

    now = time.time_ns() // 1_000_000 if at is None else parse(at, "--at")
    typer.echo(f"ended {ops.name_of(ops.finish(declared.load(config), ident, now))}")


@outage.command("undo")
def outage_undo(ident: Annotated[str, typer.Argument(metavar="ID")], config: Config = None) -> None:
    """Take a declared outage back: nobody is credited with it any more."""
    from streams.ops import outage as ops

    typer.echo(f"undone {ops.undo(declared.load(config), ident).id}")


@backfill.command("declare")
def backfill_declare(
    start: Annotated[str, typer.Option("--from", help="the first event's time, RFC 3339, as 2026-11-22T08:30:00Z")],
    end: Annotated[str, typer.Option("--to", help="the time after the last event")],
    reason: Annotated[str, typer.Option(help="why, for those who read the list")],
    config: Config = None,
) -> None:
    """Declare that events of a span will be loaded late: what follows from them is history, and pushes nobody."""
    from streams.ops import backfill as ops
    from streams.ops.when import parse

    made = ops.declare(declared.load(config), parse(start, "--from"), parse(end, "--to"), reason)
    typer.echo(f"declared {made.id}; load the events once the workers have heard of it, within seconds")


@backfill.command("list")
def backfill_list(config: Config = None) -> None:
    """List the backfills that are declared."""
    from streams.ops import backfill as ops

    ops.render(ops.everything(declared.load(config)))


@backfill.command("undo")
def backfill_undo(ident: Annotated[str, typer.Argument(metavar="ID")], config: Config = None) -> None:
    """Take a backfill back: what comes from now on of its span is the present again."""
    from streams.ops import backfill as ops

    typer.echo(f"undone {ops.undo(declared.load(config), ident).id}")


@app.command()
def approve(
    playbook: Annotated[Optional[str], typer.Argument(help="which; without it, list what was stopped")] = None,  # noqa: UP045
    hours: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option("--for", metavar="HOURS", help="so long none of it is stopped; without it, push.approval_hours"),
    ] = None,
    stop: Annotated[bool, typer.Option("--stop", help="cancel what was stopped")] = False,  # noqa: FBT002 (a flag)
    config: Config = None,
) -> None:
    """Say whether pushes of a playbook that the breaker has stopped may go; without one, list them."""
    from streams.ops import approval as ops
    from streams.wire.message import instant

    settings, now = declared.load(config), time.time_ns() // 1_000_000
    if playbook is None:
        if stop or hours is not None:
            raise SettingsError("--stop and --for: of which playbook? `awaken approve` lists those that were stopped")
        ops.render(ops.everything(settings, now))
    elif stop:
        ops.refuse(settings, playbook, now)
        typer.echo(f"cancelled what was stopped of {playbook}")
    else:
        made = ops.approve(settings, playbook, now, settings.push.approval_hours if hours is None else hours)
        typer.echo(f"approved {playbook} until {instant(made.until)}")


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
