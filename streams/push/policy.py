"""The policy chain: every rule that may stop a push, in order. Pure: what it must know arrives in the case.

A rule is a function and the reason code that a decision carries when the rule refuses. The first refusal decides; the
trace holds what each rule said up to there. Rules that need the answer of somebody else (the gate, the purse, the
breaker) stand behind those that need nobody's, so that these are asked only about candidates that nothing else stops:
`Hearing.go` says whose answer it needs, and goes on from there. What passes them all is sent, or held: until quiet
hours are over, until the user's best hour, or until somebody approves what the breaker has stopped. Before it goes out,
`stop` asks once more what may have changed.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from streams.consent import allowed, usable
from streams.tally import Arm
from streams.wire.event import Profile
from streams.wire.message import Decision, MessageKind, Verdict, instant

from .bill import bill
from .charter import USAGE_WINDOW_MS
from .gate import EVERY, Admission, Ask, Limit
from .quiet import quiet_until, zone_of
from .rhythm import best_hour, next_window
from .validity import obstacle

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from zoneinfo import ZoneInfo

    from streams.settings import Playbook, Push, Step

    from .charter import Charter
    from .purse import Reservation
    from .trigger import Candidate

Reason = Literal[
    "sent", "historic", "new_rules", "no_longer", "no_consent", "not_contactable", "open_complaint", "exhausted",
    "tired", "coupon_dependent", "restraint", "offer_gone", "already_sent", "already_served", "exclusive", "offer_used",
    "capped", "min_gap", "usage_capped", "channel_capped", "budget", "holdout", "breaker", "quiet_hours", "best_hour",
]  # fmt: skip
Action = Literal["send", "hold", "suppress"]
Needs = Literal["gate", "purse", "breaker"]
HOUR, MINUTE = 3_600_000, 60_000
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


class Rule(Struct, frozen=True):
    """One link of the chain. `test` answers whether the case may pass, and a detail for the trace."""

    name: str
    reason: Reason
    test: Callable[[Hearing], tuple[bool, str]]
    needs: Needs | None = None


class Limited(Struct, frozen=True):
    """A link by which the gate's answer is told: it refuses where that names its reason; `why` says what is reached."""

    name: str
    reason: Reason
    why: Callable[[Hearing], str]
    needs: Needs = "gate"


class Hearing:
    """A case on its way through the chain.

    Attributes:
        case: what is heard, of which `push`, `playbook` and `message` (the playbook's step) are shorthands.
        reachable: the channels on which he can be reached, in order of preference.
        gate: the gate's answer; None until it is asked.
        purse: which account of the purse has no room, empty where all have; None until it is asked.
        breaker: whether the breaker lets it go; None until it is asked.
        decision: what came of it; None until the end.
    """

    __slots__ = ("breaker", "case", "decision", "gate", "message", "playbook", "purse", "push", "reachable", "trace")

    def __init__(self, case: Case) -> None:
        self.case = case
        self.push: Push = case.charter.push
        self.playbook: Playbook = case.charter.settings.playbooks[case.candidate.playbook]
        self.message: Playbook | Step = self.playbook.message(case.candidate.step)
        self.reachable: tuple[str, ...] = ()
        self.gate: Admission | None = None
        self.purse: str | None = None
        self.breaker: bool | None = None
        self.decision: Decision | None = None
        self.trace: list[Verdict] = []

    def go(self) -> Needs | None:
        """Go on through the chain; return whose answer is needed next, None once there is a decision."""
        trace = self.trace
        while len(trace) < len(CHAIN):
            rule = CHAIN[len(trace)]
            if rule.needs is not None and getattr(self, rule.needs) is None:
                return rule.needs
            if isinstance(rule, Limited):
                passed = self.gate is None or self.gate.verdict != rule.reason
                detail = "" if passed else rule.why(self)
            else:
                passed, detail = rule.test(self)
            trace.append(Verdict(rule.name, passed, detail) if detail or not passed else PASSED[rule.name])
            if not passed:
                self.decision = self._decided("suppress", rule.reason)
                return None
        self._release()
        return None

    def ask(self) -> Ask:
        """Return what the gate is asked."""
        case = self.case
        limits, tags = case.charter.bounds(case.candidate.playbook, case.candidate.step)
        episode = episode_of(case.candidate)
        if self.playbook.exclusive:  # its own messages may follow one another
            limits = tuple(one._replace(but_not=episode) if one.name == "exclusive" else one for one in limits)
        if self.push.cap_per_visit:
            most = max(1, round(self.push.cap_per_visit * case.standing.active_days))
            limits = (*limits, Limit("usage_capped", EVERY, USAGE_WINDOW_MS, most))
        ways = tuple(way for name, way in case.charter.ways.items() if name in self.reachable)
        return Ask(case.candidate.id, case.candidate.user, case.candidate.at, limits, (*tags, episode), ways)

    def bill(self) -> Reservation | None:
        """Return what the purse is asked; None where nothing that it costs is limited."""
        c = self.case.candidate
        return bill(self.case.charter, c.id, c.user, c.playbook, c.at, self.cost, c.offer, self.case.now)

    @property
    def cost(self) -> float:
        """What sending costs at most, in units of the currency: all that is sent at once, and the dearest fallback."""
        if self.gate is None:
            return 0
        costs, along = self.case.charter.costs, self.push.along
        sure = sum(costs[name] for name in self.gate.channels if name in along)
        others = (costs[name] for name in self.gate.channels + self.gate.fallbacks if name not in along)
        return sure + max(others, default=0)

    def _release(self) -> None:
        """Decide on what passes: sent at once, or held."""
        if not self.breaker:
            until = self.case.now + round(self.push.approval_hours * HOUR)
            self.trace[-1] = Verdict(
                "breaker", True, f"so many are not usual: waits for approval until {instant(until)}"
            )
            self.decision = self._decided("hold", "breaker", until)
            return
        until, reason = waits_until(self)
        if reason is None:
            self.decision = self._decided("send", "sent")
        else:
            self.trace.append(Verdict(reason, True, f"until {instant(until)}"))
            self.decision = self._decided("hold", reason, until)

    def _decided(self, action: Action, reason: Reason, until: int | None = None) -> Decision:
        candidate, answer = self.case.candidate, self.gate
        would_go = answer is not None and (action != "suppress" or reason == "holdout")
        return Decision(
            id=candidate.id,
            user=candidate.user,
            at=candidate.at,
            playbook=candidate.playbook,
            transition=candidate.transition,
            action=action,
            reason=reason,
            channels=answer.channels if answer is not None and would_go else (),
            trace=tuple(self.trace),
            until=until,
            title=candidate.title,
            body=candidate.body,
            step=candidate.step,
            kind=self.message.kind,
            texts=candidate.texts,
            link=candidate.link,
            picture=candidate.picture,
            offer=candidate.offer,
            fallbacks=answer.fallbacks if answer is not None and would_go else (),
            cost=round(self.cost, 6) if would_go else 0,
            arm="holdout" if withheld(self) else "treated",
            since=candidate.since or candidate.at,
        )


