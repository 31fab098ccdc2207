"""Settings: declared once here, read from a TOML file with the environment above it, frozen before anything starts.

Each field's description, default and bounds stand in its declaration; `awaken settings` prints them all, and
`config/awaken.toml` is that very print. A setting `section.name` is `AWAKEN_SECTION_NAME` in the environment.
"""

from __future__ import annotations

import difflib
import os
import tomllib
import typing
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

Guarantee = Literal["exactly-once", "at-least-once"]
Clock = Literal["wall", "event"]
DEFAULT_FILE = Path("config/awaken.toml")
DAY = 86_400_000


class SettingsError(ValueError):
    """A setting that cannot be used; its text names the place, the key, the value and what is allowed."""


class Topics(Struct, frozen=True):
    """The topics' names."""

    clicks: Annotated[str, Meta(min_length=1, description="what users do")] = "clicks"
    orders: Annotated[str, Meta(min_length=1, description="what users buy")] = "orders"
    profiles: Annotated[str, Meta(min_length=1, description="attributes, contacts and consent; compacted")] = "profiles"
    lifecycle_transitions: Annotated[str, Meta(min_length=1, description="from → to, with cause and evidence")] = (
        "lifecycle-transitions"
    )
    push_decisions: Annotated[str, Meta(min_length=1, description="every candidate push, sent or not, and why")] = (
        "push-decisions"
    )
    push_outcomes: Annotated[str, Meta(min_length=1, description="what became of each delivery")] = "push-outcomes"
    dead_letters: Annotated[str, Meta(min_length=1, description="records that could not be read, whole")] = (
        "dead-letters"
    )


class Activity(Struct, frozen=True):
    """When a user counts as new, dormant or churned; in days without activity. 0 switches a threshold off."""

    new_days: Annotated[float, Meta(ge=0, le=3650, description="a new user is active after this many days")] = 7
    dormant_days: Annotated[float, Meta(gt=0, le=3650, description="dormant after this many days of absence")] = 14
    churned_days: Annotated[
        float, Meta(ge=0, le=3650, description="churned after this many days of absence; above dormant_days")
    ] = 30


class Push(Struct, frozen=True):
    """The reactivation push."""

    channels: Annotated[
        tuple[Literal["inbox", "webhook"], ...], Meta(description="where a push may go; webhook needs webhook_url")
    ] = ("inbox", "webhook")
    cap_sends: Annotated[int, Meta(ge=0, le=1000, description="at most this many pushes a user …; 0 sends none")] = 3
    cap_days: Annotated[float, Meta(gt=0, le=365, description="… in any rolling window of this many days")] = 7
    title: Annotated[str, Meta(max_length=200, description="the message's title")] = "We miss you"
    body: Annotated[str, Meta(max_length=2000, description="the message's body")] = (
        "It has been a while. See what is new since your last visit."
    )
    webhook_url: Annotated[
        str,
        Meta(
            pattern="^(https?://.+)?$",
            examples=["https://marketing.example/pushes"],
            description="POST each push here as JSON; empty for none",
        ),
    ] = ""
    webhook_timeout_seconds: Annotated[float, Meta(gt=0, le=120, description="how long one attempt may take")] = 5
    webhook_attempts: Annotated[int, Meta(ge=1, le=20, description="how often to try before it has failed")] = 4
    deliveries_at_once: Annotated[int, Meta(ge=1, le=1000, description="deliveries under way at once")] = 32


