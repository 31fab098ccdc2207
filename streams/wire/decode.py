"""Bytes → columns: a chunk of records becomes one EVENT array; what cannot be read is set aside with a reason.

The fast path decodes a chunk whole and checks it by columns; a chunk in which anything is wrong is taken record by
record, so that one bad record costs its chunk some time and nobody anything else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any, NamedTuple, Protocol

import msgspec
import numpy as np

from streams.core.row import CLICKS, EVENT, ORDERS, PROFILES
from streams.core.window import I4_MAX
from streams.wire.event import Click, Order, Profile

EARLIEST_AT = 631_152_000_000
"""1990-01-01: an earlier time is some other unit's, as seconds taken for milliseconds are."""

read_profile = msgspec.json.Decoder(Profile).decode
readers: dict[int, Callable[[bytes], Any]] = {
    CLICKS: msgspec.json.Decoder(Click).decode,
    ORDERS: msgspec.json.Decoder(Order).decode,
    PROFILES: read_profile,
}


class Record(Protocol):
    """A Kafka record as the driver hands it over."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]


class Bad(NamedTuple):
    """A record that cannot be read. `reason` is a short code, `detail` says more."""

    record: Record
    reason: str
    detail: str


class Decoded(NamedTuple):
    """A chunk's good events: their keys, EVENT[n] (row not yet set), profile payloads by offset; and the bad."""

    keys: list[bytes]
    events: np.ndarray
    payloads: dict[int, bytes | None]
    bad: list[Bad]


class Unreadable(ValueError):
    """Why a record cannot be read: (reason code, detail)."""


def decode(source: int, records: Sequence[Record], latest_at: int, minor_units: int) -> Decoded:
    """Decode records of one source; times after `latest_at` (int ms UTC) are refused."""
    bad: list[Bad] = []
    read = readers[source]
    try:
        keys: list[Any] = [r.key for r in records]
        values: list[Any] = list(map(read, [r.value for r in records]))  # type: ignore[arg-type] # None raises
        events = _columns(source, records, values, minor_units)
        sound = _same(keys, values) and _in_time(events["at"], latest_at)
    except (msgspec.DecodeError, TypeError, ValueError, OverflowError):
        sound = False
    if not sound:
        records, values = _examine(source, records, latest_at, minor_units, bad)
        keys = [r.key for r in records]
        events = _columns(source, records, values, minor_units)
    payloads = {r.offset: r.value for r in records} if source == PROFILES else {}
    return Decoded(keys, events, payloads, bad)


def _columns(source: int, records: Sequence[Record], values: Sequence[Any], minor_units: int) -> np.ndarray:
    n = len(records)
    events = np.zeros(n, EVENT)
    events["source"] = source
    events["offset"] = np.fromiter(map(attrgetter("offset"), records), np.int64, n)
    try:
        events["at"] = np.fromiter(map(attrgetter("at"), values), np.int64, n)
    except (TypeError, AttributeError):
        events["at"] = [_instant(v, r) for v, r in zip(values, records, strict=True)]
    if source == CLICKS:
        events["act"] = 1
    elif source == ORDERS:
        paid = np.fromiter((v.status == "paid" for v in values), np.uint8, n)
        amount = np.fromiter(map(attrgetter("amount"), values), np.float64, n)
        minor = np.rint(amount * 10**minor_units)
        if n and minor.max() > I4_MAX:
            raise OverflowError(f"amount above {I4_MAX / 10**minor_units:,.2f}")
        events["act"] = paid
        events["amount"] = minor * paid
    return events


def _instant(value: Any, record: Record) -> int:
    """Return an event's time, int ms UTC; a tombstone's is its record's."""
    if value is None:
        return record.timestamp
    at = value.at
    return round(at.timestamp() * 1000) if isinstance(at, datetime) else at


def _same(keys: list[bytes], values: Sequence[Any]) -> bool:
    """Say whether every key is its event's user, comparing all in one."""
    joined = b"\n".join(keys)
    users = "\n".join(map(attrgetter("user"), values)).encode()
    return joined == users and joined.count(b"\n") == max(len(keys) - 1, 0)


def _in_time(at: np.ndarray, latest_at: int) -> bool:
    return not len(at) or bool(at.min() >= EARLIEST_AT and at.max() <= latest_at)


def _examine(
    source: int, records: Sequence[Record], latest_at: int, minor_units: int, bad: list[Bad]
) -> tuple[list[Record], list[Any]]:
    """Take records one by one; return the good ones with their values, the others go to `bad`."""
    good: list[Record] = []
    values: list[Any] = []
    for record in records:
        try:
            values.append(_examined(source, record, latest_at, minor_units))
            good.append(record)
        except Unreadable as error:
            bad.append(Bad(record, *error.args))
    return good, values


def _examined(source: int, record: Record, latest_at: int, minor_units: int) -> Any:
    if not record.key:
        raise Unreadable("empty-key", "the record has no key; the key must be the user's id")
    value = None if record.value is None and source == PROFILES else _parsed(source, record)
    if value is not None and value.user.encode() != record.key:
        raise Unreadable("key-mismatch", f"the key is {record.key!r}, the user {value.user!r}")
    try:
        at = int(_columns(source, [record], [value], minor_units)["at"][0])
    except OverflowError as error:
        raise Unreadable("bad-value", str(error)) from error
    if value is not None and not EARLIEST_AT <= at <= latest_at:
        raise Unreadable("absurd-time", f"at = {at}: must lie between {EARLIEST_AT} and {latest_at} (ms UTC)")
    return value


def _parsed(source: int, record: Record) -> Any:
    if record.value is None:
        raise Unreadable("not-json", "the value is null")
    try:
        return readers[source](record.value)
    except msgspec.ValidationError as error:
        raise Unreadable(_reason(str(error)), str(error)) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Unreadable("not-json", str(error)) from error


def _reason(message: str) -> str:
    if "missing required field" in message:
        return "missing-field"
    return "wrong-type" if message.startswith(("Expected `", "Object ")) and "got" in message else "bad-value"
