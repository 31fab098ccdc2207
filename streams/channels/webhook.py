"""The webhook: each push is POSTed as JSON to a receiver of yours, who passes it on.

    POST <channels.webhook.url>
    Idempotency-Key: <decision id, percent-encoded where it is not plain ASCII>
    Awaken-Signature: t=<unix seconds>,v1=<hex HMAC-SHA256 of "<t>.<body>" by channels.webhook.secret>
    {"decision": …, "user": …, "playbook": …, "at": …, "title": …, "body": …, "kind": …, "link": …, "picture": …,
     "unsubscribe": …, "address": …}

`at` is int ms UTC, `address` the user's `contacts.webhook`. Any 2xx means that the receiver has taken it; 410 or 422
that this user cannot be reached there at all. It may come again, after a lost answer or a crash of ours, with the
same key and the same body: the receiver is asked to act on the first and to answer 2xx to the others.

The signature stands there where a secret is set. A receiver checks it over the bytes that came:

    t, v1 = (part.partition("=")[2] for part in headers["Awaken-Signature"].split(","))
    mine = hmac.new(secret.encode(), t.encode() + b"." + body, "sha256").hexdigest()
    genuine = hmac.compare_digest(mine, v1) and abs(time.time() - int(t)) < 300
"""

from __future__ import annotations

import hmac
import time
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

import msgspec
import orjson
from msgspec import Meta

from . import Message, Receipt, http
from .attempt import Answer, Attempts
from .http import Http, Posting, Reply
from .terms import URL, Line, Secret

if TYPE_CHECKING:
    from collections.abc import Callable


PLAIN = "!\"#$&'()*+,/:;<=>?@[\\]^`{|}~"
GONE = frozenset({410, 422})


class Options(Line, frozen=True):
    """A receiver of yours, who is POSTed each push as JSON."""

    NEEDS = ("url",)

    url: Annotated[
        str,
        Meta(
            pattern=URL,
            examples=["https://marketing.example/pushes"],
            description="POST each push here as JSON; empty for none",
        ),
    ] = ""
    secret: Annotated[Secret, Meta(description="signs what is posted, as Awaken-Signature; empty for no signature")] = (
        ""
    )


class Webhook(Posting):
    """The webhook channel. Idempotent, because receivers are asked to honour the key."""

    name = "webhook"
    idempotent = True

    def __init__(self, options: Options, *, wall: Callable[[], float] = time.time, **patience: Any) -> None:
        self.options = options
        self._wall = wall
        self._attempts = Attempts(self.name, options, **patience)
        self._http = Http(options.timeout_seconds, repeatable=True)

    async def send(self, message: Message, address: str) -> Receipt:
        """POST the message until it is taken, refused for good, or the attempts are used up."""
        body = orjson.dumps(msgspec.to_builtins(message) | {"address": address})
        key = quote(message.decision, safe=PLAIN)

        async def once() -> Answer:
            return await self._http.post(self.options.url, body, self._headers(key, body), _judge)

        return await self._attempts(once)

    def _headers(self, key: str, body: bytes) -> dict[str, str]:
        headers = {"Content-Type": "application/json", "Idempotency-Key": key}
        if self.options.secret:
            headers["Awaken-Signature"] = signature(self.options.secret, int(self._wall()), body)
        return headers


def signature(secret: str, seconds: int, body: bytes) -> str:
    """Return the signature of a body that is posted at a time (unix seconds)."""
    digest = hmac.new(secret.encode(), b"%d.%b" % (seconds, body), "sha256").hexdigest()
    return f"t={seconds},v1={digest}"


def _judge(reply: Reply) -> Answer:
    detail = http.told(reply.status)
    if reply.status in GONE:
        return Answer("bad_address", detail)
    return http.trouble(reply) or Answer("taken" if reply.status < http.WRONG else "refused", detail)
