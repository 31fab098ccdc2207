"""Triggers: which transitions are candidates for a push by which playbook, and what it would say.

What triggers a playbook, for whom and in which words is a matter of the settings (`[playbooks.NAME]`), not of code.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple, Protocol
from urllib.parse import quote, urlsplit
from zoneinfo import ZoneInfo

from msgspec import Struct

from streams import catalogue, template
from streams.core.dimension import DIMENSIONS, VALUE
from streams.core.row import DAY
from streams.hold import NextStep, named
from streams.invitation import REFERRAL
from streams.wire.message import Cause, Grant, Text

from . import offers, terms
from .quiet import zone_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from streams.settings import Playbook, Settings
    from streams.wire.message import Envelope, Transition


class Known(Protocol):
    """What is known of a user: `get` by the names of templates, `value` by those of a playbook's `when`."""

    @property
    def time_zone(self) -> str | None:
        """That of his profile."""

    def get(self, name: str, /) -> str | None:
        """Return the word for a variable of templates, None or empty where there is none."""

    def value(self, name: str) -> str | None:
        """Return his value in a dimension, or an attribute of his by `attributes.NAME`; None where there is none."""


class Candidate(Struct, frozen=True):
    """A push that a playbook proposes. `id` is the decision's, made from what brought it and the playbook's step.

    `at` is its event time and `since` when the user came to where the playbook found him, both int ms UTC; they differ
    where it is a later step. `transition` is what brought him there, empty where it was the calendar; `cause` is what
    made it. The rest is what he would get.
    """

    id: str
    user: str
    at: int
    playbook: str
    transition: str
    historic: bool
    cause: Cause = "event"
    since: int = 0
    step: int = 1
    title: str = ""
    body: str = ""
    texts: dict[str, Text] = {}
    link: str = ""
    picture: str = ""
    offer: Grant | None = None


class Origin(NamedTuple):
    """Where a candidate comes from: `key` makes its id unique among those of one playbook."""

    key: str
    user: str
    at: int
    since: int
    transition: str = ""
    historic: bool = False
    cause: Cause = "event"


