"""What the command's options say of how files are read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec

from streams.settings import SettingsError
from streams.wire.event import Click, Feedback, Order, Profile

FIELDS = tuple(
    dict.fromkeys(f.name for kind in (Click, Order, Profile, Feedback) for f in msgspec.structs.fields(kind))
)


class Reading(NamedTuple):
    """How tables are read.

    Attributes:
        columns: the column that stands for a field, by the field; other fields' columns are called as they are.
        add_lines: orders have a row for each of their lines.
    """

    columns: Mapping[str, str] = {}
    add_lines: bool = False


def columns(texts: Sequence[str]) -> dict[str, str]:
    """Return the column that stands for each field, from FIELD=COLUMN each.

    Raises:
        SettingsError: it is not written so, or no event has such a field.
    """
    found = {}
    for text in texts:
        field, equals, column = text.partition("=")
        if not equals or not column or field.partition(".")[0] not in FIELDS:
            raise SettingsError(f"--column {text}: is no FIELD=COLUMN; there are the fields {', '.join(FIELDS)}")
        found[field] = column
    return found


def instant(text: str) -> int:
    """Return the time that `--at` gives as RFC 3339, int ms UTC.

    Raises:
        SettingsError: it is no time, or has no zone.
    """
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise SettingsError(f"--at {text}: is not a time with its zone; write it like 2026-11-22T08:30:00Z")
    return round(at.timestamp() * 1000)
