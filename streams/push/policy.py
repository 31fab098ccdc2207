"""The policy chain: every rule that may stop a push, in order. Pure: what it must know arrives in the case.

A rule is a function and the reason code that a decision carries when the rule refuses. The first refusal
decides; the trace holds what each rule said up to there. The rules that need the gate's answer stand last, so
that the gate is asked only about candidates that nothing else stops.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from streams.wire.event import Profile, allowed
from streams.wire.message import Decision, Verdict, instant

if TYPE_CHECKING:
    from collections.abc import Callable

    from streams.settings import Push

    from .gate import Admission
    from .playbook import Candidate

Reason = Literal[
    "sent", "historic", "new_rules", "no_longer", "no_consent", "not_contactable", "already_sent", "capped"
]  # fmt: skip


class Case(Struct, frozen=True):
    """All that the chain may know about a candidate.

    `profile` is None where nothing is known of the user. `oldest` is the event time (int ms UTC) before which
    a candidate is too old to be pushed. `stands` says whether the user still is where he came to. `admission`
    is the gate's answer, None until it was asked.
    """

    candidate: Candidate
    profile: Profile | None
    push: Push
    oldest: int = 0
    stands: bool = True
    admission: Admission | None = None


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
            return _decision(case, "suppress", rule.reason, (), trace)
    return _decision(case, "send", "sent", tuple(addresses(case.profile, case.push)), trace)


def configured(push: Push) -> tuple[str, ...]:
    """Return the channels that may be used at all, in the order of the settings."""
    return tuple(name for name in dict.fromkeys(push.channels) if name != "webhook" or push.webhook_url)


def addresses(profile: Profile | None, push: Push) -> dict[str, str]:
    """Return the user's address on each channel that may be used: configured, allowed by him, and known."""
    if profile is None:
        return {}
    found = {name: profile.contacts.get(name, "").strip() for name in _allowed(profile, push)}
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
    return case.stands, ""


def _consent(case: Case) -> tuple[bool, str]:
    allowed = _allowed(case.profile, case.push)
    nothing = "no profile" if case.profile is None else "on no channel of ours"
    return bool(allowed), ", ".join(allowed) or nothing


def _contactable(case: Case) -> tuple[bool, str]:
    reachable = addresses(case.profile, case.push)
    nothing = f"no address on {', '.join(_allowed(case.profile, case.push))}"
    return bool(reachable), ", ".join(reachable) or nothing


def _already_sent(case: Case) -> tuple[bool, str]:
    return case.admission != "already_sent", ""


def _capped(case: Case) -> tuple[bool, str]:
    return case.admission != "capped", f"at most {case.push.cap_sends} in {case.push.cap_days:g} days"


CHAIN = (
    Rule("historic", "historic", _historic),
    Rule("own_change", "new_rules", _own_change),
    Rule("still_so", "no_longer", _still_so),
    Rule("consent", "no_consent", _consent),
    Rule("contactable", "not_contactable", _contactable),
    Rule("already_sent", "already_sent", _already_sent, needs_gate=True),
    Rule("frequency_cap", "capped", _capped, needs_gate=True),
)


def _allowed(profile: Profile | None, push: Push) -> tuple[str, ...]:
    consent = allowed(profile) if profile else {}
    return tuple(name for name in configured(push) if consent.get(name) is True)


def _decision(
    case: Case,
    action: Literal["send", "suppress"],
    reason: Reason,
    channels: tuple[str, ...],
    trace: list[Verdict],
) -> Decision:
    candidate = case.candidate
    return Decision(
        id=candidate.id,
        user=candidate.user,
        at=candidate.at,
        playbook=candidate.playbook,
        transition=candidate.transition,
        action=action,
        reason=reason,
        channels=channels,
        trace=tuple(trace),
    )
