"""The purse's twin in memory, for replay and tests. A law holds the two together: tests/laws/test_purse.py."""

from __future__ import annotations

import heapq
from collections import defaultdict
from typing import TYPE_CHECKING, Literal

from .gate import KEPT_MS
from .purse import GRANTED, SPENT, SWEPT, Balance, Step, digest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .account import Account

State = Literal["held", "spent", "refused", "released"]
Record = tuple[State, dict[str, int]]
"""How a decision stands, and its amounts by account; of a refused one the account that had no room."""
RELEASED = -1


class _Book:
    """One purse in one period."""

    def __init__(self, swept: int) -> None:
        self.swept = swept
        self.sums: defaultdict[tuple[str, str], int] = defaultdict(int)
        self.ids: dict[str, Record] = {}
        self.times: dict[str, int] = {}
        self._order: list[tuple[int, bytes, str]] = []

    def take_step(self, step: Step) -> int:
        self._sweep(step.now)
        state, charges = self.ids.get(step.id, ("", {}))
        if step.verb == "release":
            self._release(step, state, charges)
        elif step.verb == "settle":
            if state == "spent":
                self._spend(step, state, charges)
        elif state == "refused":
            return _place(step, next(iter(charges)))
        elif state == "released":
            return RELEASED
        elif not state:
            return self._take(step)
        elif state == "spent":
            return SPENT
        elif step.verb == "commit":
            self._spend(step, state, charges)
        return GRANTED

    def forget(self, account: str) -> None:
        for kind in ("held", "spent"):
            self.sums.pop((kind, account), None)

    def _sweep(self, now: int) -> int:
        count = 0
        while self._order and self._order[0][0] <= now and count < self.swept:
            at, _, ident = heapq.heappop(self._order)
            if self.times.get(ident) == at:
                del self.times[ident]
                state, charges = self.ids.pop(ident)
                self._add("held", charges if state == "held" else {}, -1)
                count += 1
        return count

    def _take(self, step: Step) -> int:
        short = self._lacking(step)
        while short is not None and self._sweep(step.now):
            short = self._lacking(step)
        if short is not None:
            self._keep(step.id, "refused", {short: 0}, step.now + KEPT_MS)
            return _place(step, short)
        charges = {account.of: amount for account, amount in step.charges}
        if step.verb == "reserve":
            self._charge(step.id, "held", charges, step.expires_at)
        else:
            self._charge(step.id, "spent", charges, step.now + KEPT_MS)
        return GRANTED

    def _spend(self, step: Step, state: str, charges: Mapping[str, int]) -> None:
        asked = {account.of: amount for account, amount in step.charges}
        self._add(state, charges, -1)
        spent = {account: min(asked.get(account, 0), amount) for account, amount in charges.items()}
        self._charge(step.id, "spent", spent, step.now + KEPT_MS)

    def _release(self, step: Step, state: str, charges: Mapping[str, int]) -> None:
        if state in ("held", "spent"):
            self._add(state, charges, -1)
            self._keep(step.id, "released", {}, step.now + KEPT_MS)

    def _lacking(self, step: Step) -> str | None:
        for account, amount in step.charges:
            if self.sums["held", account.of] + self.sums["spent", account.of] + amount > account.limit:
                return account.of
        return None

    def _charge(self, ident: str, state: Literal["held", "spent"], charges: dict[str, int], over: int) -> None:
        self._add(state, charges, 1)
        self._keep(ident, state, charges, over)

    def _add(self, kind: str, charges: Mapping[str, int], sign: int) -> None:
        for account, amount in charges.items():
            self.sums[kind, account] = max(0, self.sums[kind, account] + sign * amount)

    def _keep(self, ident: str, state: State, charges: dict[str, int], over: int) -> None:
        self.ids[ident] = state, charges
        self.times[ident] = over
        heapq.heappush(self._order, (over, digest(ident), ident))


class MemoryStore:
    """Purses in one process."""

    def __init__(self, swept: int = SWEPT) -> None:
        self._books: defaultdict[tuple[str, str], _Book] = defaultdict(lambda: _Book(swept))

    async def run(self, steps: Sequence[Step]) -> list[int]:
        """Take the steps in order."""
        return [self._books[step.place].take_step(step) for step in steps]

    async def balances(self, accounts: Sequence[Account]) -> list[Balance]:
        """Return how accounts stand."""
        found = [(self._books[account.purse, account.period].sums, account.of) for account in accounts]
        return [Balance(sums["spent", of], sums["held", of]) for sums, of in found]

    async def forget(self, accounts: Sequence[Account]) -> None:
        """Remove the sums of accounts."""
        for account in accounts:
            self._books[account.purse, account.period].forget(account.of)


def _place(step: Step, of: str) -> int:
    """Return the place, from 1, of an account among those of a step; RELEASED where it is not among them."""
    return next((n for n, (account, _) in enumerate(step.charges, 1) if account.of == of), RELEASED)
