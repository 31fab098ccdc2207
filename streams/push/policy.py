"""The policy chain: every rule that may stop a push, in order. Pure: what it must know arrives in the case.

A rule is a function and the reason code that a decision carries when the rule refuses. The first refusal
decides; the trace holds what each rule said up to there. The rules that need the gate's answer stand last, so
that the gate is asked only about candidates that nothing else stops. What passes them all is sent, or held until the
quiet hours of its user are over; before it goes out, `stop` asks once more what may have changed.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Literal
from zoneinfo import ZoneInfo

from msgspec import Struct

from streams.wire.event import Profile, allowed
from streams.wire.message import Decision, Verdict, instant

from .quiet import clock_time, quiet_until, zone_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from streams.settings import Push, Settings

    from .gate import Admission
    from .trigger import Candidate

Reason = Literal[
    "sent", "historic", "new_rules", "no_longer", "no_consent", "not_contactable", "open_complaint", "exhausted",
    "already_sent", "capped", "holdout", "quiet_hours",
]  # fmt: skip
Action = Literal["send", "hold", "suppress"]
HOUR, MINUTE = 3_600_000, 60_000
NO_LONGER = "he is back, or was never away"


class Standing(Struct, frozen=True):
    """How a user stands with us as the chain asks. `there`: still where the transition brought him."""

    there: bool = True
    complaints: int = 0
    fatigue: str = "none"


class Case(Struct, frozen=True):
    """All that the chain may know about a candidate.

    `profile` is None where nothing is known of the user. `now` is the time at which he would be pushed, `oldest` the
    event time before which a candidate is too old for it (both int ms UTC). `admission` is the gate's answer, None
    until it was asked.
    """

    candidate: Candidate
    profile: Profile | None
    settings: Settings
    now: int
    oldest: int = 0
    standing: Standing = Standing()
    admission: Admission | None = None

    @property
    def push(self) -> Push:
        """What holds for every push."""
        return self.settings.push


class Rule(Struct, frozen=True):
    """One link of the chain. `test` answers whether the case may pass, and a detail for the trace."""

    name: str
    reason: Reason
    test: Callable[[Case], tuple[bool, str]]
    needs_gate: bool = False


def decide(case: Case) -> Decision | None:
    """Return the decision on a case, or None where the chain needs the gate's answer and has none yet."""
    trace: list[Verdict] = []
    for rule in CHAIN:
        if rule.needs_gate and case.admission is None:
            return None
        passed, detail = rule.test(case)
        trace.append(Verdict(rule.name, passed, detail))
        if not passed:
            return _decision(case, "suppress", rule.reason, trace)
    until = waits_until(case)
    if until is None:
        return _decision(case, "send", "sent", trace)
    trace.append(Verdict("quiet_hours", True, f"until {instant(until)}"))
    return _decision(case, "hold", "quiet_hours", trace, until)


def waits_until(case: Case) -> int | None:
    """Return when a push goes out that must wait (int ms UTC), None where it goes at once.

    Those that wait for the same end leave one after the other over `spread_minutes`, each at a time of its own.
    """
    push = case.push
    if not push.quiet_from:
        return None
    zone = zone_of(case.profile.time_zone if case.profile else None) or ZoneInfo(push.time_zone)
    end = quiet_until(case.now, zone, clock_time(push.quiet_from), clock_time(push.quiet_to))
    if end is None:
        return None
    return end + round(share_of(case.candidate.id) * push.spread_minutes * MINUTE)


def stop(decision: Decision, standing: Standing, push: Push, now: int) -> str:
    """Return why a push that was decided upon must not go out any more; empty where it may."""
    if not standing.there:
        return NO_LONGER
    if standing.complaints:
        return "he has complained, and nobody has answered yet"
    if now - decision.at > push.expires_hours * HOUR:
        return f"it could not go out within {push.expires_hours:g} hours"
    return ""


def share_of(text: str) -> float:
    """Return a number from 0 up to 1 that belongs to a text, the same always and everywhere."""
    return int.from_bytes(blake2b(text.encode(), digest_size=7).digest()) / (1 << 56)


