"""How the hot path is compiled: once, kept in a cache, and without counting references.

numba counts who holds an array wherever one is handed on, by atomic steps: of the fold they were a third. What
allocates nothing has nothing to count. Whoever forgets it and allocates is told by the compiler.
"""

from __future__ import annotations

from numba import njit

compiled = njit(cache=True, _nrt=False)
"""Compiles a function that allocates nothing: it makes no array, and copies no slice."""
inlined = njit(cache=True, _nrt=False, forceinline=True)
"""As `compiled`, for what is short and called for each record: it becomes a part of whoever calls it."""
