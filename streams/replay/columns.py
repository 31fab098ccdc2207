"""Columns of Arrow → EVENT arrays, without an object of Python's an event.

A row of which the columns alone say that it is good is never looked at again. Any other becomes JSON and goes the way
of `decode`, which then says what is wrong with it, or that it is good after all. So both judge alike: what the columns
let pass is what `decode` lets pass, and a test holds the one to the other.

An empty cell is a field that is not there. Ids may be whole numbers: they are taken as text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, NamedTuple

import numpy as np
import orjson
import pyarrow as pa
from pyarrow import types

from streams.core.hash import hash_spans
from streams.core.row import CLICKS, EVENT, FEEDBACK, ORDERS, PROFILES
from streams.core.window import I4_MAX
from streams.replay.chunk import NONE, Bad, Chunk, Terms, joined, of_block
from streams.wire.block import Block, Pairs
from streams.wire.decode import EARLIEST_AT, KINDS

CODED = ("kind", "status", "category", "source", "side")
"""Fields of few words, which Parquet may hand over as codes."""
NUMBERS = ("at", "amount", "points")
FREE = ("attributes", "consent", "membership", "seed")
"""Fields of profiles whose values are of several types, or are spread over columns of several."""
MOST_BYTES = 512
"""Of a user's id: up to so many, it is surely short enough."""
MOST_AMOUNT, MOST_POINTS = 1e9, 1_000_000_000
FAR = 1 << 52
UNKNOWN = -1
NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")
"""What of a CSV is a number, as JSON writes one; 0451 is none."""
A_MS = {"s": 1000, "ms": 1, "us": -1000, "ns": -1_000_000}
"""A unit in ms, or minus the ms in one of it."""


class Places(dict[str | None, int]):
    """Words of a fixed set → their places; any other's is none."""

    def __missing__(self, word: str | None) -> int:
        return UNKNOWN


PLACES = {source: Places(kinds) for source, kinds in KINDS.items()}


class Mistyped(ValueError):
    """A column's type is none that its field can have."""


class Rows(NamedTuple):
    """Rows of a table: their lines (i8[n]) and their columns by field; `texts`: numbers stand there as text."""

    lines: np.ndarray
    batch: pa.RecordBatch
    texts: bool

    def taken(self, places: np.ndarray) -> Rows:
        """Return the rows at these places."""
        return self._replace(lines=self.lines[places], batch=self.batch.take(pa.array(places)))


class _Found(NamedTuple):
    """EVENT[n], the users as spans in data, and which rows are surely good (bool[n])."""

    events: np.ndarray
    data: np.ndarray
    users: np.ndarray
    sound: np.ndarray


def chunk(source: int, rows: Rows, terms: Terms) -> Chunk:
    """Return rows of one source as a chunk.

    Raises:
        Mistyped: a column cannot be what it stands for.
    """
    if source in (PROFILES, FEEDBACK):
        return _looked_at(source, rows, terms)
    try:
        found = _judged(source, rows, terms)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):  # something in a column is not of its field's type
        return _looked_at(source, rows, terms)
    if found.sound.all():
        return _named(rows, found, terms)
    good, doubtful = (rows.taken(np.flatnonzero(chosen)) for chosen in (found.sound, ~found.sound))
    whole = _named(good, _judged(source, good, terms), terms)
    return joined(whole, _looked_at(source, doubtful, terms))


def nothing(bad: list[Bad]) -> Chunk:
    """Return a chunk of no events."""
    return NONE._replace(bad=bad)


def amounts(column: pa.Array) -> np.ndarray:
    """Return amounts (f8[n]); NaN where there is none."""
    if not _is_text(column.type) and not types.is_decimal(column.type) and not _is_number(column.type):
        raise Mistyped(f"amount is of {column.type}: must be a number")
    column = _text(column) if _is_text(column.type) else column
    return as_array(column.cast(pa.float64(), safe=False))


def as_array(column: pa.Array) -> np.ndarray:
    """Return a column of numbers or truths as numpy has it."""
    found: np.ndarray = column.to_numpy(zero_copy_only=False)
    return found


def _judged(source: int, rows: Rows, terms: Terms) -> _Found:
    """Return the events of clicks or orders, but for what they name, and which of them are surely good."""
    events = np.zeros(len(rows.lines), EVENT)
    events["source"], events["offset"] = source, rows.lines
    data, users, sound = _users(rows.batch.column("user"))
    at, told = _instants(rows.batch.column("at"))
    events["at"] = at
    sound &= told & (at >= EARLIEST_AT) & (at <= terms.latest_at)
    sound &= _clicks(events, rows, terms) if source == CLICKS else _orders(events, rows, terms)
    return _Found(events, data, users, sound)


