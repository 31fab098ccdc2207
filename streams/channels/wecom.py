"""WeCom, by the robot of a group: `cgi-bin/webhook/send`, as "群机器人配置说明" describes it.

    POST <channels.wecom.url>/cgi-bin/webhook/send?key=<the robot's key>
    {"msgtype": "news", "news": {"articles": [{"title": …, "description": …, "url": <link>, "picurl": <picture>}]}}
    {"msgtype": "text", "text": {"content": …}}                      where there is no link
    → {"errcode": 0, "errmsg": "ok"}

Everybody in the group reads it, so this is for a customer's own service group. A robot may speak 20 times a minute.
"""

from __future__ import annotations

from typing import Annotated, Any

import orjson
from msgspec import Meta

from . import Message, Receipt, http
from .attempt import Answer, Attempts
from .http import Http, Posting, Reply
from .terms import URL, Line
from .wording import cut_bytes

BUSY, TOO_OFTEN, NO_ROBOT = -1, 45009, 93000
MAX_TITLE, MAX_DESCRIPTION, MAX_TEXT = 128, 512, 2048
"""In bytes of UTF-8."""


class Options(Line, frozen=True):
    """WeCom, by the robot of a customer's group."""

    NEEDS = ("url",)

    url: Annotated[
        str,
        Meta(
            pattern=URL,
            examples=["https://qyapi.weixin.qq.com"],
            description="the platform's endpoint; empty for no such messages",
        ),
    ] = ""

    def shown(self, message: Message) -> dict[str, str]:
        """Return the article; without a link, the text."""
        return _article(message) if message.link else _text(message)


class Wecom(Posting):
    """The channel of group robots. An address is the key of the robot in the user's group."""

    name = "wecom"
    idempotent = False

    def __init__(self, options: Options, **patience: Any) -> None:
        self.options = options
        self._url = f"{options.url.rstrip('/')}/cgi-bin/webhook/send"
        self._attempts = Attempts(self.name, options, **patience)
        self._http = Http(options.timeout_seconds, repeatable=False)

    async def send(self, message: Message, address: str) -> Receipt:
        """Send the message to the group whose robot has this key."""
        said = self.options.shown(message)
        kind, content = ("news", {"articles": [said]}) if message.link else ("text", said)
        body = orjson.dumps({"msgtype": kind, kind: content})

        async def once() -> Answer:
            return await self._http.post(self._url, body, http.JSON, _judge, {"key": address})

        return await self._attempts(once)


def _article(message: Message) -> dict[str, str]:
    article = {
        "title": cut_bytes(message.title, MAX_TITLE),
        "description": cut_bytes(message.body, MAX_DESCRIPTION),
        "url": message.link,
    }
    return article | ({"picurl": message.picture} if message.picture else {})


def _text(message: Message) -> dict[str, str]:
    return {"content": cut_bytes(f"{message.title}\n{message.body}", MAX_TEXT)}


def _judge(reply: Reply) -> Answer:
    code = reply.said.get("errcode")
    match code:
        case 0:
            said = Answer("taken", "errcode 0")
        case _ if code == BUSY:
            said = Answer("later", f"errcode {code}")
        case _ if code == TOO_OFTEN:
            said = Answer("not_now", f"errcode {code}")
        case _ if code == NO_ROBOT:
            said = Answer("bad_address", f"errcode {code}")
        case int():
            said = Answer("refused", f"errcode {code}")
        case _:
            said = http.trouble(reply) or Answer("refused", f"{http.told(reply.status)}, without an errcode")
    return said
