"""The benchmark: the lifecycle job by which engines are compared, on a whole worker pinned to one core.

The job: clicks and orders of many users over 60 days of event time, 10 % of them orders; per user first and last
activity, daily and weekly windows, totals and gaps; transitions new, active, dormant after 14 days, returning; state
in a changelog, transitions out. The topics are filled first; then `awaken worker` runs as a user would run it, with
`clock = "event"`, until the group's offsets stand at the end. What it wrote is compared with `oracle`, row by row.
"""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import aiokafka
import numpy as np
import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.partitioner import murmur2
from kafka import TopicPartition
from kafka.admin import KafkaAdminClient, OffsetSpec
from kafka.errors import CoordinatorNotAvailableError

from streams import settings as declared
from streams.ops import topics
from streams.ops.admin import connect
from streams.ops.child import free_port
from streams.ops.kafka import RealKafka
from streams.settings import DAY, Settings
from streams.worker.recovery import read_to_end

START = 1_700_006_400_000  # a UTC midnight
DAYS = 60
LAPSE_DAYS = 14
ORDERS = 0.1  # of the events
Row = tuple[str, str, str, int, int]


class Stream(NamedTuple):
    """Events in order of time: user i8[n], at i8[n] (ms UTC), order bool[n], amount f8[n], item i8[n]."""

    user: np.ndarray
    at: np.ndarray
    order: np.ndarray
    amount: np.ndarray
    item: np.ndarray


def generate(events: int, users: int, seed: int = 7) -> Stream:
    """Return the job's events: users of heavy-tailed activity who come, and go after an exponential life."""
    rng = np.random.default_rng(seed)
    weight = rng.gamma(0.6, 1.0, users)
    birth, life = rng.uniform(0, 40, users), rng.exponential(25, users) + 1
    user = rng.choice(users, size=events * 3, p=weight / weight.sum())
    day = rng.uniform(0, DAYS, user.size)
    alive = (day >= birth[user]) & (day <= birth[user] + life[user])
    user, day = user[alive][:events], day[alive][:events]
    order = np.argsort(day, kind="stable")
    user, at = user[order], START + (day[order] * DAY).astype(np.int64)
    bought = rng.random(user.size) < ORDERS
    return Stream(user, at, bought, np.round(rng.gamma(2, 20, user.size), 2), rng.integers(0, 5000, user.size))


