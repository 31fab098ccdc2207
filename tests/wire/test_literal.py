"""What is written by compiled code is what Python, numpy and orjson write."""

import math

import numpy as np
import orjson
from hypothesis import example, given
from hypothesis import strategies as st

from streams.core.row import DAY
from streams.wire.literal import (
    LARGE,
    MOST_ESCAPED_BYTES,
    MOST_FIGURE_BYTES,
    MOST_INSTANT_BYTES,
    MOST_NUMBER_BYTES,
    Texts,
    start_of,
    ten_thousandths,
    write_digits,
    write_figure,
    write_instant,
    write_integer,
    write_plain,
    write_quoted,
)
from streams.wire.message import instant
from streams.wire.transition import number

AT = 3
BEFORE = b"..."
LAST_INSTANT = 253_402_300_799_999
"""The end of the year 9999."""
large_fractions = st.tuples(st.integers(0, 4_000_000_000_000), st.floats(0, 1, exclude_max=True)).map(sum)
halves = st.tuples(st.integers(0, 1_000_000_000), st.integers(0, 31)).map(lambda pair: pair[0] + pair[1] / 32)
"""Among them are all ties: what lies amid two ten thousandths is an odd multiple of a thirty-second."""
near_halves = st.tuples(st.integers(0, 10**9), st.integers(0, 9999)).map(
    lambda pair: pair[0] + (pair[1] + 0.5) / 10_000
)
beside = st.tuples(st.one_of(halves, near_halves), st.booleans()).map(
    lambda pair: max(0.0, math.nextafter(pair[0], math.inf if pair[1] else -1))
)
small = st.floats(0, 0.01)
any_figure = st.floats(0, allow_infinity=False)


def written(write, *arguments, most):
    """What a function writes amid other bytes, which must stay as they are."""
    data = np.full(AT + most + 1, ord("."), np.uint8)
    end = write(*arguments, data, AT)
    assert end <= AT + most
    assert data[:AT].tobytes() == BEFORE
    assert set(data[end:].tobytes()) <= {ord(".")}
    return data[AT:end].tobytes()


@given(st.one_of(large_fractions, halves, near_halves, beside, small, any_figure))
@example(0.0)
@example(-0.0)
@example(0.03125)
@example(0.09375)
@example(0.00005)
@example(0.99995)
@example(math.nextafter(1, 0))
@example(9_999_999.999_95)
@example(5e-324)
@example(2.0**53 - 1)
@example(math.nextafter(LARGE, 0))
@example(LARGE)
@example(1.7976931348623157e308)
def test_a_figure_is_written_as_python_rounds_it(x):
    most = MOST_NUMBER_BYTES if x < LARGE else MOST_FIGURE_BYTES
    assert written(write_figure, x, most=most).decode() == number(x)


@given(st.one_of(halves, near_halves, beside, small).map(lambda x: x % 1))
def test_ten_thousandths_are_the_nearest(fraction):
    expected = round(float(f"{fraction:.4f}") * 10_000)
    assert ten_thousandths(fraction) == expected
    assert ten_thousandths.py_func(fraction) == expected


@given(st.integers(-(1 << 63), (1 << 63) - 1))
@example(-(1 << 63))
@example((1 << 63) - 1)
@example(0)
@example(9)
@example(10)
def test_an_integer(value):
    assert written(write_integer, value, most=MOST_NUMBER_BYTES) == b"%d" % value


@given(st.integers(0, 10**13), st.integers(0, 15))
def test_the_last_digits_of_an_integer(value, size):
    assert written(write_digits, value, size, most=size).decode() == f"{value:015d}"[15 - size :]


@given(st.integers(0, LAST_INSTANT))
@example(0)
@example(LAST_INSTANT)
@example(951_782_400_000)  # 29 February 2000
def test_a_time(ms):
    assert written(write_instant, ms, most=MOST_INSTANT_BYTES).decode() == instant(ms)


@given(st.integers(-60_000_000_000_000, (1 << 63) - DAY))
def test_a_time_of_any_year_from_the_first_on(ms):
    expected = str(np.datetime_as_string(np.datetime64(ms, "ms"), timezone="UTC"))
    assert written(write_instant, ms, most=MOST_INSTANT_BYTES).decode() == expected


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1))
@example([chr(code) for code in range(256)])
def test_texts_plain_and_quoted(texts):
    run = Texts.of(text.encode() for text in texts[:1]).followed(text.encode() for text in texts[1:])
    for k, text in enumerate(texts):
        plain = text.encode()
        assert run.ends[k] - start_of(run, k) == len(plain)
        assert written(write_plain, run, k, most=len(plain)) == plain
        quoted = written(write_quoted, run, k, most=len(plain) * MOST_ESCAPED_BYTES)
        assert quoted == orjson.dumps(text)[1:-1]
