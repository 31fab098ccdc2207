"""A process of ours beside the workers, told when to begin and to end, and asked what it found."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self


class Helper:
    """A process that does `work(pipe, *arguments)`; it is gone with the `with` block."""

    def __init__(self, work: Callable[..., None], *arguments: Any) -> None:
        spawn = multiprocessing.get_context("spawn")
        self._pipe, theirs = spawn.Pipe()
        self._process = spawn.Process(target=work, args=(theirs, *arguments), daemon=True)
        self._process.start()
        theirs.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.join()
        self._pipe.close()

    def tell(self, word: Any) -> None:
        """Say something to it."""
        self._pipe.send(word)

    def hear(self) -> Any:
        """Wait for what it says next.

        Raises:
            RuntimeError: it has ended without a word; why stands on stderr.
        """
        try:
            return self._pipe.recv()
        except EOFError as error:
            raise RuntimeError("a helper of the benchmark ended by an error") from error

    def has_spoken(self) -> bool:
        """Say whether there is something to hear.

        Raises:
            RuntimeError: it has ended by an error.
        """
        if self._process.exitcode:
            raise RuntimeError("a helper of the benchmark ended by an error")
        return self._pipe.poll()