def _clicks(events: np.ndarray, rows: Rows, terms: Terms) -> np.ndarray:
    """Set what is of clicks alone; return which are surely good."""
    kinds = _codes(rows.batch.column("kind"), PLACES[CLICKS], UNKNOWN)
    events["kind"], events["act"] = kinds, 1
    known: np.ndarray = kinds != UNKNOWN
    points = _optional(rows, "points")
    if points is None or terms.names is None:
        return known
    points = _text(points) if _is_text(points.type) else points
    spent = as_array(points.cast(pa.int64()).fill_null(0))
    sound = (spent >= 0) & (spent <= MOST_POINTS)
    events["amount"] = np.where(sound, spent, 0)
    return known & sound


def _orders(events: np.ndarray, rows: Rows, terms: Terms) -> np.ndarray:
    """Set what is of orders alone; return which are surely good."""
    status = _optional(rows, "status")
    kinds = np.zeros(len(events), np.int64) if status is None else _codes(status, PLACES[ORDERS], 0)
    data, spans = _spans(ids := _text(rows.batch.column("order")))
    amount = amounts(rows.batch.column("amount"))
    with np.errstate(invalid="ignore"):
        minor = np.rint(amount * 10**terms.minor_units)
        sound: np.ndarray = (amount >= 0) & (amount <= MOST_AMOUNT) & (minor <= I4_MAX)
    events["kind"], events["act"], events["amount"] = kinds, kinds == 0, np.where(sound, minor, 0)
    events["hash"] = hash_spans(data, spans)
    coupon = _optional(rows, "coupon")
    if coupon is not None:
        events["coupon"] = _is_there(coupon)
    sound &= (kinds != UNKNOWN) & (spans[:, 1] > spans[:, 0]) & as_array(ids.is_valid())
    return sound


def _named(rows: Rows, found: _Found, terms: Terms) -> Chunk:
    """Return a chunk of good rows, with the codes of what they name."""
    if terms.names is not None:
        for column, field, codes in (
            ("category", "category", terms.names.categories),
            ("origin", "source", terms.names.origins),
            ("side", "side", terms.names.sides),
        ):
            named = _optional(rows, field)
            if named is not None:
                found.events[column] = _codes(named, codes, 0)
    return Chunk(found.events, found.data, found.users, {}, [])


def _optional(rows: Rows, field: str) -> pa.Array | None:
    return rows.batch.column(field) if field in rows.batch.schema.names else None


def _users(column: pa.Array) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return ids as spans in data, and which are surely good."""
    ids = _text(column)
    data, spans = _spans(ids)
    size = spans[:, 1] - spans[:, 0]
    sound = (size > 0) & (size <= MOST_BYTES)
    if ids.null_count:
        sound &= as_array(ids.is_valid())
    starts = spans[sound, 0]
    sound[sound] = data[starts] != 0
    return data, spans, sound


def _text(column: pa.Array) -> pa.Array:
    """Return ids or words as text (valid UTF-8) whose bytes lie one after the other."""
    if isinstance(column, pa.DictionaryArray):
        column = column.dictionary_decode()
    if types.is_string(column.type) or types.is_large_string(column.type):
        column.validate(full=True)
        return column
    if _is_text(column.type):
        return column.cast(pa.large_string())
    if types.is_integer(column.type) or types.is_null(column.type):
        return column.cast(pa.string())
    raise Mistyped(f"an id or a word is of {column.type}: must be text or whole numbers")


def _is_text(kind: pa.DataType) -> bool:
    if types.is_dictionary(kind):
        return _is_text(kind.value_type)
    return any(is_so(kind) for is_so in (
        types.is_string, types.is_large_string, types.is_string_view,
        types.is_binary, types.is_large_binary, types.is_fixed_size_binary, types.is_binary_view,
    ))  # fmt: skip


def _is_number(kind: pa.DataType) -> bool:
    return bool(types.is_integer(kind) or types.is_floating(kind) or types.is_null(kind))


def _spans(column: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """Return where texts stand: u1[size] and i8[n, 2], Arrow's own buffers."""
    _, offsets, data = column.buffers()
    wide = np.int64 if types.is_large_string(column.type) else np.int32
    ends = np.frombuffer(offsets, wide)[column.offset : column.offset + len(column) + 1]
    spans = np.stack([ends[:-1], ends[1:]], axis=1).astype(np.int64)
    return np.frombuffer(data or b"", np.uint8), spans


