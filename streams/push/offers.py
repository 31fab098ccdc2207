"""Offers: what a decision grants its user, what that costs, and what must be counted so that there is enough of it.

All of it follows from the decision's id, its time and the settings, so that a decision that is made twice grants the
same. What is left, of the whole and of each prize, is kept elsewhere: a caller asks it for the `limits_of` a grant, and
where the stock of a prize is the one that refuses, asks for the grant again with that prize among those that are `out`:

    out = set()
    while granted := grant(name, offer, decision, user, at, zone, secret, out):
        refused = <the first of limits_of(name, offer, granted) that is used up>
        if refused is None or refused.what != "stock":
            break
        out.add(granted.prize)
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec

from streams.offer import Offer
from streams.wire.message import Grant

from . import draw, voucher
from .terms import in_own_words, terms
from .validity import until

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from streams.budget import Each


class Limit(NamedTuple):
    """What must be counted of a grant: under which tag, how many there are at most, anew with each what."""

    tag: str
    most: int
    each: Each
    what: Literal["total", "per_day", "stock"]


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


def limits_of(name: str, offer: Offer, grant: Grant) -> list[Limit]:
    """Return what must be counted before an offer is granted, each tag by 1; where one is used up, it is not."""
    tag = f"offers.{name}"
    limits = [
        Limit(tag, offer.total, "ever", "total"),
        Limit(f"{tag}.daily", offer.per_day, "day", "per_day"),
    ]
    if grant.prize:
        limits.append(Limit(f"{tag}.prizes.{grant.prize}", offer.prizes[grant.prize].stock, "ever", "stock"))
    return [limit for limit in limits if limit.most]


def _most_saved(offer: Offer) -> float:
    """Return how much less the duration that saves most costs than its days at the price of the shortest one."""
    shortest = min(offer.price)
    daily = offer.price[shortest] / shortest
    return max(daily * days - price for days, price in offer.price.items())
