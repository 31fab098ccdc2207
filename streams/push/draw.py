"""The lucky draw: a prize follows from a seed and the decision's id, so that whoever knows the seed can draw again.

The seed of an offer is secret until its draw is over; its commitment, the SHA-256, stands in every grant from the
start. When the seed is published, anybody sees that it is the one that was committed to, and that each decision got
what it had to. So every draw has an offer of its own: with the seed of one that goes on, the rest could be foretold.

The chance of the k-th turn is the first 53 bits of HMAC-SHA256(seed, decision NUL k), as a fraction. The prizes lie
side by side from 0 in the order of the settings, each as wide as its odds; what is beyond them wins nothing.
"""

from __future__ import annotations

import hmac
from collections.abc import Collection, Mapping
from hashlib import sha256

from streams.offer import Offer

BITS = 53
"""As many as a float holds, so that a chance is always under 1."""


def seed_of(offer: str, secret: str) -> str:
    """Return the seed of the draw with this name, 64 hexadecimal digits."""
    return hmac.digest(secret.encode(), f"seed\0{offer}".encode(), sha256).hex()


def commitment(seed: str) -> str:
    """Return what is told of a seed before it is published, 64 hexadecimal digits."""
    return sha256(bytes.fromhex(seed)).hexdigest()


def draw(seed: str, decision: str, offer: Offer, out: Collection[str] = ()) -> str:
    """Return the prize that a decision wins, empty for none. `out` are those of which nothing is left.

    Who would win one of those wins nothing; where everybody wins, the next one in his turn.
    """
    return next((prize for prize in turn(seed, decision, offer) if prize not in out), "")


def turn(seed: str, decision: str, offer: Offer) -> tuple[str, ...]:
    """Return the prizes that a decision may get, in turn: the first of which something is left is his.

    The first is drawn by the stated odds, each of the others by the odds of those that are left then; where not
    everybody wins there is one at most.
    """
    left = {name: prize.odds for name, prize in offer.prizes.items()}
    if not offer.everybody_wins:
        prize = _at(_chance(seed, decision, 1), left)
        return (prize,) if prize else ()
    found: list[str] = []
    while left:
        share = _chance(seed, decision, len(found) + 1) * sum(left.values())
        found.append(_at(share, left) or list(left)[-1])  # rounding may leave a gap behind the last
        del left[found[-1]]
    return tuple(found)


def _at(share: float, odds: Mapping[str, float]) -> str:
    """Return the prize in which a point lies, empty where it is beyond them all."""
    for name, width in odds.items():
        if share < width:
            return name
        share -= width
    return ""


def _chance(seed: str, decision: str, number: int) -> float:
    digest = hmac.digest(bytes.fromhex(seed), f"{decision}\0{number}".encode(), sha256)
    return (int.from_bytes(digest[:7]) >> 56 - BITS) / (1 << BITS)
