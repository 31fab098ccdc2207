"""Columns keep what they hold as they grow, whoever looks at them."""

import numpy as np
import pytest

from streams.column import Column

RECORD = np.dtype([("a", "<i8"), ("b", "u1", (3,))])


def filled(count):
    column = Column(RECORD, count)
    column.array["a"] = np.arange(count)
    return column


@pytest.mark.parametrize("count", [1, 1000, 100_000])
def test_what_was_there_stays_and_what_is_new_is_zero(count):
    column = filled(count)
    for _ in range(3):
        before = len(column.array)
        column.grow(before + 1)
        assert len(column.array) >= before + 1
        assert column.array["a"][:count].tolist() == list(range(count))
        assert not column.array[count:].view(np.uint8).any()
    column.array["a"] = 7
    assert (column.array["a"] == 7).all()


def test_it_grows_by_half_or_as_far_as_it_must():
    column = Column(RECORD, 1000)
    column.grow(1001)
    assert len(column.array) == 1500
    column.grow(9000)
    assert len(column.array) == 9000


def test_whoever_looks_at_a_part_of_it_keeps_what_he_sees():
    column = filled(1000)
    part = column.array[10:20]
    column.grow(2000)
    column.array["a"][10:20] = -1
    assert part["a"].tolist() == list(range(10, 20))
    assert column.array["a"][:10].tolist() == list(range(10))


def test_where_the_system_cannot_move_pages_it_is_copied(monkeypatch):
    class Stubborn:
        def __init__(self, memory):
            self._memory = memory

        def __getitem__(self, place):
            return self._memory[place]

        def resize(self, size):
            raise SystemError(size)

    column = filled(1000)
    monkeypatch.setattr(column, "_memory", Stubborn(column._memory))
    column.grow(2000)
    assert column.array["a"][:1000].tolist() == list(range(1000))
