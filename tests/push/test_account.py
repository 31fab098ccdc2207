from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from streams.budget import Budget
from streams.push.account import MOST, Account, accounts_of, grains, period_of, units

SHANGHAI, BERLIN, UTC = ZoneInfo("Asia/Shanghai"), ZoneInfo("Europe/Berlin"), ZoneInfo("UTC")


def at(text):
    return round(datetime.fromisoformat(text).timestamp() * 1000)


@pytest.mark.parametrize(
    ("each", "moment", "zone", "period"),
    [
        ("day", "2026-11-21T15:59:59.999Z", SHANGHAI, "2026-11-21"),
        ("day", "2026-11-21T16:00:00Z", SHANGHAI, "2026-11-22"),
        ("week", "2026-11-22T22:59:59Z", BERLIN, "2026-W47"),
        ("week", "2026-11-22T23:00:00Z", BERLIN, "2026-W48"),
        ("week", "2027-01-03T12:00:00Z", UTC, "2026-W53"),
        ("month", "2026-11-30T23:59:59Z", UTC, "2026-11"),
        ("month", "2026-11-30T23:59:59Z", SHANGHAI, "2026-12"),
        ("ever", "2026-11-30T23:59:59Z", SHANGHAI, "ever"),
        # The day on which clocks are put forward has 23 hours, the one on which they are put back 25.
        ("day", "2026-03-28T23:00:00Z", BERLIN, "2026-03-29"),
        ("day", "2026-03-29T21:59:59Z", BERLIN, "2026-03-29"),
        ("day", "2026-03-29T22:00:00Z", BERLIN, "2026-03-30"),
        ("day", "2026-10-24T22:00:00Z", BERLIN, "2026-10-25"),
        ("day", "2026-10-25T22:59:59Z", BERLIN, "2026-10-25"),
        ("day", "2026-10-25T23:00:00Z", BERLIN, "2026-10-26"),
    ],
)
def test_a_period_is_a_calendar_one_of_the_zone(each, moment, zone, period):
    assert period_of(each, at(moment), zone) == period


def test_a_push_charges_the_budget_and_the_users_own_share_of_it_where_there_is_one():
    budget = Budget(amount=5000, each="month", per_user=1.5)
    moment = at("2026-11-22T08:30:00Z")
    whole, own = accounts_of("spring", budget, "u1", moment, UTC, 2)
    assert whole == Account("budgets.spring", "2026-11", 500_000_000)
    assert own == Account("budgets.spring", "2026-11", 150_000, "u1")
    assert accounts_of("spring", Budget(amount=5000), "u1", moment, UTC, 2) == (whole,)


def test_amounts_are_counted_finer_than_the_currency_and_never_beyond_what_is_exact():
    assert grains(0.045, 2) == 4500
    assert units(grains(0.045, 2), 2) == 0.045
    assert grains(1, 0) == 1000
    assert grains(1e12, 3) == MOST
