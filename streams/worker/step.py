"""CPU by step of the way (the steps of `streams/__init__.py`), always on: what each costs a chunk or a commit.

Counted is the CPU of the thread that does the step, so other threads and waiting do not show in it. Each step belongs
to one thread. Of the process's CPU the rest is Faust's, the event loop's, the sending to the brokers.
"""

from __future__ import annotations

import time
from collections.abc import Coroutine, Generator
from typing import Any, Generic, Self, TypeVar

from streams import metrics

T = TypeVar("T")


class Step:
    """One step, as a context in which nothing may await; steps do not lie within each other."""

    def __init__(self, name: str) -> None:
        self._seconds = metrics.STEP_CPU.labels(name)
        self._since = 0.0

    def __enter__(self) -> Self:
        self._since = time.thread_time()
        return self

    def __exit__(self, *_: object) -> None:
        self._seconds.inc(time.thread_time() - self._since)

    def between(self, work: Coroutine[Any, Any, T]) -> Awaited[T]:
        """Return `work` to be awaited, counting what it does itself between its waits."""
        return Awaited(self, work)

    def since(self, before: float) -> float:
        """Count all that this thread has used since `before`, and return what it has used by now, in seconds."""
        now = time.thread_time()
        self._seconds.inc(now - before)
        return now


class Awaited(Generic[T]):
    """A coroutine that is counted as a step whenever it runs, and not while it waits."""

    def __init__(self, step: Step, work: Coroutine[Any, Any, T]) -> None:
        self._step = step
        self._work = work

    def __await__(self) -> Generator[Any, Any, T]:
        go_on, told = self._work.send, None
        while True:
            try:
                with self._step:
                    waits_for = go_on(told)
            except StopIteration as ended:
                result: T = ended.value
                return result
            try:
                go_on, told = self._work.send, (yield waits_for)
            except BaseException as error:  # noqa: BLE001 (cancelled or refused, the work itself must learn of it)
                go_on, told = self._work.throw, error


FETCH = Step("fetch")
DECODE = Step("decode")
INTERN = Step("intern")
MERGE = Step("merge")
FOLD = Step("fold")
ADVANCE = Step("advance")
ENCODE = Step("encode")
CHANGED = Step("changed")
COMMIT = Step("commit")
