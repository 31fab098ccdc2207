"""What is told to Redis and when: before it is worked on, never of the erased, and anew where it is gone."""

import asyncio
from types import SimpleNamespace

import msgspec
import numpy as np
import pytest
import redis
from redis.asyncio import Redis
from redis.exceptions import RedisError

from streams.settings import Settings
from streams.wire.block import Block, Record
from streams.wire.message import Decision, Outcome, encode
from streams.worker import patience
from streams.worker.chunk import Chunk
from streams.worker.serve import AT_ONCE, Serve, is_of_this_life, make_whole, write_tags
from tests.laws.history import BOOK, HALF, HOUR, T0, Reader, click

TOPICS = Settings().topics
AT = T0 + 30 * HOUR + HALF


def lived(users=2):
    """A partition of users who came twice; the ledger's positions are kept in mind."""
    shard = Reader([(n + k, n, click("view")) for n in range(users) for k in (1, 30)]).run(until=0).shard
    positions = {}
    ledger = SimpleNamespace(position=positions.__setitem__)
    return SimpleNamespace(number=0, closing=False, shard=shard, ledger=ledger, positions=positions)


def chunk(topic, *records):
    found = [Record(0, 0, user.encode(), value) for user, value in records]
    return Chunk(topic, 0, Block.of(found), 7)


def decision(ident="d1", user="u0", at=AT):
    return Decision(ident, user, at, "reactivation", "t", "send", "sent", ("inbox",), ())


def decided(*decisions):
    return chunk(TOPICS.push_decisions, *((d.user, encode(d, "awaken/t")) for d in decisions))


@pytest.fixture
def play(url):
    """Return a function that runs `steps(serve)` and returns the names of the keys that stand in Redis then."""

    def play(steps, **changes):
        async def playing():
            async with Redis.from_url(url) as client:
                await steps(Serve.open(msgspec.structs.replace(Settings(), **changes), client))

        asyncio.run(asyncio.wait_for(playing(), 60))
        with redis.Redis.from_url(url, decode_responses=True) as client:
            return set(client.keys("*"))

    return play


def test_whoever_moved_has_tags_and_nobody_else(play):
    moved = chunk(TOPICS.value_transitions, ("u1", b"x"), ("u1", b"x"), ("unknown", b"x"))
    assert play(lambda serve: serve.take(lived(), moved)) == {"awaken:{u1}:tags"}


def test_what_was_decided_is_told_with_what_became_of_it(play):
    ended = Outcome("d1", "u0", AT, "inbox", "delivered", 1)

    async def steps(serve):
        partition = lived()
        await serve.take(partition, decided(decision()))
        await serve.take(partition, chunk(TOPICS.push_outcomes, ("u0", encode(ended, "awaken/t"))))
        [one] = await serve.journal.read("u0")
        assert (one.id, one.outcomes["inbox"].outcome) == ("d1", "delivered")

    assert play(steps) == {"awaken:{u0}:decisions"}


def test_where_tags_are_not_wanted_transitions_are_told_to_nobody(play):
    async def steps(serve):
        assert serve.topics == (TOPICS.push_decisions, TOPICS.push_outcomes)
        await serve.first(worked)(lived(), chunk(TOPICS.lifecycle_transitions, ("u0", b"x")))

    done, worked = remembering()
    assert play(steps, tags=False) == set()
    assert done == [TOPICS.lifecycle_transitions]


def test_what_came_before_an_erasure_is_not_told_after_it(play):
    async def steps(serve):
        partition = lived()
        partition.shard.erase(partition.shard.index.find(b"u0"))
        await serve.take(partition, chunk(TOPICS.lifecycle_transitions, ("u0", b"x")))
        await serve.take(partition, decided(decision()))

    assert play(steps) == set()


def test_of_one_who_began_anew_only_the_new_life_is_told():
    partition = lived()
    assert is_of_this_life(partition.shard, decision())
    partition.shard.rows["first_at"][partition.shard.index.find(b"u0")] = AT + 1
    assert not is_of_this_life(partition.shard, decision())
    assert is_of_this_life(partition.shard, decision(at=AT + 1))


