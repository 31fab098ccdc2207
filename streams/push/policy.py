"""The policy chain: every rule that may stop a push, in order. Pure: what it must know arrives in the case.

A rule is a function and the reason code that a decision carries when the rule refuses. The first refusal decides; the
trace holds what each rule said up to there. Rules that need the answer of somebody else (the gate, the purse, the
breaker) stand behind those that need nobody's, so that these are asked only about candidates that nothing else stops.
What the first ones go by are a few facts, the same for many users, so that what they say is remembered (`opening`).
`hearing` leads a case through the chain. Before a push goes out, `stop` asks once more what may have changed.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b
from typing import TYPE_CHECKING, Generic, Literal, NamedTuple, TypeVar

from msgspec import Struct

from streams.consent import allowed, usable
from streams.tally import Arm
from streams.wire.event import Profile
from streams.wire.message import Verdict, instant

from .gate import EPISODE
from .quiet import zone_of
from .validity import obstacle

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from zoneinfo import ZoneInfo

    from streams.settings import Playbook, Push
    from streams.wire.message import Cause, Decision, MessageKind

    from .charter import Charter
    from .hearing import Hearing
    from .trigger import Candidate

Reason = Literal[
    "sent", "historic", "new_rules", "no_longer", "no_consent", "not_contactable", "open_complaint", "exhausted",
    "tired", "coupon_dependent", "restraint", "offer_gone", "already_sent", "already_served", "exclusive", "offer_used",
    "capped", "min_gap", "usage_capped", "channel_capped", "budget", "holdout", "breaker", "quiet_hours", "best_hour",
]  # fmt: skip
Needs = Literal["gate", "purse", "breaker"]
HOUR = 3_600_000
NO_LONGER = "he is back, or was never away"
UNAPPROVED = "the breaker stopped it, and nobody approved it in time"
GONE = ("dormant", "churned")
"""The classes of who does not come by himself."""


class Standing(Struct, frozen=True):
    """How a user stands with us as the chain asks.

    `there`: still where the transition brought him. `hours` and `everybody` are acts by hour of the day (UTC), his own
    and those of all; they may be empty where no playbook asks. `phase` is the product's.
    """

    there: bool = True
    complaints: int = 0
    fatigue: str = "none"
    coupon: str = "none"
    activity: str = "none"
    active_days: int = 0
    hours: Sequence[int] = ()
    everybody: Sequence[int] = ()
    phase: str = "growth"


class Case(Struct, frozen=True):
    """All that the chain may know about a candidate.

    `profile` is None where nothing is known of the user. `now` is the time at which he would be pushed, `oldest` the
    event time before which a candidate is too old for it (both int ms UTC).
    """

    candidate: Candidate
    profile: Profile | None
    charter: Charter
    now: int
    oldest: int = 0
    standing: Standing = Standing()


class Facts(Struct, frozen=True):
    """All that the rules go by that need nobody's answer.

    `oldest` is the time before which the candidate lies and is too old, 0 where it is not (int ms UTC); `allowed` the
    channels that he allows, of those that the message may take, `known` those of them with an address, and `along` all
    that disturb nobody. `offer` is what there is to say of the offer that the message brings.
    """

    historic: bool
    oldest: int
    cause: Cause
    there: bool
    stranger: bool
    allowed: tuple[str, ...]
    known: tuple[str, ...]
    along: tuple[str, ...]
    complaints: int
    fatigue: str
    kind: MessageKind
    coupon: str
    phase: str
    activity: str
    offer: tuple[bool, str]

    @property
    def reachable(self) -> tuple[str, ...]:
        """The channels on which he can be reached; a tired user only by what disturbs nobody."""
        return tuple(name for name in self.known if name in self.along) if self.fatigue == "tired" else self.known


S = TypeVar("S", "Facts", "Hearing")


class Rule(Struct, Generic[S], frozen=True):
    """One link of the chain. `test` answers whether the case may pass, and a detail for the trace."""

    name: str
    reason: Reason
    test: Callable[[S], tuple[bool, str]]
    needs: Needs | None = None

    def verdict(self, passed: bool, detail: str) -> Verdict:  # noqa: FBT001
        """Return what the trace holds of an answer."""
        return Verdict(self.name, passed, detail) if detail or not passed else PASSED[self.name]


class Opening(NamedTuple):
    """What the first rules said: for what reason one refused, None where all let pass, and on what channels."""

    trace: tuple[Verdict, ...]
    refused: Reason | None
    reachable: tuple[str, ...]


def limited(name: str, reason: Reason, why: Callable[[Hearing], str]) -> Rule[Hearing]:
    """Return a rule that tells the gate's answer: it refuses where that names its reason; `why` is the detail."""

    def test(hearing: Hearing) -> tuple[bool, str]:
        passed = hearing.gate is None or hearing.gate.verdict != reason
        return passed, "" if passed else why(hearing)

    return Rule(name, reason, test, needs="gate")


