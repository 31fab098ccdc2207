"""Links to the preference page: each carries a signed token that says whose it is, and which message it stood in.

Whoever holds the token may change what its user gets, without a log-in, as whoever holds the mail may. A token never
expires: the link in an old mail must work. `push.secret` may hold several secrets with blanks between: the first signs,
all verify, so that a new one is put before the old one when it is time to change it.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import msgspec
from itsdangerous import BadData, URLSafeSerializer
from msgspec import Struct

from streams.wire.event import ChannelName
from streams.wire.message import MessageKind

if TYPE_CHECKING:
    from streams.settings import Push
    from streams.wire.message import Decision

PATH = "/preferences/"
VERSION = 1
PURPOSE = "awaken preferences"
"""Signed along: what else a secret signs is no token."""


class Forged(ValueError):
    """A token that none of our secrets has signed, or that this version cannot read."""


class Mandate(Struct, array_like=True, frozen=True):
    """What a token allows: to say of this user what he wants, first of all of this channel and kind of message."""

    version: int
    user: str
    channel: ChannelName
    kind: MessageKind
    decision: str


def token(secret: str, user: str, channel: str, kind: str, decision: str) -> str:
    """Return a token for the message of a decision, of a kind, on a channel; safe in an address as it is."""
    text = _signer(secret).dumps([VERSION, user, channel, kind, decision])
    return text.decode() if isinstance(text, bytes) else text


def read(secret: str, text: str) -> Mandate:
    """Return what a token allows.

    Raises:
        Forged: it is none of ours, has been changed, or is of a version that is newer than this one.
    """
    try:
        found = _signer(secret).loads(text)
    except BadData as error:
        raise Forged("it is signed by none of our secrets") from error
    if not isinstance(found, list) or found[:1] != [VERSION]:
        raise Forged(f"it is of another version than {VERSION}")
    try:
        return msgspec.convert(found, Mandate)
    except msgspec.ValidationError as error:
        raise Forged(str(error)) from error


def link(push: Push, decision: Decision, channel: str) -> str:
    """Return the page's address for the message of a decision on a channel; empty where there is no page."""
    if not push.public_url or not push.secret.strip():
        return ""
    signed = token(push.secret, decision.user, channel, decision.kind, decision.id)
    return f"{push.public_url.rstrip('/')}{PATH}{signed}"


def _signer(secret: str) -> URLSafeSerializer:
    """Return what signs with the first of the secrets, and verifies with any.

    Raises:
        Forged: there is no secret, so nothing can be ours.
    """
    secrets = secret.split()
    if not secrets:
        raise Forged("there is no push.secret")
    how = {"key_derivation": "hmac", "digest_method": hashlib.sha256}
    return URLSafeSerializer(secrets[::-1], salt=PURPOSE, signer_kwargs=how)  # it signs with the last
