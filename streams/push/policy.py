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
from zoneinfo import ZoneInfo

from msgspec import Struct

from streams.wire.event import Profile, allowed
from streams.wire.message import Decision, Verdict, instant

from .gate import EVERY, Admission, Ask, Limit, Way
from .quiet import clock_time, quiet_until, zone_of
from .rhythm import best_hour, next_window

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from streams.settings import Playbook, Push, Settings, Step

    from .trigger import Candidate

Reason = Literal[
    "sent", "historic", "new_rules", "no_longer", "no_consent", "not_contactable", "open_complaint", "exhausted",
    "tired", "coupon_dependent", "restraint", "already_sent", "already_served", "exclusive", "capped", "min_gap",
    "usage_capped", "channel_capped", "budget", "holdout", "breaker", "quiet_hours", "best_hour",
]  # fmt: skip
Action = Literal["send", "hold", "suppress"]
Needs = Literal["gate", "purse", "breaker"]
HOUR, MINUTE, DAY = 3_600_000, 60_000, 86_400_000
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
    settings: Settings
    now: int
    oldest: int = 0
    standing: Standing = Standing()

    @property
    def push(self) -> Push:
        """What holds for every push."""
        return self.settings.push

    @property
    def playbook(self) -> Playbook:
        """The candidate's playbook."""
        return self.settings.playbooks[self.candidate.playbook]

    @property
    def message(self) -> Playbook | Step:
        """The step of it."""
        return self.playbook.message(self.candidate.step)


class Rule(Struct, frozen=True):
    """One link of the chain. `test` answers whether the case may pass, and a detail for the trace."""

    name: str
    reason: Reason
    test: Callable[[Hearing], tuple[bool, str]]
    needs: Needs | None = None


class Hearing:
    """A case on its way through the chain.

    Attributes:
        case: what is heard.
        reachable: the channels on which he can be reached, in order of preference.
        admission: the gate's answer, None until it is asked.
        refused: which account of the purse has no room, empty where all have; None until it is asked.
        allowed: whether the breaker lets it go, None until it is asked.
    """

    def __init__(self, case: Case) -> None:
        self.case = case
        self.reachable: tuple[str, ...] = ()
        self.admission: Admission | None = None
        self.refused: str | None = None
        self.allowed: bool | None = None
        self.decision: Decision | None = None
        self._trace: list[Verdict] = []

    def go(self) -> Needs | None:
        """Go on through the chain; return whose answer is needed next, None once there is a decision."""
        for rule in CHAIN[len(self._trace) :]:
            if rule.needs is not None and not self._answered(rule.needs):
                return rule.needs
            passed, detail = rule.test(self)
            self._trace.append(Verdict(rule.name, passed, detail))
            if not passed:
                self.decision = self._decided("suppress", rule.reason)
                return None
        self._release()
        return None

    def ask(self) -> Ask:
        """Return what the gate is asked."""
        return Ask(
            self.case.candidate.id, self.case.candidate.user, self.case.candidate.at,
            limits(self.case), tags(self.case), ways(self),
        )  # fmt: skip

    @property
    def cost(self) -> float:
        """What sending costs at most, in units of the currency: all that is sent at once, and the dearest fallback."""
        if self.admission is None:
            return 0
        names, along = (*self.admission.channels, *self.admission.fallbacks), self.case.push.along
        costs = {name: cost_of(self.case.settings, name) for name in names}
        sure = sum(costs[name] for name in self.admission.channels if name in along)
        return sure + max((cost for name, cost in costs.items() if name not in along), default=0)

    def _answered(self, by: Needs) -> bool:
        answers = {"gate": self.admission, "purse": self.refused, "breaker": self.allowed}
        return answers[by] is not None

    def _release(self) -> None:
        """Decide on what passes: sent at once, or held."""
        case = self.case
        if self.allowed is False:
            until = case.now + round(case.push.approval_hours * HOUR)
            self._trace.append(Verdict("breaker", True, f"waits for approval until {instant(until)}"))
            self.decision = self._decided("hold", "breaker", until)
            return
        until, reason = waits_until(case)
        if reason is None:
            self.decision = self._decided("send", "sent")
        else:
            self._trace.append(Verdict(reason, True, f"until {instant(until)}"))
            self.decision = self._decided("hold", reason, until)

    def _decided(self, action: Action, reason: Reason, until: int | None = None) -> Decision:
        candidate, message = self.case.candidate, self.case.message
        answer = self.admission
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
            trace=tuple(self._trace),
            until=until,
            title=candidate.title,
            body=candidate.body,
            step=candidate.step,
            kind=message.kind,
            texts=candidate.texts,
            link=candidate.link,
            picture=candidate.picture,
            offer=candidate.offer,
            fallbacks=answer.fallbacks if answer is not None and would_go else (),
            cost=round(self.cost, 6) if would_go else 0,
            arm="holdout" if withheld(self.case) else "treated",
            since=candidate.since or candidate.at,
        )


