"""How a worker ends: its exit codes, by which a supervisor and a person can tell what became of it."""

from __future__ import annotations

from enum import IntEnum


class Ending(IntEnum):
    """An exit code; `deploy/README.md` says of each what to do."""

    STOPPED = 0
    """It was told to stop, and everything folded is committed."""
    REFUSED = 2
    """A setting or a server is wrong: it never began."""
    CRASHED = 70
    """An error from which only a new start recovers (EX_SOFTWARE)."""
    UNSETTLED = 74
    """It was told to stop and could not commit everything in time (EX_IOERR); the next owner folds it again."""
    STUCK = 75
    """It did not get on, and ended itself (EX_TEMPFAIL)."""
    MISFIT = 78
    """A topic has another number of partitions than at the start (EX_CONFIG)."""
