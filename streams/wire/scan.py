"""Flat JSON objects read by compiled code, as a Struct declares them; whatever is at all unusual is left to msgspec.

`fields` makes of a declaration tables that compiled code reads; `scan` reads one object by them and holds it to every
constraint that is declared. What it takes msgspec takes too, with the same values; what it leaves (escapes, objects and
arrays within the object, numbers that one operation cannot make exact, anything wrong) may be right or wrong: msgspec
says so, and why.

It is compiled without reference counts (`core.compiled`), which here would take forty times as long as all the rest.

Strings are gone through eight bytes at a time, as one word. All words that have a place (the names of fields, the
values of a Literal) lie in one hash table without collisions, told apart by their *group*: the names are group 0, the
values of field f group f + 1.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np
from msgspec import Struct, inspect

from streams.core.compiled import compiled, inlined

TEXT, WHOLE, DECIMAL, WORD, LEFT = range(5)
"""How a field is read: a string, an integer, a float, one of a Literal's values; or left to msgspec where it stands."""
STRANGE = np.uint64(1 << 63)
"""Said of an object that is left to msgspec."""
MOST_FIELDS, MOST_WORDS, MOST_BYTES = 24, 96, 1024
SLOTS_BITS, TRIES = 8, 1000
MOST_DIGITS = 18
MOST_EXPONENT = 22
"""Powers of ten up to this one are exact in 64 bits, so one multiplication or division by them is rounded once."""
TENS = 10.0 ** np.arange(MOST_EXPONENT + 1)
EXACT = np.uint64(1 << 53)
PATTERN = re.compile(r"\^(\[[^]]+\])\{(\d+),(\d+)\}\$")
"""The one form of a pattern that is read here: so many letters of an alphabet."""

NO, ONE, TWO, THREE, FOUR, FIVE, SIX, SEVEN, EIGHT = (np.uint64(k) for k in range(9))
EACH, HIGH = np.uint64(0x0101_0101_0101_0101), np.uint64(0x8080_8080_8080_8080)
QUOTES, ESCAPES, SPACES = EACH * np.uint64(ord('"')), EACH * np.uint64(ord("\\")), EACH * np.uint64(ord(" "))
SPACE, BLANK = np.uint8(ord(" ")), np.uint64(sum(1 << ord(c) for c in " \t\n\r"))
QUOTE, COLON, COMMA, MINUS, PLUS, POINT, ZERO = (np.uint8(ord(c)) for c in '":,-+.0')
OPEN, CLOSE = np.uint8(ord("{")), np.uint8(ord("}"))


FIELDS = np.dtype(
    [
        ("kinds", "u1", (MOST_FIELDS,)),  # TEXT …
        ("least", "<f8", (MOST_FIELDS,)),  # of a number, or of a text's bytes
        ("most", "<f8", (MOST_FIELDS,)),
        ("bounded", "u1", (MOST_FIELDS,)),  # 1 where a text has an alphabet
        ("alphabets", "u1", (MOST_FIELDS, 256)),  # 1 for the bytes that are in it
        ("required", "<u8"),  # bit k is field k
        ("nullable", "<u8"),
        ("factor", "<u8"),  # spreads words over the slots
        ("slots", "<i2", (1 << SLOTS_BITS,)),  # the number of the word that stands there, or -1
        ("heads", "<u8", (MOST_WORDS,)),  # a word's first eight bytes
        ("sizes", "<u8", (MOST_WORDS,)),
        ("groups", "<u8", (MOST_WORDS,)),
        ("places", "<u8", (MOST_WORDS,)),  # within its group
        ("starts", "<u8", (MOST_WORDS,)),  # in `blob`
        ("blob", "u1", (MOST_BYTES,)),
    ]
)
"""A Struct as `scan` reads it. One record, not a tuple of arrays: those would be counted at each call."""

TOKENS = np.dtype(
    [
        ("spans", "<u8", (MOST_FIELDS, 2)),  # of a text
        ("wholes", "<i8", (MOST_FIELDS,)),  # an integer; of a Literal's value its place among `words`
        ("decimals", "<f8", (MOST_FIELDS,)),  # a float
    ]
)
"""What the fields of an object hold."""


class _Field(NamedTuple):
    """How one field is read."""

    kind: int
    least: float = -np.inf
    most: float = np.inf
    alphabet: str = ""


def names(struct: type[Struct]) -> list[str]:
    """Return the names of a Struct's fields as they stand in JSON, in their order."""
    return [field.encode_name for field in _declared(struct)]


def words(struct: type[Struct], name: str) -> list[str]:
    """Return the values of a Literal in the order in which `scan` counts them."""
    [(_, found)] = [_meant(field.type) for field in _declared(struct) if field.encode_name == name]
    return [str(value) for value in found.values] if isinstance(found, inspect.LiteralType) else []


