"""What a user is worth, figure by figure: tiers, customer class, bands, coupons, duplicates and refunds."""

import itertools

import pytest

from streams import rulebook
from streams.core.row import DAY
from streams.settings import Settings
from streams.threshold import Bands, Value
from tests.core.life import Life

MONDAY = 1_700_438_400_000  # 2023-11-20, 00:00 UTC
NOON = MONDAY + DAY // 2
WEEK = 7 * DAY
VALUE = {
    "look_back_weeks": 4, "recent_days": 10, "frequency_orders": 2, "monetary_amount": 100, "old_days": 30,
    "coupon_on": 0.6, "coupon_off": 0.4, "coupon_share": 0.2, "coupon_prior": 4, "coupon_half_life_days": 7,
}  # fmt: skip
TIERS = {
    "HHH": "champion", "HLH": "grow_frequency", "LHH": "keep", "LLH": "rescue",
    "HHL": "grow_basket", "HLL": "nurture", "LHL": "maintain", "LLL": "let_go",
}  # fmt: skip


def life(dimension, dwell_days=0, bands=None, **value):
    settings = Settings(value=Value(**VALUE | value), bands=bands or Bands())
    book = rulebook.build(settings)
    book.table["dwell_days"] = dwell_days
    return Life(book, dimension)


def words(moves):
    return [move[:3] for move in moves]


@pytest.mark.parametrize("high", ["".join(h) for h in itertools.product("HL", repeat=3)])
def test_each_tier_on_both_sides_of_its_boundaries(high):
    """R is high on the tenth day and low on the eleventh; F from the second order on; M from 100.00 on."""
    recent, frequent, valuable = (letter == "H" for letter in high)
    one = life("rfm")
    total = 10_000 if valuable else 9_999
    orders = [total - 4_000, 4_000] if frequent else [total]
    for amount in orders:
        one.buy(NOON, amount)
    one.time(MONDAY + (11 if recent else 12) * DAY)  # the last day before it is the tenth, or the eleventh
    assert one.value == TIERS[high]


def test_a_tier_falls_by_time_on_the_day_and_monday_on_which_it_is_due():
    one = life("rfm")
    one.buy(NOON, 6_000)
    assert words(one.buy(NOON + 1, 4_000)) == [("nurture", "champion", "event")]
    assert [(m[:3], m[4]) for m in one.time(MONDAY + 100 * DAY)] == [
        (("champion", "keep", "time"), MONDAY + 11 * DAY),
        (("keep", "let_go", "time"), MONDAY + 28 * DAY),
    ]


def test_the_look_back_ends_with_the_week_before_its_oldest():
    one = life("rfm", look_back_weeks=4)
    one.buy(MONDAY, 10_000)
    assert one.value == "grow_frequency"
    assert [(m[1], m[4]) for m in one.time(MONDAY + 28 * DAY)] == [("rescue", MONDAY + 11 * DAY)]
    assert [(m[1], m[4]) for m in one.time(MONDAY + 28 * DAY + 1)] == [("let_go", MONDAY + 28 * DAY)]


def test_m_may_be_the_average_order():
    one = life("rfm", monetary="average")
    one.buy(NOON, 15_000)
    assert words(one.buy(NOON, 4_999)) == [("grow_frequency", "grow_basket", "event")]  # 99.995
    assert words(one.buy(NOON, 10_001)) == [("grow_basket", "champion", "event")]  # 100.00


def test_customer_class():
    one = life("customer")
    assert words(one.act(NOON)) == [("none", "prospect", "event")]
    assert words(one.buy(NOON, 100)) == [("prospect", "new_customer", "event")]
    assert one.time(MONDAY + 31 * DAY) == []
    assert [(m[:3], m[4]) for m in one.time(MONDAY + 31 * DAY + 1)] == [
        (("new_customer", "old_customer", "time"), MONDAY + 31 * DAY)
    ]


def test_the_second_order_makes_an_old_customer_and_its_refund_a_new_one():
    one = life("customer")
    one.buy(NOON, 100, hash=1)
    assert words(one.buy(NOON, 100, hash=2)) == [("new_customer", "old_customer", "event")]
    assert words(one.refund(NOON + DAY, 2)) == [("old_customer", "new_customer", "event")]
    assert words(one.refund(NOON + DAY, 1, kind="cancelled")) == [("new_customer", "prospect", "event")]
    assert one.row["last_order_at"] == 0


def test_an_order_told_twice_counts_once():
    one = life("order_frequency")
    one.buy(NOON, 500, hash=7)
    before = {name: one.row[name].copy() for name in one.row.dtype.names if name != "applied"}
    assert one.buy(NOON + DAY, 900, hash=7) == []
    assert all((one.row[name] == before[name]).all() for name in before)


def test_partial_refunds_add_up_to_a_whole_one():
    one = life("order_value", bands=Bands(order_value={"small": 0, "large": 50}))
    one.buy(NOON, 5_000, hash=1)
    assert words(one.refund(NOON, 1, 1)) == [("large", "small", "event")]
    assert (one.row["spend"], one.row["orders"], one.weekly["spend"].sum()) == (4_999, 1, 4_999)
    assert one.refund(NOON, 1, 4_998) == []
    assert (one.row["spend"], one.row["orders"]) == (1, 1)
    assert words(one.refund(NOON, 1, 1)) == [("small", "none", "event")]
    assert (one.row["spend"], one.row["orders"], one.weekly["orders"].sum()) == (0, 0, 0)
    assert one.refund(NOON, 1, 1) == []  # it has been taken back already