def waits_until(hearing: Hearing) -> tuple[int, Reason | None]:
    """Return when a push goes out (int ms UTC), and for what it waits: None where it goes at once.

    Those that wait for the same end leave one after the other over `spread_minutes`, each at a time of its own.
    """
    case, charter = hearing.case, hearing.case.charter
    at: int = case.now
    reason: Reason | None = None
    if hearing.playbook.timing == "best_hour" and case.standing.hours:
        hour = best_hour(case.standing.hours, case.standing.everybody)
        if hour is not None and (window := next_window(at, hour)) != at:
            at, reason = window, "best_hour"
    if charter.quiet is not None:
        end = quiet_until(at, zone_for(case), *charter.quiet)
        if end is not None:
            at, reason = end, "quiet_hours"
    if reason is not None:
        at += round(share_of(case.candidate.id) * hearing.push.spread_minutes * MINUTE)
    return at, reason


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
    return "holdout" if push.holdout and share_of(f"holdout {user}") < push.holdout else "treated"


def withheld(hearing: Hearing) -> bool:
    """Say whether a user belongs to those who get nothing: of all playbooks, or of this one."""
    share, candidate = hearing.playbook.holdout, hearing.case.candidate
    return arm_of_all(candidate.user, hearing.push) == "holdout" or (
        share > 0 and share_of(f"holdout {candidate.playbook} {candidate.user}") < share
    )


def addresses(profile: Profile | None, channels: Collection[str], kind: MessageKind) -> dict[str, str]:
    """Return the user's address on each of the channels that may be used: allowed for this kind, known and of use."""
    if profile is None:
        return {}
    found = {name: profile.contacts.get(name, "").strip() for name in _allowed(profile, channels, kind)}
    return {name: address for name, address in found.items() if address and usable(profile, name)}


def zone_for(case: Case) -> ZoneInfo:
    """Return the time zone by which a user lives: his profile's, without one the settings'."""
    return zone_of(case.profile.time_zone if case.profile else None) or case.charter.zone


def episode_of(candidate: Candidate) -> str:
    """Return the tag of all that one transition brings."""
    return "episode:" + blake2b((candidate.transition or candidate.id).encode(), digest_size=8).hexdigest()


def _historic(hearing: Hearing) -> tuple[bool, str]:
    case = hearing.case
    if case.candidate.historic:
        return False, "the transition is marked historic"
    if case.candidate.at < case.oldest:
        return False, f"before {instant(case.oldest)}, too old to be pushed now"
    return True, ""


def _own_change(hearing: Hearing) -> tuple[bool, str]:
    """Refuse who moved because the rules did: he himself has done nothing."""
    return hearing.case.candidate.cause != "threshold", ""


