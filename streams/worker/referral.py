"""The referral: who brought a user is rewarded at that user's first order, once, and never for himself.

    invitee's partition:  click or order that names an inviter → `Shard.invitations`
                          customer.new_customer                → `referrals`, keyed by the inviter, in his partition
    inviter's partition:  `referrals` → decide, as any transition: playbooks on `referral.rewarded`

The record is written in the transaction that writes the invitee's transition. It is no act of the inviter's: it does
not wake him, nor does it count among his transitions (its `seq` is 0).
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import numpy as np

from streams.core.dimension import CUSTOMER
from streams.core.row import EVENT_CAUSE
from streams.core.value import NEW_CUSTOMER
from streams.invitation import REFERRAL, REWARDED, Invitation
from streams.shard import Shard
from streams.wire.decode import Decoded
from streams.wire.message import Transition, envelope


def note(shard: Shard, decoded: Decoded, late_ms: int) -> None:
    """Note the inviters that events name, whose rows are set.

    Who has bought before, or was here longer than `late_ms` before he names him, was not brought by him.
    """
    events = decoded.events
    for k in np.flatnonzero(np.isin(events["offset"], list(decoded.inviters))).tolist():
        row, at = shard.rows[events["row"][k]], int(events["at"][k])
        if not row["first_order"] and (not row["first_at"] or at <= row["first_at"] + late_ms):
            shard.invitations.name(decoded.key(k).decode(), decoded.inviters[int(events["offset"][k])], at)


def rewards(
    shard: Shard, moves: np.ndarray, historic: np.ndarray, late_ms: int, source: str
) -> Iterator[tuple[bytes, bytes]]:
    """Yield (key, CloudEvent) of the reward that each first order among the moves (MOVE[n]) brings an inviter."""
    first = (moves["dimension"] == CUSTOMER) & (moves["to"] == NEW_CUSTOMER) & (moves["cause"] == EVENT_CAUSE)
    for k in np.flatnonzero(first).tolist() if len(shard.invitations) else ():
        row, at = int(moves["row"][k]), int(moves["at"][k])
        user = shard.index.key(row).decode()
        invitation = shard.invitations.settle(user)
        if invitation is not None and invitation.at <= min(at, int(shard.rows["first_at"][row]) + late_ms):
            reward = _reward(user, invitation, at, shard.book.version, historic=bool(historic[k]))
            ident = f"{invitation.inviter}-{user}-0-{at}"
            kind = f"awaken.{REFERRAL}.{REWARDED}"
            data = msgspec.to_builtins(reward)
            yield invitation.inviter.encode(), envelope(ident, kind, invitation.inviter, at, source, data)


def _reward(user: str, invitation: Invitation, at: int, rules: str, *, historic: bool) -> Transition:
    evidence: dict[str, int | float | str | None] = {"invitee": user, "invited_at": invitation.at}
    return Transition(REFERRAL, "none", REWARDED, "event", 0, at, rules, historic, evidence)