@pytest.mark.parametrize(
    ("backs", "left"),
    [
        ([(2_000, "refunded")], 3_000),
        ([(2_000, "refunded"), (1_000, "refunded")], 2_000),
        ([(2_000, "refunded"), (3_000, "refunded")], None),
        ([(2_000, "refunded"), (0, "cancelled")], None),
        ([(0, "refunded"), (2_000, "refunded")], None),
    ],
)
def test_refunds_that_come_before_their_order_add_up_as_after_it(backs, left):
    ahead, after = life("order_value"), life("order_value")
    after.buy(NOON, 5_000, hash=7)
    for amount, kind in backs:
        ahead.refund(NOON, 7, amount, kind)
        after.refund(NOON, 7, amount, kind)
    ahead.buy(NOON, 5_000, hash=7)
    for one in (ahead, after):
        assert (one.row["orders"], one.row["spend"]) == ((0, 0) if left is None else (1, left))


@pytest.mark.parametrize(("amount", "kind"), [(0, "refunded"), (5_001, "refunded"), (100, "cancelled")])
def test_a_refund_of_nothing_or_of_too_much_and_any_cancellation_take_all_back(amount, kind):
    one = life("rfm")
    one.buy(NOON, 5_000, hash=1)
    assert words(one.refund(NOON + DAY, 1, amount, kind)) == [("nurture", "none", "event")]
    assert (one.row["spend"], one.row["orders"]) == (0, 0)


def test_a_refund_lands_in_the_week_of_its_order():
    one = life("rfm")
    one.buy(NOON, 5_000, hash=1, coupon=1)
    one.buy(NOON + WEEK, 700, hash=2)
    one.refund(NOON + 2 * WEEK, 1)
    assert (one.weekly["spend"].sum(), one.weekly["coupons"].sum()) == (700, 0)
    assert one.row["last_order_at"] == NOON + WEEK


def test_a_refund_that_overtakes_its_order_undoes_it_when_it_comes():
    one = life("rfm")
    one.act(NOON - DAY)
    assert one.refund(NOON + 1, 5) == []
    assert one.buy(NOON, 8_000, hash=5) == []
    assert (one.row["orders"], one.row["spend"], one.value) == (0, 0, "none")


def test_a_refund_of_an_order_that_nobody_knows_changes_nothing():
    one = life("rfm")
    one.buy(NOON, 8_000, hash=1)
    assert one.refund(NOON, 2) == []
    assert (one.row["orders"], one.row["spend"]) == (1, 8_000)


def test_bands_include_their_lower_bound():
    one = life("order_frequency", bands=Bands(order_frequency={"none_yet": 0, "some": 2, "many": 3}))
    assert words(one.act(NOON)) == [("none", "none_yet", "event")]
    assert one.buy(NOON, 1) == []
    assert words(one.buy(NOON, 1)) == [("none_yet", "some", "event")]
    assert words(one.buy(NOON, 1)) == [("some", "many", "event")]
    assert [(m[:3], m[4]) for m in one.time(MONDAY + 60 * DAY)] == [(("many", "none_yet", "time"), MONDAY + 28 * DAY)]


def test_dependency_on_coupons_has_a_hysteresis():
    one = life("coupon", coupon_half_life_days=3650)
    for _ in range(3):
        one.buy(NOON, 100, coupon=1)
    assert one.value == "independent"  # (3 + 0.8) / 7 = 0.54
    assert one.buy(NOON, 100, coupon=1) == []  # 4.8 / 8 is 0.6, and not above it
    assert words(one.buy(NOON, 100, coupon=1)) == [("independent", "dependent", "event")]  # 5.8 / 9
    for _ in range(5):
        assert one.buy(NOON, 100) == []  # down to 5.8 / 14 = 0.414
    assert words(one.buy(NOON, 100)) == [("dependent", "independent", "event")]  # 5.8 / 15 = 0.387


def test_a_dependency_fades_as_its_orders_grow_old():
    one = life("coupon")
    for _ in range(8):
        one.buy(NOON, 100, coupon=1)
    assert one.value == "dependent"
    # After n weeks: (8 / 2^n + 0.8) / (8 / 2^n + 4); 0.6 at once is 8.8 / 12, 4.8 / 8, 2.8 / 6, 1.8 / 5 = 0.36.
    assert [(m[:3], m[4]) for m in one.time(MONDAY + 60 * DAY)] == [
        (("dependent", "independent", "time"), MONDAY + 21 * DAY)
    ]


def test_a_tier_that_stands_for_less_than_the_dwell_is_not_taken_away_by_time():
    one = life("rfm", dwell_days=20)
    one.buy(NOON, 100)
    assert [(m[:3], m[4]) for m in one.time(MONDAY + 60 * DAY)] == [(("nurture", "let_go", "time"), MONDAY + 20 * DAY)]


def test_a_refund_waits_for_no_dwell():
    one = life("rfm", dwell_days=20)
    one.buy(NOON, 100, hash=1)
    assert words(one.refund(NOON + 1, 1)) == [("nurture", "none", "event")]


def test_a_late_order_of_an_earlier_day_corrects():
    one = life("rfm")
    one.buy(NOON, 100)
    one.time(MONDAY + 12 * DAY)
    assert one.value == "let_go"
    assert [(m[:3], m[4]) for m in one.buy(NOON + 5 * DAY, 100)] == [
        (("let_go", "grow_basket", "correction"), NOON + 5 * DAY)
    ]