def configured(settings: Settings) -> tuple[str, ...]:
    """Return the channels that may be used at all, in the order of the settings."""
    return tuple(name for name in dict.fromkeys(settings.push.channels) if getattr(settings.channels, name).ready)


def addresses(profile: Profile | None, settings: Settings) -> dict[str, str]:
    """Return the user's address on each channel that may be used: configured, allowed by him, and known."""
    if profile is None:
        return {}
    found = {name: profile.contacts.get(name, "").strip() for name in _allowed(profile, settings)}
    return {name: address for name, address in found.items() if address}


def _historic(case: Case) -> tuple[bool, str]:
    if case.candidate.historic:
        return False, "the transition is marked historic"
    if case.candidate.at < case.oldest:
        return False, f"before {instant(case.oldest)}, too old to be pushed now"
    return True, ""


def _own_change(case: Case) -> tuple[bool, str]:
    """Refuse who moved because the rules did: he himself has done nothing."""
    return case.candidate.cause != "threshold", ""


def _still_so(case: Case) -> tuple[bool, str]:
    """Refuse who has left since: he is back, or a correction says that he was never away."""
    return case.standing.there, ""


def _consent(case: Case) -> tuple[bool, str]:
    allowed = _allowed(case.profile, case.settings)
    nothing = "no profile" if case.profile is None else "on no channel of ours"
    return bool(allowed), ", ".join(allowed) or nothing


def _contactable(case: Case) -> tuple[bool, str]:
    reachable = addresses(case.profile, case.settings)
    nothing = f"no address on {', '.join(_allowed(case.profile, case.settings))}"
    return bool(reachable), ", ".join(reachable) or nothing


def _open_complaint(case: Case) -> tuple[bool, str]:
    """Refuse while he waits for an answer: whoever complains is not to be sold to."""
    return not case.standing.complaints, f"{case.standing.complaints} open"


def _fatigue(case: Case) -> tuple[bool, str]:
    return case.standing.fatigue != "exhausted", case.standing.fatigue


def _already_sent(case: Case) -> tuple[bool, str]:
    return case.admission != "already_sent", ""


def _capped(case: Case) -> tuple[bool, str]:
    return case.admission != "capped", f"at most {case.push.cap_sends} in {case.push.cap_days:g} days"


def _holdout(case: Case) -> tuple[bool, str]:
    """Withhold from the holdout group what everybody else would get: the comparison tells what pushes bring."""
    return share_of(f"holdout {case.candidate.user}") >= case.push.holdout, f"{case.push.holdout:g} of all users"


CHAIN = (
    Rule("historic", "historic", _historic),
    Rule("own_change", "new_rules", _own_change),
    Rule("still_so", "no_longer", _still_so),
    Rule("consent", "no_consent", _consent),
    Rule("contactable", "not_contactable", _contactable),
    Rule("open_complaint", "open_complaint", _open_complaint),
    Rule("fatigue", "exhausted", _fatigue),
    Rule("already_sent", "already_sent", _already_sent, needs_gate=True),
    Rule("frequency_cap", "capped", _capped, needs_gate=True),
    Rule("holdout", "holdout", _holdout, needs_gate=True),
)


def _allowed(profile: Profile | None, settings: Settings) -> tuple[str, ...]:
    consent = allowed(profile) if profile else {}
    return tuple(name for name in configured(settings) if consent.get(name) is True)


def _decision(case: Case, action: Action, reason: Reason, trace: list[Verdict], until: int | None = None) -> Decision:
    candidate = case.candidate
    would_go = action != "suppress" or reason == "holdout"
    return Decision(
        id=candidate.id,
        user=candidate.user,
        at=candidate.at,
        playbook=candidate.playbook,
        transition=candidate.transition,
        action=action,
        reason=reason,
        channels=tuple(addresses(case.profile, case.settings)) if would_go else (),
        trace=tuple(trace),
        until=until,
        title=candidate.title,
        body=candidate.body,
    )
