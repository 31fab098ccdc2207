"""An embedded server: a process of ours on a free port, there for the length of a `with` statement."""

from __future__ import annotations

from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self

from streams.ops.child import Child, ServerFailed, free_port

START_SECONDS = 20.0


class EmbeddedServer(ABC):
    """A server in memory on a free port of 127.0.0.1, for demonstration and tests."""

    name: str

    def __init__(self) -> None:
        self.port = free_port()
        self._child: Child | None = None

    def __enter__(self) -> Self:
        """Start the server and wait until it answers.

        Raises:
            ServerFailed: the package is missing, or the server did not start.
        """
        self._child = self._start()
        try:
            self._child.await_ready(self._answers, START_SECONDS)
        except BaseException:
            self._child.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._child is not None:
            self._child.close()

    @property
    def pid(self) -> int:
        """The server's process id.

        Raises:
            ServerFailed: it is not started.
        """
        if self._child is None:
            raise ServerFailed(f"{self.name} is not started: use it in a `with` statement")
        return self._child.pid

    @abstractmethod
    def _start(self) -> Child:
        """Start the process."""

    @abstractmethod
    def _answers(self) -> bool:
        """Say whether our own process answers, not another that took the port first."""
