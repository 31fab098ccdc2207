"""The benchmark's own correctness: its oracle against the tests' oracle, and a short run whose rows are equal.

Speed is not asserted here: `awaken bench` measures it, on a quiet machine.
"""

import json
import os
import subprocess
import sys

import numpy as np

from streams.ops import job
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


def test_a_short_run_writes_exactly_what_the_oracle_demands(real_kafka):
    words = ["--events", "60000", "--users", "6000", "--partitions", "3", "--core", "0", "--json"]
    ended = subprocess.run(
        [sys.executable, "-m", "streams.cli", "bench", *words, "--kafka", real_kafka.bootstrap],
        env={k: v for k, v in os.environ.items() if not k.startswith("AWAKEN_")},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr[-2000:]
    [line] = ended.stdout.splitlines()
    figures = json.loads(line)
    assert figures["rows_equal"]
    assert figures["transitions"] == figures["oracle"]
    assert sum(figures["transitions"].values()) > 6_000
    for name in ("events_per_second", "cpu_us_per_event", "rss_mb"):
        assert figures[name] > 0
