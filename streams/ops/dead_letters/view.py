"""How a dead letter is shown: to a person in a table or whole, to a program as JSON; contacts masked in both."""

from __future__ import annotations

import re
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from streams.ops.dead_letters.letter import Letter
    from streams.ops.dead_letters.replay import Result
    from streams.ops.dead_letters.shelf import Found

MASK = "***"
MAIL = re.compile(r"[\w.+-]+@[\w-]+(\.[\w-]+)+")
CONTACTS = re.compile(r'("contacts"\s*:\s*)(\{[^}]*\}?|\[[^\]]*\]?|"[^"]*"?)')
NUMBER = re.compile(r'"\+?\d[\d\s()-]{5,}\d"')
MOST_SHOWN = 4096
"""Bytes of a value; `--raw` has all of it."""
TEXT_SHARE = 0.7


def when(at: int) -> str:
    """Return int ms UTC as a person reads it."""
    return datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")


def shown(value: bytes | None) -> str:
    """Return a value as text, or as hex where it is none, with the contacts in it masked."""
    if value is None:
        return "null"
    try:
        return MAIL.sub(MASK, orjson.dumps(_without_contacts(orjson.loads(value))).decode())[:MOST_SHOWN]
    except (orjson.JSONDecodeError, RecursionError):
        pass
    text = masked(value[:MOST_SHOWN].decode("utf-8", "backslashreplace"))
    if sum(map(str.isprintable, text)) >= TEXT_SHARE * len(text) and value.count(b"\\x") == text.count("\\x"):
        return text
    return masked(value[:MOST_SHOWN].decode("latin-1")).encode("latin-1").hex(" ")


def masked(text: str) -> str:
    """Return text that is no JSON without what looks like a contact."""
    return NUMBER.sub(f'"{MASK}"', MAIL.sub(MASK, CONTACTS.sub(rf'\1"{MASK}"', text)))


def as_json(letter: Letter, *, replayed: bool, value: bool) -> str:
    """Return a letter as a line of JSON."""
    told: dict[str, Any] = {
        "place": str(letter.place),
        "dead_at": letter.dead_at,
        "topic": letter.topic,
        "partition": letter.partition,
        "offset": letter.offset,
        "timestamp": letter.timestamp,
        "reason": letter.reason,
        "detail": masked(letter.detail),
        "replayed": replayed,
    }
    if value:
        told["key"] = None if letter.key is None else masked(letter.key.decode("utf-8", "backslashreplace"))
        told["headers"] = [[name, None if held is None else shown(held)] for name, held in letter.headers]
        told["value"] = shown(letter.value)
    return orjson.dumps(told).decode()


def listing(found: Found, letters: Sequence[Letter]) -> Table:
    """Return a table of letters, the newest last."""
    table = Table("place", "died", "from", "reason", "detail", box=None, pad_edge=False)
    for letter in letters:
        source = f"{letter.topic}-{letter.partition}@{letter.offset}"
        style = "dim" if letter.place in found.replayed else ""
        detail = masked(letter.detail) + (" (replayed)" if style else "")
        cells = (str(letter.place), when(letter.dead_at), source, letter.reason, detail)
        table.add_row(*map(Text, cells), style=style)
    return table


def page(letter: Letter, *, replayed: bool) -> str:
    """Return everything about a letter, a line each."""
    key = "none" if letter.key is None else masked(letter.key.decode("utf-8", "backslashreplace"))
    lines = {
        "place": str(letter.place) + (" (replayed)" if replayed else ""),
        "died": f"{when(letter.dead_at)} UTC",
        "from": f"{letter.topic}-{letter.partition}@{letter.offset}",
        "written": f"{when(letter.timestamp)} UTC",
        "key": key,
        "reason": letter.reason,
        "detail": masked(letter.detail),
    } | {f"header {name}": "null" if held is None else shown(held) for name, held in letter.headers}
    width = max(map(len, lines))
    return "\n".join(f"{name:{width}}  {text}" for name, text in lines.items()) + f"\n\n{shown(letter.value)}"


def counts(letters: Iterable[Letter], found: Found) -> list[dict[str, Any]]:
    """Return how many letters there are by reason and topic, the most first, and how many were replayed."""
    total = Counter((letter.reason, letter.topic) for letter in letters)
    again = Counter((one.reason, one.topic) for one in letters if one.place in found.replayed)
    return [
        {"reason": reason, "topic": topic, "letters": count, "replayed": again[reason, topic]}
        for (reason, topic), count in total.most_common()
    ]


def tally(rows: Sequence[dict[str, Any]]) -> Table:
    """Return the counts as a table."""
    table = Table("reason", "topic", "letters", "replayed", box=None, pad_edge=False)
    for row in rows:
        table.add_row(*(Text(str(cell)) for cell in row.values()))
    return table


def outcome(result: Result) -> str:
    """Return what became of a letter, in a line."""
    return f"{result.place}  {result.outcome}: {masked(result.detail)}"


def _without_contacts(value: Any) -> Any:
    """Return a JSON value whose `contacts`, wherever they stand, are masked."""
    if isinstance(value, dict):
        return {k: _masked_whole(v) if k == "contacts" else _without_contacts(v) for k, v in value.items()}
    return [_without_contacts(one) for one in value] if isinstance(value, list) else value


def _masked_whole(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _masked_whole(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_masked_whole(one) for one in value]
    return value if value is None or isinstance(value, bool) else MASK
