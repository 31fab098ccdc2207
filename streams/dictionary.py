"""Names as small codes: the categories and sources that events name, as the rows hold them (u2)."""

from __future__ import annotations

OTHER = 65_535
"""The code of every name that comes when all others are given."""


class Dictionary(dict[str | None, int]):
    """Name → code, from 1; None is 0. An unknown name gets the next code, and stands in `added` until it is taken."""

    def __init__(self) -> None:
        super().__init__({None: 0})
        self.names: list[str | None] = [None]
        self.added: list[str] = []

    def __missing__(self, name: str) -> int:
        if len(self.names) == OTHER:
            return OTHER
        self.added.append(name)
        return self.put(name, len(self.names))

    def put(self, name: str, code: int) -> int:
        """Give a name its code, as read back from the changelog."""
        self.names += [None] * (code + 1 - len(self.names))
        self.names[code] = name
        self[name] = code
        return code

    def name(self, code: int) -> str | None:
        """Return the name of a code, None for 0 and for what was past counting."""
        return self.names[code] if code < len(self.names) else None
