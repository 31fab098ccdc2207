"""Histories as files, in each format that is read, and as a worker's partition takes them."""

import msgspec
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import csv

from streams import consent
from streams.core.row import CLICK_KINDS, CLICKS, FEEDBACK_KINDS, ORDER_KINDS, ORDERS, PROFILES, SOURCES
from streams.replay import sources
from streams.replay.output import opened
from streams.replay.run import Replay
from streams.settings import Topics
from streams.shard import Shard
from streams.wire.block import Block, Record
from streams.worker.chunk import Chunk
from streams.worker.partition import Partition, rules_of
from tests.laws.history import HALF, HOUR, LAST_HOUR, SETTINGS, T0, Deed, plain

NOW = T0 + (LAST_HOUR + 24) * HOUR
END = 1 << 62
CHOSEN = msgspec.structs.replace(SETTINGS, clock="event", partitioner="any", partitions=1, lateness_seconds=3600)
TOPICS = Topics()
NAMES = (TOPICS.clicks, TOPICS.orders, TOPICS.profiles, TOPICS.push_feedback)


def events_of(history):
    """The history as JSON events, by source, in order of time."""
    found = [[] for _ in SOURCES]
    for hour, user, done in sorted(history, key=lambda h: h[:2]):
        deed = done if isinstance(done, Deed) else plain(done)
        found[deed.source].append({"user": f"u{user}", "at": T0 + hour * HOUR + HALF, **told(deed, user, hour)})
    return found


def told(deed, user, hour):
    named = {
        "category": f"c{deed.category}" if deed.category else None,
        "source": f"s{deed.origin}" if deed.origin else None,
        "side": (None, "user", "rider")[deed.side],
    }
    if deed.source == CLICKS:
        more = {"kind": CLICK_KINDS[deed.kind], "points": deed.amount, **named}
    elif deed.source == ORDERS:
        ident = f"{user}-{deed.order if deed.order > 0 else hour}"
        more = {"order": ident, "amount": deed.amount / 100, "status": ORDER_KINDS[deed.kind], **named}
        more["coupon"] = "off" if deed.coupon else None
    elif deed.source == PROFILES:
        more = deed.body
    else:
        more = deed.body or {"decision": "d", "kind": FEEDBACK_KINDS[deed.kind]}
    return {name: value for name, value in more.items() if value is not None}


def write(folder, events, form, part=""):
    """Events, by source, as files of a folder; what CSV cannot say of profiles stands in JSON lines."""
    folder.mkdir(exist_ok=True)
    for source, found in enumerate(events):
        if not found:
            continue
        path = folder / f"{NAMES[source]}{part}"
        if form == "jsonl" or (form == "csv" and source >= PROFILES):
            path.with_name(f"{path.name}.jsonl").write_bytes(b"".join(orjson.dumps(e) + b"\n" for e in found))
        elif form == "csv":
            csv.write_csv(table(found), path.with_name(f"{path.name}.csv"))
        else:
            pq.write_table(table(found), path.with_name(f"{path.name}.parquet"), row_group_size=7)
    return folder


def table(events):
    names = dict.fromkeys(name for event in events for name in event)
    return pa.table({name: [event.get(name) for event in events] for name in names})


def named(shard):
    """The shard, with the codes of all names given: which one a name gets depends on what is read first."""
    for n in range(1, 12):
        shard.categories[f"c{n}"], shard.origins[f"s{n}"]
    return shard


class Ledger:
    """A ledger that remembers what was recorded."""

    pending_bytes = 0

    def __init__(self):
        self.records = []

    def record(self, topic, records, partition=None):  # noqa: ARG002
        self.records.append((topic, records))


class Reader:
    """Says that no topic was read to its end, until all were."""

    end = None

    def read_to_end(self, topic, partition):  # noqa: ARG002
        return self.end


def live(events, cuts, settings=CHOSEN):
    """The shard and the transitions of a worker's partition that reads the topics by these cuts, then the rest."""
    reader, ledger = Reader(), Ledger()
    partition = Partition(0, settings, named(Shard(rules_of(settings))), ledger, reader, now=lambda: NOW)
    read = [0] * len(SOURCES)
    rest = [(source, 10_000) for source in range(len(SOURCES))]
    for source, size in (*cuts, *rest):
        first, some = read[source], events[source][read[source] : read[source] + size]
        records = [Record(first + n, 0, event["user"].encode(), orjson.dumps(event)) for n, event in enumerate(some)]
        read[source] += len(records)
        if records:
            partition.receive(Chunk(NAMES[source], 0, Block.of(records), read[source]))
            partition.pump()
    reader.end = END
    partition.pump()
    outputs = {getattr(TOPICS, field) for field in TOPICS.__struct_fields__ if field.endswith("_transitions")}
    return partition.shard, sorted(
        value for topic, pairs in ledger.records if topic in outputs for _, value in pairs.each()
    )


def replayed(folder, out, settings=CHOSEN, until=None, **reading):
    """The run over a folder, and its transitions."""
    found = sources.find([str(folder)], {}, TOPICS)
    with opened(settings, out, None) as output:
        run = Replay(settings, found, NOW, listener=output, **reading)
        named(run.shard)
        run.run(until)
    return run, sorted(out.read_bytes().splitlines())


def rows(shard, but=()):
    """Every user's row, purchases, orders and profile, but for what is in memory only and the fields `but`."""
    found = {}
    for key, row in shard.users():
        kept, profile = row.copy(), shard.profile(key)
        for name in ("first_order", "purchases", *but):
            kept[name] = 0
        number = shard.index.find(key)
        orders = shard.orders(number)
        orders["next"] = 0
        found[key] = kept.tobytes(), shard.weekly(number).tobytes(), orders.tobytes(), profile and consent.read(profile)
    return found


def split(events, parts):
    """Events by source as several of the kind, by user."""
    return [[[e for e in found if int(e["user"][1:]) % parts == n] for found in events] for n in range(parts)]
