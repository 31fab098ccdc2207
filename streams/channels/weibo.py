"""Weibo, by the messages of a verified account to its fans: Open API 2, `2/messages/reply.json`.

    POST <channels.weibo.url>/2/messages/reply.json   (application/x-www-form-urlencoded)
    access_token=…&receiver_id=<uid>&save_sender_box=1&type=text&data={"text": …}
    type=articles&data={"articles": [{"display_name": …, "summary": …, "image": …, "url": …}]}   with link and picture
    → {"result": true, …}, or {"error_code": 21327, "error": "expired_token", …}

An account may write to a fan within 48 hours of a message or another act of his towards it. They know no key of ours: a
message whose answer was lost is not sent again.
"""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import urlencode

import orjson
from msgspec import Meta

from . import Message, Receipt, http
from .attempt import Answer, Attempts
from .http import Http, Posting, Reply
from .terms import URL, Line, Secret
from .wording import cut

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
TEMPORARY = frozenset({10001, 10002, 10003, 10009, 10010, 10011, 10022, 10023, 10024})
"""Their system is in trouble or busy, or we ask too often."""
NO_USER = frozenset({10013, 20003})
MAX_TEXT = 300
"""Characters of a message's text."""


class Options(Line, frozen=True):
    """Weibo, by the messages of a verified account to its fans."""

    NEEDS = ("url", "access_token")

    url: Annotated[
        str, Meta(pattern=URL, examples=["https://m.api.weibo.com"], description="the platform's endpoint")
    ] = "https://m.api.weibo.com"
    access_token: Annotated[Secret, Meta(description="the account's token; empty for no such messages")] = ""

    def shown(self, message: Message) -> dict[str, str]:
        """Return the article where there are a link and a picture, else the text."""
        return _article(message) if message.link and message.picture else _text(message)


class Weibo(Posting):
    """The channel of a Weibo account. An address is the fan's uid, a number."""

    name = "weibo"
    idempotent = False

    def __init__(self, options: Options, **patience: Any) -> None:
        self.options = options
        self._url = f"{options.url.rstrip('/')}/2/messages/reply.json"
        self._attempts = Attempts(self.name, options, **patience)
        self._http = Http(options.timeout_seconds, repeatable=False)

    async def send(self, message: Message, address: str) -> Receipt:
        """Send the message to a fan."""
        if not (address.isascii() and address.isdecimal()):
            return Receipt("failed", 0, "no uid", permanent=True)
        form = {"access_token": self.options.access_token, "receiver_id": address, "save_sender_box": "1"}
        said = self.options.shown(message)
        kind, content = ("text", said) if "text" in said else ("articles", {"articles": [said]})
        form |= {"type": kind, "data": orjson.dumps(content).decode()}
        body = urlencode(form).encode()

        async def once() -> Answer:
            return await self._http.post(self._url, body, FORM, _judge)

        return await self._attempts(once)


def _article(message: Message) -> dict[str, str]:
    return {
        "display_name": message.title,
        "summary": message.body,
        "image": message.picture,
        "url": message.link,
    }


def _text(message: Message) -> dict[str, str]:
    room = MAX_TEXT - len(message.link) - 1
    text = cut(f"{message.title}\n{message.body}", max(room, 1))
    return {"text": f"{text}\n{message.link}".strip()}


def _judge(reply: Reply) -> Answer:
    if reply.said.get("result") is True:
        return Answer("taken", http.told(reply.status))
    try:
        code = int(reply.said["error_code"])  # a number in one place of theirs, text in another
    except (KeyError, TypeError, ValueError):
        return http.trouble(reply) or Answer("refused", f"{http.told(reply.status)}, without an error_code")
    if code in TEMPORARY:
        return Answer("later", f"error_code {code}", http.retry_after(reply.headers))
    return Answer("bad_address" if code in NO_USER else "refused", f"error_code {code}")
