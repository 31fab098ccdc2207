"""A worker stops at each step of a commit, another takes over, and the first goes on.

What it was about to write has happened whole or not at all, and nothing of it happens later.
"""

import asyncio
from contextlib import AsyncExitStack

import pytest

from streams.ops.topics import changelog
from streams.wire.block import Pairs
from streams.worker.ledger import Fenced, TransactionalLedger
from tests.end_to_end import topic

STEPS = ("begin_transaction", "send_batch", "send_offsets_to_transaction", "commit_transaction")
CALLS = 5
"""A commit of one row and one transition: begin, two batches, the offsets, the end."""
OFFSET = 7
WAIT_SECONDS = 30


class Pause:
    """Holds a producer at its call number `step` (from 0) until it is told to go on."""

    def __init__(self, producer, step):
        self.step, self.calls = step, 0
        self.reached, self.go = asyncio.Event(), asyncio.Event()
        for name in STEPS:
            setattr(producer, name, self._held(getattr(producer, name)))

    def _held(self, call):
        async def attempt(*args, **options):
            self.calls += 1
            if self.calls == self.step + 1:
                self.reached.set()
                await self.go.wait()
            return await call(*args, **options)

        return attempt


async def open_ledger(scene, stack):
    ledger = await TransactionalLedger.open(scene.settings, 0, changelog(scene.settings))
    stack.push_async_callback(ledger.close)
    return ledger


def begin(scene, ledger, word):
    """Begin a commit of a transition, a row and an offset."""
    ledger.record(scene.settings.topics.lifecycle_transitions, [(b"u1", word)])
    ledger.position(scene.settings.topics.clicks, OFFSET)
    return asyncio.create_task(ledger.commit([Pairs.of([(b"u1", word)])]))


def written(scene):
    """The transitions, the rows and the offset that everybody sees."""
    names = scene.settings.topics
    transitions = [r.value for r in scene.records(names.lifecycle_transitions)]
    rows = [r.value for r in scene.changelog()]
    [offset] = topic.committed(scene.settings.kafka, scene.settings.group, [(names.clicks, 0)]).values()
    return transitions, rows, offset


@pytest.mark.parametrize("step", range(CALLS))
def test_a_commit_that_is_cut_has_not_happened_and_does_not_happen_later(scene, step):
    async def play():
        async with AsyncExitStack() as stack:
            first = await open_ledger(scene, stack)
            pause = Pause(first._producer, step)
            commit = begin(scene, first, b"cut")
            await asyncio.wait_for(pause.reached.wait(), WAIT_SECONDS)
            second = await open_ledger(scene, stack)
            assert await asyncio.to_thread(written, scene) == ([], [], 0)
            pause.go.set()
            with pytest.raises(Fenced):
                await asyncio.wait_for(commit, WAIT_SECONDS)
            await begin(scene, second, b"whole")

    asyncio.run(play())
    assert written(scene) == ([b"whole"], [b"whole"], OFFSET)


def test_a_commit_that_was_done_stands_and_the_next_is_refused(scene):
    async def play():
        async with AsyncExitStack() as stack:
            first = await open_ledger(scene, stack)
            pause = Pause(first._producer, CALLS)
            await asyncio.wait_for(begin(scene, first, b"whole"), WAIT_SECONDS)
            assert pause.calls == CALLS, "a commit has another number of steps now: CALLS says how many are cut"
            await open_ledger(scene, stack)
            pause.go.set()
            with pytest.raises(Fenced):
                await begin(scene, first, b"too late")

    asyncio.run(play())
    assert written(scene) == ([b"whole"], [b"whole"], OFFSET)


def test_what_goes_to_another_partition_comes_with_the_commit_or_not_at_all(scene):
    """A referral: the invitee's partition writes to the inviter's."""
    names = scene.settings.topics

    async def play():
        async with AsyncExitStack() as stack:
            first = await open_ledger(scene, stack)
            first.record(names.referrals, [(b"cut", b"cut")], 1)
            pause = Pause(first._producer, STEPS.index("commit_transaction") - 1)
            commit = asyncio.create_task(first.commit([]))
            await asyncio.wait_for(pause.reached.wait(), WAIT_SECONDS)
            second = await open_ledger(scene, stack)
            pause.go.set()
            with pytest.raises(Fenced):
                await asyncio.wait_for(commit, WAIT_SECONDS)
            second.record(names.referrals, [(b"whole", b"whole")], 1)
            await second.commit([])

    asyncio.run(play())
    assert [(r.partition, r.value) for r in scene.records(names.referrals)] == [(1, b"whole")]
