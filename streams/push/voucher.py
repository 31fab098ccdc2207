"""Codes of offers: one for each decision, the same however often it is made, and checked without asking anybody.

    SPRING-7K2M9Q-XTR4C8-B1ND2P
           identity       seal  check

The identity (60 bits) follows from the secret and the decision. The seal (25 bits) follows from the identity and the
offer's own key, which can be given to shops: with it they tell a code of this offer from one that was made up, but
make no links and see no seed of a draw. The check symbol, over GF(32), finds every single symbol that was mistyped and
every two that were exchanged. Symbols are Crockford's base 32, in which no two look alike.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from hashlib import sha256
from typing import Literal

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
BITS = 5
IDENTITY, SEAL = 12, 5
LENGTH = IDENTITY + SEAL + 1
GROUP = 6
LOOKALIKES = str.maketrans("OIL", "011", "- ")
POLYNOMIAL = 0b100101
"""x⁵ + x² + 1, by which 32 symbols are a field and x, of order 31, tells their places apart."""


def code(decision: str, user: str, offer: str, secret: str, prefix: str = "") -> str:
    """Return the code that a decision brings its user, of the offer with this name."""
    identity = _symbols(_digest(secret, "code", offer, user, decision), IDENTITY)
    body = identity + _seal(identity, key_of(offer, secret))
    whole = body + ALPHABET[_multiplied(_remainder(body))]
    groups = (whole[k : k + GROUP] for k in range(0, LENGTH, GROUP))
    return "-".join([prefix, *groups] if prefix else groups)


def key_of(offer: str, secret: str) -> str:
    """Return the key by which codes of one offer are verified."""
    return _digest(secret, "key", offer).hex()


def verify(code: str, key: str) -> Literal["genuine", "mistyped", "unknown"]:
    """Say whether a code is one of the offer of this key, in whatever case and grouping it was typed.

    Whether it was used before, or has ended, only who keeps that can tell.
    """
    plain = code.upper().translate(LOOKALIKES)[-LENGTH:]
    if len(plain) < LENGTH or not set(plain) <= set(ALPHABET) or _remainder(plain):
        return "mistyped"
    identity, seal = plain[:IDENTITY], plain[IDENTITY:-1]
    return "genuine" if hmac.compare_digest(seal, _seal(identity, key)) else "unknown"


def _seal(identity: str, key: str) -> str:
    return _symbols(_digest(key, identity), SEAL)


def _digest(key: str, *parts: str) -> bytes:
    return hmac.digest(key.encode(), "\0".join(parts).encode(), sha256)


def _symbols(digest: bytes, count: int) -> str:
    number = int.from_bytes(digest)
    return "".join(ALPHABET[number >> BITS * k & 31] for k in range(count))


def _remainder(symbols: Iterable[str]) -> int:
    """Return the value at x of the polynomial whose coefficients the symbols are; 0 for a whole code."""
    value = 0
    for symbol in symbols:
        value = _multiplied(value) ^ ALPHABET.index(symbol)
    return value


def _multiplied(value: int) -> int:
    """Return the value times x."""
    value <<= 1
    return value ^ POLYNOMIAL if value >> BITS else value
