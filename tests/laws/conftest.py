"""What the laws of stores share: a real server, and a loop in which its client lives."""

import asyncio

import pytest
from redis.asyncio import Redis


@pytest.fixture(scope="module")
def live(server):
    """Yield a loop that runs coroutines, and a client of a real server that lives in it."""
    with asyncio.Runner() as runner:
        redis = Redis.from_url(server.connection_url)
        yield runner.run, redis
        runner.run(redis.aclose())
