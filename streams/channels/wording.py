"""Wording: a message cut to what a vendor's template has room for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated
from urllib.parse import quote

from msgspec import Meta

if TYPE_CHECKING:
    from collections.abc import Mapping

    from . import Message

PARTS = ("title", "body", "link", "decision", "user")
"""The parts of a message that may be named in braces."""
Pattern = Annotated[str, Meta(pattern=rf"^([^{{}}]|\{{({'|'.join(PARTS)})\}})*$", max_length=500)]
"""A text in which {title}, {body} … stand for parts of the message."""
ROOM = {"thing": 20, "phrase": 5, "name": 10, "letter": 32, "number": 32, "symbol": 5, "character_string": 32}
"""Characters that a field of a WeChat template holds, by its kind; a longer one is refused (47003)."""
MOST = 200
_PART = re.compile(rf"\{{({'|'.join(PARTS)})\}}")


def filled(patterns: Mapping[str, str], message: Message) -> dict[str, str]:
    """Return the patterns with the message's parts put in, each in one line."""
    return {name: line(_PART.sub(lambda m: getattr(message, m[1]), text)) for name, text in patterns.items()}


def fields(patterns: Mapping[str, str], message: Message) -> dict[str, dict[str, str]]:
    """Return the fields of a template of WeChat's, each cut to what its kind (thing, phrase …) has room for."""
    texts = filled(patterns, message)
    return {name: {"value": cut(text, ROOM.get(name.rstrip("0123456789"), MOST))} for name, text in texts.items()}


def address_of(pattern: str, message: Message) -> str:
    """Return an address with the message's parts put in, percent-encoded."""
    return _PART.sub(lambda m: quote(getattr(message, m[1]), safe=""), pattern)


def line(text: str) -> str:
    """Return a text in one line."""
    return " ".join(text.split())


def cut(text: str, most: int) -> str:
    """Return a text of at most so many characters."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def cut_bytes(text: str, most: int) -> str:
    """Return a text of at most so many bytes in UTF-8, no character broken."""
    return text.encode()[:most].decode(errors="ignore")
