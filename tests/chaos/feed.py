"""The feed: a seeded history without end, written day by day for as long as there are faults.

Each day is with the broker, whole, before the next one's first event is sent, whatever happens to the broker: so the
watermark, a day behind, is never ahead of what is still to come.
"""

import asyncio
import contextlib
import json
import threading
import time
from collections import defaultdict
from itertools import count, groupby

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from tests.end_to_end import topic
from tests.end_to_end.history import CLICKS, ORDERS, PROFILES, generate, home
from tests.end_to_end.scene import PARTITIONS
from tests.oracle import DAY

START = 1_262_304_000_000  # 2010-01-01, so that decades of days lie in the past
CHAPTER_DAYS = 70
"""Two weeks of clicks and orders in turns, five times: turns go on from chapter to chapter."""
USERS = 300
DAY_SECONDS = 0.25
STOP_SECONDS = 120
RETRY_SECONDS = 0.2
BATCH_BYTES = 1 << 19


def days(seed, users=USERS):
    """Yield the events of each day, for ever. Profiles are told on the first."""
    for chapter in count():
        start = START + chapter * CHAPTER_DAYS * DAY
        events = generate(users, CHAPTER_DAYS, f"{seed}-{chapter}", start, by_turns=True)
        told = [event for event in events if event.source != PROFILES or not chapter]
        for _, some in groupby(told, key=lambda event: event.at // DAY):
            yield list(some)


class Feed:
    """Writes days to the scene's topics until it is left; `events` is what was written.

    A broker in trouble may take an event and not say so, as any producer knows: it is written again then, and stands in
    the topic twice. So what the engine has to go by is what is there to be read in the end (`read_back`).
    """

    def __init__(self, scene, seed, pause_seconds=DAY_SECONDS):
        self.events = []
        self.failure = None
        self._producer = None
        self._settings, self._days, self._pause = scene.settings, days(seed), pause_seconds
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._write, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()

    def finish(self):
        """End with a whole day; every event written is with the broker then.

        Raises:
            RuntimeError: the feed failed, which says nothing about the engine.
        """
        self._over.set()
        self._thread.join(STOP_SECONDS)
        if self._thread.is_alive() or self.failure is not None:
            raise RuntimeError(f"the feed could not be finished: {self.failure!r}")

    def _write(self):
        try:
            asyncio.run(self._run())
        except Exception as error:  # noqa: BLE001 (told by `finish`)
            self.failure = error

    async def _run(self):
        for events in self._days:
            if self._over.is_set():
                break
            began = time.monotonic()
            await self._write_day(events)
            self.events += events
            await asyncio.sleep(max(self._pause - (time.monotonic() - began), 0))
        await self._let_go()

    async def _write_day(self, events):
        """Write a day's events, a batch a partition, until all have arrived.

        A batch of which nobody knows whether it arrived is written again, whole: nobody's events change their order.
        """
        left = defaultdict(list)
        for event in events:
            place = getattr(self._settings.topics, event.source), home(event.user, PARTITIONS)
            left[place].append(event)
        while left:
            try:
                producer = await self._require_producer()
                sent = {
                    (name, number): await producer.send_batch(_batch(producer, events), name, partition=number)
                    for (name, number), events in left.items()
                }
            except KafkaError:
                await self._let_go()
                continue
            results = await asyncio.gather(*sent.values(), return_exceptions=True)
            for place, result in zip(sent, results, strict=True):
                if not isinstance(result, BaseException):
                    del left[place]
            if left:
                await self._let_go()

    async def _require_producer(self):
        """The producer that there is, or a new one: idempotent, so that it repeats nothing of itself."""
        if self._producer is None:
            await asyncio.sleep(RETRY_SECONDS)
            producer = AIOKafkaProducer(
                bootstrap_servers=self._settings.kafka, enable_idempotence=True, max_batch_size=BATCH_BYTES,
                request_timeout_ms=20_000,
            )  # fmt: skip
            try:
                await producer.start()
            except KafkaError:
                await _stop(producer)
                raise
            self._producer = producer
        return self._producer

    async def _let_go(self):
        producer, self._producer = self._producer, None
        if producer is not None:
            await _stop(producer)


def _batch(producer, events):
    """One batch of these events.

    Without their own time: by it a broker that starts again takes their producer for one of years ago, forgets what it
    has had of him, and takes it twice.
    """
    batch = producer.create_batch()
    for event in events:
        if batch.append(key=event.user.encode(), value=encoded(event)[1], timestamp=None) is None:
            raise RuntimeError(f"{len(events)} events are more than a batch holds")
    batch.close()
    return batch


async def _stop(producer):
    """Let go of a producer at once: what it still holds must not be written after what the next one writes."""
    producer._closed = True
    with contextlib.suppress(Exception):
        await producer._sender.close()
    with contextlib.suppress(Exception):
        await producer.client.close()


def read_back(scene, fed):
    """Return the events that the scene's topics hold, in order of time, and let the scene wait for the last of them.

    Raises:
        RuntimeError: the broker has lost an event that it had taken, which says nothing about the engine.
    """
    known = {encoded(event): event for event in fed}
    events = []
    for source in (CLICKS, ORDERS, PROFILES):
        name = getattr(scene.settings.topics, source)
        for record in topic.read(scene.settings.kafka, name, PARTITIONS):
            events.append(known[source, record.value])
            scene.ends[name, record.partition] = record.offset + 1
    if lost := len(known) - len(set(map(encoded, events))):
        raise RuntimeError(f"{lost} of {len(known)} events that the broker had taken are not there")
    return sorted(events, key=lambda event: event.at)


def encoded(event):
    """What tells an event from every other: its topic and its bytes."""
    return event.source, json.dumps(event.body).encode()