def fields(struct: type[Struct]) -> np.ndarray:
    """Return a Struct as `scan` reads it, FIELDS[1].

    Raises:
        ValueError: it has more fields, or more to tell apart, than there is room for.
    """
    declared = _declared(struct)
    meant = [_meant(field.type) for field in declared]
    known = [(0, place, name.encode()) for place, name in enumerate(names(struct))]
    for f, name in enumerate(names(struct)):
        known += [(f + 1, place, word.encode()) for place, word in enumerate(words(struct, name))]
    if len(declared) > MOST_FIELDS or len(known) > MOST_WORDS or sum(len(word) for *_, word in known) > MOST_BYTES:
        raise ValueError(f"{struct.__name__} has {len(declared)} fields and {len(known)} words: too many")
    made = np.zeros(1, FIELDS)
    for f, (_, of) in enumerate(meant):
        field = _field(of)
        made["kinds"][0, f], made["least"][0, f], made["most"][0, f] = field.kind, field.least, field.most
        made["bounded"][0, f] = field.alphabet != ""
        made["alphabets"][0, f, [ord(c) for c in field.alphabet]] = 1
    made["required"] = sum(field.required << f for f, field in enumerate(declared))
    made["nullable"] = sum(nullable << f for f, (nullable, _) in enumerate(meant))
    _lay(known, made)
    return made


def _declared(struct: type[Struct]) -> tuple[inspect.Field, ...]:
    found = inspect.type_info(struct)
    return found.fields if isinstance(found, inspect.StructType) else ()


def _meant(declared: inspect.Type) -> tuple[bool, inspect.Type]:
    """Return whether a field may be null, and what it is if not; a time may also be text, which is left."""
    of = declared.types if isinstance(declared, inspect.UnionType) else (declared,)
    rest = [t for t in of if not isinstance(t, inspect.NoneType)]
    if any(isinstance(t, inspect.IntType) for t in rest):
        rest = [t for t in rest if not isinstance(t, inspect.DateTimeType)]
    return len(rest) < len(of), rest[0] if len(rest) == 1 else inspect.AnyType()


def _field(of: inspect.Type) -> _Field:
    match of:
        case inspect.StrType(pattern=None, min_length=least, max_length=most):
            # Characters are declared and bytes are counted: of one to four each.
            least = least or 0
            return _Field(TEXT, least if least <= 1 else 4 * least, np.inf if most is None else most)
        case inspect.StrType(pattern=str(pattern), min_length=None, max_length=None):
            if found := PATTERN.fullmatch(pattern):
                alphabet = "".join(chr(c) for c in range(128) if re.fullmatch(found[1], chr(c)))
                return _Field(TEXT, int(found[2]), int(found[3]), alphabet)
        case inspect.IntType(gt=None, lt=None, multiple_of=None, ge=ge, le=le):
            return _Field(WHOLE, -np.inf if ge is None else ge, np.inf if le is None else le)
        case inspect.FloatType(gt=None, lt=None, multiple_of=None, ge=ge, le=le):
            return _Field(DECIMAL, -np.inf if ge is None else ge, np.inf if le is None else le)
        case inspect.LiteralType(values=values) if all(isinstance(value, str) for value in values):
            return _Field(WORD)
    return _Field(LEFT)


def _lay(known: list[tuple[int, int, bytes]], made: np.ndarray) -> None:
    """Lay words (group, place, bytes) out as the hash table of FIELDS[1]."""
    m = len(known)
    made["heads"][0, :m] = [int.from_bytes(word[:8], "little") for *_, word in known]
    made["sizes"][0, :m] = sizes = [len(word) for *_, word in known]
    made["groups"][0, :m] = [group for group, *_ in known]
    made["places"][0, :m] = [place for _, place, _ in known]
    made["starts"][0, :m] = np.cumsum(sizes) - sizes
    made["blob"][0, : sum(sizes)] = np.frombuffer(b"".join(word for *_, word in known), np.uint8)
    made["slots"] = -1
    told_by = [made[column][0, :m] for column in ("heads", "sizes", "groups")]
    for factor in np.random.default_rng(0).integers(1, 1 << 63, TRIES, np.uint64) * TWO + ONE:
        at = [int(_slot(*word, factor)) for word in zip(*told_by, strict=True)]
        if len(set(at)) == m:
            made["factor"] = factor
            made["slots"][0, at] = np.arange(m)
            return
    raise ValueError(f"{m} words find no place in {1 << SLOTS_BITS} slots: two of one size begin alike")


@inlined
def _slot(head, size, group, factor):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    return ((head ^ (size << np.uint64(40)) ^ (group << np.uint64(48))) * factor) >> np.uint64(64 - SLOTS_BITS)


