"""People: several users of a shard at a time, their rows read as columns, each when it is first asked for.

The rows are as they were when they were looked up. A place is a user's among those who were asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from streams.core.activity import ACTIVITY
from streams.core.growth import present_streak
from streams.core.row import DAY
from streams.shard import is_blank

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streams.shard import Shard

NONE = "none"


class People:
    """Users by their keys. What is said of one of whom nothing is known is of no meaning.

    Attributes:
        known: of each whether anything is known of him.
        numbers: of each his row's, of no meaning where nothing is known.
    """

    def __init__(self, shard: Shard, keys: Sequence[bytes]) -> None:
        self._shard = shard
        numbers = shard.index.find_many(keys)
        self._rows = shard.rows[np.maximum(numbers, 0)]
        self.known: list[bool] = ((numbers >= 0) & ~is_blank(self._rows)).tolist()
        self.numbers: list[int] = numbers.tolist()
        self._columns: dict[str, list[Any]] = {}
        self._values: dict[str, list[str]] = {}
        self._interests: list[str] = []

    def column(self, field: str) -> list[Any]:
        """Return a field of the rows."""
        found = self._columns.get(field)
        if found is None:
            found = self._columns[field] = self._rows[field].tolist()
        return found

    def values(self, dimension: str) -> list[str]:
        """Return the values of a dimension, "none" where there is none."""
        found = self._values.get(dimension)
        if found is None:
            place = self._shard.place(dimension)
            if place is None:
                found = [NONE] * len(self.known)
            else:
                names = self._shard.book.values[place]
                found = [names[code] for code in self._rows["values"][:, place].tolist()]
            self._values[dimension] = found
        return found

    def interests(self) -> list[str]:
        """Return the strongest categories, empty where there is none."""
        if not self._interests:
            heaviest = self._rows["interest_weights"].argmax(axis=1)[:, np.newaxis]
            codes, weights = (
                np.take_along_axis(self._rows[field], heaviest, axis=1)[:, 0].tolist()
                for field in ("interests", "interest_weights")
            )
            name = self._shard.categories.name
            self._interests = [
                (name(code) or "other") if weight and code else "" for code, weight in zip(codes, weights, strict=True)
            ]
        return self._interests

    def streak(self, place: int, day: int) -> int:
        """Return how many days of check-in a user has in a row on a day since 1970-01-01."""
        return int(present_streak(self._rows[place], day)[1])

    def holds_since(self, place: int, dimension: str, value: str, at: int) -> bool:
        """Say whether a user still has the value to which he came at `at` (int ms UTC).

        Of the activity class that is exact; of the others he may have come to it once more on the same day.
        """
        if self.values(dimension)[place] != value:
            return False
        number = self._shard.place(dimension)
        if number == ACTIVITY:
            return bool(self.column("since")[place] == at)
        return bool(self._rows["since_day"][place, number] == at // DAY)
