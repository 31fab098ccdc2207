"""Accounts: what has a limit for all users together, and how much of what is spent in which of them.

Money and pieces are the same here. A budget is an account of money; an offer's stock, its pieces a day or the prizes
of a draw are accounts of pieces, each of which costs 1. Accounts of one purse and period are kept together, and of
them either all are charged or none.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from streams.budget import Budget, Each

EVER = "ever"
GRAIN = 1000
"""A minor unit's parts: an e-mail costs less than a cent, and would otherwise count as one or as nothing."""
MOST = (1 << 53) - 1
"""The greatest amount that a script on the server counts exactly."""


class Account(Struct, frozen=True):
    """Something of which there is only so much.

    `purse` is what it belongs to, such as `budgets.spring` or `offers.come_back`; `period` the one in which the limit
    holds (`period_of`). `of` is empty for the purse as a whole, else the user or the prize that has a limit of its own.
    """

    purse: str
    period: str
    limit: int
    of: str = ""


def period_of(each: Each, at: int, zone: ZoneInfo) -> str:
    """Return the name of the calendar period in which `at` (int ms UTC) lies in a time zone; weeks begin on Monday."""
    day = datetime.fromtimestamp(at / 1000, zone).date()
    match each:
        case "day":
            return day.isoformat()
        case "week":
            year, week, _ = day.isocalendar()
            return f"{year}-W{week:02}"
        case "month":
            return f"{day:%Y-%m}"
        case "ever":
            return EVER


def accounts_of(name: str, budget: Budget, user: str, at: int, zone: ZoneInfo, minor_units: int) -> tuple[Account, ...]:
    """Return the accounts that a push to `user` charges at `at`: the budget's own, and his where he has a limit."""
    purse, period = purse_of(name), period_of(budget.each, at, zone)
    whole = Account(purse, period, grains(budget.amount, minor_units))
    return (whole, Account(purse, period, grains(budget.per_user, minor_units), user)) if budget.per_user else (whole,)


def purse_of(budget: str) -> str:
    """Return the name of a budget's purse."""
    return f"budgets.{budget}"


def grains(amount: float, minor_units: int) -> int:
    """Return an amount in units of the currency as an account counts it: thousandths of its minor unit."""
    return min(round(amount * _scale(minor_units)), MOST)


def units(amount: int, minor_units: int) -> float:
    """Return what an account counts in units of the currency."""
    return amount / _scale(minor_units)


def _scale(minor_units: int) -> int:
    scale: int = 10**minor_units * GRAIN
    return scale
