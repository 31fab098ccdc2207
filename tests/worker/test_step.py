"""What a step counts: its own CPU, never what it waits for, never what others do meanwhile."""

import asyncio
import time

import pytest
from prometheus_client import REGISTRY

from streams.worker.step import FETCH, Step

SPENT = 0.02


def burn(seconds=SPENT):
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass


def counted(name):
    return REGISTRY.get_sample_value("awaken_step_cpu_seconds_total", {"step": name})


@pytest.fixture
def step(request):
    return Step(request.node.name)


def test_a_step_counts_what_is_done_in_it_and_not_what_is_done_beside_it(step, request):
    burn()
    with step:
        burn()
    burn()
    assert SPENT <= counted(request.node.name) < 2 * SPENT


def test_a_step_that_fails_is_counted_too(step, request):
    def fail():
        with step:
            burn()
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert counted(request.node.name) >= SPENT


def test_between_its_waits_a_coroutine_is_counted_and_while_it_waits_another_is_not(step, request):
    async def work(other):
        burn()
        await other
        burn()
        return "done"

    async def other():
        await asyncio.sleep(0)
        burn(5 * SPENT)

    async def both():
        return await step.between(work(asyncio.create_task(other())))

    assert asyncio.run(both()) == "done"
    assert 2 * SPENT <= counted(request.node.name) < 4 * SPENT


def test_what_is_awaited_fails_within_the_coroutine_and_what_the_coroutine_raises_comes_out(step):
    async def refused():
        raise ConnectionError

    async def work():
        with pytest.raises(ConnectionError):
            await asyncio.gather(refused())
        raise KeyError

    async def run():
        await step.between(work())

    with pytest.raises(KeyError):
        asyncio.run(run())


def test_a_cancelled_coroutine_learns_of_it(step):
    seen = []

    async def work(started):
        try:
            started.set()
            await asyncio.Event().wait()
        finally:
            seen.append("ended")

    async def awaiting(started):
        await step.between(work(started))

    async def run():
        started = asyncio.Event()
        task = asyncio.create_task(awaiting(started))
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())
    assert seen == ["ended"]


def test_all_that_a_thread_has_used_is_counted_once():
    before, start = counted("fetch"), time.thread_time()
    burn()
    reached = FETCH.since(start)
    FETCH.since(reached)
    assert counted("fetch") - before == pytest.approx(time.thread_time() - start, abs=SPENT / 2)
