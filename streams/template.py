"""Templates of messages: text with variables, each with what stands there where nothing is known.

    Your {interest|favourites} have something new, and {points|your} points are waiting.

A variable is `interest`, `points` or `attributes.NAME`, in braces; behind a bar stands what is written for those of
whom it is not known. A brace that is meant as one is written twice.
"""

from __future__ import annotations

import re
from typing import Protocol

from streams.threshold import ATTRIBUTES

VARIABLE = re.compile(r"\{\{|\}\}|\{([^{}|]*)(\|[^{}]*)?\}|[{}]")
KNOWN = ("interest", "points")


class Known(Protocol):
    """What is known of a user, by name."""

    def get(self, name: str, /) -> str | None:
        """Return what is known by a name, None or empty where nothing is."""


def check(text: str) -> None:
    """Refuse a template that could not be filled for everybody.

    Raises:
        ValueError: a brace that is not closed, a variable that there is none of, or one that might be unknown.
    """
    for found in VARIABLE.finditer(text):
        whole, name, other = found.group(), found.group(1), found.group(2)
        if whole in ("{{", "}}"):
            continue
        if name is None:
            raise ValueError(f"{whole!r} stands alone: a variable is written {{interest|…}}, a brace as such twice")
        if name not in KNOWN and not (name.startswith(ATTRIBUTES) and name != ATTRIBUTES):
            raise ValueError(f"{{{name}}}: there is no such variable; there are {', '.join(KNOWN)}, {ATTRIBUTES}NAME")
        if other is None:
            raise ValueError(f"{{{name}}}: write what stands there where it is not known, as {{{name}|…}}")


def render(text: str, words: Known) -> str:
    """Return the text with its variables filled: by `words` where they have one, else by what stands behind the bar."""

    def fill(found: re.Match[str]) -> str:
        if found.group(1) is None:
            return found.group()[0]
        return words.get(found.group(1)) or (found.group(2) or "|")[1:]

    return VARIABLE.sub(fill, text) if "{" in text or "}" in text else text
