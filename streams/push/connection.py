"""The connection to Redis or Valkey, as gate and inbox want it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import hiredis
from redis.asyncio import BlockingConnectionPool, Connection, Redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialWithJitterBackoff

if TYPE_CHECKING:
    from streams.settings import Settings

MAX_CONNECTIONS = 64
RETRIES = 3


class PackedConnection(Connection):
    """A connection whose commands are packed in C: redis-py does so only where nothing is awaited."""

    def pack_command(self, *arguments: Any) -> list[bytes]:
        """Return a command as the protocol's bytes."""
        return [hiredis.pack_command(arguments)]


def connect(settings: Settings) -> Redis:
    """Return a client for `settings.redis`; it connects at the first call, and `aclose` ends it.

    Its pool makes callers wait for a connection (the client's own raises from the 101st at once), and a call
    gives up within seconds, so that the caller can hold its batch and say so.
    """
    pool = BlockingConnectionPool.from_url(
        settings.redis,
        connection_class=PackedConnection,  # a rediss:// or unix:// has its own
        max_connections=MAX_CONNECTIONS,
        retry=Retry(ExponentialWithJitterBackoff(base=0.05, cap=0.5), RETRIES),
        socket_timeout=5,
        socket_connect_timeout=5,
    )
    return Redis.from_pool(pool)
