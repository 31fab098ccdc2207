"""Measuring: a backlog as fast as it goes, or events on a schedule; so many times, each time from nothing."""

from __future__ import annotations

import asyncio
import itertools
import statistics
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, NamedTuple

import msgspec
import numpy as np

from streams.ops import job, topics
from streams.ops.admin import connect
from streams.ops.bench import latency, progress
from streams.ops.bench.helper import Helper
from streams.ops.bench.plan import WARM_UP_SECONDS, Plan, beside, folder_in_memory
from streams.ops.bench.produce import produce
from streams.ops.bench.subscribe import subscribe
from streams.ops.bench.workers import Reading, Workers
from streams.ops.job import Row, Stream
from streams.ops.kafka import RealKafka
from streams.settings import Settings

LOOK_SECONDS = 0.02
ASK_SECONDS = 0.5
"""How often the broker is asked how far the group is: seldom enough not to disturb."""
HEAD_START_SECONDS = 1.0
SPREAD = ("events_per_second", "cpu_us_per_event", "rss_mb", "longest_pause_ms")


class Job(NamedTuple):
    """The events of a run, the partition of each user (i8[users]), and the rows that are due."""

    stream: Stream
    homes: np.ndarray
    due: list[Row]


class Course(NamedTuple):
    """The course of a run.

    Attributes:
        started: when there was something to read, wall clock, s.
        before, after: what the workers said.
        times, cpu: the workers' CPU (s) over time (wall clock, s).
        more: what else was measured.
    """

    started: float
    before: Reading
    after: Reading
    times: list[float]
    cpu: list[float]
    more: dict[str, Any]


def run(plan: Plan, kafka: str | None = None) -> dict[str, Any]:
    """Return the figures of a plan, their medians where it is run more than once, with every run's in `runs`.

    `kafka` (HOST:PORT) must know transactions; without it a real one is started.
    """
    stream = job.generate(plan.events, plan.users)
    homes = job.homes(plan.users, plan.partitions)
    made = Job(stream, homes, sorted(job.oracle(stream, homes, plan.lateness_ms)))
    with ExitStack() as stack:
        stack.enter_context(beside(plan.cores))
        where = "a given broker's"
        if kafka is None:
            folder = folder_in_memory(plan)
            where = "on disk" if folder is None else "in memory"
            kafka = stack.enter_context(RealKafka(folder=folder)).bootstrap
        runs = [_run(plan, made, kafka) for _ in range(plan.repeats)]
    spread = {name: [min(r[name] for r in runs), max(r[name] for r in runs)] for name in SPREAD}
    told = {**msgspec.to_builtins(plan), "events": len(stream.at), "broker_data": where}
    return {**told, **median(runs), "spread": spread, "runs": runs}


def median(runs: list[Any]) -> Any:
    """Return the median of each figure of several runs; what is said of all is true of all, or said by any."""
    first = runs[0]
    if isinstance(first, dict):
        names = dict.fromkeys(name for run in runs for name in run)
        return {name: median([run[name] for run in runs if name in run]) for name in names}
    if isinstance(first, bool):
        return all(runs)
    if isinstance(first, list):
        return [said for run in runs for said in run]
    return statistics.median_high(runs)


def _run(plan: Plan, made: Job, kafka: str) -> dict[str, Any]:
    every = plan.dimensions == "all"
    settings = job.settings_of(
        kafka, plan.partitions, plan.guarantee, plan.commit_seconds, plan.lateness_ms, every_dimension=every
    )
    topics.create(settings)
    try:
        with Workers(settings, plan.workers, plan.cores) as workers:
            course = (
                _backlog(settings, made, workers) if plan.rate is None else _paced(settings, made, workers, plan.rate)
            )
            peak = workers.peak_bytes()
        written = asyncio.run(progress.read_transitions(settings))
    finally:
        _drop(settings)
    if every:
        written = renumbered(written)
    return _figures(len(made.stream.at), course) | {"rss_mb": peak >> 20} | _compared(written, made.due)


