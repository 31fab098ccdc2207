"""Bytes → columns: a block of records becomes one EVENT array; what cannot be read is set aside with a reason.

Compiled code reads the records of the usual form (`scan`), a quarter of a microsecond each. What it leaves msgspec
reads, all at once and checked by columns; and where any of that is wrong, record by record, so that one bad record
costs the others some time and nobody anything else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from typing import Any, NamedTuple

import msgspec
import numpy as np

from streams.core.compiled import compiled
from streams.core.hash import hash64, hash_texts
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
from streams.dictionary import Codes, Table, find
from streams.wire import scan
from streams.wire.block import NOTHING, Block, Record, cut, read_only
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
ACTS = {CLICKS: (1,) * len(CLICK_KINDS), ORDERS: (1, 0, 0), FEEDBACK: (0,) * len(FEEDBACK_KINDS)}
"""By source and kind: whether it is something that the user did."""
CATEGORY, ORIGIN, SIDE, INVITER = range(4)
NAMED = ("category", "source", "side")
"""The fields that name something, as CATEGORY, ORIGIN and SIDE count them."""

Payloads = dict[tuple[int, int], bytes | None]
"""What is handed on whole, by source and offset: a profile's JSON, None to erase its user; what a user says back."""


def is_whole(events: np.ndarray) -> np.ndarray:
    """Say of each event (EVENT[n]) whether it is handed on whole beside its columns."""
    heard = events["source"] == FEEDBACK
    whole: np.ndarray = events["source"] == PROFILES
    whole[heard] = IS_SAID[events["kind"][heard]]
    return whole


class Names(NamedTuple):
    """Names → codes: categories and acquisition sources get theirs as they come, kinds of user have theirs."""

    categories: Codes
    origins: Codes
    sides: Codes

    @property
    def tables(self) -> tuple[Table, Table, Table]:
        """Return what compiled code knows of them."""
        return self.categories.table, self.origins.table, self.sides.table


NAMELESS = Names(Codes(), Codes(), Codes())


class Bad(NamedTuple):
    """A record that cannot be read. `reason` is a short code, `detail` says more."""

    record: Record
    reason: str
    detail: str


class Decoded(NamedTuple):
    """A block's good events.

    Attributes:
        data, keys: u1[size] and i8[n, 2], the users' ids and where each stands.
        events: EVENT[n], row not yet set.
        payloads: what is handed on whole.
        bad: the records that could not be read.
        inviters: by offset, whom events name as having brought their users.
    """

    data: np.ndarray
    keys: np.ndarray
    events: np.ndarray
    payloads: Payloads
    bad: list[Bad]
    inviters: dict[int, str]

    def key(self, k: int) -> bytes:
        """Return the key of event k."""
        start, end = self.keys[k].tolist()
        return self.data[start:end].tobytes()


class Unreadable(ValueError):
    """Why a record cannot be read: (reason code, detail)."""


class Columns(NamedTuple):
    """Where in a Struct that is declared stands what the columns are made of; -1 where there is nothing of it."""

    user: int
    at: int
    kind: int
    category: int
    source: int
    side: int
    inviter: int
    coupon: int
    amount: int
    order: int
    points: int


class Form(NamedTuple):
    """How compiled code reads a source: FIELDS[1], its columns; by place of the kind's word its kind, by kind its act.

    The last of `kinds` is that of an event that does not say.
    """

    fields: np.ndarray
    columns: Columns
    kinds: np.ndarray
    acts: np.ndarray


def _form(source: int, struct: type[msgspec.Struct], kind: str) -> Form:
    names = scan.names(struct)
    places = [names.index(name) if name in names else -1 for name in ("user", "at", kind, *Columns._fields[3:])]
    default = {field.name: field.default for field in msgspec.structs.fields(struct)}[kind]
    kinds = [*(KINDS[source][word] for word in scan.words(struct, kind)), KINDS[source].get(default, 0)]
    acts = np.array(ACTS[source], np.uint8)
    return Form(scan.fields(struct), Columns(*places), np.array(kinds, np.uint8), acts)


FORMS = {
    CLICKS: _form(CLICKS, Click, "kind"),
    ORDERS: _form(ORDERS, Order, "status"),
    FEEDBACK: _form(FEEDBACK, Feedback, "kind"),
}


