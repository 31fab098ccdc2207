"""Bytes → columns: a chunk of records becomes one EVENT array; what cannot be read is set aside with a reason.

The fast path decodes a chunk whole and checks it by columns; a chunk in which anything is wrong is taken record by
record, so that one bad record costs its chunk some time and nobody anything else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any, NamedTuple, Protocol

import msgspec
import numpy as np

from streams.core.hash import hash_texts
from streams.core.row import (
    CLICK_KINDS,
    CLICKS,
    EVENT,
    FEEDBACK,
    FEEDBACK_KINDS,
    IS_SAID,
    ORDER_KINDS,
    ORDERS,
    PROFILES,
)
from streams.core.window import I4_MAX
from streams.wire.event import Click, Feedback, Order, Profile, instant_ms

EARLIEST_AT = 631_152_000_000
"""1990-01-01: an earlier time is some other unit's, as seconds taken for milliseconds are."""

read_profile = msgspec.json.Decoder(Profile).decode
read_feedback = msgspec.json.Decoder(Feedback).decode
readers: dict[int, Callable[[bytes], Any]] = {
    CLICKS: msgspec.json.Decoder(Click).decode,
    ORDERS: msgspec.json.Decoder(Order).decode,
    PROFILES: read_profile,
    FEEDBACK: read_feedback,
}
KINDS: dict[int, dict[str, int]] = {
    source: {name: place for place, name in enumerate(kinds)}
    for source, kinds in ((CLICKS, CLICK_KINDS), (ORDERS, ORDER_KINDS), (FEEDBACK, FEEDBACK_KINDS))
}


Payloads = dict[tuple[int, int], bytes | None]
"""What is handed on whole, by source and offset: a profile's JSON, None to erase its user; what a user says back."""


class Names(NamedTuple):
    """Names → codes: categories and acquisition sources get theirs as they come, kinds of user have theirs."""

    categories: dict[str | None, int]
    origins: dict[str | None, int]
    sides: dict[str | None, int]


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
    """A chunk's good events: their keys, EVENT[n] (row not yet set), what is handed on whole; the bad; and inviters."""

    keys: list[bytes]
    events: np.ndarray
    payloads: Payloads
    bad: list[Bad]
    inviters: dict[int, str]


class Unreadable(ValueError):
    """Why a record cannot be read: (reason code, detail)."""


def decode(
    source: int, records: Sequence[Record], latest_at: int, minor_units: int, names: Names | None = None
) -> Decoded:
    """Decode records of one source; times after `latest_at` (int ms UTC) are refused.

    Without `names` categories, acquisition sources and kinds of user are left out.
    """
    bad: list[Bad] = []
    read = readers[source]
    try:
        keys: list[Any] = [r.key for r in records]
        values: list[Any] = list(map(read, [r.value for r in records]))  # type: ignore[arg-type] # None raises
        events = _columns(source, records, values, minor_units)
        sound = _same(keys, values) and _in_time(events["at"], latest_at)
    except (msgspec.DecodeError, TypeError, ValueError, OverflowError, RecursionError):
        sound = False
    if not sound:
        records, values = _examine(source, records, latest_at, minor_units, bad)
        keys = [r.key for r in records]
        events = _columns(source, records, values, minor_units)
    if names is not None:
        _name(events, source, values, names)
    return Decoded(keys, events, _payloads(source, records, events), bad, _inviters(source, records, values))


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
        events["kind"] = np.fromiter(map(KINDS[CLICKS].__getitem__, map(attrgetter("kind"), values)), np.uint8, n)
    elif source == ORDERS:
        _order_columns(events, values, minor_units)
    elif source == FEEDBACK:
        events["kind"] = [KINDS[FEEDBACK][v.kind] for v in values]
    return events


def _payloads(source: int, records: Sequence[Record], events: np.ndarray) -> Payloads:
    """Return what is handed on whole of the records that EVENT[n] stands for."""
    if source == PROFILES:
        return {(source, r.offset): r.value for r in records}
    if source == FEEDBACK:
        return {(source, records[k].offset): records[k].value for k in np.flatnonzero(IS_SAID[events["kind"]]).tolist()}
    return {}


def _order_columns(events: np.ndarray, values: Sequence[Any], minor_units: int) -> None:
    n = len(values)
    kinds = np.fromiter(map(KINDS[ORDERS].__getitem__, map(attrgetter("status"), values)), np.uint8, n)
    amount = np.fromiter(map(attrgetter("amount"), values), np.float64, n)
    minor = np.rint(amount * 10**minor_units)
    if n and minor.max() > I4_MAX:
        raise OverflowError(f"amount above {I4_MAX / 10**minor_units:,.2f}")
    events["kind"], events["act"], events["amount"] = kinds, kinds == 0, minor
    events["coupon"] = np.fromiter((v.coupon is not None for v in values), np.uint8, n)
    events["hash"] = hash_texts(list(map(attrgetter("order"), values)))


def _name(events: np.ndarray, source: int, values: Sequence[Any], names: Names) -> None:
    """Set what events name: category, acquisition source, kind of user; points of a redemption."""
    n = len(values)
    if source not in (CLICKS, ORDERS):
        return
    for column, attribute, codes in (
        ("category", "category", names.categories),
        ("origin", "source", names.origins),
        ("side", "side", names.sides),
    ):
        events[column] = np.fromiter(map(codes.__getitem__, map(attrgetter(attribute), values)), np.uint16, n)
    if source == CLICKS:
        events["amount"] = np.fromiter(map(attrgetter("points"), values), np.int32, n)


def _inviters(source: int, records: Sequence[Record], values: Sequence[Any]) -> dict[int, str]:
    """Return by offset whom events name as having brought their users."""
    if source not in (CLICKS, ORDERS):
        return {}
    named = list(map(attrgetter("inviter"), values))
    return {r.offset: inviter for r, inviter in zip(records, named, strict=True) if inviter} if any(named) else {}


def _instant(value: Any, record: Record) -> int:
    """Return an event's time, int ms UTC; a tombstone's is its record's."""
    return record.timestamp if value is None else instant_ms(value.at)


def _same(keys: list[bytes], values: Sequence[Any]) -> bool:
    """Say whether every key is its event's user, comparing all in one."""
    joined = b"\n".join(keys)
    users = "\n".join(map(attrgetter("user"), values)).encode()
    whole = joined.count(b"\n") == max(len(keys) - 1, 0)
    return joined == users and whole and b"\n\0" not in joined and not joined.startswith(b"\0")


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
    if record.key.startswith(b"\0"):
        raise Unreadable("reserved-key", "a user's id must not begin with a null character")
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
    except RecursionError as error:
        raise Unreadable("not-json", "it is nested too deeply") from error


def _reason(message: str) -> str:
    if "missing required field" in message:
        return "missing-field"
    return "wrong-type" if message.startswith(("Expected `", "Object ")) and "got" in message else "bad-value"
