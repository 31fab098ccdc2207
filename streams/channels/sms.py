"""Text messages, by Alibaba Cloud's SMS: Dysms API 2017-05-25, `SendSms`, signed by its version 3.

    POST <channels.sms.url>/?PhoneNumbers=…&SignName=…&TemplateCode=…&TemplateParam={…}&OutId=<decision>
    x-acs-action: SendSms     x-acs-version: 2017-05-25
    Authorization: ACS3-HMAC-SHA256 Credential=<key_id>,SignedHeaders=…,Signature=…
    → {"Code": "OK", "BizId": …, "RequestId": …}

The text stands in a template that the vendor has approved; `channels.sms.variables` says what of the message fills its
variables. Their receipts carry the decision as OutId. They know no idempotency key: a message whose answer was lost is
not sent again.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import time
import uuid
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote, urlsplit

import orjson
from msgspec import Meta, field

from . import Message, Receipt, http
from .attempt import Answer, Attempts
from .http import Http, Posting, Reply
from .terms import URL, Line, Secret
from .wording import Pattern, cut, filled

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


NUMBER = re.compile(r"\+?\d{5,20}")
TEMPORARY = ("isp.SYSTEM_ERROR", "Throttling", "ServiceUnavailable", "InternalError")
"""The beginnings of codes that say that the vendor is in trouble, or asked too often by us."""
LIMITED = frozenset({"isv.BUSINESS_LIMIT_CONTROL"})
"""Too many to this number, by the vendor's own caps."""
BAD_NUMBER = frozenset({"isv.MOBILE_NUMBER_ILLEGAL", "isv.DOMESTIC_NUMBER_NOT_SUPPORTED"})
MAX_OUT_ID = 255


class Options(Line, frozen=True):
    """Text messages, by Alibaba Cloud's SMS."""

    NEEDS = ("url", "key_id", "key_secret", "sign_name", "template_code")

    cost: Annotated[float, Meta(ge=0, le=1000, description="of one send, in units of the currency")] = 0.05
    url: Annotated[
        str, Meta(pattern=URL, examples=["https://dysmsapi.aliyuncs.com"], description="the vendor's endpoint")
    ] = "https://dysmsapi.aliyuncs.com"
    key_id: Annotated[str, Meta(max_length=200, description="the AccessKey's id; empty for no text messages")] = ""
    key_secret: Annotated[Secret, Meta(description="the AccessKey's secret")] = ""
    sign_name: Annotated[str, Meta(max_length=100, examples=["MyShop"], description="the approved signature")] = ""
    template_code: Annotated[
        str, Meta(max_length=100, examples=["SMS_123456789"], description="the approved template")
    ] = ""
    variables: Annotated[
        dict[str, Pattern],
        Meta(
            examples=['{ text = "{body}" }'],
            description="what fills the template's variables: {title}, {body}, {link}, {decision}, {user}, or words",
        ),
    ] = field(default_factory=lambda: {"text": "{body}"})
    variable_length: Annotated[
        int, Meta(ge=1, le=1000, description="what is longer is cut; in mainland China the vendor refuses it")
    ] = 35

    def shown(self, message: Message) -> dict[str, str]:
        """Return what fills the template's variables."""
        texts = filled(self.variables, message)
        return {name: cut(text, self.variable_length) for name, text in texts.items()}


class Sms(Posting):
    """The channel of text messages. An address is one phone number, with or without +86."""

    name = "sms"
    idempotent = False

    def __init__(
        self,
        options: Options,
        *,
        wall: Callable[[], float] = time.time,
        nonce: Callable[[], str] = lambda: uuid.uuid4().hex,
        **patience: Any,
    ) -> None:
        self.options = options
        self._wall = wall
        self._nonce = nonce
        self._attempts = Attempts(self.name, options, **patience)
        self._http = Http(options.timeout_seconds, repeatable=False)

    async def send(self, message: Message, address: str) -> Receipt:
        """Send the message to a phone number."""
        number = re.sub(r"[\s()-]", "", address)
        if not NUMBER.fullmatch(number):
            return Receipt("failed", 0, "no phone number", permanent=True)
        query = canonical(self._parameters(message, number))
        url = f"{self.options.url.rstrip('/')}/?{query}"

        async def once() -> Answer:
            return await self._http.post(url, b"", self._headers(query), _judge)

        return await self._attempts(once)

    def _parameters(self, message: Message, number: str) -> dict[str, str]:
        return {
            "PhoneNumbers": number,
            "SignName": self.options.sign_name,
            "TemplateCode": self.options.template_code,
            "TemplateParam": orjson.dumps(self.options.shown(message)).decode(),
            "OutId": message.decision[:MAX_OUT_ID],
        }

    def _headers(self, query: str) -> dict[str, str]:
        headers = {
            "host": urlsplit(self.options.url).netloc.rpartition("@")[2],
            "x-acs-action": "SendSms",
            "x-acs-content-sha256": hashlib.sha256(b"").hexdigest(),
            "x-acs-date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self._wall())),
            "x-acs-signature-nonce": self._nonce(),
            "x-acs-version": "2017-05-25",
        }
        return headers | {"Authorization": authorization(self.options.key_id, self.options.key_secret, query, headers)}


def canonical(parameters: Mapping[str, str]) -> str:
    """Return a query in the order and the encoding in which it is signed."""
    return "&".join(f"{quote(k, safe='')}={quote(v, safe='')}" for k, v in sorted(parameters.items()))


def authorization(key_id: str, key_secret: str, query: str, headers: Mapping[str, str]) -> str:
    """Return the Authorization of a POST to / without a body (ACS3-HMAC-SHA256); `headers` are all lower case."""
    names = ";".join(sorted(headers))
    lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
    request = f"POST\n/\n{query}\n{lines}\n{names}\n{headers['x-acs-content-sha256']}"
    text = f"ACS3-HMAC-SHA256\n{hashlib.sha256(request.encode()).hexdigest()}"
    signed = hmac.new(key_secret.encode(), text.encode(), "sha256").hexdigest()
    return f"ACS3-HMAC-SHA256 Credential={key_id},SignedHeaders={names},Signature={signed}"


def _judge(reply: Reply) -> Answer:
    code = str(reply.said.get("Code", ""))
    if code == "OK":
        return Answer("taken", code)
    if code.startswith(TEMPORARY):
        return Answer("later", code, http.retry_after(reply.headers))
    if code in LIMITED:
        return Answer("not_now", code)
    if code in BAD_NUMBER:
        return Answer("bad_address", code)
    return http.trouble(reply) or Answer("refused", code or http.told(reply.status))
