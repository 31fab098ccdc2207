"""Templates of messages: text with variables, each with what stands there where nothing is known.

    Your {interest|favourites} have something new, and {points|your} points are waiting.

A variable is in braces; behind a bar stands what is written for those of whom it is not known. A brace that is meant as
one is written twice. Whoever renders hands in the words by the very names that stand in the braces:

| name | what |
|---|---|
| `interest` | the category that he likes most |
| `item`, `picture`, `url` | what stands for it in the catalogue: its name, its image and its page |
| `points`, `level`, `streak`, `days` | his account of points, his level, days of check-in in a row, days of absence |
| `attributes.NAME` | what his profile says |
| `value.NAME` | his value in a dimension, as transitions carry it |
| `offer.value`, `offer.code`, `offer.until`, `offer.terms`, `offer.prize` | of the offer that the message brings |

A word that is missing or empty is not known. What an offer always has needs no bar in a message that brings it.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import lru_cache
from typing import Protocol
from urllib.parse import quote

from streams.threshold import ATTRIBUTES, NAMES

VARIABLE = re.compile(r"\{\{|\}\}|\{([^{}|]*)(\|[^{}]*)?\}|[{}]")
KNOWN = ("interest", "item", "picture", "url", "points", "level", "streak", "days")
OFFER = ("offer.value", "offer.code", "offer.until", "offer.terms", "offer.prize")
VALUE = "value."
ADDRESSES = ("url", "picture")


class Known(Protocol):
    """What is known of a user, by name."""

    def get(self, name: str, /) -> str | None:
        """Return what is known by a name, None or empty where nothing is."""


def check(text: str, dimensions: Collection[str] = NAMES, always: Collection[str] = ()) -> None:
    """Refuse a template that could not be filled for everybody.

    `dimensions` are those of which it may tell the value; `always` the variables that are known of everybody.

    Raises:
        ValueError: a brace that is not closed, a variable that there is none of, or one that might be unknown.
    """
    for found in VARIABLE.finditer(text):
        whole, name, other = found.group(), found.group(1), found.group(2)
        if whole in ("{{", "}}"):
            continue
        if name is None:
            raise ValueError(f"{whole!r} stands alone: a variable is written {{interest|…}}, a brace as such twice")
        _check_name(name, dimensions)
        if other is None and name not in always:
            raise ValueError(f"{{{name}}}: write what stands there where it is not known, as {{{name}|…}}")


def render(text: str, words: Known) -> str:
    """Return the text with its variables filled: by `words` where they have one, else by what stands behind the bar."""
    if "{" not in text and "}" not in text:
        return text
    return "".join([part if name is None else words.get(name) or part for name, part in _parts(text)])


@lru_cache(maxsize=4096)
def _parts(text: str) -> tuple[tuple[str | None, str], ...]:
    """Return the pieces of a template: a variable's name and what stands there without it, or None and a text."""
    found: list[tuple[str | None, str]] = []
    end = 0
    for match in VARIABLE.finditer(text):
        found.append((None, text[end : match.start()]))
        name, other = match.group(1), match.group(2) or "|"
        found.append((None, match.group()[0]) if name is None else (name, other[1:]))
        end = match.end()
    return (*found, (None, text[end:]))


def render_address(text: str, words: Known) -> str:
    """Return an address with its variables filled; all but those that are addresses themselves are percent-encoded."""
    return render(text, _Quoted(words))


class _Quoted:
    """Words as an address takes them."""

    def __init__(self, words: Known) -> None:
        self._words = words

    def get(self, name: str, /) -> str | None:
        word = self._words.get(name)
        return word if name in ADDRESSES or not word else quote(word, safe="")


def _check_name(name: str, dimensions: Collection[str]) -> None:
    if name.startswith(VALUE):
        if name.removeprefix(VALUE) not in dimensions:
            raise ValueError(f"{{{name}}}: there is no such dimension; there are {', '.join(dimensions)}")
    elif name not in (*KNOWN, *OFFER) and not (name.startswith(ATTRIBUTES) and name != ATTRIBUTES):
        there = ", ".join((*KNOWN, f"{ATTRIBUTES}NAME", f"{VALUE}NAME", *OFFER))
        raise ValueError(f"{{{name}}}: there is no such variable; there are {there}")