def stop(decision: Decision, standing: Standing, push: Push, now: int, *, approved: bool = False) -> str:
    """Return why a push that was decided upon must not go out any more; empty where it may."""
    if not standing.there:
        return NO_LONGER
    if standing.complaints:
        return "he has complained, and nobody has answered yet"
    if decision.reason == "breaker" and not approved:
        return UNAPPROVED
    if now - decision.at > push.expires_hours * HOUR:
        return f"it could not go out within {push.expires_hours:g} hours"
    return ""


def share_of(text: str) -> float:
    """Return a number from 0 up to 1 that belongs to a text, the same always and everywhere."""
    return int.from_bytes(blake2b(text.encode(), digest_size=7).digest()) / (1 << 56)


def arm_of_all(user: str, push: Push) -> Arm:
    """Return whether a user belongs to those who get no push at all."""
    return "holdout" if push.holdout and _lot(user) < push.holdout else "treated"


@lru_cache(maxsize=4096)
def _lot(user: str) -> float:
    """Return a user's place among all, by which it is settled who gets no push at all."""
    return share_of(f"holdout {user}")


def withheld(candidate: Candidate, playbook: Playbook, push: Push) -> bool:
    """Say whether a user belongs to those who get nothing: of all playbooks, or of this one."""
    share = playbook.holdout
    return arm_of_all(candidate.user, push) == "holdout" or (
        share > 0 and share_of(f"holdout {candidate.playbook} {candidate.user}") < share
    )


def addresses(profile: Profile | None, channels: Collection[str], kind: MessageKind) -> dict[str, str]:
    """Return the user's address on each of the channels that may be used: allowed for this kind, known and of use."""
    return {} if profile is None else _known(profile, _allowed(profile, channels, kind))


def zone_for(case: Case) -> ZoneInfo:
    """Return the time zone by which a user lives: his profile's, without one the settings'."""
    return zone_of(case.profile.time_zone if case.profile else None) or case.charter.zone


def episode_of(candidate: Candidate) -> str:
    """Return the tag of all that one transition brings."""
    return EPISODE + blake2b((candidate.transition or candidate.id).encode(), digest_size=8).hexdigest()


def facts(case: Case) -> Facts:
    """Return what the first rules go by."""
    candidate, profile, charter, standing = case.candidate, case.profile, case.charter, case.standing
    message = charter.message(candidate.playbook, candidate.step)
    consented = _allowed(profile, message.channels, message.kind)
    return Facts(
        historic=candidate.historic,
        oldest=case.oldest if candidate.at < case.oldest else 0,
        cause=candidate.cause,
        there=standing.there,
        stranger=profile is None,
        allowed=consented,
        known=tuple(_known(profile, consented)) if consented and profile else (),
        along=charter.push.along,
        complaints=standing.complaints,
        fatigue=standing.fatigue,
        kind=message.kind,
        coupon=standing.coupon,
        phase=standing.phase,
        activity=standing.activity,
        offer=_offer(case, message.offer) if message.offer else (True, ""),
    )


def _offer(case: Case, name: str) -> tuple[bool, str]:
    """Say whether there is something of an offer, and it has not ended."""
    if name not in case.charter.settings.offers:
        return False, f"{name}: there is no [offers.{name}]"
    if case.candidate.offer is None:
        return False, f"{name}: nothing is left"
    why = obstacle(case.charter.settings.offers[name], case.now, zone_for(case))
    return not why, f"{name}: {why}" if why else name


def _historic(facts: Facts) -> tuple[bool, str]:
    if facts.historic:
        return False, "the transition is marked historic"
    if facts.oldest:
        return False, f"before {instant(facts.oldest)}, too old to be pushed now"
    return True, ""


def _own_change(facts: Facts) -> tuple[bool, str]:
    """Refuse who moved because the rules did: he himself has done nothing."""
    return facts.cause != "threshold", ""


def _still_so(facts: Facts) -> tuple[bool, str]:
    """Refuse who has left since: he is back, or a correction says that he was never away."""
    return facts.there, ""


def _consent(facts: Facts) -> tuple[bool, str]:
    nothing = "no profile" if facts.stranger else "on no channel of ours"
    return bool(facts.allowed), ", ".join(facts.allowed) or nothing


def _contactable(facts: Facts) -> tuple[bool, str]:
    return bool(facts.known), ", ".join(facts.known) or f"no address on {', '.join(facts.allowed)}"


