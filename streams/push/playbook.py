"""Playbooks: which transitions are candidates for a push. What triggers one is data, not code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from streams.wire.message import Cause

if TYPE_CHECKING:
    from streams.wire.message import Envelope, Transition


class Playbook(Struct, frozen=True):
    """A reason to write to a user: he came to the value `to` of a dimension."""

    name: str
    dimension: str
    to: str

    def triggered_by(self, transition: Transition) -> bool:
        """Tell whether the transition calls for this playbook."""
        return transition.dimension == self.dimension and transition.to == self.to


class Candidate(Struct, frozen=True):
    """A push that a playbook proposes. `id` is the decision's, made from the transition's.

    `at` is the transition's event time, int ms UTC; `cause` is what made it.
    """

    id: str
    user: str
    at: int
    playbook: str
    transition: str
    historic: bool
    cause: Cause = "event"


PLAYBOOKS = (Playbook("reactivation", dimension="activity", to="dormant"),)
BY_NAME = {playbook.name: playbook for playbook in PLAYBOOKS}
_TRIGGERS = tuple(f'"type":"awaken.{p.dimension}.{p.to}"'.encode() for p in PLAYBOOKS)


def may_trigger(event: bytes) -> bool:
    """Say whether a transition's JSON can trigger a playbook: a look at its bytes, so that few need be read."""
    return any(trigger in event for trigger in _TRIGGERS)


def candidates(envelope: Envelope[Transition]) -> list[Candidate]:
    """Return a candidate for each playbook that the transition triggers; usually there is none."""
    data = envelope.data
    return [
        Candidate(
            id=f"{playbook.name}:{envelope.id}",
            user=envelope.subject,
            at=data.at,
            playbook=playbook.name,
            transition=envelope.id,
            historic=data.historic,
            cause=data.cause,
        )
        for playbook in PLAYBOOKS
        if playbook.triggered_by(data)
    ]
