"""The API of WeChat's platform (api.weixin.qq.com), on which both its channels are sent.

    POST <url>/cgi-bin/stable_token  {"grant_type": "client_credential", "appid": …, "secret": …}
    → {"access_token": …, "expires_in": 7200}
    POST <url>/cgi-bin/…?access_token=…  {…}
    → {"errcode": 0, "errmsg": "ok"}

The token is kept until shortly before its end, and asked for anew where they say that it is no longer good. All workers
may share one account: the stable token is the same for all who ask.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import orjson

from . import http
from .attempt import Answer
from .http import Http, Reply

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

EARLY_SECONDS = 60
STALE = frozenset({"errcode 40001", "errcode 40014", "errcode 42001"})
"""The access token is wrong, or has ended."""
TEMPORARY = frozenset({-1, 43108, 45009, 45011})
"""Their system is busy, or we ask too often."""
BAD_OPENID = frozenset({40003, 43004, 43019, 43101})
"""No openid of this account; he does not follow it, is on its black list, or has refused such messages."""


class Weixin:
    """One account: its token, and calls with it. `clock` is in seconds, from whenever."""

    def __init__(
        self,
        url: str,
        appid: str,
        secret: str,
        connections: Http,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._url = url.rstrip("/")
        self._account = {"grant_type": "client_credential", "appid": appid, "secret": secret}
        self._http = connections
        self._clock = clock
        self._token = ""
        self._until = 0.0
        self._asking: asyncio.Task[Answer] | None = None

    async def call(self, path: str, body: Mapping[str, Any]) -> Answer:
        """POST `body` once; a second time where only the token was stale."""
        token = await self._current()
        if isinstance(token, Answer):
            return token
        answer = await self._post(path, body, token)
        if answer.detail not in STALE:
            return answer
        self._forget(token)
        token = await self._current()
        return token if isinstance(token, Answer) else await self._post(path, body, token)

    async def _post(self, path: str, body: Mapping[str, Any], token: str) -> Answer:
        return await self._http.post(
            f"{self._url}{path}", orjson.dumps(body), http.JSON, _judge, {"access_token": token}
        )

    async def _current(self) -> str | Answer:
        """Return the token, or why there is none."""
        if not self._token or self._clock() >= self._until:
            answer = await self._asked()
            if answer.said != "taken":
                # Without a token nothing has been sent, whatever became of the question.
                said = "later" if answer.said == "unknown" else answer.said
                return Answer(said, f"no access token: {answer.detail}", answer.retry_after)
        return self._token

    async def _asked(self) -> Answer:
        """Ask for a token; who comes meanwhile gets the same answer, good or bad."""
        if self._asking is None or self._asking.done():
            body, url = orjson.dumps(self._account), f"{self._url}/cgi-bin/stable_token"
            self._asking = asyncio.create_task(self._http.post(url, body, http.JSON, self._keep))
        return await asyncio.shield(self._asking)

    def _keep(self, reply: Reply) -> Answer:
        token = reply.said.get("access_token")
        if not isinstance(token, str) or not token:
            return _judge(reply)
        self._token = token
        self._until = self._clock() + float(reply.said.get("expires_in", 0)) - EARLY_SECONDS
        return Answer("taken")

    def _forget(self, token: str) -> None:
        """Forget a token that was stale, unless somebody has renewed it already."""
        if token == self._token:
            self._token = ""


def _judge(reply: Reply) -> Answer:
    code = reply.said.get("errcode")
    if not isinstance(code, int):
        return http.trouble(reply) or Answer("refused", f"{http.told(reply.status)}, without an errcode")
    if code == 0:
        return Answer("taken", _told(code))
    if code in TEMPORARY:
        return Answer("later", _told(code), http.retry_after(reply.headers))
    return Answer("bad_address" if code in BAD_OPENID else "refused", _told(code))


def _told(code: int) -> str:
    return f"errcode {code}"