@compiled
def scan(data, start, end, fields, tokens):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Read the object data[start:end] (places are unsigned, as in all below) into `tokens`.

    Return the fields that it has and that are not null, as bits; or STRANGE.
    """
    seen = present = NO
    at = _skip(data, start, end)
    if at == end or data[at] != OPEN or data.size < 8:  # noqa: PLR2004 (bytes in a word)
        return STRANGE
    at = _skip(data, at + ONE, end)
    more = at < end and data[at] != CLOSE
    while more:
        at, bit, given = _member(data, at, end, fields, tokens)
        if at == NO or seen & bit:
            return STRANGE
        seen |= bit
        if given:
            present |= bit
        at = _skip(data, at, end)
        more = at < end and data[at] == COMMA
        if more:
            at = _skip(data, at + ONE, end)
    closed = at < end and data[at] == CLOSE and _skip(data, at + ONE, end) == end
    return present if closed and not fields["required"] & ~seen else STRANGE


@inlined
def _member(data, at, end, fields, tokens):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    """Read the name and the value that begin at `at`.

    Return where they end, 0 where they are strange; the field's bit, none if it is not ours; whether it is not null.
    """
    if at == end or data[at] != QUOTE:
        return NO, NO, False
    stop = _closing(data, at + ONE, end)
    if stop == end:
        return NO, NO, False
    field = _place(data, at + ONE, stop, NO, fields)
    at = _skip(data, stop + ONE, end)
    if at == end or data[at] != COLON:
        return NO, NO, False
    at, given = _value(data, _skip(data, at + ONE, end), end, field, fields, tokens)
    return at, ONE << np.uint64(field) if field >= 0 else NO, given


@inlined
def _value(data, at, end, field, fields, tokens):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202, PLR0911
    """Read the value that begins at `at`, of a field (-1 if it is not ours).

    Return where it ends and whether it is not null; 0 where it is strange.
    """
    if at == end:
        return NO, False
    first = data[at]
    if first == QUOTE:
        stop = _closing(data, at + ONE, end)
        if stop == end or (field >= 0 and not _text(data, at + ONE, stop, field, fields, tokens)):
            return NO, False
        return stop + ONE, True
    if first == MINUS or first - ZERO <= 9:  # noqa: PLR2004
        return _number(data, at, end, field, fields, tokens), True
    if _says(data, at, end, 0x6C6C756E, FOUR):  # null
        known = field < 0 or (fields["nullable"] >> np.uint64(field)) & ONE
        return (at + FOUR if known else NO), False
    if field < 0 and _says(data, at, end, 0x65757274, FOUR):  # true
        return at + FOUR, True
    if field < 0 and _says(data, at, end, 0x65736C6166, FIVE):  # false
        return at + FIVE, True
    return NO, False


@compiled
def _text(data, start, end, field, fields, tokens):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    """Take a field's text; say whether it may be that."""
    kind, size = fields["kinds"][field], np.float64(end - start)
    if kind == WORD:
        place = _place(data, start, end, np.uint64(field + 1), fields)
        tokens["wholes"][field] = place
        return place >= 0
    if kind != TEXT or size < fields["least"][field] or size > fields["most"][field]:
        return False
    if fields["bounded"][field]:
        for k in range(start, end):
            if not fields["alphabets"][field, data[k]]:
                return False
    tokens["spans"][field, 0], tokens["spans"][field, 1] = start, end
    return True


@compiled
def _number(data, at, end, field, fields, tokens):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    """Take a number that begins at `at`; return where it ends, 0 where it is strange."""
    negative = data[at] == MINUS
    first = at + ONE if negative else at
    at, mantissa = _digits(data, first, end, NO)
    digits, whole, exponent = at - first, True, np.int64(0)
    if digits == NO or (digits > ONE and data[first] == ZERO):
        return NO
    if at < end and data[at] == POINT:
        point, whole = at + ONE, False
        at, mantissa = _digits(data, point, end, mantissa)
        if at == point:
            return NO
        digits += at - point
        exponent = -np.int64(at - point)
    if at < end and data[at] | 0x20 == 0x65:  # noqa: PLR2004 (e)
        at, more = _exponent(data, at + ONE, end)
        whole = False
        exponent += more
    if at == NO or digits > MOST_DIGITS or abs(exponent) > MOST_EXPONENT:
        return NO
    if field < 0:
        return at
    if fields["kinds"][field] == WHOLE and whole and not (negative and mantissa == NO):
        signed = -np.int64(mantissa) if negative else np.int64(mantissa)
        tokens["wholes"][field] = signed
        found = np.float64(signed)
    elif fields["kinds"][field] == DECIMAL and mantissa < EXACT:
        found = np.float64(mantissa) * TENS[exponent] if exponent >= 0 else np.float64(mantissa) / TENS[-exponent]
        found = -found if negative else found
        tokens["decimals"][field] = found
    else:
        return NO
    return at if fields["least"][field] <= found <= fields["most"][field] else NO


