"""Invitations: whom users name as having brought them, until their first order; in their partition's changelog.

They wait with the invitee, since his partition alone knows when he first buys; the inviter may live in another.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import orjson

REFERRAL, REWARDED = "referral", "rewarded"
"""Stand in a playbook's `on` as a dimension and its value."""
MOST_CHARACTERS = 512


class Invitation(NamedTuple):
    """Since when (event time, int ms UTC) a user names whom as his inviter."""

    at: int
    inviter: str


class Invitations:
    """Invitations by invitee. What changed since the last `take` it keeps in mind."""

    def __init__(self) -> None:
        self._named: dict[str, Invitation] = {}
        self._changed: dict[str, None] = {}

    def __len__(self) -> int:
        return len(self._named)

    def name(self, user: str, inviter: str, at: int) -> None:
        """Note that a user named an inviter at `at`; the first in time counts. Himself or nobody he cannot name."""
        if inviter in {"", user} or inviter.startswith("\0") or len(inviter) > MOST_CHARACTERS:
            return
        invitation = Invitation(at, inviter)
        if user not in self._named or invitation < self._named[user]:
            self._named[user] = invitation
            self._changed[user] = None

    def settle(self, user: str) -> Invitation | None:
        """Let go of a user's invitation, and return it; None where he has none."""
        invitation = self._named.pop(user, None)
        if invitation is not None:
            self._changed[user] = None
        return invitation

    def forget(self, user: str) -> None:
        """Let go of what a user who was erased has named."""
        self.settle(user)

    def take(self) -> Iterator[tuple[str, bytes | None]]:
        """Yield each invitation that came (as JSON) or was let go (None) since the last time, by its invitee."""
        for user in self._changed:
            invitation = self._named.get(user)
            yield user, None if invitation is None else orjson.dumps(list(invitation))
        self._changed.clear()

    def restore(self, user: str, value: bytes | None) -> None:
        """Put back what `take` said."""
        if value is None:
            self._named.pop(user, None)
        else:
            self._named[user] = Invitation(*orjson.loads(value))
