"""Attempts: what all channels share that lead out of our house. Pauses, chance and clock are handed in.

A send is tried until the other side takes the message, refuses it, or the attempts are used up. Between two there
is a pause: what the other side asks for, and a random share of a backoff that doubles on top, so that those who
failed together do not come back together. A message that may have arrived is only sent again where the other side
knows it by its key.

A breaker watches over it. When several sends in a row have failed because the channel is down, the next ones fail at
once for a while, so that they can go another way; then one goes through to see whether it is up again. What the
other side says about one address, good or bad, says that the channel is up: a bad address stops nobody else.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from . import Receipt

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from .terms import Line

log = logging.getLogger(__name__)

BASE_SECONDS = 0.5
MAX_BACKOFF_SECONDS = 30.0
MAX_RETRY_AFTER_SECONDS = 60.0
TRIPS_AFTER = 5
"""So many sends in a row that fail for the channel's sake open the breaker …"""
REST_SECONDS = 30.0
"""… for so long."""
TWICE = "; not repeated, it might arrive twice"
DOWN = "the channel is down, and was not asked"


class Answer(Struct, frozen=True):
    """What came of one attempt. `detail` never holds an address or a key; `retry_after` is in seconds.

    | said | the message | again? | the channel |
    |---|---|---|---|
    | taken | is theirs | no | is up |
    | later | is not | yes | is in trouble |
    | not_now | is not; too many to this address | yes | is up |
    | bad_address | cannot be delivered to this user | no | is up |
    | refused | is wrong, or our credentials are | no | is up |
    | unknown | may be theirs: the answer was lost, or they are broken | no | is in trouble |
    """

    said: Literal["taken", "later", "not_now", "bad_address", "refused", "unknown"]
    detail: str = ""
    retry_after: float = 0


class Attempts:
    """Tries what it is given, as patiently as the options say. One object serves one channel."""

    def __init__(
        self,
        name: str,
        options: Line,
        *,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
        draw: Callable[[], float] = random.random,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.options = options
        self._pause = pause
        self._draw = draw
        self._breaker = Breaker(name, clock)
        self._pace = Pace(options.per_second, pause, clock)

    async def __call__(self, once: Callable[[], Awaitable[Answer]]) -> Receipt:
        """Call `once` until it is settled, and return how it ended."""
        if not self._breaker.lets_through():
            return Receipt("failed", 0, DOWN)
        for attempt in range(1, self.options.attempts + 1):
            await self._pace.turn()
            answer = await once()
            if answer.said not in ("later", "not_now") or attempt == self.options.attempts:
                break
            await self._pause(self._delay(attempt, answer.retry_after))
        self._breaker.note(up=answer.said not in ("later", "unknown"))
        return _receipt(answer, attempt)

    def _delay(self, attempt: int, retry_after: float) -> float:
        """Return the seconds before the next attempt: what the other side asks for, and full jitter on top."""
        backoff = min(MAX_BACKOFF_SECONDS, BASE_SECONDS * 2.0 ** (attempt - 1))
        return min(retry_after, MAX_RETRY_AFTER_SECONDS) + self._draw() * backoff


class Breaker:
    """Keeps sends from a channel that is down. `clock` is in seconds, from whenever."""

    def __init__(self, name: str, clock: Callable[[], float]) -> None:
        self._name = name
        self._clock = clock
        self._failures = 0
        self._until = 0.0

    def lets_through(self) -> bool:
        """Say whether a send may try; while the breaker is open, one may each `REST_SECONDS`."""
        if self._failures < TRIPS_AFTER:
            return True
        if self._clock() < self._until:
            return False
        self._until = self._clock() + REST_SECONDS
        return True

    def note(self, *, up: bool) -> None:
        """Note how a send ended: whether the channel is up."""
        if up and self._failures >= TRIPS_AFTER:
            log.warning("channel %s is up again", self._name)
        self._failures = 0 if up else self._failures + 1
        if self._failures == TRIPS_AFTER:
            log.warning("channel %s is down: %d sends in a row have failed", self._name, TRIPS_AFTER)
        if self._failures >= TRIPS_AFTER:
            self._until = self._clock() + REST_SECONDS


class Pace:
    """Gives each attempt its turn, evenly spread; 0 a second for no limit."""

    def __init__(
        self, per_second: float, pause: Callable[[float], Awaitable[None]], clock: Callable[[], float]
    ) -> None:
        self._gap = 1 / per_second if per_second else 0.0
        self._pause = pause
        self._clock = clock
        self._free = 0.0

    async def turn(self) -> None:
        """Wait for one's turn."""
        if not self._gap:
            return
        now = self._clock()
        mine = max(now, self._free)
        self._free = mine + self._gap
        if mine > now:
            await self._pause(mine - now)


def _receipt(answer: Answer, attempts: int) -> Receipt:
    if answer.said == "taken":
        return Receipt("delivered", attempts, answer.detail)
    if answer.said == "unknown":
        return Receipt("failed", attempts, answer.detail + TWICE, uncertain=True)
    return Receipt("failed", attempts, answer.detail, permanent=answer.said == "bad_address")
