"""The plan follows from its seed and leaves nothing out; and a short run of it loses nothing and doubles nothing."""

from collections import Counter

import pytest

from tests.chaos import worker
from tests.chaos.feed import CHAPTER_DAYS, days
from tests.chaos.plan import OUTAGES, POINTS, SHARES, WORKERS, plan
from tests.chaos.report import figures
from tests.chaos.run import play
from tests.chaos.stage import KINDS
from tests.chaos.watch import Mark
from tests.chaos.worker import Trap
from tests.oracle import DAY

ROUND = sum(SHARES.values())
SEED, FAULTS, OUTAGE_SECONDS = 163, 6, 3


def test_the_plan_is_the_seeds():
    assert plan(50, 7) == plan(50, 7)
    assert plan(50, 7)[:20] == plan(20, 7)
    assert plan(50, 7) != plan(50, 8)


def test_a_kind_that_is_left_out_does_not_come():
    kinds = {fault.kind for fault in plan(2 * ROUND, 7, without=("Redis emptied",))}
    assert kinds == set(SHARES) - {"Redis emptied"}


@pytest.mark.parametrize("seed", range(5))
def test_a_round_of_the_plan_has_each_kind_its_share_of_times_and_each_point_once(seed):
    chosen = plan(ROUND, seed)
    assert Counter(fault.kind for fault in chosen) == SHARES
    for kind, points in POINTS.items():
        dealt = Counter(fault.point for fault in chosen if fault.kind == kind)
        assert set(dealt) <= set(points)
        assert max(dealt.values()) == 1
    assert {fault.point for fault in plan(2 * ROUND, seed)} == {"", *(p for points in POINTS.values() for p in points)}


def test_only_outages_last_and_no_longer_than_they_may():
    chosen = plan(20 * ROUND, 3, outage_seconds=4)
    assert {fault.kind for fault in chosen if fault.seconds} == set(OUTAGES)
    assert max(fault.seconds for fault in chosen) <= 4
    assert {fault.victim for fault in chosen} == set(range(WORKERS))
    assert {fault.overlaps for fault in chosen} == {True, False}


def test_every_kind_of_the_plan_can_be_played():
    assert set(SHARES) == set(KINDS)
    assert set(POINTS) <= set(KINDS)


def test_a_trap_springs_once_at_its_point_and_its_time(tmp_path):
    path = tmp_path / "worker"
    trap = Trap(path)
    assert not trap.sprung("before EndTxn")
    worker.arm(path, "before EndTxn", 2)
    passed = [trap.sprung(point) for point in ("after EndTxn", "before EndTxn", "before EndTxn", "before EndTxn")]
    assert passed == [False, False, False, True]
    assert not path.exists()
    assert not trap.sprung("before EndTxn")


def test_the_same_days_are_fed_for_a_seed_and_a_chapter_follows_the_other():
    first, again = days("a"), days("a")
    found = [next(first) for _ in range(2 * CHAPTER_DAYS)]
    assert found == [next(again) for _ in range(2 * CHAPTER_DAYS)]
    dates = [{event.at // DAY for event in day} for day in found]
    assert all(len(date) == 1 for date in dates)
    assert sorted(dates, key=min) == dates
    assert max(dates[-1]) - min(dates[0]) > CHAPTER_DAYS


def test_recovered_is_when_each_partition_has_committed_something_new():
    place = pytest.importorskip("aiokafka").TopicPartition
    clicks, orders = place("clicks", 0), place("orders", 1)
    mark = Mark(since=0.0)
    mark.look(mark.made - 1, mark.made, {clicks: 1, orders: 1})  # asked before the fault
    mark.look(mark.made + 1, mark.made + 1, {clicks: 5, orders: 5})
    mark.look(mark.made + 2, mark.made + 2, {clicks: 6, orders: 5})
    assert mark.seconds is None
    assert mark.waiting == [1]
    mark.look(mark.made + 3, mark.made + 3, {clicks: 6, orders: 6})
    assert mark.seconds == mark.made + 3


@pytest.mark.timeout(300)
def test_a_short_run_loses_nothing_and_doubles_nothing(kafka_jars, capsys):  # noqa: ARG001 (skipped where there are none)
    run = play(FAULTS, SEED, OUTAGE_SECONDS, print)
    told = capsys.readouterr().out
    assert run.whole, f"{figures(run)}\n{told}"
    assert len(run.hits) == FAULTS
    assert run.verdict.transitions > 1000
    assert run.verdict.pushes > 100
    assert run.verdict.refused.keys() >= {"budgets.chaos", "capped", "channel_capped"}