def oracle(stream: Stream, partition: np.ndarray) -> Iterator[Row]:
    """Yield (user, from, to, at, seq) of every transition that the job demands; `partition` i8[users].

    Time in a partition ends with its last event: later deadlines have not passed there.
    """
    end = np.zeros(partition.max() + 1, np.int64)
    np.maximum.at(end, partition[stream.user], stream.at)
    lapse, state = LAPSE_DAYS * DAY, {}
    for user, at in zip(stream.user.tolist(), stream.at.tolist(), strict=True):
        key = f"u{user:07d}"
        if user not in state:
            state[user] = [at, "new", at // DAY, 1]
            yield key, "none", "new", at, 1
            continue
        known = state[user]
        if known[1] != "dormant" and at > known[0] + lapse:
            known[3] += 1
            yield key, known[1], "dormant", known[0] + lapse, known[3]
            known[1] = "dormant"
        if known[1] == "dormant":
            known[1:] = ["returning", at // DAY, known[3] + 1]
            yield key, "dormant", "returning", at, known[3]
        elif known[1] != "active" and at // DAY > known[2]:
            yield key, known[1], "active", at, known[3] + 1
            known[1:] = ["active", at // DAY, known[3] + 1]
        known[0] = at
    for user, (last_at, stage, _, seq) in state.items():
        if stage != "dormant" and last_at + lapse < end[partition[user]]:
            yield f"u{user:07d}", stage, "dormant", last_at + lapse, seq + 1


def run(
    events: int,
    users: int,
    partitions: int = 4,
    guarantee: str = "exactly-once",
    kafka: str | None = None,
    core: int = 1,
) -> dict[str, Any]:
    """Run the job and return its figures; `core` is where the worker is pinned."""
    with ExitStack() as stack:
        if kafka is None:
            kafka = stack.enter_context(RealKafka(cpu=(core + 1) % (os.cpu_count() or 1))).bootstrap
        settings = job_settings(kafka, partitions, guarantee)
        topics.create(settings)
        stack.callback(_drop, settings)
        stream = generate(events, users)
        homes = np.array([(murmur2(b"u%07d" % u) & 0x7FFFFFFF) % partitions for u in range(users)])
        asyncio.run(_fill(settings, stream, homes))
        figures = _measure(settings, events, core)
        written = asyncio.run(_read_transitions(settings))
    due = sorted(oracle(stream, homes))
    return {
        "events": events,
        "users": users,
        "partitions": partitions,
        "guarantee": guarantee,
        **figures,
        "transitions": _by_kind(written),
        "oracle": _by_kind(due),
        "rows_equal": sorted(written) == due,
    }


def job_settings(kafka: str, partitions: int, guarantee: str) -> Settings:
    """Return the job's settings: no churned, new and returning end with the second active day, nothing is pushed."""
    name = f"bench-{os.getpid()}-{time.time_ns() // 1_000_000}"
    names = {f"AWAKEN_TOPICS_{f}".upper(): f"{name}-{f.replace('_', '-')}" for f in declared.Topics.__struct_fields__}
    return declared.load(
        Path(os.devnull),
        {
            **names,
            "AWAKEN_KAFKA": kafka,
            "AWAKEN_GROUP": name,
            "AWAKEN_PARTITIONS": str(partitions),
            "AWAKEN_GUARANTEE": guarantee,
            "AWAKEN_CLOCK": "event",
            "AWAKEN_LATENESS_SECONDS": "0",
            "AWAKEN_ACTIVITY_NEW_DAYS": "0",
            "AWAKEN_ACTIVITY_DORMANT_DAYS": str(LAPSE_DAYS),
            "AWAKEN_ACTIVITY_CHURNED_DAYS": "0",
            "AWAKEN_PUSH_CHANNELS": "",
            "AWAKEN_COMMIT_SECONDS": "0.5",
            "AWAKEN_WEB_PORT": str(free_port()),
        },
    )


async def _fill(settings: Settings, stream: Stream, homes: np.ndarray) -> None:
    """Write the events in batches, as Java's default partitioner would place them."""
    producer = AIOKafkaProducer(
        bootstrap_servers=settings.kafka, acks="all", compression_type="lz4", max_batch_size=500_000
    )
    await producer.start()
    batches: dict[tuple[str, int], Any] = {}
    sent = []
    for n, (user, at, order, amount, item) in enumerate(zip(*(column.tolist() for column in stream), strict=True)):
        key, category = f"u{user:07d}", f"c{item % 50}"
        if order:
            topic = settings.topics.orders
            event = {"user": key, "at": at, "order": f"o{n}", "amount": amount, "category": category}
        else:
            topic = settings.topics.clicks
            event = {"user": key, "at": at, "item": f"i{item}", "category": category, "kind": "view"}
        home = topic, int(homes[user])
        while True:
            batch = batches.get(home) or batches.setdefault(home, producer.create_batch())
            if batch.append(timestamp=at, key=key.encode(), value=orjson.dumps(event)) is not None:
                break
            sent.append(await producer.send_batch(batches.pop(home), home[0], partition=home[1]))
    for (topic, partition), batch in batches.items():
        sent.append(await producer.send_batch(batch, topic, partition=partition))
    await asyncio.gather(*sent)
    await producer.stop()


def _measure(settings: Settings, events: int, core: int) -> dict[str, Any]:
    """Run a worker until the group's offsets stand at the end; return wall, CPU and memory figures."""
    with tempfile.TemporaryFile() as log:
        worker = subprocess.Popen(
            [sys.executable, "-m", "streams.cli", "worker"],
            env={**os.environ, **declared.environment(settings)},
            stdout=log,
            stderr=log,
            preexec_fn=lambda: os.sched_setaffinity(0, {core}),  # noqa: PLW1509 (no threads are started yet)
        )
        try:
            run = _watch(settings, worker)
        except BaseException:
            log.seek(0)
            sys.stderr.write(log.read().decode()[-3000:])
            raise
        finally:
            worker.terminate()
            worker.wait(60)
    used = run.cpu_at(run.ended) - run.cpu_at(run.started)
    wall = run.ended - run.started
    return {
        "wall_s": round(wall, 2),
        "events_per_second": round(events / wall),
        "cpu_us_per_event": round(used / events * 1e6, 2),
        "rss_mb": run.peak_bytes >> 20,
    }


class Watched(NamedTuple):
    """What was seen of a run: wall clock (s) at the first event and the last commit, CPU (s) over time, peak RSS."""

    started: float
    ended: float
    times: list[float]
    cpu: list[float]
    peak_bytes: int

    def cpu_at(self, instant: float) -> float:
        """Return the CPU seconds that the worker had used at an instant."""
        return float(np.interp(instant, self.times, self.cpu))


def _watch(settings: Settings, worker: subprocess.Popen[bytes]) -> Watched:
    """Sample the worker until it has committed everything."""
    times, cpu = [], []
    with connect(settings.kafka) as client:
        ends = _ends(client, settings)
        asked = 0.0
        while True:
            if worker.poll() is not None:
                raise RuntimeError(f"the worker ended with exit code {worker.returncode}")
            times.append(time.time())
            cpu.append(_cpu_seconds(worker.pid))
            if times[-1] - asked > 0.5:  # noqa: PLR2004 (seldom enough not to disturb)
                asked = times[-1]
                if _committed(client, settings) == ends:
                    break
            time.sleep(0.02)
    peak = int(re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{worker.pid}/status").read_text())[1]) << 10  # type: ignore[index]
    with urllib.request.urlopen(f"http://127.0.0.1:{settings.web_port}/metrics") as page:
        text = page.read().decode()
    started, ended = (
        float(re.search(rf"^awaken_{name}_timestamp_seconds (\S+)", text, re.MULTILINE)[1])  # type: ignore[index]
        for name in ("first_event", "last_commit")
    )
    return Watched(started, ended, times, cpu, peak)


def _cpu_seconds(pid: int) -> float:
    """Return the CPU seconds, user and system, that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _inputs(settings: Settings) -> list[TopicPartition]:
    topics = (settings.topics.clicks, settings.topics.orders)
    return [TopicPartition(t, p) for t in topics for p in range(settings.partitions)]


def _ends(client: KafkaAdminClient, settings: Settings) -> dict[TopicPartition, int]:
    asked = dict.fromkeys(_inputs(settings), OffsetSpec.LATEST)
    return {tp: info.offset for tp, info in client.list_partition_offsets(asked).items() if info.offset}


def _committed(client: KafkaAdminClient, settings: Settings) -> dict[TopicPartition, int]:
    try:
        offsets = client.list_group_offsets(settings.group).get(settings.group, {})
    except CoordinatorNotAvailableError:  # a new broker makes its offsets topic at the first question
        return {}
    inputs = set(_inputs(settings))
    return {tp: at.offset for tp, at in offsets.items() if tp in inputs and at.offset > 0}


async def _read_transitions(settings: Settings) -> list[Row]:
    """Return all committed transitions, as rows."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=settings.kafka, isolation_level="read_committed", auto_offset_reset="earliest"
    )
    await consumer.start()
    tps = [aiokafka.TopicPartition(settings.topics.lifecycle_transitions, p) for p in range(settings.partitions)]
    consumer.assign(tps)
    rows: list[Row] = []
    while not all([await read_to_end(consumer, tp) for tp in tps]):
        for records in (await consumer.getmany(timeout_ms=500)).values():
            rows += [_row(orjson.loads(r.value)) for r in records]
    await consumer.stop()
    return rows


def _row(event: dict[str, Any]) -> Row:
    data = event["data"]
    return event["subject"], data["from"], data["to"], data["at"], data["seq"]


def _by_kind(rows: list[Row]) -> dict[str, int]:
    return dict(sorted(Counter(f"{row[1]}>{row[2]}" for row in rows).items()))


def _drop(settings: Settings) -> None:
    """Delete the run's topics, so that a given Kafka is left as it was found."""
    with connect(settings.kafka) as client:
        client.delete_topics([spec.name for spec in topics.plan(settings)])


def table(figures: dict[str, Any]) -> str:
    """Return a run's figures for the terminal."""
    equal = "equal, row by row" if figures["rows_equal"] else "DIFFERENT"
    kinds = "  ".join(f"{kind} {count:,}" for kind, count in figures["transitions"].items())
    return (
        f"{figures['events']:,} events of {figures['users']:,} users, {figures['partitions']} partitions, "
        f"{figures['guarantee']}, worker on one core\n"
        f"  {figures['events_per_second']:>10,} events/s   ({figures['wall_s']} s)\n"
        f"  {figures['cpu_us_per_event']:>10} µs of CPU an event\n"
        f"  {figures['rss_mb']:>10,} MB peak RSS\n"
        f"  transitions beside the oracle's: {equal}\n  {kinds}"
    )