def decide(case: Case, admission: Admission, refused: str = "", *, allowed: bool = True) -> Decision:
    """Return the decision on a case, with every answer at hand."""
    hearing = Hearing(case)
    hearing.admission, hearing.refused, hearing.allowed = admission, refused, allowed
    hearing.go()
    if hearing.decision is None:
        raise AssertionError("a hearing with every answer ends in a decision")
    return hearing.decision


def waits_until(case: Case) -> tuple[int, Reason | None]:
    """Return when a push goes out (int ms UTC), and for what it waits: None where it goes at once.

    Those that wait for the same end leave one after the other over `spread_minutes`, each at a time of its own.
    """
    push, at, reason = case.push, case.now, None
    hour = None
    if case.playbook.timing == "best_hour" and case.standing.hours:
        hour = best_hour(case.standing.hours, case.standing.everybody)
    if hour is not None and (window := next_window(at, hour)) != at:
        at, reason = window, "best_hour"
    if push.quiet_from:
        zone = zone_of(case.profile.time_zone if case.profile else None) or ZoneInfo(push.time_zone)
        end = quiet_until(at, zone, clock_time(push.quiet_from), clock_time(push.quiet_to))
        if end is not None:
            at, reason = end, "quiet_hours"
    if reason is None:
        return at, None
    return at + round(share_of(case.candidate.id) * push.spread_minutes * MINUTE), reason  # type: ignore[return-value]


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


def withheld(case: Case) -> bool:
    """Say whether a user belongs to those who get nothing: of all playbooks, or of this one."""
    user, name = case.candidate.user, case.candidate.playbook
    return share_of(f"holdout {user}") < case.push.holdout or share_of(f"holdout {name} {user}") < case.playbook.holdout


def configured(push: Push) -> tuple[str, ...]:
    """Return the channels that may be used at all, in the order of the settings."""
    return tuple(name for name in dict.fromkeys(push.channels) if name != "webhook" or push.webhook_url)


def addresses(profile: Profile | None, push: Push) -> dict[str, str]:
    """Return the user's address on each channel that may be used: configured, allowed by him, and known."""
    if profile is None:
        return {}
    found = {name: profile.contacts.get(name, "").strip() for name in _allowed(profile, push)}
    return {name: address for name, address in found.items() if address}


def limits(case: Case) -> tuple[Limit, ...]:
    """Return the limits under which a case goes out, in the order of the chain."""
    push, playbook, name = case.push, case.playbook, case.candidate.playbook
    found = []
    if playbook.again_days and case.candidate.step == 1:
        found.append(Limit("already_served", f"playbook:{name}", round(playbook.again_days * DAY), 1))
    if playbook.exclusive:
        window = round(playbook.exclusive_days * DAY)
        found.append(Limit("exclusive", f"group:{playbook.exclusive}", window, 1, _episode(case)))
    window = round(push.cap_days * DAY)
    found.append(Limit("capped", EVERY, window, push.cap_sends))
    found += [Limit("capped", EVERY, round(float(days) * DAY), most) for days, most in push.caps.items()]
    if push.min_gap_hours:
        found.append(Limit("min_gap", EVERY, round(push.min_gap_hours * HOUR), 1))
    if push.cap_per_visit:
        most = max(1, round(push.cap_per_visit * case.standing.active_days))
        found.append(Limit("usage_capped", EVERY, 28 * DAY, most))
    return tuple(found)


def tags(case: Case) -> tuple[str, ...]:
    """Return the tags under which a case counts when it goes out."""
    found = [EVERY, f"playbook:{case.candidate.playbook}", _episode(case)]
    if case.playbook.exclusive:
        found.append(f"group:{case.playbook.exclusive}")
    return tuple(found)


def ways(hearing: Hearing) -> tuple[Way, ...]:
    """Return the channels on which a case may go, the cheapest first, each with its own cap."""
    settings, along = hearing.case.settings, hearing.case.push.along
    names = sorted(hearing.reachable, key=lambda name: cost_of(settings, name))
    return tuple(_way(settings, name, along=name in along) for name in names)


def cost_of(settings: Settings, channel: str) -> float:  # noqa: ARG001
    """Return what a send on a channel costs, in units of the currency."""
    return 0.0


def _way(settings: Settings, channel: str, *, along: bool) -> Way:  # noqa: ARG001
    return Way(channel, along)


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
    case = hearing.case
    hearing.reachable = _asked(case.message, _allowed(case.profile, case.push))
    nothing = "no profile" if case.profile is None else "on no channel of ours"
    return bool(hearing.reachable), ", ".join(hearing.reachable) or nothing


