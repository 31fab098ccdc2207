"""Settings: declared once here, read from a TOML file with the environment above it, frozen before anything starts.

Each field's description, default and bounds stand in its declaration; `awaken settings` prints them all, and
`config/awaken.toml` is that very print. A setting `section.name` is `AWAKEN_SECTION_NAME` in the environment, and one
of a section within a section `AWAKEN_CHANNELS_SMS_URL`.
"""

from __future__ import annotations

import difflib
import functools
import os
import re
import tomllib
import typing
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from streams import catalogue, festival, offer, playbook, refusal
from streams.budget import EXAMPLE as BUDGET_EXAMPLE
from streams.budget import Budget
from streams.channels.known import Channels
from streams.core.dimension import DIMENSIONS
from streams.festival import EXAMPLE as FESTIVALS_EXAMPLE
from streams.festival import SHIPPED as FESTIVALS
from streams.festival import Festival
from streams.offer import EXAMPLE as OFFER_EXAMPLE
from streams.offer import Offer
from streams.playbook import EXAMPLE, SHIPPED, SHIPPED_TOML, Playbook, Step
from streams.threshold import (
    NAMES,
    OWN_EXAMPLE,
    Activity,
    Bands,
    Growth,
    Own,
    Rung,
    Social,
    Stage,
    Thresholds,
    Value,
)

CLOCK = r"^(([01]\d|2[0-3]):[0-5]\d)?$"
Guarantee = Literal["exactly-once", "at-least-once"]
Clock = Literal["wall", "event"]
Channel = Literal["inbox", "webhook", "app_push", "wechat_mini", "wechat", "wecom", "email", "weibo", "sms"]
DEFAULT_FILE = Path("config/awaken.toml")
DAY = 86_400_000
MOST_KINDS = 100
JUDGING = tuple(f.name for f in msgspec.structs.fields(Thresholds))
"""The settings by which users are judged; each may differ by kind of user."""
SAID = ("ge", "gt", "le", "lt", "max_length", "description", "examples")
"""What is told of a setting."""
KINDS_EXAMPLE = """\
[kinds.rider.activity]
dormant_days = 3"""

__all__ = [
    "Activity", "Bands", "Budget", "Channels", "Festival", "Gate", "Growth", "Offer", "Own", "Playbook", "Push",
    "Rung", "Settings", "SettingsError", "Social", "Stage", "Step", "Thresholds", "Topics", "Value", "describe",
    "document", "environment", "load", "replace", "thresholds",
]  # fmt: skip


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
    value_transitions: Annotated[str, Meta(min_length=1, description="the same, of what a user is worth")] = (
        "value-transitions"
    )
    growth_transitions: Annotated[str, Meta(min_length=1, description="the same, of points, levels and rights")] = (
        "growth-transitions"
    )
    referrals: Annotated[str, Meta(min_length=1, description="to inviters: whom they brought has bought")] = "referrals"
    push_feedback: Annotated[
        str, Meta(min_length=1, description="what came of pushes: opened, clicked, complained …")
    ] = "push-feedback"
    push_decisions: Annotated[str, Meta(min_length=1, description="every candidate push, sent or not, and why")] = (
        "push-decisions"
    )
    push_outcomes: Annotated[str, Meta(min_length=1, description="what became of each delivery")] = "push-outcomes"
    dead_letters: Annotated[str, Meta(min_length=1, description="records that could not be read, whole")] = (
        "dead-letters"
    )
    control: Annotated[
        str, Meta(min_length=1, description="how far absence may be decided, and by which rules; one partition")
    ] = "control"


class Gate(Struct, frozen=True):
    """The health gate: nobody is dormant because the input fell silent. Not with clock = "event"."""

    enabled: Annotated[bool, Meta(description="watch the input, and decide absence only as far as it was healthy")] = (
        True
    )
    watch_seconds: Annotated[float, Meta(ge=0.05, le=600, description="how often the ends of the topics are read")] = 5
    chance: Annotated[
        float, Meta(gt=0, le=0.1, description="what happens by chance more rarely than this is taken for an outage")
    ] = 1e-9
    silence_seconds: Annotated[
        float, Meta(gt=0, le=86_400, description="a shorter silence is no outage, however busy the topic usually is")
    ] = 60
    silence_max_seconds: Annotated[
        float,
        Meta(gt=0, le=604_800, description="a silence that would say nothing within this time is not waited for"),
    ] = 3600
    slow_ratio: Annotated[
        float,
        Meta(gt=0, le=0.95, description="under this share of the usual a topic is slow; less where it is unsteady"),
    ] = 0.75
    slow_seconds: Annotated[float, Meta(gt=0, le=604_800, description="for this long, before it is an outage")] = 1800
    slow_max_hours: Annotated[
        float, Meta(gt=0, le=8760, description="a topic that is slow for longer than this has a new usual rate")
    ] = 168
    warmup_seconds: Annotated[
        float, Meta(ge=0, le=604_800, description="how long an unknown topic must flow before it is vouched for")
    ] = 600
    back_seconds: Annotated[
        float, Meta(ge=0, le=86_400, description="how long a topic must flow as usual before its outage is over")
    ] = 60


