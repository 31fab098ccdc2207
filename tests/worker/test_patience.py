"""What a partition that is given up waits for: little."""

import asyncio
from types import SimpleNamespace

import pytest
from redis.exceptions import RedisError

from streams.worker import patience


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(patience, "LOOK_SECONDS", 0.001)
    monkeypatch.setattr(patience, "GIVE_UP_SECONDS", 0.005)
    monkeypatch.setattr(patience, "RETRY_SECONDS", 0.001)


def run(partition, attempt):
    return asyncio.run(asyncio.wait_for(patience.patiently(partition, attempt), 20))


@pytest.mark.usefixtures("quick")
def test_work_that_takes_its_time_is_waited_for_while_the_partition_is_held():
    async def work():
        await asyncio.sleep(0.02)
        return "done"

    assert run(SimpleNamespace(number=0, closing=False), work) == "done"


@pytest.mark.usefixtures("quick")
def test_work_of_a_partition_that_is_given_up_is_broken_off_and_ends_before_we_go_on():
    partition, ended = SimpleNamespace(number=0, closing=False), []

    async def work():
        partition.closing = True
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    assert run(partition, work) is None
    assert ended == [True]


@pytest.mark.usefixtures("quick")
def test_work_that_ends_soon_after_the_partition_was_given_up_counts():
    partition = SimpleNamespace(number=0, closing=False)

    async def work():
        partition.closing = True
        return "done"

    assert run(partition, work) == "done"


@pytest.mark.usefixtures("quick")
def test_without_redis_it_is_tried_again_until_the_partition_is_given_up():
    partition, tries = SimpleNamespace(number=0, closing=False), []

    async def work():
        tries.append(True)
        partition.closing = len(tries) == 3
        raise RedisError("away")

    assert run(partition, work) is None
    assert len(tries) == 3


@pytest.mark.usefixtures("quick")
def test_another_error_is_passed_on():
    async def work():
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        run(SimpleNamespace(number=0, closing=False), work)
