"""The webhook: each push is POSTed as JSON to a receiver of yours, who passes it on.

    POST <push.webhook_url>
    Idempotency-Key: <decision id, percent-encoded where it is not plain ASCII>
    {"decision": …, "user": …, "playbook": …, "at": …, "title": …, "body": …, "address": …}

`at` is int ms UTC, `address` the user's `contacts.webhook`. Any 2xx means that the receiver has taken it. It
may come again, after a lost answer or a crash of ours, with the same key and the same body: the receiver is
asked to act on the first and to answer 2xx to the others.
"""

from __future__ import annotations

import asyncio
import random
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

import aiohttp
import msgspec
import orjson
from msgspec import Struct

from streams.settings import SettingsError

from . import Message, Receipt

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from redis.asyncio import Redis

    from streams.settings import Settings

BASE_SECONDS = 0.5
MAX_BACKOFF_SECONDS = 30.0
MAX_RETRY_AFTER_SECONDS = 60.0
# 409: an idempotent receiver is still at work on our earlier attempt, whose answer we did not wait for.
TRANSIENT = frozenset({408, 409, 425, 429})
PLAIN = "!\"#$&'()*+,/:;<=>?@[\\]^`{|}~"


class _Answer(Struct, frozen=True):
    taken: bool
    transient: bool
    detail: str
    retry_after: float = 0


class Webhook:
    """The webhook channel. Idempotent, because receivers are asked to honour the key."""

    name = "webhook"
    idempotent = True

    def __init__(
        self,
        url: str,
        *,
        timeout_seconds: float = 5,
        attempts: int = 4,
        connections: int = 32,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self.url = _checked(url)
        self.timeout_seconds = timeout_seconds
        self.attempts = attempts
        self.connections = connections
        self._pause = pause
        self._draw = draw
        self._session: aiohttp.ClientSession | None = None

    @classmethod
    def open(cls, settings: Settings, redis: Redis) -> Webhook:  # noqa: ARG003  every channel opens alike
        """Return the webhook of the settings.

        Raises:
            SettingsError: push.webhook_url names no host.
        """
        push = settings.push
        return cls(
            push.webhook_url,
            timeout_seconds=push.webhook_timeout_seconds,
            attempts=push.webhook_attempts,
            connections=push.deliveries_at_once,
        )

    async def send(self, message: Message, address: str) -> Receipt:
        """POST the message until it is taken, refused for good, or the attempts are used up."""
        body = orjson.dumps(msgspec.to_builtins(message) | {"address": address})
        headers = {
            "Content-Type": "application/json",
            "Idempotency-Key": quote(message.decision, safe=PLAIN),
        }
        for attempt in range(1, self.attempts + 1):
            answer = await self._post(body, headers)
            if answer.taken:
                return Receipt("delivered", attempt, answer.detail)
            if not answer.transient or attempt == self.attempts:
                break
            await self._pause(self._delay(attempt, answer.retry_after))
        return Receipt("failed", attempt, answer.detail)

    async def close(self) -> None:
        """Close the connections; the next send opens them again."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _post(self, body: bytes, headers: Mapping[str, str]) -> _Answer:
        try:
            async with self._opened().post(self.url, data=body, headers=headers, allow_redirects=False) as response:
                return _judge(response)
        except TimeoutError:
            return _Answer(taken=False, transient=True, detail=f"no answer within {self.timeout_seconds:g} s")
        except (aiohttp.ClientError, OSError) as error:
            return _Answer(taken=False, transient=True, detail=f"{type(error).__name__}: {error}"[:200])

    def _opened(self) -> aiohttp.ClientSession:
        # Opened at the first send: a session belongs to the running loop.
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=self.timeout_seconds),
                connector=aiohttp.TCPConnector(limit=self.connections),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"User-Agent": "awaken"},
            )
        return self._session

    def _delay(self, attempt: int, retry_after: float) -> float:
        """Return the seconds before the next attempt: what the receiver asks for, and full jitter on top."""
        backoff = min(MAX_BACKOFF_SECONDS, BASE_SECONDS * 2.0 ** (attempt - 1))
        return min(retry_after, MAX_RETRY_AFTER_SECONDS) + self._draw() * backoff


def _judge(response: aiohttp.ClientResponse) -> _Answer:
    status = response.status
    detail = f"{status} {response.reason or ''}".strip()[:200]
    if 200 <= status < 300:  # noqa: PLR2004
        return _Answer(taken=True, transient=False, detail=detail)
    if 300 <= status < 400:  # noqa: PLR2004
        detail += "; redirects are not followed, set push.webhook_url to the final address"
    transient = status in TRANSIENT or status >= 500  # noqa: PLR2004
    return _Answer(taken=False, transient=transient, detail=detail, retry_after=_retry_after(response.headers))


def _retry_after(headers: Mapping[str, str]) -> float:
    """Return the seconds of a Retry-After: a number, or a date counted from the answer's own Date; else 0."""
    value = headers.get("Retry-After", "").strip()
    if value.isdecimal():
        return float(value)
    try:
        wait = parsedate_to_datetime(value) - parsedate_to_datetime(headers.get("Date", ""))
    except (ValueError, TypeError):
        return 0
    return max(0.0, wait.total_seconds())


def _checked(url: str) -> str:
    try:
        parts = urlsplit(url)
        if parts.scheme in ("http", "https") and parts.hostname and not any(map(str.isspace, url)):
            return url
    except ValueError:
        pass
    raise SettingsError(f"push.webhook_url = {url!r}: names no host to post to; write http://host:port/path")
