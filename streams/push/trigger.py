"""Triggers: which transitions are candidates for a push by which playbook, and what it would say.

What triggers a playbook, for whom and in which words is a matter of the settings (`[playbooks.NAME]`), not of code.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from msgspec import Struct

from streams import template
from streams.core.dimension import DIMENSIONS, VALUE
from streams.invitation import REFERRAL
from streams.wire.message import Cause

if TYPE_CHECKING:
    from streams.settings import Playbook, Settings
    from streams.wire.message import Envelope, Transition

Words = Callable[[str], Mapping[str, str]]
"""What is known of a user, by name: values of dimensions, `attributes.NAME`, and the variables of templates."""


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
    title: str = ""
    body: str = ""


class Triggers:
    """The playbooks that are enabled, and what triggers them."""

    def __init__(self, settings: Settings) -> None:
        self.by_name = {name: playbook for name, playbook in settings.playbooks.items() if playbook.enabled}
        types = "|".join(sorted({re.escape(playbook.on) for playbook in self.by_name.values()}))
        self._trigger = re.compile(f'"type":"awaken\\.(?:{types})"'.encode() if types else b"(?!)")

    def may_trigger(self, event: bytes) -> bool:
        """Say whether a transition's JSON can trigger a playbook: a look at its bytes, so that few need be read."""
        return self._trigger.search(event) is not None

    def candidates(self, envelope: Envelope[Transition], words: Words) -> list[Candidate]:
        """Return a candidate for each playbook that the transition triggers for this user; usually there is none."""
        data = envelope.data
        on = f"{data.dimension}.{data.to}"
        triggered = [(name, playbook) for name, playbook in self.by_name.items() if playbook.on == on]
        known = words(envelope.subject) if triggered else {}
        return [
            Candidate(
                id=f"{name}:{envelope.id}",
                user=envelope.subject,
                at=data.at,
                playbook=name,
                transition=envelope.id,
                historic=data.historic,
                cause=data.cause,
                title=template.render(playbook.title, known),
                body=template.render(playbook.body, known),
            )
            for name, playbook in triggered
            if holds(playbook, known)
        ]


def trigger_topics(settings: Settings) -> tuple[str, ...]:
    """Return the topics on which transitions can trigger a playbook, of the dimensions that are kept."""
    topics: dict[str, str] = {d.name: d.topic for d in DIMENSIONS if d.name in settings.dimensions}
    topics |= dict.fromkeys(settings.own, VALUE) | {REFERRAL: "referrals"}
    asked = {playbook.on.partition(".")[0] for playbook in settings.playbooks.values() if playbook.enabled}
    fields = sorted({topics[dimension] for dimension in asked if dimension in topics})
    return tuple(getattr(settings.topics, field) for field in fields)


def holds(playbook: Playbook, words: Mapping[str, str]) -> bool:
    """Say whether all holds of a user that a playbook asks for."""
    asked = {name: (said,) if isinstance(said, str) else said for name, said in playbook.when.items()}
    return all(words.get(name) in said for name, said in asked.items())
