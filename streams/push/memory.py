"""The gate's twin in memory, for replay and tests. A law holds the two together: tests/laws/test_gate.py."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from .gate import CHANNEL, EPISODE, KEPT_MS, MAX_DECISIONS, Admission, Ask, Claim, tag_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streams.wire.message import Outcome


class _Book:
    """What is kept of one user: decisions by event time, their records, deliveries (None = under way) by channel."""

    __slots__ = ("capped", "deliveries", "finished", "forgotten", "max_decisions", "records", "sends")

    def __init__(self, max_decisions: int) -> None:
        self.max_decisions = max_decisions
        self.sends: dict[str, int] = {}
        self.capped: dict[str, int] = {}
        self.records: dict[str, tuple[Admission, tuple[str, ...]]] = {}
        self.deliveries: dict[tuple[str, str], Outcome | None] = {}
        self.finished: set[str] = set()
        self.forgotten: int | None = None

    def admit(self, ask: Ask) -> Admission:
        if ask.decision in self.finished:
            return Admission("already_sent")
        if ask.decision in self.records:
            return self.records[ask.decision][0]
        if self.forgotten is not None and ask.at - self.forgotten < ask.longest_ms:
            return Admission("already_sent")
        answer = self._answer(ask)
        admitted = answer.verdict == "admitted"
        ways = [way.channel for way in ask.ways if way.channel in answer.channels + answer.fallbacks]
        own = (*ask.tags, ask.episode) if ask.episode else ask.tags
        self.records[ask.decision] = answer, own + tuple(map(tag_of, ways))
        (self.sends if admitted else self.capped)[ask.decision] = ask.at
        newest = max([*self.sends.values(), *self.capped.values()])
        for decisions in (self.sends, self.capped):
            self._drop_old(decisions, newest - KEPT_MS - ask.longest_ms)
        return answer

    def _answer(self, ask: Ask) -> Admission:
        for limit in ask.limits:
            but_not = ask.episode if limit.but_not == EPISODE else limit.but_not
            if self._reached(ask.at, limit.tag, limit.window_ms, limit.most, but_not):
                return Admission(limit.name)
        channels: list[str] = []
        fallbacks: list[str] = []
        disturbed = False
        for way in ask.ways:
            if way.window_ms and self._reached(ask.at, tag_of(way.channel), way.window_ms, way.most):
                continue
            (channels if way.along or not disturbed else fallbacks).append(way.channel)
            disturbed = disturbed or not way.along
        if ask.ways and not channels:
            return Admission("channel_capped")
        return Admission("admitted", tuple(channels), tuple(fallbacks))

    def _reached(self, at: int, tag: str, window_ms: int, most: int, but_not: str = "") -> bool:
        found = (self.records[ident][1] for ident, sent in self.sends.items() if sent > at - window_ms)
        return sum(tag in tags and but_not not in tags for tags in found) >= most

    def finish(self, decision: str, tried: Sequence[str]) -> None:
        if self.deliveries or self.finished or self.records or self.forgotten is not None:
            self.finished.add(decision)
        if decision in self.records:
            answer, tags = self.records[decision]
            rest = tuple(tag for tag in tags if not tag.startswith(CHANNEL))
            self.records[decision] = answer, rest + tuple(map(tag_of, tried))

    def release(self, decision: str, verdict: str) -> None:
        if decision in self.sends:
            self.capped[decision] = self.sends.pop(decision)
            self.records[decision] = Admission(verdict), ()

    def _drop_old(self, decisions: dict[str, int], before: int) -> None:
        beyond = sorted(decisions.values(), reverse=True)[self.max_decisions :]
        if not beyond:
            return
        before = min(before, beyond[0])
        gone = {decision for decision, at in decisions.items() if at <= before}
        if gone:
            for decision in gone:
                del decisions[decision]
                self.records.pop(decision, None)
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

    async def finish(self, decision: str, user: str, tried: Sequence[str]) -> None:
        """Mark a decision as delivered; from now on it counts for the channels that were tried."""
        self._books[user].finish(decision, tried)

    async def release(self, decisions: Sequence[tuple[str, str]], verdict: str = "capped") -> None:
        """Count admitted decisions no more."""
        for ident, user in decisions:
            self._books[user].release(ident, verdict)

    async def forget(self, user: str) -> None:
        """Remove all that is kept of a user."""
        self._books.pop(user, None)