def _backlog(settings: Settings, made: Job, workers: Workers) -> Course:
    """Fill the topics, and have workers that are ready read them from the first event to the last."""
    stream, homes, _ = made
    ends = job.ends(settings, stream, homes)
    with connect(settings.kafka) as client:

        async def fill() -> Reading:
            async with job.written(settings, stream, homes):
                workers.await_ready()
                before = workers.read()
                workers.hold()  # else they would see one topic's events before the other's
            return before

        before = asyncio.run(fill())
        progress.await_readable(client, ends)
        started = time.time()
        workers.go_on()
        times, cpu = _watch(workers, lambda: progress.is_done(client, settings, ends))
    return Course(started, before, workers.read(), times, cpu, {})


def _paced(settings: Settings, made: Job, workers: Workers, rate: int) -> Course:
    """Write events on a schedule, and note when their transitions are seen."""
    stream, homes, _ = made
    ends = job.ends(settings, stream, homes)
    workers.await_ready()
    before = workers.read()
    with (
        connect(settings.kafka) as client,
        Helper(subscribe, settings) as subscriber,
        Helper(produce, settings, stream, homes, rate) as producer,
    ):
        subscriber.hear()
        producer.hear()
        start = time.monotonic() + HEAD_START_SECONDS
        started = time.time() + HEAD_START_SECONDS
        producer.tell(start)

        def is_done() -> bool:
            subscriber.has_spoken()  # it has not, but for an error
            return producer.has_spoken() and progress.is_done(client, settings, ends)

        times, cpu = _watch(workers, is_done)
        after = workers.read()
        subscriber.tell("end")
        produced, seen = producer.hear(), subscriber.hear()
    counted = latency.latencies(stream, rate, start, seen, WARM_UP_SECONDS)
    measured = latency.instruments(produced, seen)
    more = {
        "latency_ms": latency.percentiles(counted),
        "transitions_timed": len(counted),
        **measured,
        "doubts": latency.doubts(measured),
    }
    return Course(started, before, after, times, cpu, more)


def _watch(workers: Workers, is_done: Callable[[], bool]) -> tuple[list[float], list[float]]:
    """Sample the workers' CPU until all is done; return times (wall clock, s) and CPU (s)."""
    times, cpu = [], []
    asked = 0.0
    while True:
        workers.check()
        times.append(time.time())
        cpu.append(workers.cpu_seconds())
        if times[-1] - asked > ASK_SECONDS:
            asked = times[-1]
            if is_done():
                return times, cpu
        time.sleep(LOOK_SECONDS)


def _figures(events: int, course: Course) -> dict[str, Any]:
    """Return the figures of a run, from when there was something to read to the last commit."""
    started, ended = course.started, course.after.last_commit
    used = float(np.diff(np.interp([started, ended], course.times, course.cpu))[0])
    steps = {name: course.after.steps[name] - course.before.steps[name] for name in course.after.steps}
    steps["other"] = max(used - sum(steps.values()), 0.0)
    return {
        "wall_s": round(ended - started, 2),
        "events_per_second": round(events / (ended - started)),
        "cpu_us_per_event": round(used / events * 1e6, 2),
        "steps_us_per_event": {name: round(seconds / events * 1e6, 3) for name, seconds in steps.items()},
        "longest_pause_ms": round(course.after.longest_pause * 1000, 1),
        **course.more,
    }


def renumbered(rows: list[Row]) -> list[Row]:
    """Return rows of one dimension, in each user's order, counted by themselves: his seq counts all dimensions."""
    found: list[Row] = []
    for _, his in itertools.groupby(sorted(rows, key=lambda row: (row[0], row[4])), key=lambda row: row[0]):
        found += [(*row[:4], number) for number, row in enumerate(his, 1)]
    return found


def _compared(written: list[Row], due: list[Row]) -> dict[str, Any]:
    """Return what was written beside what was due, by kind, and how many rows of each the other has not."""
    found, wanted = Counter(written), Counter(due)
    return {
        "transitions": _by_kind(written),
        "oracle": _by_kind(due),
        "rows_equal": found == wanted,
        "rows_missing": (wanted - found).total(),
        "rows_wrong": (found - wanted).total(),
    }


def _by_kind(rows: list[Row]) -> dict[str, int]:
    return dict(sorted(Counter(f"{row[1]}>{row[2]}" for row in rows).items()))


def _drop(settings: Settings) -> None:
    """Delete the run's topics, so that a given Kafka is left as it was found."""
    with connect(settings.kafka) as client:
        client.delete_topics([spec.name for spec in topics.plan(settings)])