class Task(NamedTuple):
    """What a block is decoded for: the source, the latest time (int ms UTC) and the currency's minor units."""

    source: int
    latest_at: int
    minor_units: int
    keyed: bool


class Read(NamedTuple):
    """What msgspec has read of a block: the places of the records (i8[m]) and their values (None for a tombstone)."""

    places: np.ndarray
    values: list[Any]


def decode(
    source: int,
    block: Sequence[Any],
    latest_at: int,
    minor_units: int,
    names: Names | None = None,
    *,
    keyed: bool = True,
) -> Decoded:
    """Decode records of one source, a Block or any others; times after `latest_at` (int ms UTC) are refused.

    Without `names` categories, acquisition sources and kinds of user are left out. Records that are not `keyed`, as
    those of files, have no key: the user whom the value names is theirs.
    """
    block = block if isinstance(block, Block) else Block.of(block)
    task = Task(source, latest_at, minor_units, keyed)
    events = np.zeros(len(block), EVENT)
    data = read_only(block.data)
    keys = np.require(block.keys, None, ["C", "W"]) if keyed else np.full((len(block), 2), NOTHING)
    scanned, asides = _scanned(task, data, block.values, keys, names, events)
    bad: list[Bad] = []
    read = _left(task, block, np.flatnonzero(~scanned), events, bad)
    if names is not None and source in (CLICKS, ORDERS):
        _name(events, data, asides, read, names)
        if source == CLICKS:
            events["amount"][read.places] = [value.points for value in read.values]
    events["source"], events["offset"] = source, block.offsets
    inviters = _inviters(source, block, asides, read)
    good = scanned
    good[read.places] = True
    payloads = _payloads(source, block, events, good)
    if not keyed:
        data = _with_users(data, keys, read)
    if bad:
        keys, events = keys[good], events[good]
    return Decoded(data, keys, events, payloads, bad, inviters)


