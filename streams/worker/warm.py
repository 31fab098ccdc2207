"""Having everything compiled, or loaded from the compiler's cache, before the group waits for this worker.

The first start on a machine compiles for a minute or so; in the midst of a group it would lose its session. What the
compiler takes for it, half a gigabyte, it never gives back: so a child compiles, and this process loads.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import time

from streams import warm as common
from streams.core.rules import Rulebook
from streams.worker.batch import WholeBatch, records, written

log = logging.getLogger(__name__)
LONG_SECONDS = 2.0


def warm(book: Rulebook) -> None:
    """Let an event go all its way, and what changed by it be written and read, first in a child, then here."""
    started = time.monotonic()
    if hasattr(os, "fork"):
        child = multiprocessing.get_context("fork").Process(target=_walk, args=(book,))
        child.start()
        child.join()
    _walk(book)
    if (took := time.monotonic() - started) > LONG_SECONDS:
        log.info("compiled in %.0f s; the next start on this machine finds it in the cache", took)


def _walk(book: Rulebook) -> None:
    for batch in written(common.warm(book), 0, transactional=False):
        records(WholeBatch(bytes(batch._build()), 0))  # noqa: SLF001 (as a producer does)
