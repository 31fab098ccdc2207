"""The watchdog: a thread beside the event loop that ends a worker which does not get on, and says why.

What is stuck cannot be trusted to notice it, so nothing here waits for the loop. Every second the thread

- asks the loop for a sign of life: one that gives none for `stuck_seconds` is blocked;
- asks `health.stuck`, as the page does: a partition that does not commit, a group that never resumes. Reading users
  back is no standstill for as long as rows come in;
- looks at the number of partitions that the consumer's metadata tells: another one than at the start means that
  users' events go elsewhere from now on, so the worker ends in good order, with a code of its own;
- counts the time since the worker was told to stop: after `drain_seconds` it ends, whatever it waits for.

It ends the process by `os._exit`, since everything gentler runs on the loop. That is safe: what was not committed
is folded again by the next owner, as after a kill. A process that was itself stopped (SIGSTOP, a sleeping machine)
was not stuck: the count begins anew when it wakes. What holds Python's interpreter lock for good stops this thread
too; then only the page's silence tells, to who asks it.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

from streams.settings import Settings
from streams.worker import health
from streams.worker.ending import Ending

log = logging.getLogger(__name__)
LOOK_SECONDS = 1.0
ASLEEP_SECONDS = 5.0
"""So long between two looks, and the whole process was stopped, not its loop."""
REPORT_SECONDS = 5.0
"""A log that cannot be written, which may be why we are stuck, must not hold the end up."""
MOST_TASKS = 50


class Watched(health.Held, Protocol):
    """What the watchdog must know of the app."""

    settings: Settings
    crashed: Any

    def partition_counts(self) -> Mapping[str, int]:
        """Return how many partitions each topic that is read has, as the brokers last told."""


class Verdict(NamedTuple):
    """That the worker must end, how, and why."""

    ending: Ending
    reason: str


class Watchdog:
    """Watches one app on its loop; `ending` is set once it has asked for an end in good order."""

    def __init__(self, app: Watched, loop: asyncio.AbstractEventLoop, now: float | None = None) -> None:
        now = time.monotonic() if now is None else now
        self.app = app
        self.ending: Ending | None = None
        self._loop = loop
        self._loop_thread = threading.get_ident()
        self._looked_at = self._awake_since = now
        self._asked_at: float | None = None  # and no answer yet
        self._stopping_since: float | None = None

    def start(self) -> None:
        """Begin to watch, in a thread that ends with the process. Call it from the loop's own thread."""
        self._loop_thread = threading.get_ident()
        threading.Thread(target=self._watch, name="watchdog", daemon=True).start()

    def look(self, now: float) -> Verdict | None:
        """Return why the worker must end at once, if it must; `now` by the monotonic clock, in seconds."""
        if now - self._looked_at > ASLEEP_SECONDS:
            self._wake(now)
        self._looked_at = now
        if self.app.should_stop:
            return self._overdue(now)
        self._check_counts()
        blocked = self._blocked_for(now)
        if blocked > self.app.settings.stuck_seconds:
            return Verdict(Ending.STUCK, f"the event loop has been blocked for {blocked:.0f} s")
        if now - self._awake_since > self.app.settings.stuck_seconds and (problems := health.stuck(self.app, now)):
            return Verdict(Ending.STUCK, "; ".join(problems))
        return None

    def _wake(self, now: float) -> None:
        self._awake_since = now
        if self._asked_at is not None:
            self._asked_at = now
        if self._stopping_since is not None:
            self._stopping_since = now

    def _blocked_for(self, now: float) -> float:
        """Return for how many seconds the loop has owed us an answer, and ask it again if it owes none."""
        if self._asked_at is not None:
            return now - self._asked_at
        self._asked_at = now
        try:
            self._loop.call_soon_threadsafe(self._answer)
        except RuntimeError:  # it is closed: we are past the end
            self._asked_at = None
        return 0.0

    def _answer(self) -> None:
        self._asked_at = None

    def _overdue(self, now: float) -> Verdict | None:
        """Return that the end takes too long, if it does."""
        self._stopping_since = self._stopping_since or now
        limit = self.app.settings.drain_seconds
        if now - self._stopping_since <= limit:
            return None
        ending = self.ending or (Ending.CRASHED if self.app.crashed else Ending.UNSETTLED)
        return Verdict(ending, f"told to stop, it has not ended within drain_seconds = {limit:g}")

    def _check_counts(self) -> None:
        """Ask for an end in good order if a topic has other partitions than it had."""
        wanted = self.app.settings.partitions
        changed = {topic: count for topic, count in self.app.partition_counts().items() if count != wanted}
        if not changed or self.ending is not None:
            return
        self.ending = Ending.MISFIT
        told = ", ".join(f"{topic} has {count}" for topic, count in sorted(changed.items()))
        log.critical(
            "the number of partitions changed: %s, but all keyed topics must have %d; users' events go to other "
            "partitions than their state is in, so this worker ends (exit code %d). `awaken doctor` says what mends "
            "it; see deploy/README.md, `When the number of partitions changes`",
            told, wanted, Ending.MISFIT,
        )  # fmt: skip
        os.kill(os.getpid(), signal.SIGTERM)  # the way out that commits

    def _watch(self) -> None:
        while True:
            time.sleep(LOOK_SECONDS)
            verdict = self.look(time.monotonic())
            if verdict is not None:
                self._end(verdict)

    def _end(self, verdict: Verdict) -> None:
        """Say why, and end the process."""
        report = threading.Thread(target=self._report, args=(verdict,), daemon=True)
        report.start()
        report.join(REPORT_SECONDS)
        os._exit(verdict.ending)

    def _report(self, verdict: Verdict) -> None:
        log.critical("%s; ending with exit code %d. The loop's thread:\n%s", verdict.reason, verdict.ending,
                     self._stack())  # fmt: skip
        for handler in logging.getLogger().handlers:
            handler.flush()

    def _stack(self) -> str:
        """Return where the loop's thread is, and where its tasks wait."""
        frame = sys._current_frames().get(self._loop_thread)  # noqa: SLF001 (there is no other way to another thread)
        lines = traceback.format_stack(frame) if frame else ["  it is gone\n"]
        try:
            tasks = sorted(filter(None, map(_place, asyncio.all_tasks(self._loop))))
        except RuntimeError:  # they changed while we looked
            tasks = []
        return "".join(lines) + "its tasks wait in:\n" + "\n".join(f"  {place}" for place in tasks[:MOST_TASKS])


def _place(task: asyncio.Task[Any]) -> str:
    """Return where a task waits: each function of ours or others', outermost first."""
    names: list[str] = []
    waits: Any = task.get_coro()
    while waits is not None and (code := getattr(waits, "cr_code", None)) is not None:
        frame = getattr(waits, "cr_frame", None)
        names.append(f"{code.co_name}:{frame.f_lineno if frame else '?'}")
        waits = getattr(waits, "cr_await", None)
    return " > ".join(names)
