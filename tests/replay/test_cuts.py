"""Population cuts are taken at regular times from the users as they are then, and hold from then on."""

import msgspec
import pytest

from streams import rulebook
from streams.core import sketch
from streams.core.row import DAY
from streams.shard import Shard
from tests.laws.history import HOUR, T0, order
from tests.replay.files import CHOSEN, events_of, live, replayed, write

MEAN = msgspec.structs.replace(
    CHOSEN, value=msgspec.structs.replace(CHOSEN.value, thresholds="mean", refreeze_hours=48.0), kinds={}
)
HISTORY = [(hour, hour % 7, order(hour + 1, 1000 * (hour % 11))) for hour in range(0, 24 * 10, 5)]


def test_what_moves_after_cuts_moves_by_them_and_what_moves_before_does_not(tmp_path):
    run, written = replayed(write(tmp_path / "in", events_of(HISTORY), "jsonl"), tmp_path / "out", MEAN)
    assert run.freezer.times == 4
    first = min(at_of(line) for line in written if b"-cuts-" in line)
    assert first >= T0 + 48 * HOUR
    assert {b"-cuts-" in line for line in written if at_of(line) > first + DAY} == {True}
    assert not any(b"-cuts-" in line for line in written if at_of(line) < first)
    assert any(b'"cause":"threshold"' in line for line in written)


def test_cuts_are_those_of_the_users_at_the_time(tmp_path):
    until = 24 * 4
    run, _ = replayed(
        write(tmp_path / "in", events_of([h for h in HISTORY if h[0] <= until]), "parquet"), tmp_path / "out", MEAN
    )
    assert run.freezer.times == 1
    taken = next(h[0] for h in HISTORY if h[0] >= 48)
    before = [h for h in HISTORY if h[0] < taken]
    shard, _ = live(events_of(before), (), MEAN)
    day = (T0 + taken * HOUR) // DAY
    weeks = MEAN.value.look_back_weeks
    found = sketch.summarize(shard.rows[: len(shard.index)], shard.purchases, day, weeks, shard.book.kinds)
    assert run.freezer.cuts == rulebook.population_cuts(MEAN, found)


def test_users_end_where_rules_with_the_newest_cuts_put_them(tmp_path):
    run, _ = replayed(write(tmp_path / "in", events_of(HISTORY), "jsonl"), tmp_path / "out", MEAN)
    book = rulebook.with_cuts(rulebook.build(MEAN), run.freezer.cuts, 2)
    assert run.shard.book.version == book.version
    fixed = Shard(rulebook.build(MEAN))
    assert run.shard.book.table["frequent"][0] != pytest.approx(fixed.book.table["frequent"][0])


def test_declared_cuts_are_never_taken_anew(tmp_path):
    run, written = replayed(write(tmp_path / "in", events_of(HISTORY), "jsonl"), tmp_path / "out")
    assert (run.freezer.every_ms, run.freezer.times) == (0, 0)
    assert not any(b"-cuts-" in line for line in written)


def at_of(line):
    return msgspec.json.decode(line)["data"]["at"]