def _still_so(hearing: Hearing) -> tuple[bool, str]:
    """Refuse who has left since: he is back, or a correction says that he was never away."""
    return hearing.case.standing.there, ""


def _consent(hearing: Hearing) -> tuple[bool, str]:
    profile, wanted = hearing.case.profile, hearing.message.channels
    channels = hearing.case.charter.channels
    asked = tuple(name for name in channels if name in wanted) if wanted else channels
    hearing.reachable = _allowed(profile, asked, hearing.message.kind)
    nothing = "no profile" if profile is None else "on no channel of ours"
    return bool(hearing.reachable), ", ".join(hearing.reachable) or nothing


def _contactable(hearing: Hearing) -> tuple[bool, str]:
    known = addresses(hearing.case.profile, hearing.reachable, hearing.message.kind)
    nothing = f"no address on {', '.join(hearing.reachable)}"
    hearing.reachable = tuple(known)
    return bool(known), ", ".join(known) or nothing


def _open_complaint(hearing: Hearing) -> tuple[bool, str]:
    """Refuse while he waits for an answer: whoever complains is not to be sold to."""
    complaints = hearing.case.standing.complaints
    return not complaints, f"{complaints} open"


def _exhausted(hearing: Hearing) -> tuple[bool, str]:
    fatigue = hearing.case.standing.fatigue
    return fatigue != "exhausted", fatigue


def _tired(hearing: Hearing) -> tuple[bool, str]:
    """Let a tired user have only what disturbs nobody."""
    if hearing.case.standing.fatigue != "tired":
        return True, ""
    hearing.reachable = tuple(name for name in hearing.reachable if name in hearing.push.along)
    return bool(hearing.reachable), f"only {', '.join(hearing.reachable) or 'what would disturb him'}"


def _coupon_dependency(hearing: Hearing) -> tuple[bool, str]:
    """Refuse an offer to who buys with coupons only: it would teach him to wait for the next."""
    coupon = hearing.case.standing.coupon
    return hearing.message.kind != "offer" or coupon != "dependent", coupon


def _restraint(hearing: Hearing) -> tuple[bool, str]:
    """Refuse an offer, in the product's stable phase, to who comes by himself."""
    standing = hearing.case.standing
    free = hearing.message.kind != "offer" or standing.phase != "stable" or standing.activity in GONE
    return free, "" if free else f"{standing.phase} phase"


def _offer_gone(hearing: Hearing) -> tuple[bool, str]:
    """Refuse what has ended, or of which nothing is left."""
    name, case = hearing.message.offer, hearing.case
    if not name:
        return True, ""
    if name not in case.charter.settings.offers:
        return False, f"{name}: there is no [offers.{name}]"
    if case.candidate.offer is None:
        return False, f"{name}: nothing is left"
    why = obstacle(case.charter.settings.offers[name], case.now, zone_for(case))
    return not why, f"{name}: {why}" if why else name


def _budget(hearing: Hearing) -> tuple[bool, str]:
    return not hearing.purse, f"no room in {hearing.purse}" if hearing.purse else ""


def _holdout(hearing: Hearing) -> tuple[bool, str]:
    """Withhold from the holdout group what everybody else would get: the comparison tells what pushes bring."""
    free = not withheld(hearing)
    return free, "" if free else f"{max(hearing.push.holdout, hearing.playbook.holdout):g} of all users"


def _breaker(hearing: Hearing) -> tuple[bool, str]:  # noqa: ARG001
    """Let it pass in any case: what the breaker stops is held, not refused."""
    return True, ""


CHAIN: tuple[Rule | Limited, ...] = (
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
    Limited("already_sent", "already_sent", lambda _: ""),
    Limited("again", "already_served", lambda h: f"not again within {h.playbook.again_days:g} days"),
    Limited("exclusivity", "exclusive", lambda h: h.playbook.exclusive),
    Limited("offer_once", "offer_used", lambda h: f"{h.message.offer}: as often as one user may have it"),
    Limited("frequency_cap", "capped", lambda h: h.case.charter.caps),
    Limited("minimum_gap", "min_gap", lambda h: f"{h.push.min_gap_hours:g} hours between two"),
    Limited("usage_cap", "usage_capped", lambda h: f"{h.case.standing.active_days} active days of 28"),
    Limited("channel_cap", "channel_capped", lambda h: f"no room on {', '.join(h.reachable)}"),
    Rule("budget", "budget", _budget, needs="purse"),
    Rule("holdout", "holdout", _holdout),
    Rule("breaker", "breaker", _breaker, needs="breaker"),
)
PASSED = {rule.name: Verdict(rule.name, passed=True) for rule in CHAIN}


def _allowed(profile: Profile | None, channels: Collection[str], kind: MessageKind) -> tuple[str, ...]:
    consent = allowed(profile, kind) if profile else {}
    return tuple(name for name in channels if consent.get(name) is True)
