"""HTTP: one POST, and what its answer means wherever the vendor says no more. aiohttp is loaded at the first."""

from __future__ import annotations

import os
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Self

import msgspec
from msgspec import Struct

from .attempt import Answer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import aiohttp
    from redis.asyncio import Redis

JSON = {"Content-Type": "application/json"}
REDIRECT, WRONG, BROKEN, UNAVAILABLE = 300, 400, 500, 503
# 409: an idempotent receiver is still at work on our earlier attempt, whose answer we did not wait for.
TRANSIENT = frozenset({408, 409, 425, 429})


class Reply(Struct, frozen=True):
    """An HTTP response: its status and headers, and its body as JSON; {} where it is no JSON object."""

    status: int
    headers: Mapping[str, str]
    said: dict[str, Any]


class Http:
    """The connections of one channel; they open at the first POST, since they belong to the running loop.

    `repeatable`: the other side knows a message by its key, so that one whose answer was lost may be sent again.
    """

    def __init__(self, timeout_seconds: float, *, repeatable: bool) -> None:
        self.timeout_seconds = timeout_seconds
        self.repeatable = repeatable
        self._session: aiohttp.ClientSession | None = None

    async def post(
        self,
        url: str,
        body: bytes,
        headers: Mapping[str, str],
        judge: Callable[[Reply], Answer],
        params: Mapping[str, str] | None = None,
    ) -> Answer:
        """POST once, and return what `judge` says of the reply; without a reply, what can be said then."""
        import aiohttp

        session = self._opened()
        try:
            async with session.post(url, data=body, headers=headers, params=params, allow_redirects=False) as response:
                return self._repeated(judge(await _read(response)))
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            return Answer("later", f"not connected: {_named(error)}")
        except TimeoutError:
            return self._repeated(Answer("unknown", f"no answer within {self.timeout_seconds:g} s"))
        except (aiohttp.ClientError, OSError) as error:
            return self._repeated(Answer("unknown", _named(error)))

    async def close(self) -> None:
        """Close the connections; the next POST opens them again."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _repeated(self, answer: Answer) -> Answer:
        """Return the answer; where nobody knows what came of it, and it may come twice, it is to be tried again."""
        unknown = answer.said == "unknown" and self.repeatable
        return msgspec.structs.replace(answer, said="later") if unknown else answer

    def _opened(self) -> aiohttp.ClientSession:
        import aiohttp

        if self._session is None:
            # Connecting has less time, so that who was never reached is told from who has not answered.
            timeout = aiohttp.ClientTimeout(total=self.timeout_seconds, sock_connect=self.timeout_seconds * 0.9)
            self._session = aiohttp.ClientSession(
                timeout=timeout,
                connector=aiohttp.TCPConnector(limit=0),  # the deliverer has a limit for all channels together
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"User-Agent": "awaken"},
            )
        return self._session


class Posting:
    """What every channel over HTTP does alike."""

    _http: Http

    if TYPE_CHECKING:

        def __init__(self, options: Any) -> None: ...

    @classmethod
    def open(cls, options: Any, redis: Redis, prefix: str) -> Self:  # noqa: ARG003  every channel opens alike
        """Return the channel of these options."""
        return cls(options)

    async def close(self) -> None:
        """Close the connections; the next send opens them again."""
        await self._http.close()


def trouble(reply: Reply) -> Answer | None:
    """Return what a status says by itself, None where the body has to say more: 2xx and 4xx.

    Who is broken (500, 502, 504 …) may have taken the message before; who is unavailable (503) has not.
    """
    detail = told(reply.status)
    if reply.status in TRANSIENT or reply.status == UNAVAILABLE:
        return Answer("later", detail, retry_after(reply.headers))
    if reply.status >= BROKEN:
        return Answer("unknown", detail, retry_after(reply.headers))
    if REDIRECT <= reply.status < WRONG:
        return Answer("refused", f"{detail}; redirects are not followed, set the url to the final address")
    return None


def told(status: int) -> str:
    """Return a status with our own words for it: theirs may hold an address."""
    return f"{status} {HTTPStatus(status).phrase}" if status in set(HTTPStatus) else str(status)


def retry_after(headers: Mapping[str, str]) -> float:
    """Return the seconds of a Retry-After: a number, or a date counted from the answer's own Date; else 0."""
    value = headers.get("Retry-After", "").strip()
    if value.isdecimal():
        return float(value)
    try:
        wait = parsedate_to_datetime(value) - parsedate_to_datetime(headers.get("Date", ""))
    except (ValueError, TypeError):
        return 0
    return max(0.0, wait.total_seconds())


async def _read(response: aiohttp.ClientResponse) -> Reply:
    try:
        said = msgspec.json.decode(await response.read())
    except (ValueError, RecursionError):  # whatever bytes they send
        said = None
    return Reply(response.status, response.headers, said if isinstance(said, dict) else {})


def _named(error: Exception) -> str:
    """Return an error without its own text, which may hold an address or a key."""
    number = getattr(error, "errno", None) or 0
    return f"{type(error).__name__} {os.strerror(number) if number > 0 else ''}".strip()
