"""The figures on a page."""

import io

import pytest
from rich.console import Console

from streams.ops.bench import view

TIMES = {"p50": 60.0, "p95": 90.0, "p99": 12_345.6, "max": 123_456.7}
RUN = {
    "wall_s": 10.0,
    "events_per_second": 271_000,
    "cpu_us_per_event": 3.4,
    "steps_us_per_event": {"fetch": 0.5, "other": 0.1},
    "rss_mb": 1024,
    "longest_pause_ms": 95.3,
    "transitions": {"none>new": 15_246},
    "oracle": {"none>new": 15_246},
    "rows_equal": True,
    "rows_missing": 0,
    "rows_wrong": 0,
}
PACED = {
    "latency_ms": TIMES,
    "transitions_timed": 5,
    "producer": {"late_ms": TIMES, "acknowledged_ms": TIMES, "core": 0.5},
    "subscriber": {"held_up_ms": TIMES, "core": 0.5},
    "doubts": ["the producer could not keep up"] * 2,
}
PLAN = {
    "events": 4_000_000,
    "users": 400_000,
    "partitions": 4,
    "guarantee": "exactly-once",
    "dimensions": "all",
    "workers": 2,
    "cores": (0, 1),
    "rate": None,
    "commit_seconds": 0.5,
    "broker_data": "in memory",
}
SPREAD = {name: [RUN[name], RUN[name]] for name in ("events_per_second", "cpu_us_per_event", "rss_mb")}
SPREAD |= {"longest_pause_ms": [95.3, 95.3]}


def shown(run, repeats=1, **changes):
    console = Console(file=io.StringIO(), width=100)
    view.render({**PLAN, **run, "spread": SPREAD, "runs": [run] * repeats, **changes}, console)
    return console.file.getvalue()


def test_a_run_tells_its_figures_its_steps_and_how_it_stands_beside_the_oracle():
    said = shown(RUN)
    for word in ("271,000", "3.40", "fetch", "1,024", "95.3", "equal, row by row", "15,246", "2 workers on core 0, 1"):
        assert word in said
    assert "p99" not in said


def test_rows_that_differ_are_counted():
    assert "2 missing, 3 wrong" in shown(RUN | {"rows_equal": False, "rows_missing": 2, "rows_wrong": 3})


def test_a_schedule_tells_latencies_and_each_doubt_once():
    said = shown(RUN | PACED, rate=50_000)
    assert "12,345.6" in said
    assert "at 50,000 a second" in said
    assert "the broker's data: in memory" in said
    assert said.count("warning: the producer could not keep up") == 1


@pytest.mark.parametrize("run", [RUN, RUN | PACED])
def test_several_runs_stand_in_a_line_each_and_fit_a_hundred_columns(run):
    said = shown(run, repeats=12)
    assert "median" in said
    lines = [line.rstrip() for line in said.splitlines() if line.endswith("equal")]
    assert [line.split()[0] for line in lines] == [str(n) for n in range(1, 13)]
    assert "…" not in said