def _open_complaint(facts: Facts) -> tuple[bool, str]:
    """Refuse while he waits for an answer: whoever complains is not to be sold to."""
    return not facts.complaints, f"{facts.complaints} open"


def _exhausted(facts: Facts) -> tuple[bool, str]:
    return facts.fatigue != "exhausted", facts.fatigue


def _tired(facts: Facts) -> tuple[bool, str]:
    """Let a tired user have only what disturbs nobody."""
    if facts.fatigue != "tired":
        return True, ""
    return bool(facts.reachable), f"only {', '.join(facts.reachable) or 'what would disturb him'}"


def _coupon_dependency(facts: Facts) -> tuple[bool, str]:
    """Refuse an offer to who buys with coupons only: it would teach him to wait for the next."""
    return facts.kind != "offer" or facts.coupon != "dependent", facts.coupon


def _restraint(facts: Facts) -> tuple[bool, str]:
    """Refuse an offer, in the product's stable phase, to who comes by himself."""
    free = facts.kind != "offer" or facts.phase != "stable" or facts.activity in GONE
    return free, "" if free else f"{facts.phase} phase"


def _offer_gone(facts: Facts) -> tuple[bool, str]:
    """Refuse what has ended, or of which nothing is left."""
    return facts.offer


def _budget(hearing: Hearing) -> tuple[bool, str]:
    return not hearing.purse, f"no room in {hearing.purse}" if hearing.purse else ""


def _holdout(hearing: Hearing) -> tuple[bool, str]:
    """Withhold from the holdout group what everybody else would get: the comparison tells what pushes bring."""
    free = not hearing.withheld
    return free, "" if free else f"{max(hearing.push.holdout, hearing.playbook.holdout):g} of all users"


def _breaker(hearing: Hearing) -> tuple[bool, str]:  # noqa: ARG001
    """Let it pass in any case: what the breaker stops is held, not refused."""
    return True, ""


FIRST: tuple[Rule[Facts], ...] = (
    Rule("historic", "historic", _historic),
    Rule("own_change", "new_rules", _own_change),
    Rule("still_so", "no_longer", _still_so),
    Rule("consent", "no_consent", _consent),
    Rule("contactable", "not_contactable", _contactable),
    Rule("open_complaint", "open_complaint", _open_complaint),
    Rule("fatigue", "exhausted", _exhausted),
    Rule("quieter", "tired", _tired),
    Rule("coupon_dependency", "coupon_dependent", _coupon_dependency),
    Rule("coupon_restraint", "restraint", _restraint),
    Rule("offer", "offer_gone", _offer_gone),
)
LATER: tuple[Rule[Hearing], ...] = (
    limited("already_sent", "already_sent", lambda _: ""),
    limited("again", "already_served", lambda h: f"not again within {h.playbook.again_days:g} days"),
    limited("exclusivity", "exclusive", lambda h: h.playbook.exclusive),
    limited("offer_once", "offer_used", lambda h: f"{h.message.offer}: as often as one user may have it"),
    limited("frequency_cap", "capped", lambda h: h.case.charter.caps),
    limited("minimum_gap", "min_gap", lambda h: f"{h.push.min_gap_hours:g} hours between two"),
    limited("usage_cap", "usage_capped", lambda h: f"{h.case.standing.active_days} active days of 28"),
    limited("channel_cap", "channel_capped", lambda h: f"no room on {', '.join(h.reachable)}"),
    Rule("budget", "budget", _budget, needs="purse"),
    Rule("holdout", "holdout", _holdout),
    Rule("breaker", "breaker", _breaker, needs="breaker"),
)
CHAIN = FIRST + LATER
PASSED = {rule.name: Verdict(rule.name, passed=True) for rule in CHAIN}
WITHIN_LIMITS = [PASSED[rule.name] for rule in LATER if rule.needs == "gate"]
"""What the gate's rules say of what it has admitted; they stand first among the later ones."""


@lru_cache(maxsize=4096)
def opening(facts: Facts) -> Opening:
    """Return what the first rules say, up to the one that refuses."""
    trace: list[Verdict] = []
    for rule in FIRST:
        passed, detail = rule.test(facts)
        trace.append(rule.verdict(passed, detail))
        if not passed:
            return Opening(tuple(trace), rule.reason, ())
    return Opening(tuple(trace), None, facts.reachable)


def _allowed(profile: Profile | None, channels: Collection[str], kind: MessageKind) -> tuple[str, ...]:
    consent = allowed(profile, kind) if profile else {}
    return tuple([name for name in channels if consent.get(name) is True])


def _known(profile: Profile, channels: Collection[str]) -> dict[str, str]:
    contacts = profile.contacts
    return {name: address for name in channels if (address := contacts.get(name, "").strip()) and usable(profile, name)}