def _instants(column: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """Return times (i8[n], ms UTC), and where there is one; a time without a zone is UTC's, a number is in ms."""
    if _is_text(column.type):
        column = _text(column)
        try:
            column = column.cast(pa.int64())
        except pa.ArrowInvalid:
            column = column.cast(pa.timestamp("us", "UTC"))
    if types.is_date(column.type):
        column = column.cast(pa.timestamp("ms"))
    valid = as_array(column.is_valid())
    if not types.is_timestamp(column.type) and not _is_number(column.type):
        raise Mistyped(f"at is of {column.type}: must be a timestamp, ms since 1970, or RFC 3339 as text")
    scale = A_MS[column.type.unit] if types.is_timestamp(column.type) else 1
    at = as_array(column.cast(pa.int64()).fill_null(0))
    return (np.clip(at, -FAR, FAR) * scale if scale > 0 else _rounded(at, -scale)), valid


def _rounded(at: np.ndarray, parts: int) -> np.ndarray:
    """Return at / parts, rounded, halves to the even."""
    whole, rest = np.divmod(at, parts)
    up: np.ndarray = (rest * 2 > parts) | ((rest * 2 == parts) & (whole % 2 == 1))
    rounded: np.ndarray = whole + up
    return rounded


def _codes(column: pa.Array, codes: dict[str | None, int], absent: int) -> np.ndarray:
    """Return the codes (i8[n]) of words, -1 for unknown ones of a fixed set, `absent` where there is none."""
    if not isinstance(column, pa.DictionaryArray):
        column = (_text(column) if not types.is_null(column.type) else column.cast(pa.string())).dictionary_encode()
    words = _text(column.dictionary).to_pylist()
    places = as_array(column.indices.cast(pa.int64()).fill_null(len(words)))
    found = np.full(len(words) + 1, absent)
    for place in np.flatnonzero(np.bincount(places, minlength=len(words) + 1)[: len(words)]).tolist():
        if (word := words[place]) is not None:
            found[place] = codes[word]
    coded: np.ndarray = found[places]
    return coded


def _is_there(column: pa.Array) -> np.ndarray:
    """Say which orders were paid with a coupon: there is its name, or a truth that says so."""
    if types.is_boolean(column.type):
        return as_array(column.fill_null(False))
    if _is_text(column.type) or types.is_null(column.type):
        _text(column)
        return as_array(column.is_valid())
    raise Mistyped(f"coupon is of {column.type}: must be text, or true and false")


def _looked_at(source: int, rows: Rows, terms: Terms) -> Chunk:
    """Return rows by way of `decode`, made JSON one by one."""
    values: list[bytes] = []
    lines: list[int] = []
    bad: list[Bad] = []
    cells = [_cells(field, rows.batch.column(field)) for field in rows.batch.schema.names]
    for line, row in zip(rows.lines.tolist(), zip(*cells, strict=True), strict=True):
        told = dict(zip(rows.batch.schema.names, row, strict=True))
        try:
            values.append(_json(told, texts=rows.texts))
            lines.append(line)
        except UnicodeDecodeError as error:
            bad.append(Bad(line, "not-text", str(error), repr(told).encode()))
    pairs = Pairs.of((None, value) for value in values)
    found = of_block(source, Block(np.array(lines, np.int64), np.zeros(len(lines), np.int64), pairs), terms)
    found.bad.extend(bad)
    return found


def _cells(field: str, column: pa.Array) -> list[Any]:
    """Return a column's values; text as bytes, for it may be none."""
    if isinstance(column, pa.DictionaryArray):
        column = column.dictionary_decode()
    if _is_text(column.type):
        return list(column.cast(pa.large_binary()).to_pylist())
    if field == "at" and (types.is_temporal(column.type) or types.is_floating(column.type)):
        at, valid = _instants(column)
        return [instant if told else None for instant, told in zip(at.tolist(), valid.tolist(), strict=True)]
    if types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("us", column.type.tz), safe=False)
    return list(column.to_pylist())


def _json(told: Mapping[str, Any], *, texts: bool) -> bytes:
    """Return a row as JSON; fields that are spread over columns (`attributes.region`) are put together."""
    plain: dict[str, Any] = {}
    for field, cell in told.items():
        head, _, name = field.partition(".")
        value = _value(head, cell, texts=texts)
        if value is not None and name:
            plain.setdefault(head, {})[name] = value
        elif value is not None:
            plain[head] = value
    return orjson.dumps(plain, default=_number, option=orjson.OPT_NAIVE_UTC | orjson.OPT_UTC_Z)


def _value(head: str, cell: Any, *, texts: bool) -> Any:
    """Return a cell as its field has it: a number where text stands for one, text where a number is an id."""
    value = cell.decode() if isinstance(cell, bytes) else cell
    if isinstance(value, str) and texts and head in (*NUMBERS, *FREE):
        return _read(value)
    if isinstance(value, dict | list):
        return _without_nulls(value)
    if head == "coupon" and isinstance(value, bool):
        return "yes" if value else None
    whole = isinstance(value, int) and not isinstance(value, bool)
    return str(value) if whole and head not in (*NUMBERS, *FREE) else value


def _without_nulls(value: Any) -> Any:
    """Return what is nested without what is not there: Arrow gives every struct of a column every field."""
    if isinstance(value, list):
        return [_without_nulls(inner) for inner in value]
    if isinstance(value, dict):
        return {name: _without_nulls(inner) for name, inner in value.items() if inner is not None}
    return value


def _read(text: str) -> Any:
    """Return what a text of CSV stands for: a truth, a number, or itself."""
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    if not NUMBER.fullmatch(text):
        return text
    return int(text) if text.lstrip("-").isdigit() else float(text)


def _number(value: Any) -> float:
    """Return a decimal as JSON has it."""
    if isinstance(value, Decimal):
        return float(value)
    raise TypeError(f"{value!r} is no JSON")
