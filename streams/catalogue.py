"""The catalogue: what stands for an interest in a message, by category: an item, its picture and its page.

    {"shoes": {"item": "Trail runner", "picture": "https://…/trail.jpg", "url": "https://…/trail"}}

It is a JSON file that the shop writes (`push.catalogue`), read as a worker starts. A category that is not in it leaves
the variables of a template to what stands behind their bars.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

Address = Annotated[str, Meta(pattern=r"^(https?://\S+)?$", max_length=2000)]


class Entry(Struct, frozen=True, forbid_unknown_fields=True):
    """What stands for a category; the addresses may be empty."""

    item: Annotated[str, Meta(min_length=1, max_length=200)]
    picture: Address = ""
    url: Address = ""


FORM = 'must be JSON as {"CATEGORY": {"item": "…", "picture": "https://…", "url": "https://…"}}'
Catalogue = Mapping[str, Entry]


def read(file: str) -> Catalogue:
    """Return the catalogue in a file; an empty name is none.

    Raises:
        ValueError: the file cannot be read or is no catalogue; its text names the place and what is allowed.
    """
    if not file:
        return {}
    place = f"push.catalogue = {file!r}"
    try:
        found = msgspec.json.decode(Path(file).read_bytes(), type=dict[str, msgspec.Raw])
    except OSError as error:
        raise ValueError(f"{place}: cannot be read: {error.strerror}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{place}: {error}; {FORM}") from error
    return {category: _entry(place, category, raw) for category, raw in found.items()}


def words(catalogue: Catalogue, category: str) -> dict[str, str]:
    """Return the template's variables `item`, `picture` and `url` for a category; empty where it is not in there."""
    entry = catalogue.get(category)
    return msgspec.structs.asdict(entry) if entry else {}


def _entry(place: str, category: str, raw: msgspec.Raw) -> Entry:
    try:
        return msgspec.json.decode(raw, type=Entry)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        given = bytes(raw).decode(errors="replace")
        raise ValueError(f"{place}: {category} = {given}: {error}; {FORM}") from error
