"""The benchmark's own correctness: its oracle against the tests' oracle, and a short run whose rows are equal.

Speed is not asserted here: `awaken bench` measures it, on a quiet machine.
"""

import json
import os
import subprocess
import sys

import numpy as np

from streams.ops import job
from streams.ops.bench.plan import WARM_UP_SECONDS
from tests import oracle


def test_the_jobs_oracle_agrees_with_the_tests_oracle():
    stream = job.generate(20_000, 2_000)
    everywhere = np.zeros(2_000, int)
    acts = [(f"u{user:07d}", at) for user, at in zip(stream.user.tolist(), stream.at.tolist(), strict=True)]
    due = oracle.transitions(acts, oracle.Rules(0, job.LAPSE_DAYS, 0), int(stream.at.max()))
    rows = [(user, step.from_, step.to, step.at, step.seq) for user, steps in due.items() for step in steps]
    assert sorted(job.oracle(stream, everywhere)) == sorted(rows)


def test_the_jobs_events_are_the_same_every_time_and_in_order():
    one, two = job.generate(5_000, 500), job.generate(5_000, 500)
    assert all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))
    assert len(one.at) == 5_000
    assert np.all(np.diff(one.at) >= 0)
    assert 0.08 < one.order.mean() < 0.12


def bench(kafka, *words):
    ended = subprocess.run(
        [sys.executable, "-m", "streams.cli", "bench", *words, "--kafka", kafka.bootstrap, "--core", "0", "--json"],
        env={k: v for k, v in os.environ.items() if not k.startswith("AWAKEN_")},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr[-2000:]
    [line] = ended.stdout.splitlines()
    return json.loads(line)


def test_a_short_run_writes_exactly_what_the_oracle_demands(real_kafka):
    figures = bench(real_kafka, "--events", "60000", "--users", "6000", "--partitions", "3")
    assert figures["rows_equal"]
    assert figures["transitions"] == figures["oracle"]
    assert sum(figures["transitions"].values()) > 6_000
    for name in ("events_per_second", "cpu_us_per_event", "rss_mb"):
        assert figures[name] > 0
    steps = figures["steps_us_per_event"]
    assert all(steps[name] > 0 for name in steps if name != "other")
    assert sum(steps.values()) < 1.5 * figures["cpu_us_per_event"]


def test_workers_that_share_the_partitions_write_the_same_with_every_dimension_on(real_kafka):
    words = ["--events", "30000", "--users", "3000", "--partitions", "3", "--workers", "2", "--dimensions", "all"]
    figures = bench(real_kafka, *words)
    assert figures["rows_equal"]
    assert figures["transitions"] == figures["oracle"]


def test_on_a_schedule_each_transition_is_timed_from_when_its_event_was_due(real_kafka):
    figures = bench(real_kafka, "--rate", "2000", "--seconds", "4", "--users", "2000", "--partitions", "3")
    assert figures["events"] == len(job.generate(round(2000 * (4 + WARM_UP_SECONDS)), 2000).at)
    caused = sum(count for kind, count in figures["transitions"].items() if not kind.endswith("dormant"))
    assert 0 < figures["transitions_timed"] < caused
    assert 0 < figures["latency_ms"]["p50"] <= figures["latency_ms"]["p99"] <= figures["latency_ms"]["max"]
    assert figures["wall_s"] > 8, "the schedule lasts nine seconds"