MIN_SECRET = 16
MANY: dict[str, Any] = {
    "playbooks": Playbook,
    "budgets": Budget,
    "offers": Offer,
    "festivals": Festival,
    "own": Own,
    "kinds": dict,
}
"""The settings that hold sections by name, and what such a section is before anything is said of it."""


class Push(Struct, frozen=True):
    """What holds for every push."""

    channels: Annotated[
        tuple[Channel, ...],
        Meta(description="where a push may go, if [channels.NAME] says enough of it to send there"),
    ] = typing.get_args(Channel)
    cap_sends: Annotated[int, Meta(ge=0, le=1000, description="at most this many pushes a user …; 0 sends none")] = 3
    cap_days: Annotated[float, Meta(gt=0, le=365, description="… in any rolling window of this many days")] = 7
    caps: Annotated[
        dict[str, int],
        Meta(
            examples=["{ 1 = 1, 30 = 8 }"],
            description="further caps: at most so many in any rolling window of so many days",
        ),
    ] = msgspec.field(default_factory=dict)
    min_gap_hours: Annotated[
        float, Meta(ge=0, le=8760, description="and at least so long between two; 0 for no such gap")
    ] = 0
    cap_per_visit: Annotated[
        float,
        Meta(ge=0, le=100, description="at most so many pushes for each active day of his in 28, at least one; 0: off"),
    ] = 0
    along: Annotated[
        tuple[str, ...],
        Meta(description="channels that disturb nobody: they get every message; of the others it is the cheapest one"),
    ] = ("inbox", "webhook")
    quiet_from: Annotated[
        str, Meta(pattern=CLOCK, examples=["22:00"], description="nobody is pushed from this time of his day …")
    ] = ""
    quiet_to: Annotated[
        str, Meta(pattern=CLOCK, examples=["08:00"], description="… to this one: it waits; both empty: never quiet")
    ] = ""
    time_zone: Annotated[
        str, Meta(min_length=1, examples=["Asia/Shanghai"], description="of users whose profile names none")
    ] = "UTC"
    spread_minutes: Annotated[
        float, Meta(ge=0, le=1440, description="pushes that waited leave over so long, not all in one burst")
    ] = 30
    expires_hours: Annotated[
        float, Meta(gt=0, le=8760, description="a push that could not go out within this time never does")
    ] = 72
    holdout: Annotated[
        float, Meta(ge=0, le=1, description="share of users who get no push, to compare with; the same ones always")
    ] = 0
    attribution_days: Annotated[
        float, Meta(gt=0, le=90, description="what a user buys within so many days of a push is counted for its lift")
    ] = 7
    phase: Annotated[
        Literal["auto", "trial", "launch", "growth", "stable", "decline"],
        Meta(description="of the product; in a stable one who comes anyway gets no coupon; auto: by its active users"),
    ] = "auto"
    breaker_times: Annotated[
        float,
        Meta(ge=1, le=1000, description="a playbook that sends so many times its busiest hour of a week is stopped …"),
    ] = 5
    breaker_least: Annotated[
        int, Meta(ge=0, le=1_000_000_000, description="… if it is more than this in an hour; 0 for no such breaker")
    ] = 10_000
    approval_hours: Annotated[
        float,
        Meta(gt=0, le=720, description="what was stopped waits so long for `awaken approve`, then never goes"),
    ] = 12
    public_url: Annotated[
        str,
        Meta(
            pattern="^(https?://.+)?$",
            examples=["https://push.example"],
            description="where users reach the workers' preference page; empty for no links to it",
        ),
    ] = ""
    secret: Annotated[
        str, Meta(max_length=200, description="signs links and makes codes of offers; the same for all workers")
    ] = ""
    invitation_hours: Annotated[
        float,
        Meta(ge=0, le=8760, description="who names an inviter so long after his first act was not brought by him"),
    ] = 24
    birthday_attribute: Annotated[
        str, Meta(min_length=1, description="attribute of profiles that holds the birthday, YYYY-MM-DD or MM-DD")
    ] = "birthday"
    birthday_lunar_attribute: Annotated[
        str, Meta(min_length=1, description="attribute that is true where it is of the Chinese lunar calendar")
    ] = "birthday_lunar"
    catalogue: Annotated[
        str,
        Meta(
            max_length=1000,
            examples=["catalogue.json"],
            description="a JSON file of what stands for an interest: its item, picture and url; empty for none",
        ),
    ] = ""
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
    partitioner: Annotated[
        Literal["murmur2", "any"],
        Meta(description="how producers choose a key's partition: murmur2 as Java does; any: their own, not checked"),
    ] = "murmur2"
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
    stuck_seconds: Annotated[
        float, Meta(ge=1, le=3600, description="a worker that has not got on for this long ends with exit code 75")
    ] = 60
    drain_seconds: Annotated[
        float, Meta(ge=1, le=600, description="told to stop, a worker ends within this time, whatever it waits for")
    ] = 25
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
    dimensions: Annotated[
        tuple[str, ...], Meta(description="what is kept of each user; activity must be among them, the rest may go")
    ] = NAMES
    tags: Annotated[
        bool, Meta(description="keep each user's values in Redis too, for others to read; not where channels = []")
    ] = True
    topics: Topics = msgspec.field(default_factory=Topics)
    activity: Activity = msgspec.field(default_factory=Activity)
    stage: Stage = msgspec.field(default_factory=Stage)
    rung: Rung = msgspec.field(default_factory=Rung)
    value: Value = msgspec.field(default_factory=Value)
    social: Social = msgspec.field(default_factory=Social)
    growth: Growth = msgspec.field(default_factory=Growth)
    bands: Bands = msgspec.field(default_factory=Bands)
    push: Push = msgspec.field(default_factory=Push)
    channels: Channels = msgspec.field(default_factory=Channels)
    gate: Gate = msgspec.field(default_factory=Gate)
    playbooks: Annotated[
        dict[str, Playbook],
        Meta(
            examples=[SHIPPED_TOML, EXAMPLE],
            description="Playbooks, [playbooks.NAME]: when we write to whom, and what. Yours stand beside those that "
            "are there from\n# the start; of one of the same name only what you write is changed. A variable of a text "
            "says what stands\n# there where it is not known: {interest|our shop}, {points|enough}, "
            "{attributes.NAME|…}.",
        ),
    ] = msgspec.field(default_factory=SHIPPED.copy)
    budgets: Annotated[
        dict[str, Budget],
        Meta(
            examples=[BUDGET_EXAMPLE],
            description="Budgets, [budgets.NAME]: what playbooks that name one may cost, sending and offers together.",
        ),
    ] = msgspec.field(default_factory=dict)
    offers: Annotated[
        dict[str, Offer],
        Meta(
            examples=[OFFER_EXAMPLE],
            description="Offers, [offers.NAME]: what a playbook's message may bring, on which terms; they need "
            "push.secret.\n# Each kind has fields of its own: see config/README.md.",
        ),
    ] = msgspec.field(default_factory=dict)
    festivals: Annotated[
        dict[str, Festival],
        Meta(
            examples=[FESTIVALS_EXAMPLE],
            description="Festivals, [festivals.NAME]: days for which playbooks may wait, calendar.NAME. One of these "
            "says when: date\n# (MM-DD, or YYYY-MM-DD once), lunar (MM-DD of the Chinese calendar), nth (which of a "
            "weekday in a month).\n# Yours stand beside those that are there from the start.",
        ),
    ] = msgspec.field(default_factory=FESTIVALS.copy)
    own: Annotated[
        dict[str, Own],
        Meta(
            examples=[OWN_EXAMPLE],
            description="Dimensions of your own, [own.NAME]: bands over a fact in a window, or over an attribute of "
            "the profile.\n# Facts: clicks, active_days (days, up to 30); orders, spend, order_value, coupons (weeks, "
            "up to 26); points.\n# spend and order_value are in units of the currency. Attributes: attributes.NAME.",
        ),
    ] = msgspec.field(default_factory=dict)
    kinds: Annotated[
        dict[str, dict[str, Any]],
        Meta(
            examples=[KINDS_EXAMPLE],
            description="Other kinds of user (`side` of events and profiles), [kinds.NAME.SECTION]: only what differs "
            "is written,\n# of dimensions, activity, stage, rung, value, social, growth, bands and own. A table is "
            "written whole.",
        ),
    ] = msgspec.field(default_factory=dict)


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
    settings: Settings = _overlay(Settings(), document, "", str(file))
    settings = _override(settings, environ)
    places = [str(file)] if file is not None else []
    places += ["environment"] if any(name in _names() for name in environ) else []
    check(settings, " and ".join(places) or "settings")
    return settings


