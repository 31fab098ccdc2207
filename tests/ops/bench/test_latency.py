"""Latency is counted from the schedule, whoever was late."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.ops import job
from streams.ops.bench import latency
from streams.ops.bench.produce import Produced
from streams.ops.bench.subscribe import Seen

STREAM = job.generate(2_000, 200)
START, RATE = 1000.0, 100
NOTHING = np.array([])


def seen(causes, delays):
    due = START + np.array(causes) / RATE
    return Seen(STREAM.user[causes], STREAM.at[causes], due + np.array(delays), NOTHING, 0.0)


@given(st.data())
def test_each_transition_is_counted_from_when_its_event_was_due_and_those_of_the_warm_up_are_not(data):
    causes = data.draw(st.lists(st.integers(0, len(STREAM.at) - 1), min_size=1, unique=True))
    delays = data.draw(st.lists(st.floats(0, 60), min_size=len(causes), max_size=len(causes)))
    warm_up = data.draw(st.integers(0, 30))
    found = latency.latencies(STREAM, RATE, START, seen(causes, delays), warm_up)
    due = [delay for cause, delay in zip(causes, delays, strict=True) if cause >= warm_up * RATE]
    assert found == pytest.approx(np.array(due), abs=1e-6)


def test_of_two_events_at_the_same_time_the_one_that_was_due_first_counts():
    stream = job.Stream(*(column[[5, 5, 6]] for column in STREAM))
    found = Seen(stream.user[:1], stream.at[:1], np.array([START + 1]), NOTHING, 0.0)
    assert latency.latencies(stream, RATE, START, found, 0) == pytest.approx([1.0])


@pytest.mark.parametrize("moved", [-1, 1 << 40])
def test_a_transition_that_no_event_can_have_caused_is_refused(moved):
    found = Seen(STREAM.user[:1], STREAM.at[:1] + moved, np.array([START]), NOTHING, 0.0)
    with pytest.raises(ValueError, match="no event"):
        latency.latencies(STREAM, RATE, START, found, 0)


@given(st.lists(st.floats(0, 100), min_size=1))
def test_a_percentile_is_a_value_that_so_many_do_not_exceed(values):
    found = latency.percentiles(np.array(values))
    for name, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99), ("max", 1.0)):
        assert np.mean(np.array(values) * 1000 <= found[name] + 0.06) >= share - 1 / len(values)
    assert found["max"] == pytest.approx(max(values) * 1000, abs=0.06)
    assert list(found.values()) == sorted(found.values())


def test_nothing_timed_is_no_error():
    assert set(latency.percentiles(NOTHING).values()) == {0.0}


QUICK, SLOW = np.full(100, 0.001), np.full(100, 1.0)


@pytest.mark.parametrize(
    ("produced", "found", "who"),
    [
        (Produced(QUICK, QUICK, 0.5), (QUICK, 0.5), []),
        (Produced(SLOW, QUICK, 0.5), (QUICK, 0.5), ["producer"]),
        (Produced(QUICK, QUICK, 0.99), (QUICK, 0.5), ["producer"]),
        (Produced(QUICK, SLOW, 0.5), (QUICK, 0.5), ["broker"]),
        (Produced(QUICK, QUICK, 0.5), (SLOW, 0.5), ["subscriber"]),
        (Produced(QUICK, QUICK, 0.5), (QUICK, 0.99), ["subscriber"]),
    ],
)
def test_whoever_could_not_keep_up_is_named(produced, found, who):
    measured = latency.instruments(produced, Seen(NOTHING, NOTHING, NOTHING, *found))
    assert [doubt.split()[1] for doubt in latency.doubts(measured)] == who
