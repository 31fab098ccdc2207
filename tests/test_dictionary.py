"""Names as codes: each its own, in the order in which they come, as long as two bytes have room."""

from streams.dictionary import OTHER, Dictionary


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
