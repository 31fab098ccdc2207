"""Liveness and readiness say what is so."""

from types import SimpleNamespace

from streams.worker.health import STUCK_SECONDS, stuck, unready


def app(*, working=True, since=0.0, ending=False, **partitions):
    held = {
        n: SimpleNamespace(number=n, worked_at=at, closing=closing)
        for n, (at, closing) in enumerate(partitions.values())
    }
    return SimpleNamespace(working=working, waiting_since=since, partitions=held, should_stop=ending)


def test_a_worker_whose_partitions_commit_is_live_and_ready():
    healthy = app(p=(100.0, False))
    assert stuck(healthy, now=101.0) == []
    assert unready(healthy) == []


def test_a_partition_that_does_not_commit_any_more_is_named():
    [said] = stuck(app(p=(0.0, False), q=(100.0, False)), now=STUCK_SECONDS + 1)
    assert "partition 0: has not committed for 61 s" in said


def test_a_partition_that_was_taken_over_makes_the_worker_unready_and_then_dead():
    lost = app(p=(0.0, True))
    assert unready(lost) == ["partition 0 was taken over"]
    assert stuck(lost, now=10.0) == []
    assert "taken over" in stuck(lost, now=STUCK_SECONDS + 1)[0]


def test_a_worker_without_partitions_yet_is_live_but_not_ready_and_dead_after_a_minute():
    waiting = app(working=False, since=0.0)
    assert unready(waiting)
    assert stuck(waiting, now=STUCK_SECONDS - 1) == []
    assert stuck(waiting, now=STUCK_SECONDS + 1)


def test_a_worker_that_is_ending_is_live_and_takes_no_work():
    ending = app(ending=True, p=(100.0, False))
    assert stuck(ending, now=101.0) == []
    assert unready(ending) == ["it is ending"]
