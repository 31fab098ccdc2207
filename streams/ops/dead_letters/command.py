"""The command `awaken dead-letters`: list, show, count, replay. Each imports what it needs: others need not."""

from __future__ import annotations

import re
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import orjson
import typer

from streams import settings as declared
from streams.ops import NotReady
from streams.ops.when import instant_of

if TYPE_CHECKING:
    from streams.ops.dead_letters.letter import Choice
    from streams.ops.dead_letters.shelf import Found
    from streams.settings import Settings

app = typer.Typer(help="Look at records that could not be read, and replay them after a fix.", no_args_is_help=True)
Config = Annotated[Optional[Path], typer.Option("--config", "-c", help="settings file")]  # noqa: UP045 (typer)
Reason = Annotated[str, typer.Option(help="only those with this reason, such as not-json")]
Topic = Annotated[str, typer.Option(help="only those that came from this topic")]
Since = Annotated[str, typer.Option(help="only those that died since: 90s, 15m, 2h, 3d, or a time with a zone")]
AsJson = Annotated[bool, typer.Option("--json", help="a line of JSON each")]
PLACES = typer.Argument(help="which, as `list` names them: dead-letters-3@17")
UNITS = {"s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


@app.command("list")
def list_letters(
    config: Config = None,
    number: Annotated[int, typer.Option("-n", min=1, help="the newest so many")] = 20,
    reason: Reason = "",
    topic: Topic = "",
    since: Since = "",
    as_json: AsJson = False,  # noqa: FBT002 (a flag)
) -> None:
    """List the newest, the newest last."""
    from rich.console import Console

    from streams.ops.dead_letters import view
    from streams.ops.dead_letters.letter import Choice

    choice = Choice(reason=reason, topic=topic, since=_since(since))
    found = _find(_settings(config), choice, whole=False)
    letters = found.letters[-number:]
    if as_json:
        for letter in letters:
            typer.echo(view.as_json(letter, replayed=letter.place in found.replayed, value=False))
        return
    Console().print(view.listing(found, letters))
    typer.echo(f"{len(letters)} of {len(found.letters)}")


@app.command()
def show(
    place: Annotated[str, PLACES],
    config: Config = None,
    raw: Annotated[bool, typer.Option("--raw", help="write the value's own bytes, unmasked, to stdout")] = False,  # noqa: FBT002
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Show one whole; contacts are masked."""
    from streams.ops.dead_letters import view
    from streams.ops.dead_letters.letter import Choice, Place

    wanted = Place.parse(place)
    found = _find(_settings(config), Choice(places=frozenset({wanted})))
    if not found.letters:
        raise NotReady(f"there is no dead letter at {wanted}", "`awaken dead-letters list` names them")
    [letter] = found.letters
    replayed = wanted in found.replayed
    if raw:
        sys.stdout.buffer.write(letter.value or b"")
        sys.stdout.buffer.flush()
    else:
        typer.echo(
            view.as_json(letter, replayed=replayed, value=True) if as_json else view.page(letter, replayed=replayed)
        )


@app.command()
def count(
    config: Config = None,
    reason: Reason = "",
    topic: Topic = "",
    since: Since = "",
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Count them by reason and topic."""
    from rich.console import Console

    from streams.ops.dead_letters import view
    from streams.ops.dead_letters.letter import Choice

    choice = Choice(reason=reason, topic=topic, since=_since(since))
    found = _find(_settings(config), choice, whole=False)
    rows = view.counts(found.letters, found)
    if as_json:
        for row in rows:
            typer.echo(orjson.dumps(row).decode())
    else:
        Console().print(view.tally(rows))


@app.command("replay")
def replay_letters(
    places: Annotated[Optional[list[str]], PLACES] = None,  # noqa: UP045
    config: Config = None,
    reason: Reason = "",
    topic: Topic = "",
    since: Since = "",
    everything: Annotated[bool, typer.Option("--all", help="all of them")] = False,  # noqa: FBT002
    fields: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option("--set", help="FIELD=VALUE: mend a field of each first; VALUE is JSON, or else text"),
    ] = None,
    key_of_user: Annotated[bool, typer.Option("--key-of-user", help="mend the key: the user's id")] = False,  # noqa: FBT002
    again: Annotated[bool, typer.Option("--again", help="those too that were replayed before")] = False,  # noqa: FBT002
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only say what would become of each")] = False,  # noqa: FBT002
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Send chosen ones to their topic once more, after a fix; each once. Ends with 1 if any was refused."""
    from streams.ops.dead_letters import view
    from streams.ops.dead_letters.letter import Choice, Place
    from streams.ops.dead_letters.replay import Mend, replay
    from streams.ops.scan import wait_for

    if not (places or reason or topic or since or everything):
        raise NotReady("nothing was chosen", "name places, or --reason, --topic, --since, or --all")
    choice = Choice(frozenset(map(Place.parse, places or ())), reason, topic, _since(since))
    settings, mend = _settings(config), Mend(dict(map(_field, fields or ())), key_of_user)
    results = wait_for(replay(settings, choice, mend, _now(), again=again, dry_run=dry_run))
    missing = choice.places - {result.place for result in results}
    for result in results:
        told = {"place": str(result.place), "outcome": result.outcome, "detail": view.masked(result.detail)}
        typer.echo(orjson.dumps(told).decode() if as_json else view.outcome(result))
    for place in sorted(missing):
        typer.echo(f"there is no such dead letter: {place}", err=True)
    raise typer.Exit(1 if missing or any(result.outcome == "refused" for result in results) else 0)


def _settings(config: Path | None) -> Settings:
    """Return the settings of a deployment whose dead letters are there.

    Raises:
        NotReady: the topic is missing; a reader would have the broker create it, with the broker's defaults.
    """
    from streams.ops.admin import connect
    from streams.ops.topics import CREATE

    settings = declared.load(config)
    with connect(settings.kafka) as admin:
        if settings.topics.dead_letters not in admin.list_topics():
            raise NotReady(f"the topic {settings.topics.dead_letters} is missing", f"create what is missing: {CREATE}")
    return settings


def _find(settings: Settings, choice: Choice, *, whole: bool = True) -> Found:
    from streams.ops.dead_letters.shelf import find
    from streams.ops.scan import wait_for

    return wait_for(find(settings, choice, whole=whole))


def _field(text: str) -> tuple[str, Any]:
    """Read FIELD=VALUE."""
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise NotReady(f"--set {text!r} names no field and value", "write FIELD=VALUE, such as --set kind=view")
    try:
        return name, orjson.loads(value)
    except orjson.JSONDecodeError:
        return name, value


def _since(text: str) -> int:
    """Return the time that was meant, int ms UTC; 0 for none."""
    if not text:
        return 0
    if found := re.fullmatch(r"(\d+)([smhd])", text):
        return _now() - int(found[1]) * UNITS[found[2]]
    at = instant_of(text)
    if at is None:
        raise NotReady(f"--since {text!r} is no time", "write 90s, 15m, 2h, 3d, or a time such as 2026-11-22T10:00:00Z")
    return at


def _now() -> int:
    return time.time_ns() // 1_000_000