class Settings(Struct, frozen=True):
    """Everything that can be set."""

    kafka: Annotated[
        str,
        Meta(
            pattern=r"^[^,:\s]+:\d+(,[^,:\s]+:\d+)*$",
            examples=["kafka-1:9092,kafka-2:9092"],
            description="bootstrap servers, host:port, with commas between",
        ),
    ] = "127.0.0.1:9092"
    redis: Annotated[
        str,
        Meta(
            pattern=r"^(rediss?|unix)://.+$",
            examples=["redis://127.0.0.1:6379/0"],
            description="the Redis or Valkey server of gate and inbox",
        ),
    ] = "redis://127.0.0.1:6379"
    group: Annotated[
        str,
        Meta(
            pattern=r"^[a-zA-Z0-9._-]{1,100}$",
            examples=["awaken-eu"],
            description="consumer group, and the name before the changelog and the transactional ids",
        ),
    ] = "awaken"
    partitions: Annotated[
        int, Meta(ge=1, le=10_000, description="of every keyed topic; must be the same for all of them")
    ] = 8
    replication: Annotated[int, Meta(ge=1, le=15, description="of the topics that we create")] = 1
    create_topics: Annotated[bool, Meta(description="create the topics that are missing at the start")] = True
    guarantee: Annotated[
        Guarantee, Meta(description="at-least-once is for brokers without transactions (the embedded one)")
    ] = "exactly-once"
    clock: Annotated[
        Clock, Meta(description="event: time is the events' own, for recorded history; wall: it goes on without them")
    ] = "wall"
    commit_seconds: Annotated[float, Meta(ge=0.005, le=60, description="how often each partition commits")] = 0.1
    session_seconds: Annotated[
        float, Meta(ge=1, le=60, description="a worker silent for this long has its partitions given to the others")
    ] = 15
    lateness_seconds: Annotated[
        float, Meta(ge=0, le=604_800, description="how late an event may come before absence is decided without it")
    ] = 60
    historic_hours: Annotated[
        float, Meta(gt=0, le=87_600, description="transitions older than this are marked historic: nothing is pushed")
    ] = 72
    max_ahead_seconds: Annotated[
        float, Meta(ge=0, le=604_800, description="events further in the future than this go to the dead letters")
    ] = 3600
    minor_units: Annotated[
        int, Meta(ge=0, le=3, description="decimals of the currency: 2 for CNY, EUR and USD, 0 for JPY, KRW and VND")
    ] = 2
    buffer_events: Annotated[
        int, Meta(ge=1000, le=10_000_000, description="events a topic may wait for another before its fetching pauses")
    ] = 200_000
    web_host: Annotated[str, Meta(min_length=1, description="where /metrics and /health listen")] = "127.0.0.1"
    web_port: Annotated[int, Meta(ge=0, le=65_535, description="their port")] = 6066
    instance: Annotated[
        str,
        Meta(
            pattern=r"^[a-zA-Z0-9._:-]{0,200}$",
            examples=["awaken-0"],
            description="a stable name of this worker (static group membership); empty for none",
        ),
    ] = ""
    log_level: Annotated[Literal["debug", "info", "warning", "error"], Meta(description="how much the worker says")] = (
        "info"
    )
    topics: Topics = msgspec.field(default_factory=Topics)
    activity: Activity = msgspec.field(default_factory=Activity)
    push: Push = msgspec.field(default_factory=Push)


def load(file: Path | None = None, environ: typing.Mapping[str, str] = os.environ) -> Settings:
    """Read settings from `file` (default: config/awaken.toml where it exists), with `environ` above it.

    Raises:
        SettingsError: a file that is missing or no TOML, an unknown key, a value that is not allowed.
    """
    document: dict[str, Any] = {}
    if file is None and DEFAULT_FILE.exists():
        file = DEFAULT_FILE
    if file is not None:
        try:
            document = tomllib.loads(file.read_text("utf-8"))
        except OSError as error:
            raise SettingsError(f"{file}: cannot be read: {error.strerror}") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise SettingsError(f"{file}: is not TOML: {error}") from error
    settings: Settings = _read(Settings, document, "", str(file))
    settings = _override(settings, environ)
    if settings.activity.churned_days and settings.activity.churned_days <= settings.activity.dormant_days:
        raise SettingsError(
            f"activity.churned_days = {settings.activity.churned_days:g}: must be above "
            f"activity.dormant_days = {settings.activity.dormant_days:g}, or 0 for none"
        )
    return settings


def replace(settings: Settings, **values: Any) -> Settings:
    """Return the settings with some of the top-level ones replaced, checked like those of a file."""
    fields = {f.name: f for f in msgspec.structs.fields(Settings)}
    checked = {k: _value(fields[k], v, f"option --{k.replace('_', '-')}", strict=True) for k, v in values.items()}
    return msgspec.structs.replace(settings, **checked)


def environment(settings: Settings) -> dict[str, str]:
    """Return the environment that makes another process read these very settings."""
    values = {}
    for name, (section, field) in _names().items():
        value = getattr(getattr(settings, section) if section else settings, field.name)
        values[name] = ",".join(value) if isinstance(value, tuple) else str(value)
    return values


def document() -> str:
    """Return every setting with its description, bounds and default, as a TOML file."""
    lines = [
        "# Awaken's settings, each with its default: this file is what `awaken settings` prints.",
        "# In the environment, `kafka` is AWAKEN_KAFKA and `push.cap_sends` is AWAKEN_PUSH_CAP_SENDS.",
    ]
    sections = [("", Settings)] + [(f.name, f.type) for f in msgspec.structs.fields(Settings) if _is_section(f)]
    for name, section in sections:
        if name:
            lines += ["", f"# {(section.__doc__ or '').strip()}", f"[{name}]"]
        for field in msgspec.structs.fields(section):
            if not _is_section(field):
                lines.append(f"# {describe(field)}")
                lines.append(f"{field.name} = {_toml(field.default)}")
    return "\n".join(lines) + "\n"


