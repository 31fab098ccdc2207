"""Outages as an operator declares, lists, ends and undoes them, against both brokers."""

import asyncio

import pytest

from streams.ops import NotReady, outage
from streams.ops.when import parse
from streams.wire.control import Stop
from streams.worker.control import Writer
from tests.ops.command import awaken

NOON = 1_767_268_800_000  # 2026-01-01T12:00:00Z
HOUR = 3_600_000


def found_by_the_gate(settings, *stops):
    async def write():
        writer = await Writer.open(settings)
        await writer.write(stops)
        await writer.close()

    asyncio.run(write())


def test_the_life_of_a_declared_outage(settings):
    past = outage.declare(settings, NOON, NOON + HOUR, (), "maintenance")
    present = outage.declare(settings, NOON, None, (settings.topics.clicks,), "no clicks")
    assert (past.id, present.id) == ("20260101T120000Z", "20260101T120000Z-2")
    assert past.topics == (settings.topics.clicks, settings.topics.orders)
    assert outage.everything(settings) == [past, present]
    ended = outage.finish(settings, None, NOON + 2 * HOUR)
    assert (ended.id, ended.end) == (present.id, NOON + 2 * HOUR)
    assert outage.undo(settings, past.id) == past
    assert outage.everything(settings) == [ended]


def test_what_the_gate_found_can_be_ended_and_not_undone(settings):
    found_by_the_gate(settings, Stop(NOON, None, ("clicks",), "silent", "clicks"))
    with pytest.raises(outage.NoSuchOutage, match="ended, not undone"):
        outage.undo(settings, f"stop-{NOON}")
    ended = outage.finish(settings, f"stop-{NOON}", NOON + HOUR)
    assert (ended.end, ended.by) == (NOON + HOUR, "clicks; ended by an operator")
    with pytest.raises(outage.NoSuchOutage, match=r"no outage lasts(.|\n)*awaken outage list"):
        outage.finish(settings, None, NOON + HOUR)


def test_of_several_that_last_one_must_be_named(settings):
    names = [outage.declare(settings, NOON + n, None, (), "x").id for n in (0, 1000)]
    with pytest.raises(outage.NoSuchOutage, match=", ".join(names)):
        outage.finish(settings, None, NOON + HOUR)
    assert outage.finish(settings, names[1], NOON + HOUR).id == names[1]


def test_the_command_says_what_it_does_and_what_it_does_not(settings):
    declared = awaken(settings, "outage", "declare", "--from", "2026-01-01T12:00:00Z", "--reason", "app down")
    assert declared.stdout == "declared 20260101T120000Z; who has lapsed already stays so until his next act\n"
    listed = awaken(settings, "outage", "list").stdout
    for word in ("20260101T120000Z", "2026-01-01T12:00:00.000Z", "lasts", "app down", settings.topics.orders):
        assert word in listed
    assert awaken(settings, "outage", "end", "--at", "2026-01-01T20:00:00+07:00").stdout == "ended 20260101T120000Z\n"
    assert "2026-01-01T13:00:00.000Z" in awaken(settings, "outage", "list").stdout
    assert awaken(settings, "outage", "undo", "20260101T120000Z").stdout == "undone 20260101T120000Z\n"
    assert awaken(settings, "outage", "list").stdout == "there has been no outage\n"
    refused = awaken(settings, "outage", "end")
    assert (refused.returncode, refused.stderr) == (2, "awaken: no outage lasts\nsee awaken outage list\n")


@pytest.mark.parametrize("text", ["yesterday", "2026-01-01T12:00:00", "12:00Z", ""])
def test_a_time_without_its_zone_or_no_time_at_all_is_refused(text):
    with pytest.raises(NotReady, match=r"--from(.|\n)*2026-11-22T08:30:00Z"):
        parse(text, "--from")


def test_an_outage_that_ends_before_it_begins_or_of_another_topic_is_refused(names):
    nowhere = names.settings(kafka="127.0.0.1:1")
    with pytest.raises(NotReady, match="end before it begins"):
        outage.declare(nowhere, NOON, NOON, (), "x")
    with pytest.raises(NotReady, match=f"there are {nowhere.topics.clicks} and"):
        outage.declare(nowhere, NOON, None, ("clicks-of-yours",), "x")


def test_without_the_topic_or_the_broker_it_says_what_mends_it(embedded_broker, names):
    with pytest.raises(NotReady, match=r"is missing(.|\n)*awaken topics"):
        outage.everything(names.settings(kafka=embedded_broker.bootstrap))
    with pytest.raises(NotReady, match=r"127\.0\.0\.1:1"):
        outage.everything(names.settings(kafka="127.0.0.1:1"))
