"""JSON's literals, compiled: numbers, times and texts, written as bytes one after the other.

Each function writes into `data` (u1[size]) from the place `at` on, and returns the place after what it wrote; that
there is room is its caller's affair (`MOST_NUMBER_BYTES`, …).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from streams.core.compiled import compiled
from streams.core.row import DAY
from streams.core.window import civil

ZERO, MINUS, POINT, COLON, BACKSLASH, T, U, Z = b"0-.:\\TuZ"
POWERS = np.array([10**n for n in range(20)], np.uint64)
ONE, TEN = np.uint64(1), np.uint64(10)

LARGE = 2.0**63
"""From here on a figure is more than an integer of the machine."""
MANTISSA_BITS = 53
UNIT = 2.0**52
"""In its units a fraction is whole, if it is that of a number from 1 on."""
HALF = 1 << 47
PLACES = 4

MOST_NUMBER_BYTES = 24
"""An integer, or a figure below LARGE."""
MOST_FIGURE_BYTES = 309
"""Any figure."""
MOST_INSTANT_BYTES = 32
MOST_ESCAPED_BYTES = 6
"""One byte of a text."""


def _escapes() -> np.ndarray:
    """Return what follows the backslash in place of each byte (u1[256]), 0 where the byte may stand as it is."""
    escapes = np.zeros(256, np.uint8)
    escapes[:32] = U
    for byte, letter in zip(b'\b\t\n\f\r"\\', b'btnfr"\\', strict=True):
        escapes[byte] = letter
    return escapes


ESCAPES = _escapes()
HEX = np.frombuffer(b"0123456789abcdef", np.uint8)


class Texts(NamedTuple):
    """Texts one after the other: their bytes (u1[size]) and where each ends (i8[n]), the next one's beginning."""

    data: np.ndarray
    ends: np.ndarray

    @classmethod
    def of(cls, parts: Iterable[bytes]) -> Texts:
        """Return texts that come one by one."""
        parts = list(parts)
        ends = np.cumsum([len(part) for part in parts], dtype=np.int64)
        return cls(np.array(bytearray(b"".join(parts)), np.uint8), ends)

    def followed(self, parts: Iterable[bytes]) -> Texts:
        """Return these texts, and some more after them."""
        more = Texts.of(parts)
        return Texts(np.append(self.data, more.data), np.append(self.ends, len(self.data) + more.ends))


@compiled
def start_of(texts, k):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Return where a text begins."""
    return texts.ends[k - 1] if k else 0


@compiled
def write_plain(texts, k, data, at):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Write a text as it stands.

    Places are unsigned: signed ones might count from the end, and the compiler would copy byte by byte.
    """
    start = start_of(texts, k)
    size = texts.ends[k] - start
    source, target = np.uint64(start), np.uint64(at)
    for b in range(np.uint64(size)):
        data[target + b] = texts.data[source + b]
    return at + size


@compiled
def write_quoted(texts, k, data, at):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Write a text (UTF-8) as it stands between the quotes of a JSON string."""
    for b in range(start_of(texts, k), texts.ends[k]):
        byte = texts.data[b]
        escape = ESCAPES[byte]
        if escape == 0:
            data[at] = byte
            at += 1
            continue
        data[at], data[at + 1] = BACKSLASH, escape
        at += 2
        if escape == U:
            data[at] = data[at + 1] = ZERO
            data[at + 2], data[at + 3] = HEX[byte >> 4], HEX[byte & 15]
            at += 4
    return at


@compiled
def write_digits(value, size, data, at):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Write the last `size` digits of an integer from 0 on."""
    rest, place = np.uint64(value), np.uint64(at + size)
    for _ in range(size):
        place -= ONE
        data[place] = np.uint64(ZERO) + rest % TEN
        rest //= TEN
    return at + size


@compiled
def write_integer(value, data, at):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Write an integer (i8)."""
    if value < 0:
        data[at] = MINUS
        at += 1
        value = -value
    size = 1
    while size < POWERS.size and np.uint64(value) >= POWERS[size]:
        size += 1
    return write_digits(value, size, data, at)


@compiled
def write_figure(x, data, at):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Write a figure (f8, from 0 on, finite): whole where it is whole, else to four places without trailing zeros."""
    if x >= LARGE:
        return _write_large(x, data, at)
    whole = np.int64(x)
    if x == whole:
        return write_integer(whole, data, at)
    places = ten_thousandths(x - whole)
    at = write_integer(whole + places // 10**PLACES, data, at)
    places %= 10**PLACES
    if places == 0:
        return at
    data[at] = POINT
    size = PLACES
    while places % 10 == 0:
        places //= 10
        size -= 1
    return write_digits(places, size, data, at + 1)


@compiled
def ten_thousandths(fraction):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Return a fraction (f8, from 0 to below 1) in ten thousandths: the nearest; of two as near, the even one.

    Nothing is lost on the way: 10,000 is 625 times 2⁴, and 625 units fit in 62 bits. What is smaller than a unit
    counts by itself; that is exact too, but where the fraction is so small that 0 is the nearest anyway.
    """
    units = fraction * UNIT
    whole = np.int64(units)
    small = (units - whole) * 625
    product = whole * 625 + np.int64(small)
    nearest, rest = product >> 48, product & (2 * HALF - 1)
    if rest == HALF and small == np.int64(small):
        return nearest + (nearest & 1)
    return nearest + (rest >= HALF)


@compiled
def _write_large(x, data, at):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    """Write a figure that is a power of two times its mantissa: the mantissa, doubled digit by digit."""
    mantissa, exponent = math.frexp(x)
    end = write_integer(np.int64(mantissa * 2.0**MANTISSA_BITS), data, at)
    for _ in range(exponent - MANTISSA_BITS):
        carry = 0
        for place in range(end - 1, at - 1, -1):
            carry, digit = divmod(2 * (int(data[place]) - ZERO) + carry, 10)
            data[place] = ZERO + digit
        if carry:
            for place in range(end, at, -1):
                data[place] = data[place - 1]
            data[at] = ZERO + carry
            end += 1
    return end


@compiled
def write_instant(ms, data, at):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Write a time (i8, ms UTC) as RFC 3339 has it, with milliseconds."""
    year, month, day = civil(ms // DAY)
    rest = ms % DAY
    at = write_digits(year, 4, data, at) if 0 <= year < 10_000 else write_integer(year, data, at)  # noqa: PLR2004
    at = _write_part(MINUS, month, 2, data, at)
    at = _write_part(MINUS, day, 2, data, at)
    at = _write_part(T, rest // 3_600_000, 2, data, at)
    at = _write_part(COLON, rest // 60_000 % 60, 2, data, at)
    at = _write_part(COLON, rest // 1000 % 60, 2, data, at)
    at = _write_part(POINT, rest % 1000, 3, data, at)
    data[at] = Z
    return at + 1


@compiled
def _write_part(mark, value, size, data, at):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    """Write a part of a time after its mark."""
    data[at] = mark
    return write_digits(value, size, data, at + 1)
