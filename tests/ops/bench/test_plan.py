"""What the options come to."""

import os

import pytest

from streams.ops import NotReady
from streams.ops.bench import plan as room
from streams.ops.bench.plan import WARM_UP_SECONDS, beside, folder_in_memory, plan
from streams.settings import DAY

CORES = tuple(sorted(os.sched_getaffinity(0)))


def planned(rate=None, seconds=30, commit_seconds=None, events=1000, **others):
    return plan(rate, seconds, commit_seconds, events=events, **({"cores": CORES[:1]} | others))


def test_a_schedule_says_how_many_events_there_are_and_commits_more_often():
    paced, backlog = planned(rate=100, seconds=30), planned()
    assert paced.events == 100 * (30 + WARM_UP_SECONDS)
    assert backlog.events == 1000
    assert paced.commit_seconds < backlog.commit_seconds
    assert planned(rate=100, commit_seconds=2.0).commit_seconds == 2.0


def test_a_backlog_is_merged_by_time_and_needs_no_lateness_while_a_schedule_reads_as_it_comes():
    assert planned().lateness_ms == 0
    assert planned(rate=100, seconds=60 - WARM_UP_SECONDS).lateness_ms == DAY
    assert planned(rate=100, seconds=120 - WARM_UP_SECONDS).lateness_ms == DAY / 2


@pytest.mark.parametrize(
    "wrong", [{"guarantee": "at-most-once"}, {"dimensions": "some"}, {"cores": (max(CORES) + 1000,)}]
)
def test_what_cannot_be_is_refused_in_words(wrong):
    with pytest.raises(NotReady, match="bench"):
        planned(**wrong)


def test_we_keep_off_the_workers_cores_and_come_back():
    with beside(CORES[:1]):
        assert os.sched_getaffinity(0) == (set(CORES[1:]) or set(CORES))
    assert os.sched_getaffinity(0) == set(CORES)


def test_a_broker_whose_answers_are_timed_keeps_its_data_in_memory_where_there_is_room(tmp_path, monkeypatch):
    info = tmp_path / "meminfo"
    info.write_text("MemTotal: 99999999 kB\nMemAvailable:   100000 kB\n")
    monkeypatch.setattr(room, "MEMORY", tmp_path)
    monkeypatch.setattr(room, "MEMORY_INFO", info)
    assert folder_in_memory(planned(rate=100)) == tmp_path
    assert folder_in_memory(planned(rate=100, repeats=100)) is None
    assert folder_in_memory(planned(rate=50_000)) is None
    assert folder_in_memory(planned()) is None
    monkeypatch.setattr(room, "MEMORY", tmp_path / "none")
    assert folder_in_memory(planned(rate=100)) is None