class Triggers:
    """The playbooks that are enabled, and what triggers them."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.by_name = {name: playbook for name, playbook in settings.playbooks.items() if playbook.enabled}
        self._at_once: dict[str, list[str]] = {}
        self._later: dict[str, list[str]] = {}
        for name, playbook in self.by_name.items():
            (self._later if playbook.after_days else self._at_once).setdefault(playbook.on, []).append(name)
        types = "|".join(sorted(map(re.escape, {*self._at_once, *self._later})))
        self._catalogue = catalogue.read(settings.push.catalogue)
        self._zone = ZoneInfo(settings.push.time_zone)
        self._trigger = re.compile(f'"type":"awaken\\.(?:{types})"'.encode() if types else b"(?!)")

    def may_trigger(self, event: bytes) -> bool:
        """Say whether a transition's JSON can trigger a playbook: a look at its bytes, so that few need be read."""
        return self._trigger.search(event) is not None

    def candidates(self, envelope: Envelope[Transition], words: Callable[[str], Known]) -> list[Candidate]:
        """Return a candidate for each playbook that the transition triggers at once; usually there is none."""
        data = envelope.data
        triggered = self._at_once.get(_trigger_of(data))
        if not triggered:
            return []
        known = words(envelope.subject)
        origin = Origin(envelope.id, envelope.subject, data.at, data.at, envelope.id, data.historic, data.cause)
        return [self.candidate(name, 1, origin, known) for name in triggered if holds(self.by_name[name], known)]

    def later(self, envelope: Envelope[Transition]) -> list[NextStep]:
        """Return the first messages of those playbooks that the transition triggers for later; of history, none."""
        data = envelope.data
        later = self._later.get(_trigger_of(data))
        if not later or data.historic or data.cause == "threshold":
            return []
        return [
            NextStep(envelope.id, envelope.subject, name, 1, envelope.id, data.at, self._due(name, data.at))
            for name in later
        ]

    def _due(self, name: str, at: int) -> int:
        return at + round(self.by_name[name].after_days * DAY)

    def candidates_of(self, step: NextStep, words: Callable[[str], Known]) -> list[Candidate]:
        """Return the candidate for a step whose time has come; none where there is none such, or not for him."""
        playbook, known = self.by_name.get(step.playbook), words(step.user)
        if playbook is None or step.step > len(playbook.steps) + 1 or (step.step == 1 and not holds(playbook, known)):
            return []
        origin = Origin(step.key, step.user, step.until, step.since, step.transition)
        return [self.candidate(step.playbook, step.step, origin, known)]

    def candidate(self, name: str, step: int, origin: Origin, known: Known, out: Collection[str] = ()) -> Candidate:
        """Return the candidate for a step of a playbook, in the words that are known of its user now.

        `out` are the prizes of its offer of which nothing is left.
        """
        message = self.by_name[name].message(step)
        ident = named(name, step, origin.key)
        granted, words = self._grant(message.offer, ident, origin, known, out) if message.offer else (None, {})
        if self._catalogue:
            words = words | catalogue.words(self._catalogue, known.get("interest") or "")
        said = Words(known, words) if words else known
        return Candidate(
            id=ident,
            user=origin.user,
            at=origin.at,
            playbook=name,
            transition=origin.transition,
            historic=origin.historic,
            cause=origin.cause,
            since=origin.since,
            step=step,
            title=template.render(message.title, said),
            body=template.render(message.body, said),
            texts={
                channel: Text(template.render(text.title, said), template.render(text.body, said))
                for channel, text in message.texts.items()
            },
            link=_tracked(template.render_address(message.link, said), ident) if message.link else "",
            picture=template.render_address(message.picture, said) if message.picture else "",
            offer=granted,
        )

    def again(self, candidate: Candidate, known: Known, out: Collection[str]) -> Candidate:
        """Return a candidate with its offer granted anew, as nothing is left of the prizes that are `out`."""
        c = candidate
        origin = Origin(c.id.partition(":")[2], c.user, c.at, c.since, c.transition, c.historic, c.cause)
        return self.candidate(c.playbook, c.step, origin, known, out)

    def _grant(
        self, name: str, decision: str, origin: Origin, known: Known, out: Collection[str]
    ) -> tuple[Grant | None, dict[str, str]]:
        """Return what an offer grants and the words that speak of it; None where there is no offer, or nothing left."""
        if name not in self.settings.offers:
            return None, {}
        offer, secret = self.settings.offers[name], self.settings.push.secret
        zone = zone_of(known.time_zone) or self._zone
        granted = offers.grant(name, offer, decision, origin.user, origin.at, zone, secret, out)
        return granted, terms.words(offer, granted, origin.at, zone) if granted else {}


class Words:
    """What is known of a user, and above it what belongs to the message."""

    def __init__(self, known: Known, above: Mapping[str, str]) -> None:
        self._known, self._above = known, above

    def get(self, name: str, /) -> str | None:
        """Return the word for a variable of templates, None or empty where there is none."""
        return self._above.get(name) or self._known.get(name)


def trigger_topics(settings: Settings) -> tuple[str, ...]:
    """Return the topics on which transitions can trigger a playbook, of the dimensions that are kept."""
    topics: dict[str, str] = {d.name: d.topic for d in DIMENSIONS if d.name in settings.dimensions}
    if "customer" in settings.dimensions:  # a first order is told by it
        topics[REFERRAL] = "referrals"
    topics |= dict.fromkeys(settings.own, VALUE)
    asked = {playbook.on.partition(".")[0] for playbook in settings.playbooks.values() if playbook.enabled}
    fields = sorted({topics[dimension] for dimension in asked if dimension in topics})
    return tuple(getattr(settings.topics, field) for field in fields)


def holds(playbook: Playbook, known: Known) -> bool:
    """Say whether all holds of a user that a playbook asks for."""
    return all(
        known.value(name) in ((said,) if isinstance(said, str) else said) for name, said in playbook.when.items()
    )


def _trigger_of(data: Transition) -> str:
    """Return by what name playbooks are triggered by a transition."""
    return f"{data.dimension}.{data.to}"


def _tracked(link: str, decision: str) -> str:
    """Return a link that carries the decision's id as `awaken`."""
    parts = urlsplit(link)
    query = f"{parts.query}&" if parts.query else ""
    return parts._replace(query=f"{query}awaken={quote(decision, safe=':/')}").geturl()
