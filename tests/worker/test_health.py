"""Liveness and readiness say what is so."""

from types import SimpleNamespace

from streams.settings import Settings
from streams.worker.health import REBALANCE_SECONDS, stuck, unready

STUCK_SECONDS = Settings().stuck_seconds


def app(*, working=True, since=0.0, ending=False, settings=None, **partitions):
    held = {
        n: SimpleNamespace(number=n, worked_at=at, closing=closing)
        for n, (at, closing) in enumerate(partitions.values())
    }
    return SimpleNamespace(
        working=working, waiting_since=since, partitions=held, should_stop=ending, settings=settings or Settings()
    )


def test_a_worker_whose_partitions_commit_is_live_and_ready():
    healthy = app(p=(100.0, False))
    assert stuck(healthy, now=101.0) == []
    assert unready(healthy) == []


def test_a_partition_that_does_not_commit_any_more_is_named():
    [said] = stuck(app(p=(0.0, False), q=(100.0, False)), now=STUCK_SECONDS + 1)
    assert "partition 0: has not committed for 61 s" in said


def test_how_long_is_a_setting():
    slow = app(p=(0.0, False), settings=Settings(stuck_seconds=5))
    assert stuck(slow, now=4.0) == []
    assert stuck(slow, now=6.0)


def test_a_partition_that_was_opened_long_before_the_last_one_was_read_back_is_not_stuck():
    recovered = app(since=1000.0, p=(0.0, False), q=(999.0, False))
    assert stuck(recovered, now=1001.0) == []
    assert len(stuck(recovered, now=1001.0 + STUCK_SECONDS)) == 2


def test_a_partition_that_was_taken_over_makes_the_worker_unready_and_then_dead():
    lost = app(p=(0.0, True))
    assert unready(lost) == ["partition 0 was taken over"]
    assert stuck(lost, now=10.0) == []
    assert "taken over" in stuck(lost, now=STUCK_SECONDS + 1)[0]


def test_a_worker_that_waits_for_the_group_is_live_for_as_long_as_the_group_may_wait_for_its_slowest_member():
    waiting = app(working=False, since=0.0)
    assert unready(waiting)
    assert stuck(waiting, now=STUCK_SECONDS + REBALANCE_SECONDS - 1) == []
    assert "without work from the group" in stuck(waiting, now=STUCK_SECONDS + REBALANCE_SECONDS + 1)[0]


def test_a_worker_that_is_ending_is_live_and_takes_no_work():
    ending = app(ending=True, p=(100.0, False))
    assert stuck(ending, now=101.0) == []
    assert unready(ending) == ["it is ending"]
