"""When the population's cuts are taken anew, and what the version of the rules that holds them says."""

from types import SimpleNamespace

import numpy as np

from streams import rulebook
from streams.core import sketch
from streams.core.row import DAY, PURCHASES, ROW
from streams.core.window import week_of
from streams.rulebook import refreeze_ms
from streams.settings import Settings, Value
from streams.wire.control import Cuts, RuleVersion, encode, key_of
from streams.worker.control import View
from streams.worker.freeze import new_cuts

T0 = 1_700_006_400_000
HOUR = 3_600_000
MEAN = Settings(partitions=2, value=Value(thresholds="mean", refreeze_hours=24))


def buyers(*spends):
    """Rows of users with one order each of T0's week, and their purchases."""
    rows, purchases, week = np.zeros(len(spends), ROW), np.zeros(len(spends), PURCHASES), week_of(T0 // DAY)
    rows["orders"], rows["last_order_at"], rows["day"], rows["week"] = 1, T0, T0 // DAY, week
    rows["purchases"] = np.arange(len(spends))
    purchases["orders"][:, week % 26] = 1
    purchases["spend"][:, week % 26] = spends
    return rows, purchases


def told(partition, at, *spends):
    summary = sketch.summarize(*buyers(*spends), T0 // DAY, [26], ("user",))
    return Cuts(f"sketch-{partition}", {"at": at, **sketch.to_plain(summary)})


def control(*records):
    view = View()
    for record in (RuleVersion("1", 0, rulebook.document(MEAN)), *records):
        view.apply(key_of(record), encode(record))
    return SimpleNamespace(view=view)


def test_fixed_thresholds_are_never_frozen_anew():
    assert refreeze_ms(Settings()) == 0
    assert new_cuts(Settings(partitions=1), control(told(0, T0, 100)), lambda: T0) == []


def test_no_cuts_before_every_partition_is_sketched():
    assert new_cuts(MEAN, control(told(0, T0, 100)), lambda: T0) == []


def test_the_cuts_are_the_means_of_all_partitions_and_hold_from_a_later_time():
    [rules] = new_cuts(MEAN, control(told(0, T0, 100, 200), told(1, T0 + HOUR, 600)), lambda: T0 + 2 * HOUR)
    assert (rules.version, rules.from_) == ("2", T0 + 2 * HOUR)
    assert rules.document["cuts"]["user"]["monetary"] == 300
    book = rulebook.of_document(rules.document, int(rules.version))
    assert book.table["valuable"][0] == 300
    assert book.number == 2
    assert "cuts" in book.version


def test_they_stand_still_until_every_sketch_is_a_period_newer():
    first = [told(0, T0, 100), told(1, T0, 100)]
    [frozen] = new_cuts(MEAN, control(*first), lambda: T0)
    early = control(frozen, told(0, T0 + 23 * HOUR, 900), told(1, T0 + 30 * HOUR, 900))
    assert new_cuts(MEAN, early, lambda: T0 + 30 * HOUR) == []
    late = control(frozen, told(0, T0 + 24 * HOUR, 900), told(1, T0 + 30 * HOUR, 900))
    [again] = new_cuts(MEAN, late, lambda: T0 + 30 * HOUR)
    assert (again.version, again.document["cuts"]["user"]["monetary"]) == ("3", 900)
