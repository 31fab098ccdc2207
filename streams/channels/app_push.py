"""App pushes, by Firebase Cloud Messaging: HTTP v1, `projects.messages.send`.

    POST <channels.app_push.url>/v1/projects/<project>/messages:send
    Authorization: Bearer <OAuth 2.0 access token>
    {"message": {"token": <the app's registration token>, "notification": {"title", "body", "image"}, "data": {…}, …}}
    → {"name": "projects/…/messages/…"}, or {"error": {"status": …, "details": [{"errorCode": "UNREGISTERED"}]}}

`data` tells the app decision, playbook, kind and link. A repeated message replaces the one before it on the device
(`tag`, `apns-collapse-id`), so one whose answer was lost may be sent again at once. Access tokens end after an hour:
let something renew the file that `token_file` names; it is read at each attempt.
"""

from __future__ import annotations

from hashlib import blake2b
from pathlib import Path
from typing import Annotated, Any

import orjson
from msgspec import Meta

from . import Message, Receipt, http
from .attempt import Answer, Attempts
from .http import Http, Posting, Reply
from .terms import URL, Line, Secret

TEMPORARY = frozenset({"UNAVAILABLE", "INTERNAL"})
LIMITED = frozenset({"QUOTA_EXCEEDED", "RESOURCE_EXHAUSTED"})
BAD_TOKEN = frozenset({"UNREGISTERED", "SENDER_ID_MISMATCH"})
UNAUTHENTICATED = 401


class Options(Line, frozen=True):
    """App pushes, by Firebase Cloud Messaging."""

    NEEDS = ("url", "project", "token or token_file")

    url: Annotated[
        str, Meta(pattern=URL, examples=["https://fcm.googleapis.com"], description="the vendor's endpoint")
    ] = "https://fcm.googleapis.com"
    project: Annotated[
        str,
        Meta(pattern=r"^[A-Za-z0-9._:-]{0,100}$", examples=["my-shop"], description="its id; empty for no app pushes"),
    ] = ""
    token: Annotated[Secret, Meta(description="the OAuth access token; or rather token_file, since it ends")] = ""
    token_file: Annotated[
        str,
        Meta(max_length=1000, examples=["/run/fcm/token"], description="the file in which something keeps it fresh"),
    ] = ""


class AppPush(Posting):
    """The channel of app pushes. An address is the registration token of his app."""

    name = "app_push"
    idempotent = False

    def __init__(self, options: Options, **patience: Any) -> None:
        self.options = options
        self._url = f"{options.url.rstrip('/')}/v1/projects/{options.project}/messages:send"
        self._attempts = Attempts(self.name, options, **patience)
        self._http = Http(options.timeout_seconds, repeatable=True)

    async def send(self, message: Message, address: str) -> Receipt:
        """Send the message to an app."""
        body = orjson.dumps({"message": _notification(message, address)})

        async def once() -> Answer:
            try:
                token = self._token()
            except (OSError, UnicodeDecodeError) as error:
                return Answer("later", f"token_file cannot be read: {type(error).__name__}")
            return await self._http.post(self._url, body, http.JSON | {"Authorization": f"Bearer {token}"}, self._judge)

        return await self._attempts(once)

    def _token(self) -> str:
        file = self.options.token_file
        return Path(file).read_text("utf-8").strip() if file else self.options.token

    def _judge(self, reply: Reply) -> Answer:
        if reply.status == UNAUTHENTICATED:  # a file may hold a fresher token by and by
            return Answer("later" if self.options.token_file else "refused", http.told(reply.status))
        return _judge(reply)


def _notification(message: Message, address: str) -> dict[str, Any]:
    key = blake2b(message.decision.encode(), digest_size=16).hexdigest()
    shown = {"title": message.title, "body": message.body}
    if message.picture:
        shown["image"] = message.picture
    told = {
        "decision": message.decision,
        "playbook": message.playbook,
        "kind": message.kind,
        "link": message.link,
        "unsubscribe": message.unsubscribe,
    }
    found: dict[str, Any] = {
        "token": address,
        "notification": shown,
        "data": {name: text for name, text in told.items() if text},
        "android": {"collapse_key": key, "notification": {"tag": key}},
        "apns": {"headers": {"apns-collapse-id": key}},
    }
    if message.link.startswith("https://"):  # others are refused there
        found["webpush"] = {"fcm_options": {"link": message.link}}
    return found


def _judge(reply: Reply) -> Answer:
    if reply.status < http.REDIRECT:
        return Answer("taken", http.told(reply.status))
    codes, fields = _errors(reply.said)
    detail = " ".join([str(reply.status), *codes])
    if BAD_TOKEN & set(codes) or "message.token" in fields:
        return Answer("bad_address", detail)
    if LIMITED & set(codes):
        return Answer("not_now", detail, http.retry_after(reply.headers))
    if TEMPORARY & set(codes):
        return Answer("later", detail, http.retry_after(reply.headers))
    return http.trouble(reply) or Answer("refused", detail)


def _errors(said: dict[str, Any]) -> tuple[list[str], set[str]]:
    """Return the codes of an error, and the fields that were wrong."""
    error = said.get("error")
    if not isinstance(error, dict):
        return [], set()
    details = [detail for detail in error.get("details") or () if isinstance(detail, dict)]
    codes = [error.get("status"), *(detail.get("errorCode") for detail in details)]
    fields = {wrong.get("field") for detail in details for wrong in detail.get("fieldViolations", ())}
    return [code for code in dict.fromkeys(codes) if isinstance(code, str)], fields
