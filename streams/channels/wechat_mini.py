"""WeChat, by the subscription messages of a mini-program: `cgi-bin/message/subscribe/send`.

    {"touser": <openid>, "template_id": …, "page": …, "miniprogram_state": "formal", "lang": "zh_CN",
     "data": {"thing1": {"value": …}, …}}

A user takes one message each time he has subscribed (43101 where he has not). They know no key of ours: a message whose
answer was lost is not sent again.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any, Literal

from msgspec import Meta, field

from . import Message, Receipt
from .attempt import Answer, Attempts
from .http import Http, Posting
from .terms import URL, Line, Secret
from .weixin import Weixin
from .wording import Pattern, address_of, fields

if TYPE_CHECKING:
    from collections.abc import Callable


class Options(Line, frozen=True):
    """WeChat, by the subscription messages of a mini-program."""

    NEEDS = ("url", "appid", "secret", "template_id")

    url: Annotated[
        str, Meta(pattern=URL, examples=["https://api.weixin.qq.com"], description="the platform's endpoint")
    ] = "https://api.weixin.qq.com"
    appid: Annotated[str, Meta(max_length=100, description="the program's AppID; empty for no such messages")] = ""
    secret: Annotated[Secret, Meta(description="the program's AppSecret")] = ""
    template_id: Annotated[str, Meta(max_length=200, description="the template to which users subscribe")] = ""
    page: Annotated[
        Pattern,
        Meta(
            examples=["pages/index?to={link}"],
            description="where a tap leads, within the program; parts of the message are percent-encoded",
        ),
    ] = ""
    data: Annotated[
        dict[str, Pattern],
        Meta(
            examples=['{ thing1 = "{title}", thing2 = "{body}" }'],
            description="what fills the template: {title}, {body}, {link}, {decision}, {user}, or words",
        ),
    ] = field(default_factory=lambda: {"thing1": "{title}", "thing2": "{body}"})
    state: Annotated[Literal["formal", "trial", "developer"], Meta(description="which release a tap opens")] = "formal"
    lang: Annotated[
        Literal["zh_CN", "en_US", "zh_HK", "zh_TW"], Meta(description="the language of what WeChat adds to it")
    ] = "zh_CN"

    def shown(self, message: Message) -> dict[str, str]:
        """Return what fills the template, and the page to which a tap leads."""
        texts = {name: field["value"] for name, field in fields(self.data, message).items()}
        return texts | ({"page": address_of(self.page, message)} if self.page else {})


class WechatMini(Posting):
    """The channel of a mini-program. An address is the user's openid with this program."""

    name = "wechat_mini"
    idempotent = False

    def __init__(self, options: Options, *, clock: Callable[[], float] = time.monotonic, **patience: Any) -> None:
        self.options = options
        self._attempts = Attempts(self.name, options, clock=clock, **patience)
        self._http = Http(options.timeout_seconds, repeatable=False)
        self._weixin = Weixin(options.url, options.appid, options.secret, self._http, clock)

    async def send(self, message: Message, address: str) -> Receipt:
        """Send the message to an openid."""
        body = {
            "touser": address,
            "template_id": self.options.template_id,
            "miniprogram_state": self.options.state,
            "lang": self.options.lang,
            "data": fields(self.options.data, message),
        }
        if self.options.page:
            body["page"] = address_of(self.options.page, message)

        async def once() -> Answer:
            return await self._weixin.call("/cgi-bin/message/subscribe/send", body)

        return await self._attempts(once)
