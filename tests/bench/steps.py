"""What each step of the way costs, in µs an event, on one core: `python -m tests.bench.steps [EVENTS [USERS]]`.

Medians over repeats, all in one run; where there is another way that was not taken, it stands beside it. Nothing is
asserted here: it is read, on a quiet machine.
"""

import gc
import statistics
import sys
import time

import numpy as np
import orjson
from aiokafka.consumer.fetcher import READ_COMMITTED
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.structs import TopicPartition

from streams.core.row import CLICKS, DAY, ORDERS
from streams.core.rules import activity_only
from streams.merge import Merge
from streams.ops import job
from streams.shard import Shard
from streams.wire.block import Pairs
from streams.wire.decode import decode
from streams.wire.message import Transition, envelope
from streams.wire.transition import Encoder
from streams.worker.batch import Fetched, PartitionRecords, records, whole, written
from streams.worker.ledger import BATCH_BYTES

REPEATS = 5
CHUNK = 10_000
EVER = 1 << 62
RULES = activity_only(dormant_ms=14 * DAY)


class Clock:
    """Seconds by step, over repeats."""

    def __init__(self):
        self.runs = [{}]

    def __call__(self, step, work, *arguments):
        started = time.perf_counter()
        result = work(*arguments)
        self.runs[-1][step] = self.runs[-1].get(step, 0.0) + time.perf_counter() - started
        return result

    def table(self, events):
        for step in self.runs[0]:
            median = statistics.median(run.get(step, 0.0) for run in self.runs)
            print(f"{step:44}{median / events * 1e6:8.3f}")


def batches(stream, wanted):
    """The events of one topic as fetched bytes, a fetch of CHUNK records each, in one batch a thousand."""
    found, data, builder, count, first = [], bytearray(), BatchBuilder(1 << 24, 0), 0, 0
    chosen = stream.order if wanted == ORDERS else ~stream.order
    columns = (stream.user[chosen], stream.at[chosen], stream.amount[chosen], stream.item[chosen])
    rows = list(zip(*(c.tolist() for c in columns), strict=True))
    for n, (user, at, amount, item) in enumerate(rows):
        event = {"user": f"u{user:07d}", "at": at}
        event |= {"order": f"o{n}", "amount": amount} if wanted == ORDERS else {"item": f"i{item}", "kind": "view"}
        builder.append(timestamp=at, key=b"u%07d" % user, value=orjson.dumps(event | {"category": f"c{item % 50}"}))
        count += 1
        if count == 1000 or n == len(rows) - 1:
            built = bytearray(builder._build())
            built[0:8] = (n + 1 - count).to_bytes(8, "big")
            data += built
            builder, count = BatchBuilder(1 << 24, 0), 0
            size = CHUNK // 10 if wanted == ORDERS else CHUNK
            if n + 1 - first >= size or n == len(rows) - 1:
                found.append((first, bytes(data)))
                data, first = bytearray(), n + 1
    return found


def fetch(first, data, key_deserializer):
    made = PartitionRecords(
        TopicPartition("t", 0), Fetched(data), [], first, key_deserializer, None, False, READ_COMMITTED
    )
    return list(made)


def fetch_whole(first, data):
    return records(fetch(first, data, whole))


def by_dictionary(moves, index):
    """Transitions as `encode` writes other messages: a dictionary, by orjson."""
    out, keys = [], index.keys(moves["row"])
    for key, (at, (last_at, *_), _row, seq, *_rest) in zip(keys, moves.tolist(), strict=True):
        user = key.decode()
        data = Transition("activity", "new", "active", "event", seq, at, "activity", False, {"last_at": float(last_at)})
        said = {f: getattr(data, f) for f in data.__struct_fields__}
        out.append((key, envelope(f"{user}-{seq}-{at}", "awaken.activity.active", user, at, "awaken", said)))
    return out


def batches_of(pairs):
    return [batch._build() for batch in written(pairs, BATCH_BYTES, transactional=True)]


def append_plainly(pairs):
    builder = BatchBuilder(1 << 30, 0)
    for key, value in pairs.each():
        builder.append(timestamp=None, key=key, value=value)
    builder._build()


def run(clock, fetches):
    shard, merge, encoder = Shard(RULES), Merge(), Encoder("awaken")
    encoder.know(RULES)
    left = {source: list(found) for source, found in fetches.items()}
    while any(left.values()):
        for source, found in left.items():
            if not found:
                continue
            first, data = found.pop(0)
            clock("fetch, record by record (not taken)", fetch, first, data, None)
            got = clock("fetch, batches whole", fetch_whole, first, data)
            decoded = clock("decode", decode, source, got, EVER, 2)
            decoded.events["row"] = clock("intern", shard.intern_spans, decoded.data, decoded.keys)
            clock("merge", merge.add, source, decoded.events)
        events = clock("merge", merge.take, [not left[CLICKS], not left[ORDERS], True, True])
        moves = np.concatenate(
            [clock("fold", shard.fold, events, {}), clock("advance", shard.advance, max(shard.newest, 1))]
        )
        transitions = clock("transitions", encoder.encode, moves, shard.index)
        clock("transitions, by dictionary (not taken)", by_dictionary, moves, shard.index)
        changed = clock("changed rows, taken and encoded", shard.take_changed)
        pairs = Pairs.joined([changed, *transitions.values()])
        clock("batches, whole", batches_of, pairs)
        clock("batches, by BatchBuilder.append (not taken)", append_plainly, pairs)
    return shard


def recovery(shard):
    """Rows a second read back from changelog values, the fetch left out."""
    shard.changed[: len(shard.index)] = 1
    rows = shard.take_changed()
    times = []
    for _ in range(REPEATS):
        restored, started = Shard(RULES), time.perf_counter()
        for start in range(0, len(rows), 5_000):
            restored.restore(rows[start : start + 5_000])
        restored.settle()
        times.append(time.perf_counter() - started)
    return len(rows) / statistics.median(times)


def main():
    events, users = (int(w) for w in (sys.argv[1:] + ["500000", "50000"][len(sys.argv) - 1 :])[:2])
    stream = job.generate(events, users)
    fetches = {source: batches(stream, source) for source in (CLICKS, ORDERS)}
    run(Clock(), {source: found[:1] for source, found in fetches.items()})  # compiles, or loads what was compiled
    gc.freeze()
    gc.disable()
    clock = Clock()
    for n in range(REPEATS):
        if n:
            clock.runs.append({})
        shard = run(clock, fetches)
    print(f"{events:,} events of {users:,} users; median of {REPEATS}; µs an event\n")
    clock.table(events)
    print(f"\nrecovery without the fetch: {recovery(shard):,.0f} rows/s")


if __name__ == "__main__":
    main()
