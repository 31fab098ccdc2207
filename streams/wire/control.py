"""The records of `control`: what every worker must know alike, declared once, written as JSON.

`control` is one partition, compacted, and read whole by every worker. A record's key says what it replaces: there
is one newest vouching, and each stop, outage, backfill, rule version, cut, topic's profile and playbook's approval
stands under a key of its own, so that compaction keeps exactly what a worker of next year must know. Times are int ms
UTC; a null value (a tombstone) takes its key back.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec
from msgspec import Struct

Reason = Literal["silent", "slow", "lag", "declared"]
"""Why absence stood still: no records, too few, a broker that could not be asked, an operator's word."""


class Vouched(Struct, frozen=True, tag_field="kind", tag="vouched"):
    """Absence may be decided `through` this time; and the look that said so: when, and each partition's end."""

    through: int
    looked_at: int
    ends: Mapping[str, tuple[int, ...]]


class Stop(Struct, frozen=True, tag_field="kind", tag="stop"):
    """A span that the health gate found: from `start` (included) to `end`, null while it lasts.

    `by` says what was silent or slow; of a stop that an operator ended it says so.
    """

    start: int
    end: int | None
    topics: tuple[str, ...]
    reason: Reason
    by: str


class Outage(Struct, frozen=True, tag_field="kind", tag="outage"):
    """A span that an operator declared: past, present, or until further notice (`end` null)."""

    id: str
    start: int
    end: int | None
    topics: tuple[str, ...]
    why: str
    reason: Reason = "declared"


class Backfill(Struct, frozen=True, tag_field="kind", tag="backfill"):
    """A span of event time, `start` included, that an operator declared to be loaded late: it is history."""

    id: str
    start: int
    end: int
    why: str


class RuleVersion(Struct, frozen=True, tag_field="kind", tag="rules", rename={"from_": "from"}):
    """The rules that hold for what happens at `from_` (event time) and later; what they say is the core's affair."""

    version: str
    from_: int
    document: Mapping[str, Any]


class Cuts(Struct, frozen=True, tag_field="kind", tag="cuts"):
    """Figures of the population, frozen: `name` is the key, `sketch-<partition>` or `cuts-<version>`."""

    name: str
    document: Mapping[str, Any]


class Usual(Struct, frozen=True, tag_field="kind", tag="usual"):
    """What is usual of a topic, as the gate has learnt it.

    Attributes:
        topic: the topic's name.
        rates: records a second by hour of the week (168, UTC, from Monday 00:00); null where not yet learnt.
        noise: by how much an hour differs from its usual rate, as a share of it.
        spread: variance by mean of a minute's records; 1 for those that come one by one.
        recent: records a second of late.
        shares: each partition's share of the records.

    """

    topic: str
    rates: tuple[float | None, ...]
    noise: float
    spread: float
    recent: float
    shares: tuple[float, ...]


class Approval(Struct, frozen=True, tag_field="kind", tag="approval"):
    """What an operator said at `at` of pushes of a playbook that the breaker has stopped; the newest word holds.

    Granted, they may go, and what comes until `until` is not stopped. Otherwise they are cancelled.
    """

    playbook: str
    at: int
    until: int
    granted: bool = True


Record = Vouched | Stop | Outage | Backfill | RuleVersion | Cuts | Usual | Approval


def key_of(record: Record) -> bytes:
    """Return the key under which a record stands."""
    match record:
        case Vouched():
            key = "vouched"
        case Stop():
            key = f"stop-{record.start}"
        case Outage():
            key = f"outage-{record.id}"
        case Backfill():
            key = f"backfill-{record.id}"
        case RuleVersion():
            key = f"rules-{record.version}"
        case Cuts():
            key = record.name
        case Usual():
            key = f"usual-{record.topic}"
        case Approval():
            key = f"approval-{record.playbook}"
    return key.encode()


encode = msgspec.json.Encoder().encode
read = msgspec.json.Decoder(Record).decode
"""Raises msgspec.DecodeError for a record that is not ours to read."""