def _scanned(
    task: Task, data: np.ndarray, values: np.ndarray, keys: np.ndarray, names: Names | None, events: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Set the events of the records that compiled code can read; return which (bool[n]), and what it leaves aside.

    Left aside are names without a code and inviters: (place, CATEGORY …, start, end) of each. Without keys, `keys` are
    set to where the users stand.
    """
    scanned = np.zeros(len(events), bool)
    if task.source not in FORMS:
        return scanned, np.empty((0, 4), np.int64)
    form = FORMS[task.source]
    asides = np.empty((4 * len(events), 4), np.int64)
    count = _scan(
        data, np.require(values, None, ["C", "W"]), keys, task.keyed,
        form.fields, form.columns, form.kinds, form.acts, names is not None, (names or NAMELESS).tables,
        task.latest_at, float(10**task.minor_units), np.zeros(1, scan.TOKENS), events, scanned, asides,
    )  # fmt: skip
    return scanned, asides[:count]


@compiled
def _scan(  # type: ignore[no-untyped-def] # noqa: ANN202, C901, PLR0912
    data, values, keys, keyed, forms, columns, kinds, acts, naming, tables, latest_at, scale, rooms, events, scanned,  # noqa: ANN001
    asides,  # noqa: ANN001
):  # fmt: skip
    """Read each record; return how many texts are left aside."""
    count, fields, tokens = 0, forms[0], rooms[0]
    spans, wholes = tokens["spans"], tokens["wholes"]
    for k in range(events.size):
        if values[k, 0] < 0:
            continue
        said = scan.scan(data, np.uint64(values[k, 0]), np.uint64(values[k, 1]), fields, tokens)
        at = wholes[columns.at]
        if said & scan.STRANGE or at < EARLIEST_AT or at > latest_at:
            continue
        start, end = spans[columns.user, 0], spans[columns.user, 1]
        if not keyed:
            keys[k, 0], keys[k, 1] = start, end
        elif not _same(data, start, end, keys[k, 0], keys[k, 1]):
            continue
        event, amount = events[k], 0.0
        if columns.amount >= 0:
            amount = np.rint(tokens["decimals"][columns.amount] * scale)
            if amount > I4_MAX:
                continue
            start, end = spans[columns.order, 0], spans[columns.order, 1]
            event["hash"] = hash64(data, start, end)
            event["coupon"] = _has(said, columns.coupon)
        elif naming and _has(said, columns.points):
            amount = float(wholes[columns.points])
        event["at"], event["amount"] = at, np.int32(amount)
        kind = kinds[wholes[columns.kind] if _has(said, columns.kind) else -1]
        event["kind"], event["act"] = kind, acts[kind]
        for which, column in enumerate((columns.category, columns.source, columns.side, columns.inviter)):
            if not _has(said, column):
                continue
            start, end = spans[column, 0], spans[column, 1]
            code = find(tables[which], data, start, end) if naming and which != INVITER else 0
            if code < 0 or which == INVITER:
                asides[count, 0], asides[count, 1], asides[count, 2], asides[count, 3] = k, which, start, end
                count += 1
            elif which == CATEGORY:
                event["category"] = code
            elif which == ORIGIN:
                event["origin"] = code
            elif which == SIDE:
                event["side"] = code
        scanned[k] = True
    return count


@compiled
def _has(said, column):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    """Say whether an object has this field."""
    return column >= 0 and (said >> np.uint64(column)) & np.uint64(1) != 0


@compiled
def _same(data, start, end, first, last):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    """Say whether the same bytes stand in data[start:end] and in data[first:last], which may be nowhere."""
    if first < 0 or end - start != np.uint64(last - first):
        return False
    for k in range(end - start):  # noqa: SIM110 (compiled)
        if data[start + k] != data[np.uint64(first) + k]:
            return False
    return True


def _left(task: Task, block: Block, places: np.ndarray, events: np.ndarray, bad: list[Bad]) -> Read:
    """Let msgspec read the records at these places (i8[m]); set the events of those that are good, others go to `bad`.

    Where all are good they are taken at once.
    """
    if not len(places):
        return Read(places, [])
    try:
        keys = cut(block.data, block.keys[places])
        values: list[Any] = list(map(readers[task.source], cut(block.data, block.values[places])))  # type: ignore[arg-type] # None raises
        columns = _columns(task, values, block.timestamps[places])
        sound = _sound(task, keys, values, columns["at"])
    except (msgspec.DecodeError, TypeError, ValueError, OverflowError, RecursionError):
        sound = False
    if not sound:
        places, values = _examine(task, block, places, bad)
        columns = _columns(task, values, block.timestamps[places])
    events[places] = columns
    return Read(places, values)


def _columns(task: Task, values: Sequence[Any], timestamps: np.ndarray) -> np.ndarray:
    """Return what values say (EVENT[n]), all but names; a tombstone's time is its record's."""
    n = len(values)
    events = np.zeros(n, EVENT)
    try:
        events["at"] = np.fromiter(map(attrgetter("at"), values), np.int64, n)
    except (TypeError, AttributeError):
        events["at"] = [t if v is None else instant_ms(v.at) for v, t in zip(values, timestamps.tolist(), strict=True)]
    if task.source == ORDERS:
        _order_columns(events, values, task.minor_units)
    elif task.source != PROFILES:
        events["kind"] = np.fromiter(map(KINDS[task.source].__getitem__, map(attrgetter("kind"), values)), np.uint8, n)
    if task.source in FORMS:
        events["act"] = FORMS[task.source].acts[events["kind"]]
    return events


def _order_columns(events: np.ndarray, values: Sequence[Any], minor_units: int) -> None:
    n = len(values)
    amount = np.fromiter(map(attrgetter("amount"), values), np.float64, n)
    minor = np.rint(amount * 10**minor_units)
    if n and minor.max() > I4_MAX:
        raise OverflowError(f"amount above {I4_MAX / 10**minor_units:,.2f}")
    events["kind"] = np.fromiter(map(KINDS[ORDERS].__getitem__, map(attrgetter("status"), values)), np.uint8, n)
    events["amount"] = minor
    events["coupon"] = np.fromiter((v.coupon is not None for v in values), np.uint8, n)
    events["hash"] = hash_texts(list(map(attrgetter("order"), values)))


def _name(events: np.ndarray, data: np.ndarray, asides: np.ndarray, read: Read, names: Names) -> None:
    """Set what events name that compiled code could not; new names get their codes in the order of the events."""
    for which, (column, codes) in enumerate(zip(("category", "origin", "side"), names, strict=True)):
        mine = asides[asides[:, 1] == which]
        said = map(attrgetter(NAMED[which]), read.values)
        if not len(mine):
            events[column][read.places] = list(map(codes.__getitem__, said))
            continue
        texts = dict(zip(mine[:, 0].tolist(), _texts(data, mine), strict=True))
        texts |= zip(read.places.tolist(), said, strict=True)
        places = sorted(texts)
        events[column][places] = [codes[texts[place]] for place in places]


def _texts(data: np.ndarray, asides: np.ndarray) -> list[str]:
    return [text.decode() for text in cut(data, asides[:, 2:]) if text is not None]


def _inviters(source: int, block: Block, asides: np.ndarray, read: Read) -> dict[int, str]:
    """Return by offset whom events name as having brought their users."""
    if source not in (CLICKS, ORDERS):
        return {}
    mine = asides[asides[:, 1] == INVITER]
    named = [*_texts(block.data, mine), *map(attrgetter("inviter"), read.values)]
    if not any(named):
        return {}
    offsets = block.offsets[np.concatenate([mine[:, 0], read.places])].tolist()
    return {offset: inviter for offset, inviter in zip(offsets, named, strict=True) if inviter}


def _with_users(data: np.ndarray, keys: np.ndarray, read: Read) -> np.ndarray:
    """Append the users that msgspec has read to the data, and return that; their keys' spans are set."""
    users = [value.user.encode() for value in read.values]
    ends = len(data) + np.cumsum([len(user) for user in users], dtype=np.int64)
    keys[read.places, 1] = ends
    keys[read.places, 0] = ends - [len(user) for user in users]
    return read_only(np.concatenate([data, np.frombuffer(b"".join(users), np.uint8)])) if users else data


def _payloads(source: int, block: Block, events: np.ndarray, good: np.ndarray) -> Payloads:
    """Return what is handed on whole of the records that are good (bool[n])."""
    if source not in (PROFILES, FEEDBACK):
        return {}
    kept = np.flatnonzero(good & (IS_SAID[events["kind"]] if source == FEEDBACK else True))
    values = cut(block.data, block.values[kept])
    return {(source, offset): value for offset, value in zip(block.offsets[kept].tolist(), values, strict=True)}


def _sound(task: Task, keys: Sequence[bytes | None], values: Sequence[Any], at: np.ndarray) -> bool:
    """Say whether every key is its event's user, comparing all in one; and whether the times can be."""
    users = "\n".join(map(attrgetter("user"), values)).encode()
    joined = b"\n".join(keys) if task.keyed else users  # type: ignore[arg-type] # None raises
    whole = joined.count(b"\n") == len(keys) - 1 or not task.keyed
    same = joined == users and whole and b"\n\0" not in joined and not joined.startswith(b"\0")
    return same and bool(at.min() >= EARLIEST_AT and at.max() <= task.latest_at)


def _examine(task: Task, block: Block, places: Iterable[int], bad: list[Bad]) -> tuple[np.ndarray, list[Any]]:
    """Take records one by one; return the places of the good ones with their values, the others go to `bad`."""
    good: list[int] = []
    values: list[Any] = []
    for place in places:
        record = block[place]
        try:
            values.append(_examined(task, record))
            good.append(place)
        except Unreadable as error:
            bad.append(Bad(record, *error.args))
    return np.array(good, np.int64), values


def _examined(task: Task, record: Record) -> Any:
    if task.keyed:
        _check(record.key)
    tombstone = record.value is None and task.source == PROFILES and task.keyed
    value: Any = None if tombstone else _parsed(task.source, record)
    if not task.keyed:
        _check(value.user.encode())
    elif value is not None and value.user.encode() != record.key:
        raise Unreadable("key-mismatch", f"the key is {record.key!r}, the user {value.user!r}")
    try:
        at = int(_columns(task, [value], np.array([record.timestamp]))["at"][0])
    except OverflowError as error:
        raise Unreadable("bad-value", str(error)) from error
    if value is not None and not EARLIEST_AT <= at <= task.latest_at:
        raise Unreadable("absurd-time", f"at = {at}: must lie between {EARLIEST_AT} and {task.latest_at} (ms UTC)")
    return value


def _check(key: bytes | None) -> None:
    if not key:
        raise Unreadable("empty-key", "the record has no key; the key must be the user's id")
    if key.startswith(b"\0"):
        raise Unreadable("reserved-key", "a user's id must not begin with a null character")


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
