"""A sweep: how time comes to users, some at a time, where it would take too long to come to all of them at once.

Who does something meanwhile is come to before that is folded (`among`). So nobody can tell how a sweep was cut.
"""

from __future__ import annotations

import numpy as np

from streams.core.fold import find_due


class Sweep:
    """One sweep under way.

    Attributes:
        until: users come to this time, int ms UTC.
        watermark: the shard has come to this time once it is over, int ms UTC.
        due: the rows (i8[n], ascending) to whom it comes; None until `find`.
    """

    def __init__(self, until: int, watermark: int, users: int) -> None:
        """Begin a sweep of the first so many rows."""
        self.until, self.watermark = until, watermark
        self.due: np.ndarray | None = None
        self._next = 0
        self._done = np.zeros(users, np.bool_)

    @property
    def is_over(self) -> bool:
        """Whether there is nobody left to come to in turn."""
        return self.due is not None and self._next >= len(self.due)

    def find(self, due: np.ndarray) -> np.ndarray:
        """Return the rows to whom it comes by their deadlines (i8[users], int ms UTC), the same at each call."""
        if self.due is None:
            self.due = find_due(due[: len(self._done)], self.until)
        return self.due

    def some(self, due: np.ndarray, most: int | None) -> np.ndarray:
        """Return the next rows (i8[n]) to come to, of at most so many; of all that are left where it is None."""
        found = self.find(due)
        first, self._next = self._next, len(found) if most is None else self._next + most
        return self._take(found[first : self._next])

    def among(self, who: np.ndarray) -> np.ndarray:
        """Return those of the rows (i4[n]) that it has not come to, each once."""
        return self._take(np.unique(who[who < len(self._done)]))

    def _take(self, who: np.ndarray) -> np.ndarray:
        found: np.ndarray = who[~self._done[who]]
        self._done[found] = True
        return found