def check(settings: Settings, place: str = "settings") -> None:
    """Refuse thresholds that contradict one another, of all users and of each kind.

    Raises:
        SettingsError: its text names the place, the key, the value and what is allowed.
    """
    general = thresholds(settings, "", place)
    if len(settings.kinds) > MOST_KINDS:
        raise SettingsError(f"{place}: kinds: {len(settings.kinds)} are too many; at most {MOST_KINDS} are allowed")
    try:
        refusal.check(general)
        for name, day in settings.festivals.items():
            festival.check(name, day)
        _check_pushes(settings)
        refusal.check_quiet(settings.push.quiet_from, settings.push.quiet_to, settings.push.time_zone)
    except ValueError as error:
        raise SettingsError(f"{place}: {error}") from error
    for kind in settings.kinds:
        found = thresholds(settings, kind, place)
        try:
            refusal.check_kind(kind, found, general)
        except ValueError as error:
            raise SettingsError(f"{place}: kinds.{kind}.{error}") from error


def _check_pushes(settings: Settings) -> None:
    for name, found in settings.offers.items():
        offer.check(name, found)
    if settings.offers and len(settings.push.secret) < MIN_SECRET:
        raise ValueError(
            f"push.secret: codes of offers are made with it; it must have at least {MIN_SECRET} characters"
        )
    there = values(settings)
    named = there, _channels(), settings.budgets, settings.offers
    for name, declared in settings.playbooks.items():
        if declared == SHIPPED.get(name):
            continue  # where your bands have other words, it never has its turn
        refusal.check_playbook(name, declared.on, declared.when, there, settings.festivals)
        playbook.check(name, declared, *named)
    catalogue.read(settings.push.catalogue)


