"""E-mail, by SMTP (RFC 5321): one message to one recipient, so that one who is refused is nobody else's trouble.

A message has a text and a simple HTML part with picture and link. `List-Unsubscribe` and `List-Unsubscribe-Post`
(RFC 8058) let a mail program unsubscribe him with one click, by a POST to the message's unsubscribe address. The
`Message-ID` is made from the decision, and `X-Awaken-Decision` carries it, for complaints and bounces.

Where the connection breaks after the text was handed over, nobody knows whether it was taken: it is not sent again.
"""

from __future__ import annotations

import asyncio
import contextlib
import html
import re
import time
from email.message import EmailMessage
from email.policy import EmailPolicy
from email.utils import formatdate, parseaddr
from hashlib import blake2b
from typing import TYPE_CHECKING, Annotated, Any, Literal
from urllib.parse import quote

from msgspec import Meta

from . import Message, Receipt
from .attempt import Answer, Attempts
from .terms import Line, Secret
from .wording import line

if TYPE_CHECKING:
    from collections.abc import Callable

    from redis.asyncio import Redis

ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]+@[A-Za-z0-9.-]+"
ADDRESS = re.compile(ATOM)
"""As far as we look; whether there is such a mailbox the server says."""
STATUS = re.compile(r"[245]\.\d{1,3}\.\d{1,3}(?=\s|$)")
PERMANENT = 500
HIS, OURS = ("5.1.", "5.2."), ("5.1.7", "5.1.8")
"""Enhanced status codes (RFC 3463) about an address or a mailbox; and those of them about the sender's."""

RESERVED = ":/?#[]@!$&'()*+,;=%"


class Wire(EmailPolicy):
    """Leaves in one piece what is read by programs: folded, a long address becomes an encoded word, and no address."""

    def fold_binary(self, name: str, value: str) -> bytes:
        """Return a header as it is sent."""
        if name in ("List-Unsubscribe", "Message-ID", "X-Awaken-Decision"):
            return f"{name}: {value}\r\n".encode("ascii")
        return super().fold_binary(name, value)


WIRE = Wire(linesep="\r\n")


class Options(Line, frozen=True):
    """E-mail, by SMTP."""

    NEEDS = ("host", "sender")

    cost: Annotated[float, Meta(ge=0, le=1000, description="of one send, in units of the currency")] = 0.002
    timeout_seconds: Annotated[float, Meta(gt=0, le=120, description="how long one attempt may take")] = 30
    host: Annotated[
        str, Meta(pattern=r"^\S{0,253}$", examples=["smtp.example"], description="the server; empty for no e-mail")
    ] = ""
    port: Annotated[int, Meta(ge=1, le=65_535, description="its port")] = 587
    security: Annotated[
        Literal["starttls", "tls", "none"], Meta(description="tls is from the first byte, usually on port 465")
    ] = "starttls"
    username: Annotated[str, Meta(max_length=200, description="empty for no login")] = ""
    password: Annotated[Secret, Meta(description="of that login")] = ""
    sender: Annotated[
        str,
        Meta(
            pattern=rf"^({ATOM}|[^@<>\r\n]*<{ATOM}>)?$",
            examples=["My Shop <hello@shop.example>"],
            description="whom it comes from; empty for no e-mail",
        ),
    ] = ""
    unsubscribe_text: Annotated[
        str, Meta(min_length=1, max_length=100, description="what stands at the end, at the link to unsubscribe")
    ] = "Unsubscribe"


