"""What is to be measured."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import msgspec

from streams.ops import NotReady, job
from streams.settings import DAY

BACKLOG_COMMIT_SECONDS = 0.5
PACED_COMMIT_SECONDS = 0.03
WARM_UP_SECONDS = 30.0
"""So long at the beginning of a run on a schedule what is seen does not count: a broker that has just been started
compiles itself meanwhile, beside the producer and the subscriber, and takes twice the CPU that it takes later."""

MEMORY, MEMORY_INFO = Path("/dev/shm"), Path("/proc/meminfo")  # noqa: S108
BYTES_AN_EVENT = 1024
"""What a broker writes for an event, and more: the event, its user's row, transitions, markers."""

ORDERLY_SECONDS = 1.0
"""On a schedule the two topics are read as they come; what is late by less than this makes no false lapse."""


class Plan(msgspec.Struct, frozen=True):
    """A benchmark; with a `rate` (events a second) one on a schedule of so many seconds, else one of a backlog."""

    events: int = 1_000_000
    users: int = 100_000
    partitions: int = 4
    guarantee: Literal["exactly-once", "at-least-once"] = "exactly-once"
    dimensions: Literal["activity", "all"] = "activity"
    workers: int = 1
    cores: tuple[int, ...] = (1,)
    rate: int | None = None
    seconds: float = 30.0
    commit_seconds: float = BACKLOG_COMMIT_SECONDS
    repeats: int = 1

    @property
    def lateness_ms(self) -> int:
        """How late an event may come: by none in a backlog, on a schedule as much as job time goes by meanwhile."""
        if self.rate is None:
            return 0
        return round(job.DAYS * ORDERLY_SECONDS / (self.events / self.rate) * DAY)


def plan(rate: int | None, seconds: float, commit_seconds: float | None, events: int, **others: object) -> Plan:
    """Return the plan that these options make.

    Raises:
        NotReady: one of them has a value that it cannot have; this machine has not these cores.
    """
    if rate is not None:
        events = round(rate * (seconds + WARM_UP_SECONDS))
    if commit_seconds is None:
        commit_seconds = BACKLOG_COMMIT_SECONDS if rate is None else PACED_COMMIT_SECONDS
    said = {"rate": rate, "seconds": seconds, "commit_seconds": commit_seconds, "events": events, **others}
    try:
        made = msgspec.convert(said, Plan)
    except msgspec.ValidationError as error:
        what, _, where = str(error).partition(" - at `$.")
        raise NotReady(f"bench: --{where.rstrip('`')}: {what}", "`awaken bench --help` says what it may be") from error
    if missing := set(made.cores) - os.sched_getaffinity(0):
        raise NotReady(f"bench: no worker can be pinned to core {min(missing)}", "choose another with --core")
    return made


@contextmanager
def beside(cores: tuple[int, ...]) -> Iterator[None]:
    """Keep this process, and what it starts and does not pin, off the workers' cores if there are others."""
    ours = os.sched_getaffinity(0)
    os.sched_setaffinity(0, ours - set(cores) or ours)
    try:
        yield
    finally:
        os.sched_setaffinity(0, ours)


def folder_in_memory(plan: Plan) -> Path | None:
    """Return a folder in memory for the data of a broker whose answers are timed; None where there is no room for it.

    Linux writes to the disk what has waited for 30 s, and holds up meanwhile who would write on: a schedule would see
    that once, half a minute after its start, and would measure the disk.
    """
    if plan.rate is None or not MEMORY.is_dir():
        return None
    available = re.search(r"MemAvailable:\s+(\d+)", MEMORY_INFO.read_text())
    room = min(shutil.disk_usage(MEMORY).free, int(available[1]) << 10 if available else 0)
    return MEMORY if room > plan.events * plan.repeats * BYTES_AN_EVENT else None
