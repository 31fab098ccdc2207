"""A sketch says of a population what numpy says of the whole of it, within the error that it states."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.core import sketch
from streams.core.row import DAY, PURCHASES, ROW, WEEKS
from streams.core.sketch import ERROR, Sketch, summarize

CLOSE = ERROR + 1e-9
DAY_0 = 19_700  # a Friday
WEEK_0 = (DAY_0 + 3) // 7
figures = st.lists(st.one_of(st.integers(0, 20), st.integers(0, 10**12)), min_size=1, max_size=200)


def sketched(values):
    found = Sketch()
    found.add(np.asarray(values, np.int64))
    return found


@given(figures)
def test_mean_is_exact_and_median_within_the_error(values):
    found = sketched(values)
    assert found.count == len(values)
    assert found.mean() == pytest.approx(np.mean(values), rel=1e-12)
    assert found.median() == pytest.approx(np.median(values), rel=CLOSE)


@given(figures, st.integers(1, 7), st.randoms())
def test_parts_merged_in_any_order_are_the_whole(values, parts, random):
    pieces = [sketched(values[k::parts]) for k in range(parts)]
    random.shuffle(pieces)
    merged = Sketch()
    for piece in pieces:
        merged.merge(piece)
    assert merged == sketched(values)


def test_the_error_holds_over_all_magnitudes():
    values = np.exp(np.random.default_rng(1).uniform(0, np.log(1e15), 20_001))
    found = Sketch()
    found.add(values)
    assert found.median() == pytest.approx(np.median(values), rel=CLOSE)
    assert len(found.buckets) < 2000


def people(n, seed):
    """Rows and purchases with orders of the newest half year, and these as a list of (user, week, amount)."""
    rng = np.random.default_rng(seed)
    rows, purchases, orders = np.zeros(n, ROW), np.zeros(n + 1, PURCHASES), []
    rows["purchases"] = rng.permutation(n) + 1
    rows["week"] = WEEK_0 - rng.integers(0, 60, n)  # when the row last changed
    rows["kind"] = rng.integers(0, 2, n)
    for user in range(n):
        newest = int(rows["week"][user])
        for week in rng.integers(newest - WEEKS + 1, newest + 1, rng.integers(0, 6)).tolist():
            amount = int(rng.integers(1, 100_000))
            orders.append((user, week, amount))
            purchases["orders"][rows["purchases"][user], week % WEEKS] += 1
            purchases["spend"][rows["purchases"][user], week % WEEKS] += amount
            rows["orders"][user] += 1
            rows["last_order_at"][user] = max(rows["last_order_at"][user], (week * 7 - 3) * DAY + 5)
    return rows, purchases, orders


@pytest.mark.parametrize("weeks", [1, 4, 26])
@pytest.mark.parametrize("average", [False, True])
def test_a_summary_equals_a_recount_of_the_orders(weeks, average):
    rows, purchases, orders = people(600, seed=weeks)
    summary = summarize(rows, purchases, DAY_0, weeks, ("user", "rider"))
    for kind, name in enumerate(("user", "rider")):
        buyers = [u for u in range(len(rows)) if rows["orders"][u] and rows["kind"][u] == kind]
        recent = {u: [a for v, w, a in orders if v == u and WEEK_0 - weeks < w <= WEEK_0] for u in buyers}
        spent = [sum(recent[u]) / (max(len(recent[u]), 1) if average else 1) for u in buyers]
        last = [max(w for v, w, _ in orders if v == u) for u in buyers]
        expected = {
            "recency_days": [DAY_0 - (week * 7 - 3) for week in last],
            "frequency": [len(recent[u]) for u in buyers],
            "monetary": spent,
        }
        mean, median = (take(summary, name, average=average) for take in (sketch.mean, sketch.median))
        for figure, values in expected.items():
            assert mean[figure] == pytest.approx(np.mean(values)), figure
            assert median[figure] == pytest.approx(np.median(values), rel=CLOSE), figure


def test_shards_merged_equal_one_and_survive_the_log(monkeypatch):
    rows, purchases, _ = people(500, seed=3)
    whole = summarize(rows, purchases, DAY_0, 26, ("user", "rider"))
    monkeypatch.setattr(sketch, "SLICE", 64)  # a scan in slices is the same scan
    parts = [summarize(part, purchases, DAY_0, 26, ("user", "rider")) for part in np.array_split(rows, 3)]
    read_back = [sketch.of_plain(json.loads(json.dumps(sketch.to_plain(part)))) for part in parts]
    merged = sketch.merge(read_back)
    for kind in whole:
        for figure in sketch.FIGURES:
            assert merged[kind][figure].buckets == whole[kind][figure].buckets
            assert merged[kind][figure].sum == pytest.approx(whole[kind][figure].sum)
            assert merged[kind][figure].zeros == whole[kind][figure].zeros


def test_who_has_not_bought_is_not_in_the_population():
    rows, purchases = np.zeros(3, ROW), np.zeros(1, PURCHASES)
    assert sketch.mean(summarize(rows, purchases, DAY_0, 26, ("user",)), "user") == {}
    rows["orders"][0], rows["last_order_at"][0] = 1, (DAY_0 - 400) * DAY
    summary = summarize(rows, purchases, DAY_0, 26, ("user",))
    assert sketch.mean(summary, "user") == {"recency_days": 400, "frequency": 0, "monetary": 0}
    assert sketch.median(summary, "rider") == {}


def test_each_kind_has_its_own_look_back():
    rows, purchases = np.zeros(2, ROW), np.zeros(2, PURCHASES)
    rows["week"], rows["orders"], rows["last_order_at"], rows["kind"] = WEEK_0, 1, DAY_0 * DAY, [0, 1]
    rows["purchases"] = [0, 1]
    purchases["orders"][:, (WEEK_0 - 2) % WEEKS] = 1
    summary = summarize(rows, purchases, DAY_0, (1, 3), ("user", "rider"))
    assert [sketch.mean(summary, kind)["frequency"] for kind in ("user", "rider")] == [0, 1]
