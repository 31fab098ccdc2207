"""Dimensions of one's own, fact by fact, with their windows and falls."""

import pytest

from streams import rulebook
from streams.core.row import DAY
from streams.settings import Settings
from streams.threshold import Own
from tests.core.life import Life

MONDAY = 1_700_438_400_000  # 2023-11-20, 00:00 UTC
NOON = MONDAY + DAY // 2


def life(of, bands, dwell_days=0, **window):
    book = rulebook.build(Settings(own={"mine": Own(of=of, bands=bands, **window)}))
    book.table["dwell_days"] = dwell_days
    return Life(book, "mine")


def falls(moves):
    return [(m[0], m[1], m[2], (m[4] - MONDAY) / DAY) for m in moves]


def test_clicks_of_some_days():
    one = life("clicks", {"few": 1, "many": 3}, days=3)
    one.act(NOON)
    one.act(NOON)
    assert falls(one.act(NOON + DAY)) == [("few", "many", "event", 1.5)]
    assert falls(one.time(MONDAY + 30 * DAY)) == [("many", "few", "time", 3), ("few", "none", "time", 4)]


def test_an_order_is_no_click_but_an_active_day():
    clicks, active = life("clicks", {"any": 1}, days=3), life("active_days", {"any": 1}, days=3)
    assert clicks.buy(NOON, 100) == []
    assert falls(active.buy(NOON, 100)) == [("none", "any", "event", 0.5)]


def test_active_days_of_some_days():
    one = life("active_days", {"one": 1, "two": 2}, days=30)
    one.act(NOON)
    assert falls(one.act(NOON + 29 * DAY)) == [("one", "two", "event", 29.5)]
    assert falls(one.time(MONDAY + 90 * DAY)) == [("two", "one", "time", 30), ("one", "none", "time", 59)]


@pytest.mark.parametrize(
    ("of", "bands", "expected"),
    [
        ("orders", {"one": 1, "two": 2}, ["one", "two", "two", "two"]),
        ("spend", {"small": 50, "large": 150}, ["small", "large", "small", "small"]),
        ("order_value", {"small": 50, "large": 100}, ["large", "small", "small", "none"]),
        ("coupons", {"some": 1}, ["some", "some", "some", "some"]),
    ],
)
def test_what_rests_on_orders(of, bands, expected):
    one = life(of, bands, weeks=2)
    found = []
    one.buy(NOON, 10_000, hash=1, coupon=1)
    found.append(one.value)
    one.buy(NOON, 5_000, hash=2)
    found.append(one.value)
    one.refund(NOON, 2, 1)
    found.append(one.value)
    one.refund(NOON, 1, 5_001)
    found.append(one.value)
    assert found == expected
    moved = falls(one.time(MONDAY + 60 * DAY))
    assert moved == ([] if expected[-1] == "none" else [(expected[-1], "none", "time", 14)])


def test_spend_falls_week_by_week():
    one = life("spend", {"some": 1, "much": 100}, weeks=3)
    one.buy(NOON, 5_000)
    one.buy(NOON + 9 * DAY, 5_000)
    assert one.value == "much"
    assert falls(one.time(MONDAY + 60 * DAY)) == [("much", "some", "time", 21), ("some", "none", "time", 28)]


def test_points_never_fall_by_time():
    one = life("points", {"some": 10})
    one.do(NOON, "checkin")
    one.do(NOON + DAY, "checkin")
    assert one.value == "some"
    assert one.time(MONDAY + 900 * DAY) == []


def test_a_young_band_waits_for_the_dwell():
    one = life("clicks", {"any": 1}, dwell_days=10, days=3)
    one.act(NOON)
    assert falls(one.time(MONDAY + 30 * DAY)) == [("any", "none", "time", 10)]