class Erasing:
    """A store that erases a user while he is written: his own erasure has come and gone."""

    def __init__(self, store, shard, user):
        self.store, self.shard, self.user = store, shard, user

    def __getattr__(self, name):
        return getattr(self.store, name)

    async def write(self, users):
        self.shard.erase(self.shard.index.find(self.user))
        await self.store.forget(self.user.decode())
        await self.store.write(users)


def test_who_is_erased_while_he_is_written_is_forgotten_after_it(play):
    async def steps(serve):
        shard = lived().shard
        await write_tags(Erasing(serve.tags, shard, b"u0"), shard, np.arange(2))

    assert play(steps) == {"awaken:{u1}:tags"}


def test_the_forgotten_are_gone_with_tags_and_decisions(play):
    async def steps(serve):
        partition = lived()
        await serve.take(partition, chunk(TOPICS.lifecycle_transitions, ("u0", b"x")))
        await serve.take(partition, decided(decision()))
        await serve.forget("u0")

    assert play(steps) == set()


def remembering():
    """Return a list, and an agent's work that notes its chunks' topics there."""
    done = []

    async def work(_partition, told):
        done.append(told.topic)

    return done, work


def test_a_chunk_is_told_before_it_is_worked_on_and_not_worked_on_before(play):
    done, work = remembering()

    async def steps(serve):
        async def worked(partition, told):
            assert [one.id for one in await serve.journal.read("u0")] == ["d1"]
            await work(partition, told)

        await serve.first(worked)(lived(), decided(decision()))

    play(steps)
    assert done == [TOPICS.push_decisions]


def test_what_nobody_else_reads_is_passed_over_once_it_is_told(play):
    partition = lived()
    play(lambda serve: serve.alone(partition, chunk(TOPICS.growth_transitions, ("u0", b"x"))))
    assert partition.positions == {TOPICS.growth_transitions: 7}


@pytest.mark.parametrize("way", ["first", "alone"])
def test_without_redis_a_chunk_is_held_and_left_to_the_next_owner(play, monkeypatch, way):
    monkeypatch.setattr(patience, "RETRY_SECONDS", 0.001)
    partition, tries = lived(), []
    done, work = remembering()

    async def steps(serve):
        async def away(_users):
            tries.append(True)
            partition.closing = len(tries) == 3
            raise RedisError("away")

        serve.tags.write = away
        told = serve.first(work) if way == "first" else serve.alone
        await told(partition, chunk(TOPICS.growth_transitions, ("u0", b"x")))

    play(steps)
    assert (len(tries), done, partition.positions) == (3, [], {})


def test_all_tags_are_written_where_they_are_not_whole_and_only_there(play):
    written = []

    async def steps(serve):
        partition = lived(AT_ONCE + 3)
        write = serve.tags.write

        async def counted(users):
            written.append(len(users))
            await write(users)

        serve.tags.write = counted
        await make_whole(serve.tags, partition)
        await make_whole(serve.tags, partition)
        await serve.tags.redis.flushdb()
        await make_whole(serve.tags, partition)

    found = play(steps)
    assert written == [AT_ONCE, 3] * 2
    assert len(found) == AT_ONCE + 3 + 1


def test_given_up_amid_it_the_tags_are_not_whole(play):
    async def steps(serve):
        partition = lived(AT_ONCE + 3)
        write = serve.tags.write

        async def interrupted(users):
            await write(users)
            partition.closing = True

        serve.tags.write = interrupted
        await make_whole(serve.tags, partition)
        assert not await serve.tags.are_whole(0, BOOK)

    assert len(play(steps)) == AT_ONCE + 1


def test_it_tends_a_partition_for_as_long_as_it_is_held(play, monkeypatch):
    monkeypatch.setattr("streams.worker.patience.CLOSING_SECONDS", 0.001)
    monkeypatch.setattr("streams.worker.serve.LOOK_SECONDS", 0.001)

    async def steps(serve):
        partition, ended, end = lived(), asyncio.Queue(), serve.tags.end

        async def noted(*said):
            await end(*said)
            ended.put_nowait(said)

        serve.tags.end = noted
        tending = asyncio.create_task(serve.tend(partition))
        for _ in range(2):
            await ended.get()
            assert len(await serve.tags.redis.keys("*:tags")) == 2
            await serve.tags.redis.flushdb()
        partition.closing = True
        await tending

    play(steps)