class Email:
    """The channel of e-mail."""

    name = "email"
    idempotent = False

    def __init__(self, options: Options, *, wall: Callable[[], float] = time.time, **patience: Any) -> None:
        self.options = options
        self._sender = parseaddr(options.sender)[1]
        self._wall = wall
        self._attempts = Attempts(self.name, options, **patience)

    @classmethod
    def open(cls, options: Options, redis: Redis, prefix: str) -> Email:  # noqa: ARG003  every channel opens alike
        """Return the channel of these options."""
        return cls(options)

    async def send(self, message: Message, address: str) -> Receipt:
        """Send the message to a mailbox."""
        if not ADDRESS.fullmatch(address):
            return Receipt("failed", 0, "no e-mail address", permanent=True)
        mail = self._written(message, address).as_bytes(policy=WIRE)

        async def once() -> Answer:
            return await self._once(mail, address)

        return await self._attempts(once)

    async def close(self) -> None:
        """Nothing stays open: each message has a connection of its own."""

    async def _once(self, mail: bytes, address: str) -> Answer:
        """Hand the mail over in one connection, and return what the server said."""
        import aiosmtplib

        client, step = self._client(), "connect"
        try:
            async with asyncio.timeout(self.options.timeout_seconds):
                await client.connect()
                step = "MAIL"
                await client.mail(self._sender)
                step = "RCPT"
                await client.rcpt(address)
                step = "DATA"
                await client.data(mail)
                step = "QUIT"
                with contextlib.suppress(aiosmtplib.SMTPException):
                    await client.quit()
        except aiosmtplib.SMTPResponseException as error:
            return judged(error.code, error.message, step)
        except (aiosmtplib.SMTPException, OSError) as error:
            return _lost(type(error).__name__, step)
        finally:
            client.close()
        return Answer("taken", "250")

    def _client(self) -> Any:
        import aiosmtplib

        options = self.options
        return aiosmtplib.SMTP(
            hostname=options.host,
            port=options.port,
            use_tls=options.security == "tls",
            start_tls=options.security == "starttls",
            username=options.username or None,
            password=options.password or None,
            timeout=options.timeout_seconds,
        )

    def _written(self, message: Message, address: str) -> EmailMessage:
        mail = EmailMessage()
        mail["From"] = self.options.sender
        mail["To"] = address
        mail["Subject"] = line(message.title)
        mail["Date"] = formatdate(self._wall())
        key = blake2b(message.decision.encode(), digest_size=16).hexdigest()
        mail["Message-ID"] = f"<{key}@{self._sender.rpartition('@')[2]}>"
        mail["X-Awaken-Decision"] = quote(message.decision, safe=":")
        if message.unsubscribe:
            mail["List-Unsubscribe"] = f"<{quote(message.unsubscribe, safe=RESERVED)}>"
            mail["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
        mail.set_content(text_of(message, self.options.unsubscribe_text), cte="base64")
        page = html_of(message, self.options.unsubscribe_text)
        mail.add_alternative(page, subtype="html", cte="base64")
        return mail


def text_of(message: Message, unsubscribe: str) -> str:
    """Return the message as plain text."""
    end = f"{unsubscribe}: {message.unsubscribe}" if message.unsubscribe else ""
    return "\n\n".join(filter(None, (message.body, message.link, end)))


def html_of(message: Message, unsubscribe: str) -> str:
    """Return the message as a simple page."""
    body = "<br>".join(html.escape(part) for part in message.body.splitlines())
    parts = [f"<h2>{html.escape(message.title)}</h2>"]
    if message.picture:
        parts.append(_linked(message.link, f'<img src="{html.escape(message.picture)}" alt="" style="max-width:100%">'))
    parts.append(f"<p>{body}</p>")
    if message.link:
        parts.append(f"<p>{_linked(message.link, html.escape(message.link))}</p>")
    if message.unsubscribe:
        parts.append(f"<p><small>{_linked(message.unsubscribe, html.escape(unsubscribe))}</small></p>")
    return "\n".join(parts)


def judged(code: int, text: str, step: str) -> Answer:
    """Return what a server's refusal means; of its text only the enhanced status code is told."""
    found = STATUS.match(text)
    status = found[0] if found else ""
    detail = f"{step} {code} {status}".strip()
    if code < PERMANENT:
        return Answer("not_now" if step == "RCPT" else "later", detail)
    his = status.startswith(HIS) and status not in OURS if status else step == "RCPT"
    return Answer("bad_address" if his else "refused", detail)


def _lost(error: str, step: str) -> Answer:
    if step == "QUIT":
        return Answer("taken", "250")
    if step == "DATA":
        return Answer("unknown", f"{error} after DATA")
    return Answer("later", f"{error} at {step}")


def _linked(to: str, what: str) -> str:
    return f'<a href="{html.escape(to)}">{what}</a>' if to else what
