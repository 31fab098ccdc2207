"""Offers: what a decision grants its user, what that costs, and what must be counted so that there is enough of it.

All of it follows from the decision's id, its time and the settings, so that a decision that is made twice grants the
same. What is left, of the whole and of each prize, the purse knows: a caller asks it for the `accounts_of` a grant, and
where the stock of a prize is the one that has no room, asks for the grant again with that prize among those that are
`out`:

    out = set()
    while granted := grant(name, offer, decision, user, at, zone, secret, out):
        short = <the first of accounts_of(name, offer, granted, at, zone) that has no room>
        if short is None or not short.of:
            break
        out.add(granted.prize)
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

import msgspec

from streams.offer import Offer
from streams.wire.message import Grant

from . import draw, voucher
from .account import EVER, Account, period_of
from .terms import in_own_words, terms
from .validity import until

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo


def grant(
    name: str,
    offer: Offer,
    decision: str,
    user: str,
    at: int,
    zone: ZoneInfo,
    secret: str,
    out: Collection[str] = (),
) -> Grant | None:
    """Return what a decision grants its user at its time `at` (int ms UTC), in his time `zone`.

    `secret` is `push.secret`; `out` are the prizes of which nothing is left. None where everybody was to win and no
    prize is left: then there is no entry.
    """
    end = until(offer, at, zone)
    code = voucher.code(decision, user, name, secret, offer.code_prefix)
    prize = commitment = ""
    if offer.kind == "lucky_draw":
        seed = draw.seed_of(name, secret)
        prize, commitment = draw.draw(seed, decision, offer, out), draw.commitment(seed)
        if offer.everybody_wins and not prize:
            return None
    said = terms(offer, prize, at, end, zone)
    granted = Grant(name, offer.kind, code, cost(offer, prize), said, end, prize, commitment)
    return msgspec.structs.replace(granted, terms=in_own_words(offer, granted, at, zone)) if offer.terms else granted


def cost(offer: Offer, prize: str = "") -> float:
    """Return what an offer costs at most when it is used, in units of the currency; a draw by the prize that is won."""
    match offer.kind:
        case "lucky_draw":
            return offer.prizes[prize].value if prize else 0
        case "group_buy":
            return offer.list_price - min(offer.group.values())
        case "bargain":
            return sum(offer.steps)
        case "membership":
            return _most_saved(offer)
    return offer.ceiling if offer.percent else offer.value


def accounts_of(name: str, offer: Offer, grant: Grant, at: int, zone: ZoneInfo) -> tuple[Account, ...]:
    """Return the accounts that a grant at `at` (int ms UTC) charges with 1: the whole, the day's, the prize's stock."""
    purse = f"offers.{name}"
    found = [
        Account(purse, EVER, offer.total),
        Account(purse, period_of("day", at, zone), offer.per_day),
    ]
    if grant.prize:
        found.append(Account(purse, EVER, offer.prizes[grant.prize].stock, grant.prize))
    return tuple(account for account in found if account.limit)


def _most_saved(offer: Offer) -> float:
    """Return how much less the duration that saves most costs than its days at the price of the shortest one."""
    shortest = min(offer.price)
    daily = offer.price[shortest] / shortest
    return max(daily * days - price for days, price in offer.price.items())
