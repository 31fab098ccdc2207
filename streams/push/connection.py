"""The connection to Redis or Valkey, as gate and inbox want it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialWithJitterBackoff

if TYPE_CHECKING:
    from streams.settings import Settings

MAX_CONNECTIONS = 64
RETRIES = 3


def connect(settings: Settings) -> Redis:
    """Return a client for `settings.redis`; it connects at the first call, and `aclose` ends it.

    Its pool makes callers wait for a connection (the client's own raises from the 101st at once), and a call
    gives up within seconds, so that the caller can hold its batch and say so.
    """
    pool = BlockingConnectionPool.from_url(
        settings.redis,
        max_connections=MAX_CONNECTIONS,
        retry=Retry(ExponentialWithJitterBackoff(base=0.05, cap=0.5), RETRIES),
        socket_timeout=5,
        socket_connect_timeout=5,
    )
    return Redis.from_pool(pool)
