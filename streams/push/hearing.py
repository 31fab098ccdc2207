"""A hearing: one case on its way through the policy chain, from one answer that it needs to the next.

`Hearing.go` goes as far as it can, says whose answer it needs, and goes on from there once that is in. What passes all
is sent, or held: until quiet hours are over, until the user's best hour, or until somebody approves what the
breaker has stopped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from msgspec.structs import replace

from streams.wire.message import Decision, Verdict, instant

from .bill import bill
from .charter import USAGE_WINDOW_MS
from .gate import EVERY, Admission, Ask, Limit
from .policy import HOUR, LATER, WITHIN_LIMITS, episode_of, facts, opening, share_of, withheld, zone_for
from .quiet import quiet_until
from .rhythm import best_hour, next_window

if TYPE_CHECKING:
    from streams.settings import Playbook, Push

    from .charter import Message
    from .policy import Case, Needs, Reason
    from .purse import Reservation
    from .trigger import Candidate

Action = Literal["send", "hold", "suppress"]
MINUTE = 60_000


class Hearing:
    """A case on its way through the chain.

    Attributes:
        case: what is heard, of which `push`, `playbook` and `message` (the playbook's step) are shorthands.
        withheld: whether he belongs to those who get nothing.
        reachable: the channels on which he can be reached, in order of preference.
        gate: the gate's answer; None until it is asked.
        purse: which account of the purse has no room, empty where all have; None until it is asked.
        breaker: whether the breaker lets it go; None until it is asked.
        decision: what came of it; None until the end.
    """

    __slots__ = (
        "_place", "breaker", "case", "decision", "gate", "message", "playbook", "purse", "push", "reachable", "trace",
        "withheld",
    )  # fmt: skip

    def __init__(self, case: Case) -> None:
        self.case: Case = case
        self.push: Push = case.charter.push
        self.playbook: Playbook = case.charter.settings.playbooks[case.candidate.playbook]
        self.message: Message = case.charter.message(case.candidate.playbook, case.candidate.step)
        self.withheld = withheld(case.candidate, self.playbook, self.push)
        self.reachable: tuple[str, ...] = ()
        self.gate: Admission | None = None
        self.purse: str | None = None
        self.breaker: bool | None = None
        self.decision: Decision | None = None
        self.trace: list[Verdict] = []
        self._place = 0  # among the later rules

    def go(self) -> Needs | None:
        """Go on through the chain; return whose answer is needed next, None once there is a decision."""
        trace = self.trace
        if not trace:
            first = opening(facts(self.case))
            trace.extend(first.trace)
            self.reachable = first.reachable
            if first.refused is not None:
                self.decision = self._decided("suppress", first.refused)
                return None
        elif not self._place and self.gate is not None and self.gate.verdict == "admitted":
            trace.extend(WITHIN_LIMITS)
            self._place = len(WITHIN_LIMITS)
        for rule in LATER[self._place :]:
            if rule.needs is not None and getattr(self, rule.needs) is None:
                return rule.needs
            passed, detail = rule.test(self)
            trace.append(rule.verdict(passed, detail))
            self._place += 1
            if not passed:
                self.decision = self._decided("suppress", rule.reason)
                return None
        self._release()
        return None

    def ask(self) -> Ask:
        """Return what the gate is asked."""
        candidate, charter = self.case.candidate, self.case.charter
        limits, tags = charter.bounds(candidate.playbook, candidate.step)
        if self.push.cap_per_visit:
            most = max(1, round(self.push.cap_per_visit * self.case.standing.active_days))
            limits = (*limits, Limit("usage_capped", EVERY, USAGE_WINDOW_MS, most))
        ways = charter.ways(self.reachable)
        return Ask(candidate.id, candidate.user, candidate.at, limits, tags, ways, episode_of(candidate))

    def admit(self, answer: Admission) -> None:
        """Take the gate's answer; what costs nothing that is limited needs not ask the purse any more."""
        self.gate = answer
        self.purse = "" if self.bill() is None else None

    def draw_again(self, candidate: Candidate) -> None:
        """Take the candidate with another prize, which has its own bill."""
        self.case = replace(self.case, candidate=candidate)
        self.purse = "" if self.bill() is None else self.purse

    def bill(self) -> Reservation | None:
        """Return what the purse is asked; None where nothing that it costs is limited."""
        candidate = self.case.candidate
        if candidate.offer is None and not self.playbook.budget_of(candidate.step):
            return None
        return bill(self.case.charter, candidate, self.cost, self.case.now)

    @property
    def cost(self) -> float:
        """What sending costs at most, in units of the currency: all that is sent at once, and the dearest fallback."""
        return 0 if self.gate is None else self.case.charter.cost(self.gate.channels, self.gate.fallbacks)

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
            arm="holdout" if self.withheld else "treated",
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
