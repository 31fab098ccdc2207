"""Columns that grow in place: records in memory of their own, which the kernel moves by its pages, copying nothing.

To copy ten million rows of half a kilobyte takes seconds, in which a worker does nothing else. What is new costs no
memory until it is written to.
"""

from __future__ import annotations

import mmap
from typing import Any

import numpy as np

PRIVATE = {"flags": mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS} if hasattr(mmap, "MAP_ANONYMOUS") else {}


class Column:
    """Records of one dtype, zero at first. `array` is all of it; it is another one after it has grown."""

    def __init__(self, dtype: Any, capacity: int) -> None:
        self._dtype = np.dtype(dtype)
        self._memory = self._new(capacity)
        self.array = np.frombuffer(self._memory, self._dtype)

    def grow(self, least: int) -> None:
        """Make room for `least` records, and for half as many again as there were.

        The array is copied where the system cannot do otherwise, or somebody still looks at a part of it.
        """
        capacity, known = max(least, len(self.array) * 3 // 2), len(self.array)
        before, self.array = self.array, np.empty(0, self._dtype)
        try:
            del before
            self._memory.resize(capacity * self._dtype.itemsize)
        except (BufferError, SystemError, ValueError):
            grown = self._new(capacity)
            grown[: known * self._dtype.itemsize] = self._memory[: known * self._dtype.itemsize]
            self._memory = grown
        self.array = np.frombuffer(self._memory, self._dtype)

    def _new(self, capacity: int) -> mmap.mmap:
        return mmap.mmap(-1, capacity * self._dtype.itemsize, **PRIVATE)
