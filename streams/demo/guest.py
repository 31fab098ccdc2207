"""A guest on somebody's Kafka and Redis: names of its own for everything, and all gone at the end."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import msgspec
from redis.asyncio import Redis

from streams.ops.admin import connect
from streams.settings import Topics

if TYPE_CHECKING:
    from streams.settings import Settings


def guest_name() -> str:
    """Return a name nobody else has, such as `demo-3f9a1c`."""
    return f"demo-{secrets.token_hex(3)}"


def guest_topics(name: str) -> dict[str, str]:
    """Return the environment that puts a guest's name before every topic."""
    defaults = msgspec.structs.asdict(Topics())
    return {f"AWAKEN_TOPICS_{field}".upper(): f"{name}-{topic}" for field, topic in defaults.items()}


def leave_kafka(settings: Settings) -> None:
    """Delete the guest's topics and consumer group."""
    with connect(settings.kafka) as admin:
        topics = [topic for topic in admin.list_topics() if topic.startswith(f"{settings.group}-")]
        if topics:
            admin.delete_topics(topics)
        admin.delete_groups([settings.group])


async def leave_redis(settings: Settings) -> None:
    """Delete the guest's keys."""
    async with Redis.from_url(settings.redis) as redis:
        keys = [key async for key in redis.scan_iter(match=f"{settings.group}:*", count=1000)]
        for n in range(0, len(keys), 1000):
            await redis.unlink(*keys[n : n + 1000])
