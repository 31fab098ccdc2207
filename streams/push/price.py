"""What an offer comes to once its user has begun: how far a price has fallen, and whether a coupon is earned.

Each is a function of the facts as they are known: told in any order, or twice, they come to the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.settings import DAY

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streams.offer import Offer


def group_price(offer: Offer, members: Iterable[str]) -> float:
    """Return what each member of a group pays now, the one who began it among them, in units of the currency."""
    size = len(set(members))
    return min((price for count, price in offer.group.items() if count <= size), default=offer.list_price)


def bargain_price(offer: Offer, helpers: Iterable[str], user: str = "") -> float:
    """Return how far the price has come down, in units of the currency; the `user` himself is no help."""
    count = len(set(helpers) - {user})
    return offer.list_price - sum(offer.steps[:count])


def earned(offer: Offer, orders: Iterable[tuple[int, float]], now: int) -> bool:
    """Say whether orders earn a coupon: each with its time (int ms UTC) and amount, in units of the currency.

    Those of the newest `window_days` count, which roll.
    """
    oldest = now - round(offer.window_days * DAY)
    amounts = [amount for at, amount in orders if oldest < at <= now]
    return len(amounts) >= max(offer.earn_orders, 1) and sum(amounts) >= offer.earn_spend
