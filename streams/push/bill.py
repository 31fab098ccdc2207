"""A bill: what a push costs, by the accounts of the purse that are charged for it.

The same push has the same bill whenever it is made out: when it is decided upon and its cost is reserved, when it goes
out and the cost is spent, and when it is known what it has cost after all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import offers
from .account import accounts_of, grains
from .purse import Reservation

if TYPE_CHECKING:
    from streams.wire.message import Decision

    from .account import Account
    from .charter import Charter
    from .trigger import Candidate

HOUR = 3_600_000
SLACK_HOURS = 48


def bill(charter: Charter, push: Candidate | Decision, cost: float, now: int) -> Reservation | None:
    """Return what a push charges; None where nothing is limited.

    `cost` is what its sending costs, in units of the currency; what it grants is counted as if it were used. It is held
    from `now` on until the push can have gone out (both int ms UTC).
    """
    settings, zone, grant = charter.settings, charter.zone, push.offer
    charges: list[tuple[Account, int]] = []
    budget = settings.playbooks[push.playbook].budget_of(push.step)
    if budget:
        amount = grains(cost + (grant.value if grant else 0), settings.minor_units)
        of = accounts_of(budget, settings.budgets[budget], push.user, push.at, zone, settings.minor_units)
        charges += [(account, amount) for account in of]
    if grant is not None:
        offer = settings.offers[grant.offer]
        charges += [(account, 1) for account in offers.accounts_of(grant.offer, offer, grant, push.at, zone)]
    if not charges:
        return None
    hours = settings.push.expires_hours + settings.push.approval_hours + SLACK_HOURS
    # Drawn again, it is another bill: the purse answers the same to the same one.
    name = f"{push.id} {grant.prize}" if grant is not None and grant.prize else push.id
    return Reservation(name, tuple(charges), now + round(hours * HOUR))


def bill_of(charter: Charter, decision: Decision, now: int, cost: float | None = None) -> Reservation | None:
    """Return the bill of a decision; `cost` is what its sending has cost, where that is known."""
    settings = charter.settings
    playbook, offer = settings.playbooks.get(decision.playbook), decision.offer
    if (
        playbook is None
        or decision.step > len(playbook.steps) + 1
        or (offer is not None and offer.offer not in settings.offers)
    ):
        return None  # it was decided upon by settings that are no more
    return bill(charter, decision, decision.cost if cost is None else cost, now)
