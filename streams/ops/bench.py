"""The benchmark: the lifecycle job on a whole worker pinned to one core.

The topics are filled first; then `awaken worker` runs as a user would run it, until the group's offsets stand at the
end. What it wrote is compared with the oracle, row by row.
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
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import aiokafka
import numpy as np
import orjson
from kafka import TopicPartition
from kafka.admin import KafkaAdminClient, OffsetSpec
from kafka.errors import CoordinatorLoadInProgressError, CoordinatorNotAvailableError, NotCoordinatorError

from streams import settings as declared
from streams.ops import job, topics
from streams.ops.admin import connect
from streams.ops.job import Row
from streams.ops.kafka import RealKafka
from streams.settings import Settings
from streams.worker.recovery import read_to_end

NO_COORDINATOR = (CoordinatorLoadInProgressError, CoordinatorNotAvailableError, NotCoordinatorError)


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
        settings = job.settings_of(kafka, partitions, guarantee)
        topics.create(settings)
        stack.callback(_drop, settings)
        stream = job.generate(events, users)
        homes = job.homes(users, partitions)
        asyncio.run(job.fill(settings, stream, homes))
        figures = _measure(settings, events, core)
        written = asyncio.run(_read_transitions(settings))
    due = sorted(job.oracle(stream, homes))
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
    except NO_COORDINATOR:  # a new broker makes its offsets topic at the first question
        return {}
    inputs = set(_inputs(settings))
    return {tp: at.offset for tp, at in offsets.items() if tp in inputs and at.offset > 0}


async def _read_transitions(settings: Settings) -> list[Row]:
    """Return all committed transitions, as rows."""
    consumer = aiokafka.AIOKafkaConsumer(
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