def describe(field: msgspec.structs.FieldInfo) -> str:
    """Return a setting's description and what is allowed, in a line."""
    meta = _meta(field)
    allowed = _allowed(field)
    return (meta.description or field.name) + (f" ({allowed})" if allowed else "")


def _read(section: Any, values: dict[str, Any], prefix: str, place: str) -> Any:
    fields = {f.name: f for f in msgspec.structs.fields(section)}
    known: dict[str, Any] = {}
    for key, value in values.items():
        field = fields.get(key)
        if field is None:
            near = difflib.get_close_matches(key, fields, 1)
            hint = f"did you mean {prefix}{near[0]}?" if near else f"there are {', '.join(prefix + f for f in fields)}"
            raise SettingsError(f"{place}: {prefix}{key} = {value!r}: there is no such setting; {hint}")
        if _is_section(field):
            if not isinstance(value, dict):
                raise SettingsError(f"{place}: {key} = {value!r}: is a section, write [{key}]")
            known[key] = _read(field.type, value, f"{key}.", place)
        else:
            known[key] = _value(field, value, f"{place}: {prefix}{key}", strict=True)
    return section(**known)


def _override(settings: Settings, environ: typing.Mapping[str, str]) -> Settings:
    names = _names()
    for name, text in environ.items():
        if not name.startswith("AWAKEN_"):
            continue
        if name not in names:
            near = difflib.get_close_matches(name, names, 1)
            hint = f"did you mean {near[0]}?" if near else "`awaken settings` lists them all"
            raise SettingsError(f"environment: {name} = {text!r}: there is no such setting; {hint}")
        section, field = names[name]
        raw: Any = tuple(filter(None, text.split(","))) if isinstance(field.default, tuple) else text
        value = _value(field, raw, f"environment: {name}", strict=False)
        if section:
            part = msgspec.structs.replace(getattr(settings, section), **{field.name: value})
            settings = msgspec.structs.replace(settings, **{section: part})
        else:
            settings = msgspec.structs.replace(settings, **{field.name: value})
    return settings


def _names() -> dict[str, tuple[str, msgspec.structs.FieldInfo]]:
    """Return the environment's names: each with its section (empty for none) and field."""
    names: dict[str, tuple[str, msgspec.structs.FieldInfo]] = {}
    for field in msgspec.structs.fields(Settings):
        if _is_section(field):
            for inner in msgspec.structs.fields(field.type):
                names[f"AWAKEN_{field.name}_{inner.name}".upper()] = (field.name, inner)
        else:
            names[f"AWAKEN_{field.name}".upper()] = ("", field)
    return names


def _value(field: msgspec.structs.FieldInfo, value: Any, place: str, *, strict: bool) -> Any:
    try:
        return msgspec.convert(value, field.type, strict=strict)
    except msgspec.ValidationError as error:
        allowed = _allowed(field) or str(error)
        raise SettingsError(f"{place} = {value!r}: {_meta(field).description}; allowed: {allowed}") from error


def _is_section(field: msgspec.structs.FieldInfo) -> bool:
    return isinstance(field.type, type) and issubclass(field.type, Struct)


def _meta(field: msgspec.structs.FieldInfo) -> Meta:
    return next((m for m in getattr(field.type, "__metadata__", ()) if isinstance(m, Meta)), Meta())


def _allowed(field: msgspec.structs.FieldInfo) -> str:
    meta, kind = _meta(field), typing.get_args(field.type)[0]
    if typing.get_origin(kind) is Literal:
        return " or ".join(typing.get_args(kind))
    if typing.get_origin(kind) is tuple:
        return "any of " + ", ".join(typing.get_args(typing.get_args(kind)[0]))
    bounds = [
        text
        for bound, text in (
            (meta.ge, f"at least {meta.ge}"),
            (meta.gt, f"above {meta.gt}"),
            (meta.le, f"at most {meta.le}"),
            (meta.examples, f"text such as {' or '.join(meta.examples or ())}"),
            (meta.max_length, f"at most {meta.max_length} characters"),
        )
        if bound is not None
    ]
    noun = {int: "a whole number", float: "a number", bool: "true or false"}.get(kind, "")
    return " ".join(filter(None, [noun, ", ".join(bounds)]))


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return "[" + ", ".join(f'"{v}"' for v in value) + "]"
    return f'"{value}"' if isinstance(value, str) else f"{value:g}" if isinstance(value, float) else str(value)
