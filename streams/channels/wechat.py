"""WeChat, by the template messages of an official account: `cgi-bin/message/template/send`.

    {"touser": <openid>, "template_id": …, "url": <link>, "client_msg_id": …, "data": {"thing1": {"value": …}, …}}

What stands in the template, `channels.wechat.data` says. They take a `client_msg_id` only once within ten minutes, so
a message whose answer was lost may be sent again at once, though not after a crash of ours.
"""

from __future__ import annotations

import time
from hashlib import blake2b
from typing import TYPE_CHECKING, Annotated, Any

from msgspec import Meta, field

from . import Message, Receipt
from .attempt import Answer, Attempts
from .http import Http, Posting
from .terms import URL, Line, Secret
from .weixin import Weixin
from .wording import Pattern, fields

if TYPE_CHECKING:
    from collections.abc import Callable


class Options(Line, frozen=True):
    """WeChat, by the template messages of an official account."""

    NEEDS = ("url", "appid", "secret", "template_id")

    url: Annotated[
        str, Meta(pattern=URL, examples=["https://api.weixin.qq.com"], description="the platform's endpoint")
    ] = "https://api.weixin.qq.com"
    appid: Annotated[str, Meta(max_length=100, description="the account's AppID; empty for no such messages")] = ""
    secret: Annotated[Secret, Meta(description="the account's AppSecret")] = ""
    template_id: Annotated[str, Meta(max_length=200, description="the template that was chosen for it")] = ""
    data: Annotated[
        dict[str, Pattern],
        Meta(
            examples=['{ thing1 = "{title}", thing2 = "{body}" }'],
            description="what fills the template: {title}, {body}, {link}, {decision}, {user}, or words",
        ),
    ] = field(default_factory=lambda: {"thing1": "{title}", "thing2": "{body}"})

    def shown(self, message: Message) -> dict[str, str]:
        """Return what fills the template, and where a tap leads."""
        texts = {name: field["value"] for name, field in fields(self.data, message).items()}
        return texts | ({"link": message.link} if message.link else {})


class Wechat(Posting):
    """The channel of an official account. An address is the user's openid with this account."""

    name = "wechat"
    idempotent = False

    def __init__(self, options: Options, *, clock: Callable[[], float] = time.monotonic, **patience: Any) -> None:
        self.options = options
        self._attempts = Attempts(self.name, options, clock=clock, **patience)
        self._http = Http(options.timeout_seconds, repeatable=True)
        self._weixin = Weixin(options.url, options.appid, options.secret, self._http, clock)

    async def send(self, message: Message, address: str) -> Receipt:
        """Send the message to an openid."""
        body = {
            "touser": address,
            "template_id": self.options.template_id,
            "client_msg_id": blake2b(message.decision.encode(), digest_size=16).hexdigest(),
            "data": fields(self.options.data, message),
        }
        if message.link:
            body["url"] = message.link

        async def once() -> Answer:
            return await self._weixin.call("/cgi-bin/message/template/send", body)

        return await self._attempts(once)
