"""The watch: sees each partition's input offsets advance, and so how long a fault kept work from being committed."""

import asyncio
import threading
import time

from aiokafka import AIOKafkaConsumer, TopicPartition

LOOK_SECONDS = 0.05
ANSWER_SECONDS = 2.0


class Mark:
    """A moment from which recovery is waited for: each partition has to commit something that is new after it."""

    def __init__(self, since):
        self.since = since
        self.made = time.monotonic()
        self.recovered_at = None
        self._base = None
        self._left = set()

    @property
    def seconds(self):
        """How long it took; None while it is not over."""
        return None if self.recovered_at is None else max(self.recovered_at - self.since, 0.0)

    def look(self, asked_at, answered_at, offsets):
        """Compare what the group has committed, as it was answered to a question put at `asked_at`."""
        if self.recovered_at is not None or asked_at < self.made:
            return
        if self._base is None:
            self._base, self._left = offsets, {tp.partition for tp in offsets}
        self._left -= {tp.partition for tp, offset in offsets.items() if offset > self._base[tp]}
        if not self._left:
            self.recovered_at = answered_at

    @property
    def waiting(self):
        """The partitions that have not committed since."""
        return sorted(self._left) if self._base is not None else "all"


class Watch:
    """Asks the group for its offsets of these topics, again and again, in a thread of its own."""

    def __init__(self, kafka, group, topics, partitions):
        self._kafka, self._group = kafka, group
        self._tps = [TopicPartition(topic, number) for topic in topics for number in range(partitions)]
        self._marks = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._thread.join()

    def mark(self, since):
        """Begin to wait for the recovery from what happened at `since` (monotonic seconds)."""
        self._marks.append(mark := Mark(since))
        return mark

    async def _run(self):
        while not self._over.is_set():
            consumer = AIOKafkaConsumer(
                bootstrap_servers=self._kafka, group_id=self._group, enable_auto_commit=False, request_timeout_ms=4000
            )
            try:
                await asyncio.wait_for(consumer.start(), ANSWER_SECONDS)
                while not self._over.is_set():
                    await self._look(consumer)
                    await asyncio.sleep(LOOK_SECONDS)
            except Exception:  # noqa: BLE001, S110 (the broker is away: it is asked again)
                pass
            finally:
                await _leave(consumer)
            await asyncio.sleep(LOOK_SECONDS)

    async def _look(self, consumer):
        asked_at = time.monotonic()
        found = await asyncio.wait_for(consumer._coordinator.fetch_committed_offsets(self._tps), ANSWER_SECONDS)
        offsets = {tp: found[tp].offset if tp in found else 0 for tp in self._tps}
        for mark in list(self._marks):
            mark.look(asked_at, time.monotonic(), offsets)


async def _leave(consumer):
    try:
        await asyncio.wait_for(consumer.stop(), ANSWER_SECONDS)
    except Exception:  # noqa: BLE001 (it would warn of itself at collection)
        consumer._closed = True
