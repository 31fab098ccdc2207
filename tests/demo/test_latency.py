from random import Random

import pytest

from streams.demo.latency import MAX_SLICES, RECENT, SAMPLE, Latency, Timeline, quantile


def test_an_event_was_produced_with_the_stretch_that_holds_it():
    timeline = Timeline()
    timeline.add(1000, 1.0)
    timeline.add(2000, 2.0)
    timeline.add(3000, 3.0)
    assert [timeline.produced(at) for at in (1000, 1001, 2000, 3000)] == [1.0, 2.0, 2.0, 3.0]


def test_what_is_not_played_yet_or_before_the_first_is_unknown():
    timeline = Timeline()
    assert timeline.produced(5) is None
    timeline.add(1000, 1.0)
    assert timeline.produced(1001) is None
    assert timeline.produced(999) is None


def test_an_empty_stretch_leaves_the_one_before():
    timeline = Timeline()
    timeline.add(1000, 1.0)
    timeline.add(1000, 9.0)
    assert timeline.produced(1000) == 1.0


def test_the_timeline_forgets_the_oldest():
    timeline = Timeline()
    for n in range(2 * MAX_SLICES):
        timeline.add(n, float(n))
    assert timeline.produced(10) is None
    assert timeline.produced(2 * MAX_SLICES - 5) == 2 * MAX_SLICES - 5
    assert len(timeline._until) <= MAX_SLICES


@pytest.mark.parametrize(("share", "expected"), [(0.0, 1), (0.5, 50), (0.99, 99), (0.991, 100), (1.0, 100)])
def test_quantiles_are_nearest_rank(share, expected):
    values = list(range(1, 101))
    Random(3).shuffle(values)
    assert quantile(values, share) == expected


def test_no_values_no_quantile():
    latency = Latency()
    assert latency.recent(0.5) is None
    assert latency.overall(0.99) is None


def test_recent_is_about_the_newest_overall_about_all():
    latency = Latency()
    for _ in range(5 * SAMPLE):
        latency.add(10)
    for _ in range(RECENT):
        latency.add(500)
    assert latency.recent(0.5) == 500
    assert latency.overall(0.5) == 10
    assert latency.count == 5 * SAMPLE + RECENT
    assert len(latency._sample) == SAMPLE


def test_the_sample_is_fair():
    latency = Latency()
    for n in range(100_000):
        latency.add(n)
    assert latency.overall(0.5) == pytest.approx(50_000, rel=0.05)
    assert latency.overall(0.99) == pytest.approx(99_000, rel=0.01)