def _channels() -> tuple[str, ...]:
    """Return the channels that can be named, configured or not."""
    [field] = (f for f in msgspec.structs.fields(Push) if f.name == "channels")
    return typing.get_args(typing.get_args(typing.get_args(field.type)[0])[0])


def values(settings: Settings) -> dict[str, tuple[str, ...]]:
    """Return the values of every dimension that can be kept, our own and the settings'; none is one of each."""
    found = {d.name: d.values[1:] or tuple(getattr(settings.bands, d.name)) for d in DIMENSIONS}
    found |= {name: tuple(own.bands or own.values) for name, own in settings.own.items()}
    return {name: (*own, "none") for name, own in found.items()}


def thresholds(settings: Settings, kind: str = "", place: str = "settings") -> Thresholds:
    """Return what holds for a kind of user; for one without thresholds of its own, what holds for everybody.

    Raises:
        SettingsError: what is written for the kind cannot be read.
    """
    general = Thresholds(**{name: getattr(settings, name) for name in JUDGING})
    found: Thresholds = _overlay(general, settings.kinds.get(kind, {}), f"kinds.{kind}.", place)
    return found


def judged(document: dict[str, Any], place: str, under: Settings | None = None) -> Settings:
    """Return the settings as `document` says them, and beside it those that stand `under` it (else the defaults).

    Raises:
        SettingsError: an unknown key, a value that is not allowed.
    """
    settings: Settings = _overlay(under or Settings(), document, "", place)
    check(settings, place)
    return settings


def replace(settings: Settings, **values: Any) -> Settings:
    """Return the settings with some of the top-level ones replaced, checked like those of a file."""
    fields = {f.name: f for f in msgspec.structs.fields(Settings)}
    checked = {k: _value(fields[k], v, f"option --{k.replace('_', '-')}", strict=True) for k, v in values.items()}
    return msgspec.structs.replace(settings, **checked)


