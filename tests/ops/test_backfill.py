"""Backfills as an operator declares, lists and undoes them, against both brokers."""

import pytest

from streams.ops import NotReady, backfill
from tests.ops.command import awaken

NOON = 1_767_268_800_000  # 2026-01-01T12:00:00Z
HOUR = 3_600_000


def test_what_is_declared_stands_until_it_is_undone(settings):
    first = backfill.declare(settings, NOON, NOON + HOUR, "the old shop")
    second = backfill.declare(settings, NOON, NOON + 2 * HOUR, "the old app")
    assert (first.id, second.id) == ("20260101T120000Z", "20260101T120000Z-2")
    assert backfill.everything(settings) == [first, second]
    assert backfill.undo(settings, first.id) == first
    assert backfill.everything(settings) == [second]
    with pytest.raises(backfill.NoSuchBackfill, match=r"no backfill 20260101T120000Z(.|\n)*awaken backfill list"):
        backfill.undo(settings, first.id)


def test_the_command_says_what_it_does(settings):
    declared = awaken(
        settings,
        "backfill",
        "declare",
        "--from",
        "2026-01-01T12:00:00Z",
        "--to",
        "2026-01-02T12:00:00Z",
        "--reason",
        "old shop",
    )
    assert declared.stdout.startswith("declared 20260101T120000Z; load the events")
    [_, line] = awaken(settings, "backfill", "list").stdout.splitlines()
    assert line.split() == [
        "20260101T120000Z", "2026-01-01T12:00:00.000Z", "2026-01-02T12:00:00.000Z", "old", "shop"
    ]  # fmt: skip
    assert awaken(settings, "backfill", "undo", "20260101T120000Z").stdout == "undone 20260101T120000Z\n"
    assert awaken(settings, "backfill", "list").stdout == "no backfill is declared\n"


def test_one_that_ends_before_it_begins_is_refused(names):
    with pytest.raises(NotReady, match="end before it begins"):
        backfill.declare(names.settings(kafka="127.0.0.1:1"), NOON, NOON, "x")
