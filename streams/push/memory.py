"""The gate's twin in memory, for replay and tests. A law holds the two together: tests/laws/test_gate.py."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from .gate import KEPT_MS, MAX_DECISIONS, Admission, Ask, Claim

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streams.wire.message import Outcome


class _Book:
    """What is kept of one user: decisions by event time, and deliveries (None = under way) by channel."""

    __slots__ = ("capped", "deliveries", "finished", "forgotten", "max_decisions", "sends")

    def __init__(self, max_decisions: int) -> None:
        self.max_decisions = max_decisions
        self.sends: dict[str, int] = {}
        self.capped: dict[str, int] = {}
        self.deliveries: dict[tuple[str, str], Outcome | None] = {}
        self.finished: set[str] = set()
        self.forgotten: int | None = None

    def admit(self, ask: Ask) -> Admission:
        known = self._known(ask.decision)
        if known is not None:
            return known
        if self.forgotten is not None and ask.at - self.forgotten < ask.window_ms:
            return "already_sent"
        counted = sum(at > ask.at - ask.window_ms for at in self.sends.values())
        verdict: Admission = "admitted" if counted < ask.cap_sends else "capped"
        (self.sends if verdict == "admitted" else self.capped)[ask.decision] = ask.at
        newest = max([*self.sends.values(), *self.capped.values()])
        for decisions in (self.sends, self.capped):
            self._drop_old(decisions, newest - KEPT_MS - ask.window_ms)
        return verdict

    def _known(self, decision: str) -> Admission | None:
        if decision in self.finished:
            return "already_sent"
        if decision in self.sends:
            return "admitted"
        return "capped" if decision in self.capped else None

    def _drop_old(self, decisions: dict[str, int], before: int) -> None:
        beyond = sorted(decisions.values(), reverse=True)[self.max_decisions :]
        if not beyond:
            return
        before = min(before, beyond[0])
        gone = {decision for decision, at in decisions.items() if at <= before}
        if gone:
            for decision in gone:
                del decisions[decision]
            self.deliveries = {pair: end for pair, end in self.deliveries.items() if pair[0] not in gone}
            self.finished -= gone
            self.forgotten = before if self.forgotten is None else max(before, self.forgotten)


class MemoryGate:
    """The gate in one process. It forgets by event time alone, since it has no clock."""

    def __init__(self, max_decisions: int = MAX_DECISIONS) -> None:
        self._books: defaultdict[str, _Book] = defaultdict(lambda: _Book(max_decisions))

    async def admit(self, asks: Sequence[Ask]) -> list[Admission]:
        """Return the verdict on each ask, in order; the admitted ones are counted."""
        return [self._books[ask.user].admit(ask) for ask in asks]

    async def claim(self, decision: str, user: str, channel: str) -> Claim:
        """Take a delivery in hand and return how it stood before."""
        before = await self.look(decision, user, channel)
        if before.state == "fresh":
            self._books[user].deliveries[decision, channel] = None
        return before

    async def look(self, decision: str, user: str, channel: str) -> Claim:
        """Return how a delivery stands, and leave it so."""
        deliveries = self._books[user].deliveries
        if (decision, channel) not in deliveries:
            return Claim("fresh")
        outcome = deliveries[decision, channel]
        return Claim("interrupted") if outcome is None else Claim("done", outcome)

    async def complete(self, outcome: Outcome) -> Outcome:
        """End a claimed delivery and return the outcome that stands: the first that anybody brought."""
        deliveries = self._books[outcome.user].deliveries
        pair = outcome.decision, outcome.channel
        if pair not in deliveries:
            return outcome
        stands = deliveries[pair] or outcome
        deliveries[pair] = stands
        return stands

    async def finish(self, decision: str, user: str) -> None:
        """Mark a decision as delivered on all its channels."""
        book = self._books[user]
        if book.deliveries or book.finished or book.forgotten is not None:
            book.finished.add(decision)

    async def release(self, decision: str, user: str) -> None:
        """Count an admitted decision no more: it was cancelled."""
        book = self._books[user]
        if decision in book.sends:
            book.capped[decision] = book.sends.pop(decision)

    async def forget(self, user: str) -> None:
        """Remove all that is kept of a user."""
        self._books.pop(user, None)