def environment(settings: Settings) -> dict[str, str]:
    """Return the environment that makes another process read these very settings."""
    values = {}
    for name, path in _names().items():
        value = functools.reduce(lambda part, field: getattr(part, field.name), path, settings)
        if isinstance(value, dict):
            values[name] = msgspec.json.encode(value).decode()
        else:
            values[name] = ",".join(value) if isinstance(value, tuple) else str(value)
    return values


def document() -> str:
    """Return every setting with its description, bounds and default, as a TOML file."""
    lines = [
        "# Awaken's settings, each with its default: this file is what `awaken settings` prints.",
        "# In the environment, `kafka` is AWAKEN_KAFKA, `push.cap_sends` is AWAKEN_PUSH_CAP_SENDS and",
        "# `channels.sms.cost` is AWAKEN_CHANNELS_SMS_COST.",
    ]
    for name, section in _sections("", Settings):
        plain = [field for field in msgspec.structs.fields(section) if not _is_section(field)]
        if name and plain:
            lines += ["", f"# {(section.__doc__ or '').strip()}", f"[{name}]"]
        for field in plain:
            if not _is_many(field):
                lines.append(f"# {describe(field)}")
                lines.append(f"{field.name} = {_toml(_default(field))}")
    for field in filter(_is_many, msgspec.structs.fields(Settings)):
        lines += ["", *f"# {_meta(field).description}".splitlines()]
        lines += [f"# {line}".rstrip() for example in _meta(field).examples or () for line in example.splitlines()]
    return "\n".join(lines) + "\n"


def describe(field: msgspec.structs.FieldInfo) -> str:
    """Return a setting's description and what is allowed, in a line."""
    meta = _meta(field)
    allowed = _allowed(field)
    return (meta.description or field.name) + (f" ({allowed})" if allowed else "")


def _overlay(under: Any, values: dict[str, Any], prefix: str, place: str) -> Any:
    """Return the section `under` with some of its values replaced."""
    fields = {f.name: f for f in msgspec.structs.fields(under)}
    known: dict[str, Any] = {}
    for key, value in values.items():
        field = fields.get(key)
        if field is None:
            near = difflib.get_close_matches(key, fields, 1)
            hint = f"did you mean {prefix}{near[0]}?" if near else f"there are {', '.join(prefix + f for f in fields)}"
            raise SettingsError(f"{place}: {_given(prefix + key, value)}: there is no such setting; {hint}")
        known[key] = _laid(field, getattr(under, key), value, prefix, place)
    return msgspec.structs.replace(under, **known)


def _laid(field: msgspec.structs.FieldInfo, under: Any, value: Any, prefix: str, place: str) -> Any:
    """Return the value of one field, be it a section, a number of them by name, or plain."""
    name = f"{prefix}{field.name}"
    if not _is_section(field) and not _is_many(field):
        return _value(field, value, f"{place}: {name}", strict=True)
    if not isinstance(value, dict):
        head = f"[{name}]" if _is_section(field) else f"[{name}.NAME]"
        raise SettingsError(f"{place}: {name} = {value!r}: is a section, write {head}")
    if _is_section(field):
        return _overlay(under, value, f"{name}.", place)
    for key, inner in value.items():
        if not isinstance(inner, dict):
            raise SettingsError(f"{place}: {name}.{key} = {inner!r}: is a section, write [{name}.{key}]")
    if field.name == "kinds":
        return value  # read when all else is known: only what differs is written
    fresh = MANY[field.name]
    return under | {
        key: _overlay(under.get(key, fresh()), inner, f"{name}.{key}.", place) for key, inner in value.items()
    }


def _override(settings: Settings, environ: typing.Mapping[str, str]) -> Settings:
    names = _names()
    for name, text in environ.items():
        if not name.startswith("AWAKEN_"):
            continue
        if name not in names:
            near = difflib.get_close_matches(name, names, 1)
            hint = f"did you mean {near[0]}?" if near else "`awaken settings` lists them all"
            raise SettingsError(f"environment: {_given(name, text)}: there is no such setting; {hint}")
        path = names[name]
        settings = _placed(settings, path, _parsed(path[-1], text, name))
    return settings