@compiled
def _digits(data, at, end, number):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    """Append the digits from `at` on to a number; return where they end, and the number."""
    while at < end:
        digit = np.uint64(data[at]) - np.uint64(48)
        if digit > np.uint64(9):
            break
        number = number * np.uint64(10) + digit
        at += ONE
    return at, number


@compiled
def _exponent(data, at, end):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    """Return where the exponent ends that begins at `at`, and what it is; 0 where it is strange."""
    negative = at < end and data[at] == MINUS
    if negative or (at < end and data[at] == PLUS):
        at += ONE
    stop, exponent = _digits(data, at, end, NO)
    if stop == at or stop - at > TWO:
        return NO, 0
    return stop, -np.int64(exponent) if negative else np.int64(exponent)


@inlined
def _says(data, at, end, word, size):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    """Say whether these bytes stand at `at`."""
    return end - at >= size and _eight(data, at) & ((ONE << (size * EIGHT)) - ONE) == np.uint64(word)


@inlined
def _skip(data, at, end):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    """Return where the white space ends that begins at `at`."""
    while at < end and data[at] <= SPACE and BLANK >> np.uint64(data[at]) & ONE:
        at += ONE
    return at


@inlined
def _place(data, start, end, group, fields):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    """Return the place of data[start:end] among the words of a group, -1 if it is none of them."""
    size, head = end - start, _eight(data, start)
    if size < EIGHT:
        head &= (ONE << (size * EIGHT)) - ONE
    word = fields["slots"][_slot(head, size, group, fields["factor"])]
    if word < 0 or fields["heads"][word] != head or fields["sizes"][word] != size or fields["groups"][word] != group:
        return -1
    for k in range(EIGHT, size):
        if fields["blob"][fields["starts"][word] + k] != data[start + k]:
            return -1
    return np.int64(fields["places"][word])


@inlined
def _eight(data, at):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    """Return the eight bytes from `at` on as one word, the first one lowest; beyond the data there are null bytes.

    Written out the compiler makes one load of it.
    """
    k = min(at, np.uint64(data.size) - EIGHT)
    word = np.uint64(data[k]) | np.uint64(data[k + ONE]) << EIGHT
    word |= np.uint64(data[k + TWO]) << np.uint64(16) | np.uint64(data[k + THREE]) << np.uint64(24)
    word |= np.uint64(data[k + FOUR]) << np.uint64(32) | np.uint64(data[k + FIVE]) << np.uint64(40)
    word |= np.uint64(data[k + SIX]) << np.uint64(48) | np.uint64(data[k + SEVEN]) << np.uint64(56)
    return word >> ((at - k) * EIGHT)


@inlined
def _closing(data, at, end):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    """Return where the quote stands that closes the string whose characters begin at `at`; `end` where it is strange.

    In a word `hit` marks the high bit of bytes that are a quote, a backslash, below a space or beyond ASCII. Bytes
    after the first hit may be marked wrongly, so only the first one counts.
    """
    while at < end:
        word = _eight(data, at)
        quotes, escapes = word ^ QUOTES, word ^ ESCAPES
        hit = ((quotes - EACH) & ~quotes) | ((escapes - EACH) & ~escapes) | ((word - SPACES) & ~word) | word
        hit &= HIGH
        if hit == NO:
            at += EIGHT
            continue
        lowest = hit & (~hit + ONE)
        at += ((((lowest - ONE) & EACH) * EACH) >> np.uint64(56)) - ONE
        if at >= end:
            return end
        if data[at] == QUOTE:
            return at
        if data[at] < 0x80:  # noqa: PLR2004
            return end
        at = _after(data, at, end)
    return end


@compiled
def _after(data, at, end):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    """Return where the character beyond ASCII ends that begins at `at`; `end` where it is no valid UTF-8."""
    first = data[at]
    size = TWO if first < 0xE0 else THREE if first < 0xF0 else FOUR  # noqa: PLR2004
    if first < 0xC2 or first > 0xF4 or end - at <= size:  # noqa: PLR2004
        return end
    for k in range(ONE, size):
        if data[at + k] & 0xC0 != 0x80:  # noqa: PLR2004
            return end
    second = data[at + ONE]
    if (
        (first == 0xE0 and second < 0xA0)  # noqa: PLR2004 (longer than need be)
        or (first == 0xED and second > 0x9F)  # noqa: PLR2004 (half of a pair)
        or (first == 0xF0 and second < 0x90)  # noqa: PLR2004 (longer than need be)
        or (first == 0xF4 and second > 0x8F)  # noqa: PLR2004 (beyond the last)
    ):
        return end
    return at + size
