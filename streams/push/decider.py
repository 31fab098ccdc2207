"""The decider: candidates in, decisions out; whoever must be asked is asked once for the whole batch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from streams.hold import NextStep
from streams.settings import DAY

from .charter import Charter
from .policy import Case, Hearing, Standing
from .trigger import Origin, Triggers

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from streams.settings import Settings
    from streams.wire.event import Profile
    from streams.wire.message import Decision, Envelope, Transition

    from .gate import Gate
    from .policy import Needs
    from .trigger import Candidate, Known

HOUR = DAY // 24


class Users(Protocol):
    """What must be known of users."""

    def profile(self, user: str) -> Profile | None:
        """Return his profile."""

    def standing(self, candidate: Candidate) -> Standing:
        """Return how a candidate's user stands with us."""

    def words(self, user: str) -> Known:
        """Return what is known of a user by name."""


class Decider:
    """Runs the policy chain over the candidates that transitions and the calendar bring, and playbooks' later steps.

    The same may be handed in again, after a crash before the commit: the decisions are the same, and the gate counts
    none twice.

    Raises, from every method that awaits:
        RedisError: gate, purse or breaker are out of reach; hold the batch and ask again.
    """

    def __init__(self, settings: Settings, gate: Gate) -> None:
        self.gate = gate
        self.charter = Charter(settings)
        self.triggers = Triggers(settings)
        self._historic_ms = round(settings.historic_hours * HOUR)

    async def decide(
        self, transitions: Iterable[Envelope[Transition]], users: Users, now: int | None = None
    ) -> list[Decision]:
        """Return one decision for each candidate that transitions bring, in their order; `now` as `judge` takes it."""
        found = [c for envelope in transitions for c in self.triggers.candidates(envelope, users.words)]
        return await self.judge(found, users, now)

    async def decide_steps(self, steps: Iterable[NextStep], users: Users, now: int | None = None) -> list[Decision]:
        """Return one decision for each later step whose time has come, if its playbook still has it."""
        found = [
            self.triggers.candidate(
                s.playbook, s.step, Origin(s.key, s.user, s.until, s.since, s.transition),
                users.words(s.user),
            )
            for s in steps
            if s.playbook in self.triggers.by_name and s.step <= 1 + len(self.triggers.by_name[s.playbook].steps)
        ]  # fmt: skip
        return await self.judge(found, users, now)

    async def judge(self, candidates: Iterable[Candidate], users: Users, now: int | None = None) -> list[Decision]:
        """Return one decision for each candidate, in their order.

        A decision's `at`, and with it the clock of the caps, is the candidate's. With `now` (int ms UTC), a candidate
        older than `historic_hours` is historic even if it is not marked so: the topic's offsets were reset, or we were
        away. Without it (clock = "event") only the mark counts, and a candidate's time is the present.
        """
        oldest = 0 if now is None else now - self._historic_ms
        hearings = [
            Hearing(Case(c, users.profile(c.user), self.charter, now or c.at, oldest, users.standing(c)))
            for c in {c.id: c for c in candidates}.values()
        ]
        waiting = _heard(hearings)
        while waiting:
            for needs, some in waiting.items():
                await self._ask(needs, some)
            waiting = _heard(hearing for some in waiting.values() for hearing in some)
        return [hearing.decision for hearing in hearings if hearing.decision is not None]

    async def _ask(self, needs: Needs, hearings: Sequence[Hearing]) -> None:
        match needs:
            case "gate":
                # Of two at the same time the more important one is asked first, and has the place under a cap.
                ordered = sorted(hearings, key=lambda h: (h.case.candidate.at, -h.playbook.priority))
                answers = await self.gate.admit([hearing.ask() for hearing in ordered])
                for hearing, answer in zip(ordered, answers, strict=True):
                    hearing.gate = answer
            case "purse":
                for hearing in hearings:
                    hearing.purse = ""
            case "breaker":
                for hearing in hearings:
                    hearing.breaker = True


def following(decision: Decision, settings: Settings) -> NextStep | None:
    """Return a playbook's next step for who got this one, or would have got it but for the holdout; None for none."""
    playbook = settings.playbooks.get(decision.playbook)
    if playbook is None or decision.step > len(playbook.steps):
        return None
    if decision.action == "suppress" and decision.reason != "holdout":
        return None
    return NextStep(
        key=decision.id.partition(":")[2],
        user=decision.user,
        playbook=decision.playbook,
        step=decision.step + 1,
        transition=decision.transition,
        since=decision.since,
        until=decision.since + round(playbook.steps[decision.step - 1].after_days * DAY),
    )


def _heard(hearings: Iterable[Hearing]) -> dict[Needs, list[Hearing]]:
    """Let each hearing go on; return those that wait for an answer, by whose."""
    waiting: dict[Needs, list[Hearing]] = {}
    for hearing in hearings:
        needs = hearing.go()
        if needs is not None:
            waiting.setdefault(needs, []).append(hearing)
    return waiting