def _placed(under: Any, path: Sequence[msgspec.structs.FieldInfo], value: Any) -> Any:
    """Return the section `under` with the setting at the end of a path replaced."""
    first, *rest = path
    inner = _placed(getattr(under, first.name), rest, value) if rest else value
    return msgspec.structs.replace(under, **{first.name: inner})


def _names() -> dict[str, list[msgspec.structs.FieldInfo]]:
    """Return the environment's names: each with the fields that lead to it, through its sections."""
    return {"_".join(["AWAKEN", *(field.name for field in path)]).upper(): path for path in _paths(Settings)}


def _paths(section: type[Struct]) -> Iterator[list[msgspec.structs.FieldInfo]]:
    for field in msgspec.structs.fields(section):
        if _is_section(field):
            yield from ([field, *path] for path in _paths(field.type))
        else:
            yield [field]


def _sections(name: str, section: type[Struct]) -> Iterator[tuple[str, type[Struct]]]:
    """Yield a section and those within it, each with its name as TOML writes it."""
    yield name, section
    for field in filter(_is_section, msgspec.structs.fields(section)):
        yield from _sections(f"{name}.{field.name}".lstrip("."), field.type)


def _parsed(field: msgspec.structs.FieldInfo, text: str, name: str) -> Any:
    """Return a variable's value; tables are JSON there."""
    if not _is_table(field):
        raw = tuple(filter(None, text.split(","))) if isinstance(field.default, tuple) else text
        return _value(field, raw, f"environment: {name}", strict=False)
    try:
        table = msgspec.json.decode(text, type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise SettingsError(
            f"environment: {name} = {text!r}: is a table: write it as JSON, or better in the settings file"
        ) from error
    return _laid(field, {}, table, "", f"environment: {name}")


def _value(field: msgspec.structs.FieldInfo, value: Any, place: str, *, strict: bool) -> Any:
    try:
        return msgspec.convert(value, field.type, strict=strict, str_keys=True)
    except msgspec.ValidationError as error:
        allowed = _allowed(field) or str(error)
        allowed += f" ({error})" if _is_table(field) else ""
        raise SettingsError(f"{_given(place, value)}: {_meta(field).description}; allowed: {allowed}") from error


def _given(name: str, value: Any) -> str:
    """Return a setting as it was given; of a secret not what it is."""
    return f"{name} = …" if re.search("secret|password|token", name.lower()) else f"{name} = {value!r}"


def _is_section(field: msgspec.structs.FieldInfo) -> bool:
    return isinstance(field.type, type) and issubclass(field.type, Struct)


def _is_table(field: msgspec.structs.FieldInfo) -> bool:
    return typing.get_origin(typing.get_args(field.type)[0]) is dict


def _is_many(field: msgspec.structs.FieldInfo) -> bool:
    """Say whether a field holds sections by name: [own.NAME], [kinds.NAME]."""
    return field.name in MANY


def _default(field: msgspec.structs.FieldInfo) -> Any:
    return field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()


def _meta(field: msgspec.structs.FieldInfo) -> Meta:
    """Return what a field declares of itself, beside what its type does."""
    metas = [m for m in getattr(field.type, "__metadata__", ()) if isinstance(m, Meta)]
    said = {name: getattr(m, name) for m in metas for name in SAID if getattr(m, name) is not None}
    return Meta(**said)


def _allowed(field: msgspec.structs.FieldInfo) -> str:
    meta, kind = _meta(field), typing.get_args(field.type)[0]
    if typing.get_origin(kind) is Literal:
        return " or ".join(typing.get_args(kind))
    if typing.get_origin(kind) is tuple:
        inner = typing.get_args(kind)[0]
        if typing.get_origin(inner) is Literal:
            return "any of " + ", ".join(typing.get_args(inner))
        return "a list of words" if inner is str else f"a list such as {' or '.join(meta.examples or ())}"
    if typing.get_origin(kind) is dict:
        return f"a table such as {' or '.join(meta.examples or ())}"
    bounds = [
        text
        for bound, text in (
            (meta.ge, f"at least {meta.ge}"),
            (meta.gt, f"above {meta.gt}"),
            (meta.le, f"at most {meta.le}"),
            (meta.lt, f"under {meta.lt}"),
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
    if isinstance(value, dict):
        return refusal.shown(value)
    if isinstance(value, tuple):
        return "[" + ", ".join(f'"{v}"' for v in value) + "]"
    return f'"{value}"' if isinstance(value, str) else f"{value:g}" if isinstance(value, float) else str(value)
