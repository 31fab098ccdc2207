"""What becomes of several runs, and of rows beside the oracle's."""

from hypothesis import given
from hypothesis import strategies as st

from streams.ops.bench.run import _compared, median, renumbered

ROW = ("u1", "none", "new", 5, 1)


def test_the_median_of_runs_is_one_of_theirs_figure_by_figure():
    runs = [
        {"fast": 3, "steps": {"fold": 0.5}, "equal": True, "doubts": ["a"]},
        {"fast": 9, "steps": {"fold": 0.1}, "equal": False, "doubts": []},
        {"fast": 4, "steps": {"fold": 0.3}, "equal": True, "doubts": ["b"]},
    ]
    assert median(runs) == {"fast": 4, "steps": {"fold": 0.3}, "equal": False, "doubts": ["a", "b"]}


def test_a_kind_that_only_some_runs_have_is_told_all_the_same():
    assert median([{"kinds": {"a": 1}}, {"kinds": {"a": 1, "b": 2}}]) == {"kinds": {"a": 1, "b": 2}}


@given(st.lists(st.sampled_from("abc")), st.integers(2, 9))
def test_rows_that_were_numbered_among_others_are_numbered_by_themselves(users, step):
    counts = dict.fromkeys(users, 0)
    whole, sparse = [], []
    for user in users:
        counts[user] += 1
        whole.append((user, "x", "y", counts[user], counts[user]))
        sparse.append((user, "x", "y", counts[user], counts[user] * step))
    assert renumbered(sparse) == sorted(whole)


def test_a_row_that_stands_twice_or_not_at_all_is_a_difference():
    assert _compared([ROW], [ROW])["rows_equal"]
    twice = _compared([ROW, ROW], [ROW])
    assert (twice["rows_equal"], twice["rows_missing"], twice["rows_wrong"]) == (False, 0, 1)
    assert _compared([], [ROW])["rows_missing"] == 1