def _contactable(hearing: Hearing) -> tuple[bool, str]:
    known = addresses(hearing.case.profile, hearing.case.push)
    nothing = f"no address on {', '.join(hearing.reachable)}"
    hearing.reachable = tuple(name for name in hearing.reachable if name in known)
    return bool(hearing.reachable), ", ".join(hearing.reachable) or nothing


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
    hearing.reachable = tuple(name for name in hearing.reachable if name in hearing.case.push.along)
    return bool(hearing.reachable), f"only {', '.join(hearing.reachable) or 'what would disturb him'}"


def _coupon_dependency(hearing: Hearing) -> tuple[bool, str]:
    """Refuse an offer to who buys with coupons only: it would teach him to wait for the next."""
    case = hearing.case
    return case.message.kind != "offer" or case.standing.coupon != "dependent", case.standing.coupon


def _restraint(hearing: Hearing) -> tuple[bool, str]:
    """Refuse an offer, in the product's stable phase, to who comes by himself."""
    case = hearing.case
    free = case.message.kind != "offer" or case.standing.phase != "stable" or case.standing.activity in GONE
    return free, f"{case.standing.phase} phase"


def _verdict(hearing: Hearing) -> str:
    return hearing.admission.verdict if hearing.admission else ""


def _already_sent(hearing: Hearing) -> tuple[bool, str]:
    return _verdict(hearing) != "already_sent", ""


def _already_served(hearing: Hearing) -> tuple[bool, str]:
    return _verdict(hearing) != "already_served", f"not again within {hearing.case.playbook.again_days:g} days"


def _exclusive(hearing: Hearing) -> tuple[bool, str]:
    return _verdict(hearing) != "exclusive", hearing.case.playbook.exclusive


def _capped(hearing: Hearing) -> tuple[bool, str]:
    push = hearing.case.push
    caps = [(push.cap_sends, f"{push.cap_days:g}"), *((most, days) for days, most in push.caps.items())]
    return _verdict(hearing) != "capped", "at most " + ", ".join(f"{most} in {days} days" for most, days in caps)


def _min_gap(hearing: Hearing) -> tuple[bool, str]:
    return _verdict(hearing) != "min_gap", f"{hearing.case.push.min_gap_hours:g} hours between two"


def _usage_capped(hearing: Hearing) -> tuple[bool, str]:
    return _verdict(hearing) != "usage_capped", f"{hearing.case.standing.active_days} active days of 28"


def _channel_capped(hearing: Hearing) -> tuple[bool, str]:
    channels = hearing.admission.channels if hearing.admission else ()
    return _verdict(hearing) != "channel_capped", ", ".join(channels) or f"no room on {', '.join(hearing.reachable)}"


def _budget(hearing: Hearing) -> tuple[bool, str]:
    return not hearing.refused, hearing.refused or (f"{hearing.cost:g}" if hearing.cost else "")


def _holdout(hearing: Hearing) -> tuple[bool, str]:
    """Withhold from the holdout group what everybody else would get: the comparison tells what pushes bring."""
    case = hearing.case
    share = max(case.push.holdout, case.playbook.holdout)
    return not withheld(case), f"{share:g} of all users"


def _breaker(hearing: Hearing) -> tuple[bool, str]:
    """Pass in any case: what the breaker stops is held, not refused."""
    return True, "" if hearing.allowed else "stopped: so many at once are not usual"


CHAIN = (
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
    Rule("already_sent", "already_sent", _already_sent, needs="gate"),
    Rule("again", "already_served", _already_served, needs="gate"),
    Rule("exclusivity", "exclusive", _exclusive, needs="gate"),
    Rule("frequency_cap", "capped", _capped, needs="gate"),
    Rule("minimum_gap", "min_gap", _min_gap, needs="gate"),
    Rule("usage_cap", "usage_capped", _usage_capped, needs="gate"),
    Rule("channel_cap", "channel_capped", _channel_capped, needs="gate"),
    Rule("budget", "budget", _budget, needs="purse"),
    Rule("holdout", "holdout", _holdout),
    Rule("breaker", "breaker", _breaker, needs="breaker"),
)


def _asked(message: Playbook | Step, names: Sequence[str]) -> tuple[str, ...]:
    """Return those of the channels on which a message may go."""
    return tuple(name for name in names if not message.channels or name in message.channels)


def _episode(case: Case) -> str:
    """Return the tag of all that one transition brings."""
    return "episode:" + blake2b((case.candidate.transition or case.candidate.id).encode(), digest_size=8).hexdigest()


def _allowed(profile: Profile | None, push: Push) -> tuple[str, ...]:
    consent = allowed(profile) if profile else {}
    return tuple(name for name in configured(push) if consent.get(name) is True)
