"""Topics as other systems see them: written as Java's clients would, read read_committed."""

import asyncio
import json
from itertools import groupby

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from streams.worker.recovery import read_to_end
from tests.oracle import DAY

READ_SECONDS = 60


def write(kafka, records, pause=None):
    """Write records (topic, key, value, at, headers), a UTC day after another; return the end offset of each partition.

    A day's records are with the broker before the next day's first is sent. `pause` is called after each day.
    """
    return asyncio.run(_write(kafka, records, pause))


async def _write(kafka, records, pause):
    ends = {}
    async with AIOKafkaProducer(bootstrap_servers=kafka, acks="all", linger_ms=2) as producer:
        for _, day in groupby(records, key=lambda record: record[3] // DAY):
            sent = [
                await producer.send(topic, key=key, value=value, timestamp_ms=at, headers=headers)
                for topic, key, value, at, headers in day
            ]
            for told in await asyncio.gather(*sent):
                ends[told.topic, told.partition] = told.offset + 1
            if pause is not None:
                await asyncio.to_thread(pause)
    return ends


def read(kafka, topic, partitions):
    """Return all committed records of a topic, by partition and offset."""
    return asyncio.run(asyncio.wait_for(_read(kafka, topic, partitions), READ_SECONDS))


async def _read(kafka, topic, partitions):
    consumer = AIOKafkaConsumer(
        bootstrap_servers=kafka, isolation_level="read_committed", auto_offset_reset="earliest", fetch_max_wait_ms=20
    )
    await consumer.start()
    try:
        tps = [TopicPartition(topic, number) for number in range(partitions)]
        consumer.assign(tps)
        found = []
        while not all([await read_to_end(consumer, tp) for tp in tps]):
            for records in (await consumer.getmany(*tps, timeout_ms=200)).values():
                found += records
    finally:
        await consumer.stop()
    return sorted(found, key=lambda record: (record.partition, record.offset))


def encode(event, topics):
    """A history's event as a record to write."""
    value = None if event.body is None else json.dumps(event.body).encode()
    return getattr(topics, event.source), event.user.encode(), value, event.at, []
