"""The decider: transitions in, decisions out, the gate asked once for the whole batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from streams.settings import DAY

from . import policy
from .gate import Admission, Ask
from .policy import Case, Standing
from .trigger import Triggers

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from streams.settings import Settings
    from streams.wire.event import Profile
    from streams.wire.message import Decision, Envelope, Transition

    from .gate import Gate
    from .trigger import Candidate, Words

HOUR = DAY // 24


class Decider:
    """Runs the policy chain over the candidates that transitions bring.

    The same transitions may be handed in again, after a crash before the commit: the decisions are the same,
    and the gate counts none twice.
    """

    def __init__(self, settings: Settings, gate: Gate) -> None:
        self.settings = settings
        self.push = settings.push
        self.gate = gate
        self.triggers = Triggers(settings)
        self._window_ms = round(settings.push.cap_days * DAY)
        self._historic_ms = round(settings.historic_hours * HOUR)

    async def decide(
        self,
        transitions: Sequence[Envelope[Transition]],
        profile: Callable[[str], Profile | None],
        now: int | None = None,
        standing: Callable[[Candidate], Standing] = lambda _: Standing(),
        words: Words = lambda _: {},
    ) -> list[Decision]:
        """Return one decision for each candidate, in the order of the transitions.

        A decision's `at`, and with it the clock of the cap, is the transition's. With `now` (int ms UTC), a
        transition older than `historic_hours` is historic even if it is not marked so: the topic's offsets
        were reset, or we were away. Without it (clock = "event") only the mark counts, and a candidate's time is the
        present. `standing` says how a candidate's user stands with us, `words` what is known of a user by name.

        Raises:
            RedisError: the gate is out of reach; hold the batch and ask again.
        """
        oldest = 0 if now is None else now - self._historic_ms
        found = {c.id: c for envelope in transitions for c in self.triggers.candidates(envelope, words)}
        cases = [
            Case(c, profile(c.user), self.settings, c.at if now is None else now, oldest, standing(c))
            for c in found.values()
        ]
        admitted = await self._ask([case for case in cases if policy.decide(case) is None])
        decisions = [policy.decide(_with(case, admitted)) for case in cases]
        return [decision for decision in decisions if decision is not None]

    async def _ask(self, cases: Sequence[Case]) -> dict[str, Admission]:
        asks = [self._question(case.candidate) for case in cases]
        answers = await self.gate.admit(asks) if asks else []
        return {ask.decision: answer for ask, answer in zip(asks, answers, strict=True)}

    def _question(self, candidate: Candidate) -> Ask:
        return Ask(candidate.id, candidate.user, candidate.at, self.push.cap_sends, self._window_ms)


def _with(case: Case, admitted: dict[str, Admission]) -> Case:
    answer = admitted.get(case.candidate.id)
    return case if answer is None else msgspec.structs.replace(case, admission=answer)
