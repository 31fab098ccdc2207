"""A year of real orders, folded: at any cut every user is what a recomputation from the raw baskets says he is."""

import functools

import numpy as np
import pandas as pd
import pytest

from streams.core import period, sketch
from streams.core.dimension import RFM
from streams.core.row import DAY, THRESHOLD_CAUSE, WEEKS
from streams.refusal import EVERYBODY
from streams.rulebook import build, population_cuts, with_cuts
from streams.settings import Activity, Bands, Settings, Value
from tests.real import batch
from tests.real.orders import Replay, complete_journey, ms, told_of_journey

CENTS = 100
HOUR = 3_600_000
CUTS = ("2017-03-05T12:00", "2017-06-30T00:00", "2017-10-02T00:00:00.001", "2017-12-31T23:59", "2018-03-01T00:00:01")
"""Amid a day, at the instant between two, right after the start of a week, at the end, and long after it."""
FREEZES = ("2017-03-05T12:00", "2017-07-01T06:00", "2017-12-31T23:59")
FALLEN = {"let_go", "maintain", "keep", "rescue", "no_order", "none_now"}
"""Where time does not pass, users stand as they stood when they had just bought."""
SETTINGS = {
    "the defaults": Settings(),
    "four weeks": Settings(
        activity=Activity(dormant_days=21, churned_days=60),
        value=Value(
            look_back_weeks=4, recent_days=7, frequency_orders=5, monetary_amount=120, old_days=0,
            coupon_share=0.06, coupon_on=0.25, coupon_off=0.15, coupon_half_life_days=45, coupon_prior=2,
        ),
        bands=Bands(
            order_value={"small": 5, "middling": 20, "large": 60.5},
            order_frequency={"none_now": 0, "one": 1, "some": 3, "weekly": 4, "often": 9},
        ),
    ),
    "averages": Settings(
        value=Value(
            look_back_weeks=13, recent_days=14.5, frequency_orders=12.5, monetary="average", monetary_amount=29.99,
            coupon_share=0.1, coupon_on=0.3, coupon_off=0.29,
        ),
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def baskets():
    return complete_journey()


@pytest.fixture(scope="module")
def told():
    return told_of_journey()


@pytest.fixture(scope="module", params=SETTINGS)
def named(request):
    return SETTINGS[request.param]


@pytest.fixture(scope="module", params=[True, False], ids=["swept", "unswept"])
def swept(request):
    return request.param


@pytest.fixture(scope="module")
def snapshots(named, told, swept):
    """What the shard says at each cut, all in one pass."""
    replay = Replay(build(named), *told, sweep=swept)
    return {cut: replay.until(ms(cut)) for cut in CUTS}


@pytest.fixture(scope="module")
def accounts(baskets):
    """The growth accounting at a cut by a grain, recomputed once."""
    return functools.cache(lambda cut, grain: batch.growth(baskets[baskets["at"] < ms(cut)], grain))


@pytest.fixture(scope="module")
def dependency(baskets, named):
    return batch.Dependency(baskets, pd.Timestamp(CUTS[-1]), named.value)


def cut_off(orders, cut, *, swept):
    """The orders before a cut, and the day as of which users are judged: the cut's last, or each one's own last."""
    known = orders[orders["at"] < ms(cut)]
    return known, pd.Timestamp(ms(cut) - 1, unit="ms").normalize() if swept else batch.last_days(known)


def test_the_demo_reads_what_pandas_reads(baskets, told):
    events, keys = told
    assert len(events) == len(baskets) == 155_848
    assert len(set(keys)) == 2_469
    assert keys == [b"h%d" % user for user in baskets["user"]]
    for column in ("at", "amount", "coupon"):
        assert np.array_equal(events[column], baskets[column])


@pytest.mark.parametrize("cut", CUTS)
def test_every_users_values_equal_the_recomputation(baskets, named, swept, snapshots, dependency, cut):
    known, day = cut_off(baskets, cut, swept=swept)
    value = named.value
    figures = batch.figures(known, day, value.look_back_weeks)
    cuts = {
        "recency_days": value.recent_days,
        "frequency": value.frequency_orders,
        "monetary": value.monetary_amount * CENTS,
    }
    in_cents = {name: bound * CENTS for name, bound in named.bands.order_value.items()}
    expected = {
        "rfm": batch.tiers(figures, cuts, value.monetary),
        "order_value": batch.bands(figures["average"], in_cents),
        "order_frequency": batch.bands(figures["frequency"], named.bands.order_frequency),
        "customer": batch.customers(known, day, value.old_days),
        "coupon": dependency.as_of(known, day if swept else None),
    }
    for dimension, right in expected.items():
        batch.same(snapshots[cut].values(dimension), right)


def test_the_cuts_meet_every_value_that_the_rules_know(swept, snapshots):
    """Else the comparison above would say little."""
    book = snapshots[CUTS[0]].book
    for dimension in ("rfm", "customer", "order_value", "order_frequency", "coupon"):
        seen = set(pd.concat([snapshot.values(dimension) for snapshot in snapshots.values()]))
        missing = set(book.values[book.dimensions.index(dimension)]) - {"none", "prospect"} - seen
        assert not missing - (set() if swept else FALLEN), dimension


@pytest.mark.parametrize("cut", CUTS)
def test_absence_is_that_of_the_raw_baskets(baskets, named, swept, snapshots, cut):
    before = baskets[baskets["at"] < ms(cut)].groupby("user")["at"].max()
    silent = ((ms(cut) if swept else before) - before) / DAY
    days = [-np.inf, named.activity.dormant_days, named.activity.churned_days, np.inf]
    right = pd.cut(silent, days, labels=["here", "dormant", "churned"]).astype(object)
    batch.same(snapshots[cut].values("activity").replace({"new": "here", "active": "here", "returning": "here"}), right)


@pytest.mark.parametrize("grain", period.GRAINS)
@pytest.mark.parametrize("cut", CUTS)
def test_growth_accounting_equals_the_recomputation(accounts, snapshots, cut, grain):
    right = accounts(cut, grain)
    table = batch.accounts(snapshots[cut].periods, grain, right)
    assert table.equals(right)
    assert (table["active"] == table["new"] + table["retained"] + table["resurrected"]).all()


def test_orders_that_come_late_and_out_of_order_give_the_same(told, accounts):
    settings = SETTINGS["four weeks"]
    late = Replay(build(settings), *told, sweep=False).late(20 * HOUR, seed=3)
    plain = Replay(build(settings), *told, sweep=False).until(ms(CUTS[-1]))
    for dimension in ("rfm", "order_value", "order_frequency", "customer"):
        batch.same(late.values(dimension), plain.values(dimension))
    for grain in period.GRAINS:
        right = accounts(CUTS[-1], grain)
        assert batch.accounts(late.periods, grain, right).equals(right)


@pytest.mark.parametrize("weeks", [4, 13, WEEKS])
@pytest.mark.parametrize("cut", CUTS)
def test_repurchase_in_both_forms_follows_from_the_rows(baskets, snapshots, cut, weeks):
    """The engine keeps no counter for it: the weeks' rings and the count of all time say it, refunds taken back."""
    last = pd.Timestamp(ms(cut) - 1, unit="ms").normalize()
    since = last - pd.Timedelta(days=last.weekday() + 7 * (weeks - 1))
    known = baskets[baskets["at"] < ms(cut)]
    found = repurchase(snapshots[cut], (ms(str(last)) // DAY + 3) // 7, weeks)
    assert found == batch.repurchase(known, since, last + pd.Timedelta(days=1))
    assert found.buyers > found.again > 0 or last > baskets["day"].max()


@pytest.mark.parametrize("cut", CUTS)
def test_repurchase_by_history_of_days_weeks_and_months_is_what_the_accounting_did_not_count_as_new(
    baskets, snapshots, cut
):
    """Where all acts are orders, retained and resurrected users are the buyers who had bought before."""
    known = baskets[baskets["at"] < ms(cut)]
    for grain, frequency in (("day", "D"), ("week", "W-SUN"), ("month", "M")):
        place = period.GRAINS.index(grain)
        for span in known["day"].dt.to_period(frequency).unique()[::5]:
            right = batch.repurchase(known, span.start_time, (span + 1).start_time)
            number = period.number(place, ms(str(span.start_time)) // DAY)
            active, _, retained, resurrected = period.counters(snapshots[cut].periods[place], number)
            assert (active, retained + resurrected) == (right.buyers, right.before)


@pytest.mark.parametrize("monetary", ["total", "average"])
@pytest.mark.parametrize("thresholds", ["mean", "median"])
def test_tiers_by_the_populations_cuts_equal_the_recomputation(baskets, told, thresholds, monetary):
    value = Value(thresholds=thresholds, monetary=monetary)
    settings = Settings(value=value)
    replay = Replay(build(settings), *told, sweep=True)
    frozen = None
    for number, cut in enumerate(FREEZES, 2):
        replay.until(ms(cut))
        known, day = cut_off(baskets, cut, swept=True)
        figures = batch.figures(known, day, value.look_back_weeks)
        if frozen:  # the former cuts stand still until others are frozen
            batch.same(replay.snapshot().values("rfm"), batch.tiers(figures, frozen, monetary))
        frozen = freeze(replay, settings, ms(cut), number)
        batch.same(replay.snapshot().values("rfm"), batch.tiers(figures, frozen, monetary))
        exact = figures.fillna(0).agg(thresholds).rename({monetary: "monetary"})
        error = sketch.ERROR if thresholds == "median" else 1e-12
        assert frozen == pytest.approx(exact[list(frozen)].to_dict(), rel=error)
        others = replay.snapshot().values("rfm") != batch.tiers(figures, exact, monetary)
        assert not others[~near(figures, exact, monetary, error)].any()


def freeze(replay, settings, cut, number):
    """Freeze the population's cuts as of `cut`, judge everybody by them, and return them."""
    shard, known = replay.shard, replay.snapshot().rows
    weeks, kinds = settings.value.look_back_weeks, shard.book.kinds
    summary = sketch.summarize(known, shard.purchases, (cut - 1) // DAY, weeks, kinds)
    cuts = population_cuts(settings, summary)
    shard.adopt(cut, with_cuts(shard.book, cuts, number))
    moves = shard.advance(cut)
    assert len(moves)
    assert set(moves["cause"]) == {THRESHOLD_CAUSE}
    assert set(moves["dimension"]) == {RFM}
    return cuts[EVERYBODY]


def near(figures, cuts, monetary, error):
    """Whose figure lies within the sketch's error of its cut."""
    pairs = (("recency_days", "recency_days"), ("frequency", "frequency"), (monetary, "monetary"))
    close = [np.isclose(figures[figure].fillna(0), cuts[cut], rtol=error, atol=0) for figure, cut in pairs]
    return np.logical_or.reduce(close)


def repurchase(snapshot, week, weeks):
    """Buyers of the newest `weeks` weeks up to `week`, those with two orders in them, those who had bought before."""
    orders = snapshot.window("orders", week, weeks)
    bought = orders > 0
    before = snapshot.rows["orders"] > orders
    return batch.Repurchase(int(bought.sum()), int((orders >= 2).sum()), int((bought & before).sum()))
