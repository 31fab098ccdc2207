"""Names as codes: each its own, in the order in which they come, as long as two bytes have room."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streams.dictionary import OTHER, Codes, Dictionary, find


def test_names_get_codes_from_one_on_and_none_is_nought():
    names = Dictionary()
    assert [names[name] for name in ("shoes", None, "hats", "shoes")] == [1, 0, 2, 1]
    assert [names.name(code) for code in (0, 1, 2, 3)] == [None, "shoes", "hats", None]


def test_what_is_new_waits_to_be_written():
    names = Dictionary()
    assert [names["shoes"], names["hats"], names["shoes"]] == [1, 2, 1]
    assert names.added == ["shoes", "hats"]


def test_what_is_read_back_is_not_new_and_leaves_no_code_to_another():
    names = Dictionary()
    names.put("hats", 7)
    assert names["hats"] == 7
    assert names["shoes"] == 8
    assert (names.name(7), names.name(3)) == ("hats", None)
    assert names.added == ["shoes"]


def test_names_beyond_the_last_code_are_all_other():
    names = Dictionary()
    codes = [names[f"name {k}"] for k in range(OTHER + 10)]
    assert codes[: OTHER - 1] == list(range(1, OTHER))
    assert set(codes[OTHER - 1 :]) == {OTHER}
    assert len(names.added) == OTHER - 1
    assert names.name(OTHER) is None
    assert names["name 5"] == 6


def found(codes, name):
    data = np.frombuffer(b"-" + name.encode() + b"-", np.uint8)
    return find(codes.table, data, np.uint64(1), np.uint64(len(data) - 1))


@given(st.lists(st.tuples(st.text(max_size=6), st.integers(0, OTHER))), st.text(max_size=6))
def test_compiled_code_finds_the_same(given_codes, other):
    codes = Codes()
    for name, code in given_codes:
        codes[name] = code
    assert all(found(codes, name) == code for name, code in codes.items() if name is not None)
    assert found(codes, other) == dict(codes).get(other, -1)


def test_a_kind_that_is_not_known_is_nobodys():
    assert [Codes({"rider": 2})[name] for name in ("rider", "driver", None)] == [2, 0, 0]
