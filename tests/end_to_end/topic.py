"""Topics as other systems see them: written as Java's clients would, read read_committed."""

import asyncio
import json
from itertools import groupby

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from tests.oracle import DAY

READ_SECONDS = 60


def write(kafka, records, pause_seconds=0):
    """Write records (topic, key, value, at, headers), a UTC day after another; return where each of them stands now.

    A day's records are with the broker before the next day's first is sent, after a pause if one is wanted.
    """
    return asyncio.run(_write(kafka, records, pause_seconds))


async def _write(kafka, records, pause_seconds):
    places = []
    async with AIOKafkaProducer(bootstrap_servers=kafka, acks="all", linger_ms=2) as producer:
        for _, day in groupby(records, key=lambda record: record[3] // DAY):
            sent = [
                await producer.send(topic, key=key, value=value, timestamp_ms=at, headers=headers)
                for topic, key, value, at, headers in day
            ]
            places += await asyncio.gather(*sent)
            await asyncio.sleep(pause_seconds)
    return places


def read(kafka, topic, partitions, *, settled=True):
    """Return all committed records of a topic, by partition and offset.

    `settled`: wait for the end of transactions that are open. A transaction shows in one partition a moment before it
    shows in another, so that who saw its offsets may still have to wait for its records.
    """
    return asyncio.run(asyncio.wait_for(_read(kafka, topic, partitions, settled), READ_SECONDS))


async def _read(kafka, topic, partitions, settled):
    consumer = AIOKafkaConsumer(
        bootstrap_servers=kafka, isolation_level="read_committed", auto_offset_reset="earliest", fetch_max_wait_ms=20
    )
    await consumer.start()
    try:
        tps = [TopicPartition(topic, number) for number in range(partitions)]
        consumer.assign(tps)
        found = []
        end = consumer.highwater if settled else consumer.last_stable_offset
        while not all([await _reached(consumer, tp, end(tp)) for tp in tps]):
            for records in (await consumer.getmany(*tps, timeout_ms=200)).values():
                found += records
    finally:
        await consumer.stop()
    return sorted(found, key=lambda record: (record.partition, record.offset))


def committed(kafka, group, tps):
    """Return the offset that a group has committed of each (topic, partition); 0 where it has none."""
    return asyncio.run(asyncio.wait_for(_committed(kafka, group, tps), READ_SECONDS))


async def _committed(kafka, group, tps):
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka, group_id=group, enable_auto_commit=False)
    await consumer.start()
    try:
        return {tp: await consumer.committed(TopicPartition(*tp)) or 0 for tp in tps}
    finally:
        await consumer.stop()


async def _reached(consumer, tp, end):
    return end is not None and await consumer.position(tp) >= end


def encode(event, topics):
    """A history's event as a record to write."""
    value = None if event.body is None else json.dumps(event.body).encode()
    return getattr(topics, event.source), event.user.encode(), value, event.at, []
