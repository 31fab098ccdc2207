"""Replay = live: the same history through a worker's partition and through files comes to the same."""

import sys
import tempfile
from pathlib import Path

import numpy as np
import orjson
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as tried

from streams.core.row import CLICKS, DAY
from streams.replay import lines, sources, table
from streams.replay.run import Replay
from streams.settings import SettingsError
from tests.laws.history import CLOCKED_DEEDS, DEEDS, T0, click, histories, order, wide_cuts
from tests.replay.files import CHOSEN, NOW, TOPICS, events_of, live, replayed, rows, split, write

FORMS = ("jsonl", "csv", "parquet")


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch):
    """Files are read in so small pieces that even a short history has several."""
    monkeypatch.setattr(lines, "PIECE", 1000)
    monkeypatch.setattr(table, "ROWS", 7)


LAW = tried(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
PATH = ("seq", "since_day", "since", "before_since", "before", "lapsed_at", "lost_rung")
"""What tells how a user came to his values, not which they are."""


@pytest.mark.parametrize("form", FORMS)
@LAW
@given(history=histories(CLOCKED_DEEDS), cuts=wide_cuts)
def test_files_come_to_the_same_users_and_transitions_as_topics(form, history, cuts):
    events = events_of(history)
    shard, transitions = live(events, cuts)
    with tempfile.TemporaryDirectory() as name:
        found, written = replayed(write(Path(name) / "in", events, form), Path(name) / "out")
    assert written == transitions
    assert rows(found.shard) == rows(shard)
    assert found.moves.sum() == len(transitions)
    assert np.array_equal(found.shard.periods, shard.periods)
    assert not found.bad
    assert not found.late.events


@pytest.mark.parametrize("form", FORMS)
@LAW
@given(history=histories(DEEDS), cuts=wide_cuts)
def test_what_others_tell_of_users_comes_to_the_same_too(form, history, cuts):
    """Profiles and feedback move no clock: whether a lapse before them is found before them depends on the chunks."""
    events = events_of(history)
    shard, _ = live(events, cuts)
    with tempfile.TemporaryDirectory() as name:
        found, _ = replayed(write(Path(name) / "in", events, form), Path(name) / "out")
    assert rows(found.shard, PATH) == rows(shard, PATH)
    assert not found.bad


@LAW
@given(history=histories(CLOCKED_DEEDS))
def test_files_of_one_topic_come_together_by_time(history):
    events = events_of(history)
    shard, transitions = live(events, ())
    with tempfile.TemporaryDirectory() as name:
        for n, part in enumerate(split(events, 3)):
            write(Path(name) / "in", part, FORMS[n], f"-{n}")
        found, written = replayed(Path(name) / "in", Path(name) / "out")
    assert written == transitions
    assert rows(found.shard, ["applied"]) == rows(shard, ["applied"])


def test_a_file_that_begins_later_is_not_opened_before_its_time(tmp_path, monkeypatch):
    for day in range(30):
        events = events_of([(24 * day + hour, hour % 5, click("view")) for hour in range(24)])
        write(tmp_path / "in", events, "jsonl", f"-{day:02}")
    most = 0
    before = Replay._receive

    def receive(self, number, chunk):
        nonlocal most
        before(self, number, chunk)
        most = max(most, sum(map(self._merge.waiting, range(30))))

    monkeypatch.setattr(Replay, "_receive", receive)
    found, _ = replayed(tmp_path / "in", tmp_path / "out")
    assert found.events[CLICKS] == 30 * 24
    assert most < 60, "two files at most wait for one another"


def test_time_passes_up_to_where_it_is_told(tmp_path):
    folder = write(tmp_path / "in", events_of([(0, 1, click("view")), (1, 2, click("view"))]), "jsonl")
    found, _ = replayed(folder, tmp_path / "out")
    assert found.shard.population[0][3] == 0
    later, written = replayed(folder, tmp_path / "out", until=T0 + 60 * DAY)
    classes = dict(zip(later.shard.book.values[0], later.shard.population[0], strict=False))
    assert classes["churned"] == 2
    assert sum(b"awaken.activity.dormant" in line for line in written) == 2
    assert later.shard.watermark == T0 + 60 * DAY


def test_events_out_of_order_are_counted(tmp_path):
    events = events_of([(0, 1, click("view")), (30, 1, click("view")), (100, 2, click("view"))])
    events[CLICKS].insert(0, events[CLICKS].pop())
    found, _ = replayed(write(tmp_path / "in", events, "jsonl"), tmp_path / "out")
    assert found.late.events == 2
    assert found.late.most_ms == 100 * 3_600_000


def test_bad_records_are_counted_by_reason_with_their_place(tmp_path):
    path = tmp_path / "clicks.jsonl"
    good = orjson.dumps({"user": "u1", "at": T0, "kind": "view"})
    ahead = orjson.dumps({"user": "u1", "at": NOW + 7_200_000, "kind": "view"})
    path.write_bytes(b"\n".join([good, b"{", b"", b'{"user":"u1","kind":"view"}', ahead, b'{"user":1}', good]))
    found, _ = replayed(tmp_path, tmp_path / "out")
    assert found.events[CLICKS] == 2
    assert found.bad == {"not-json": 1, "missing-field": 1, "absurd-time": 1, "wrong-type": 1}
    assert [(f.path, f.bad.line, f.bad.reason) for f in found.shown] == [
        (path, 2, "not-json"), (path, 4, "missing-field"), (path, 5, "absurd-time"), (path, 6, "wrong-type"),
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["clicks.parquet", "clicks.jsonl.gz", "clicks.jsonl.zst", "clicks.csv.gz"])
def test_a_file_that_is_not_what_its_name_says_is_named(tmp_path, name):
    (tmp_path / name).write_bytes(b"user,at,kind\n" * 100)
    with pytest.raises(SettingsError, match=rf"{name}: cannot be read: "):
        replayed(tmp_path, tmp_path / "out")


def test_without_pyarrow_it_is_named(tmp_path, monkeypatch):
    write(tmp_path, events_of([(0, 1, click("view"))]), "parquet")
    monkeypatch.setitem(sys.modules, "streams.replay.table", None)
    with pytest.raises(
        SettingsError, match=r"clicks\.parquet: needs pyarrow to be read: pip install 'awaken\[replay\]'"
    ):
        replayed(tmp_path, tmp_path / "out")


def test_what_is_not_asked_for_is_not_written(tmp_path):
    write(tmp_path / "in", events_of([(0, 1, order(1, 100))]), "jsonl")
    found = Replay(CHOSEN, sources.find([str(tmp_path / "in")], {}, TOPICS), NOW)
    found.run()
    assert [path.name for path in tmp_path.iterdir()] == ["in"]
