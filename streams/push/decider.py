"""The decider: candidates in, decisions out; whoever must be asked is asked once for the whole batch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from streams.hold import NextStep
from streams.settings import DAY

from .breaker import Ask
from .charter import Charter
from .hearing import Hearing
from .policy import Case, Standing
from .trigger import Triggers

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from streams.settings import Settings
    from streams.wire.event import Profile
    from streams.wire.message import Decision, Envelope, Transition

    from .breaker import Breaker
    from .gate import Gate
    from .policy import Needs
    from .purse import Purse, Reservation
    from .trigger import Candidate, Known

HOUR = DAY // 24
GIVEN_BACK = "it was given back before"


class Users(Protocol):
    """What must be known of users."""

    def profile(self, user: str) -> Profile | None:
        """Return his profile."""

    def standing(self, candidate: Candidate) -> Standing:
        """Return how a candidate's user stands with us."""

    def words(self, user: str) -> Known:
        """Return what is known of a user by name."""

    def approved(self, playbook: str) -> bool:
        """Say whether somebody has approved what a playbook sends, however much it is."""


class Decider:
    """Runs the policy chain over the candidates that transitions and the calendar bring, and playbooks' later steps.

    The same may be handed in again, after a crash before the commit: the decisions are the same, and the gate counts
    none twice.

    Raises, from every method that awaits:
        RedisError: gate, purse or breaker are out of reach; hold the batch and ask again.
    """

    def __init__(self, settings: Settings, gate: Gate, purse: Purse, breaker: Breaker) -> None:
        self.gate, self.purse, self.breaker = gate, purse, breaker
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
        """Return one decision for each step whose time has come, if its playbook still has it."""
        found = [c for step in steps for c in self.triggers.candidates_of(step, users.words)]
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
                await self._ask(needs, some, users)
            waiting = _heard(hearing for some in waiting.values() for hearing in some)
        return [hearing.decision for hearing in hearings if hearing.decision is not None]

    async def _ask(self, needs: Needs, hearings: Sequence[Hearing], users: Users) -> None:
        match needs:
            case "gate":
                # Of two at the same time the more important one is asked first, and has the place under a cap.
                ordered = sorted(hearings, key=lambda h: (h.case.candidate.at, -h.playbook.priority))
                for hearing, answer in zip(ordered, await self.gate.admit([h.ask() for h in ordered]), strict=True):
                    hearing.admit(answer)
            case "purse":
                await self._ask_purse(hearings, users)
                # What there is no room for does not count against his cap.
                refused = [h.case.candidate for h in hearings if h.purse]
                await self.gate.release([(c.id, c.user) for c in refused], "budget")
            case "breaker":
                candidates = [h.case.candidate for h in hearings]
                approved = {playbook: users.approved(playbook) for playbook in {c.playbook for c in candidates}}
                asks = [Ask(c.playbook, c.id, c.at, approved[c.playbook]) for c in candidates]
                for hearing, lets in zip(hearings, await self.breaker.allow(asks), strict=True):
                    hearing.breaker = lets

    async def _ask_purse(self, hearings: Sequence[Hearing], users: Users) -> None:
        """Reserve what pushes cost. Where a prize is out of stock, it is drawn again among those that are left.

        For who is withheld from nothing is reserved, but without room he would not have got anything either.
        """
        now = hearings[0].case.now
        await self._look_into_purse([hearing for hearing in hearings if hearing.withheld])
        waiting = [hearing for hearing in hearings if hearing.purse is None]
        out: dict[str, set[str]] = {}
        while waiting:
            bills = _bills(waiting)
            waiting = []
            for (hearing, _), answer in zip(bills, await self.purse.reserve([b for _, b in bills], now), strict=True):
                candidate, short = hearing.case.candidate, answer.short
                hearing.purse = "" if answer.granted else short.purse if short else GIVEN_BACK
                if short is not None and candidate.offer is not None and short.of and short.of == candidate.offer.prize:
                    gone = out.setdefault(candidate.id, set())
                    gone.add(short.of)
                    again = self.triggers.again(candidate, users.words(candidate.user), gone)
                    if again.offer is not None:
                        hearing.draw_again(again)
                        waiting.append(hearing)

    async def _look_into_purse(self, hearings: Sequence[Hearing]) -> None:
        """Say of each whether there would be room for what it costs."""
        bills = _bills(hearings)
        charges = [charge for _, bill in bills for charge in bill.charges]
        balances = iter(await self.purse.balances([account for account, _ in charges]) if charges else ())
        for hearing, bill in bills:
            rooms = [(a, a.limit - b.spent - b.held >= amount) for (a, amount), b in zip(bill.charges, balances)]  # noqa: B905
            hearing.purse = next((account.purse for account, room in rooms if not room), "")


def _bills(hearings: Iterable[Hearing]) -> list[tuple[Hearing, Reservation]]:
    """Return what the purse is asked by each that costs something that is limited."""
    return [(hearing, bill) for hearing in hearings if (bill := hearing.bill()) is not None]


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
