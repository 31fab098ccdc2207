"""The log of control: what a worker makes of it, how it follows it, who may write it, and what the watch writes."""

import asyncio
import gc
import time

import msgspec
import numpy as np
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaConnectionError

from streams.core.row import NEVER
from streams.ops import topics
from streams.rulebook import document as rule_document
from streams.settings import Activity, Gate
from streams.wire.control import Cuts, Outage, RuleVersion, Stop, Usual, Vouched, encode, key_of
from streams.worker.control import Control, View, Writer, merged, trusted
from streams.worker.ledger import Fenced
from streams.worker.watch import LEAD_MS, Ends, Watch

SECONDS = 30


@pytest.fixture(autouse=True)
def _collected():
    """Collect what a cancelled watch leaves: Python 3.11 stumbles if that happens while an import is compiled."""
    yield
    gc.collect()


def stop(start, end, topic="clicks"):
    return Stop(start, end, (topic,), "silent", topic)


def outage(start, end, ident="o"):
    return Outage(ident, start, end, ("clicks",), "x")


def view(*records):
    made = View()
    for record in records:
        made.apply(key_of(record), encode(record))
    return made


def test_each_record_comes_back_as_it_was_and_the_newest_under_a_key_holds():
    usual = Usual("clicks", (None,) * 168, 0.1, 1.0, 2.0, (0.5, 0.5))
    cuts = Cuts("sketch-0", {"p50": 3})
    found = view(Vouched(1, 2, {"clicks": (5, 6)}), stop(3, None), outage(7, 9), usual, cuts)
    assert found.vouching == Vouched(1, 2, {"clicks": (5, 6)})
    assert (found.vouched, found.usuals, found.cuts) == (1, {"clicks": usual}, {"sketch-0": cuts})
    found.apply(b"stop-3", encode(stop(3, 5)))
    assert found.stops == [(3, 5), (7, 9)]
    found.apply(b"outage-o", None)
    assert found.stops == [(3, 5)]
    assert view().vouched == 0


def test_a_record_of_a_newer_version_is_told_and_left_alone(caplog):
    found = view(stop(1, 2))
    found.apply(b"quotas-1", b'{"kind":"quotas"}')
    found.apply(b"stop-9", b"not json")
    assert found.stops == [(1, 2)]
    assert "of an older version?" in caplog.text


@pytest.mark.parametrize(
    ("spans", "union"),
    [
        ([], []),
        ([(5, 9), (1, 2)], [(1, 2), (5, 9)]),
        ([(1, 4), (2, 3), (4, 6)], [(1, 6)]),
        ([(1, NEVER), (2, 3)], [(1, NEVER)]),
        ([(3, 3)], []),
        ([(1, 5), (5, 5)], [(1, 5)]),
    ],
)
def test_stops_are_one_union_of_spans(spans, union):
    assert merged(spans) == union


def test_the_rules_are_in_the_order_in_which_they_hold():
    versions = [RuleVersion("10", 700, {}), RuleVersion("2", 500, {}), RuleVersion("1", 0, {})]
    assert [rules.version for rules in view(*versions).rules] == ["1", "2", "10"]


def test_how_far_absence_is_trusted_goes_by_gate_and_clock(names):
    found = view(Vouched(70, 80, {}), stop(10, 20), stop(90, None), outage(30, 40))

    def trust(**changes):
        vouched, stops = trusted(names.settings(**changes), found)
        assert (stops.dtype, stops.shape[1]) == (np.int64, 2)
        return vouched, [tuple(span) for span in stops.tolist()]

    assert trust(clock="wall") == (70, [(10, 20), (30, 40), (90, NEVER)])
    assert trust(clock="wall", gate=Gate(enabled=False)) == (NEVER, [(10, 20), (30, 40)])
    assert trust(clock="event") == (NEVER, [(30, 40)])
    assert trusted(names.settings(), view())[1].shape == (0, 2)


@pytest.fixture(params=["embedded_broker", pytest.param("real_kafka", marks=pytest.mark.kafka)])
def settings(request, names):
    kafka = request.getfixturevalue(request.param).bootstrap
    guarantee = "exactly-once" if request.param == "real_kafka" else "at-least-once"
    made = names.settings(kafka=kafka, partitions=2, guarantee=guarantee, gate=Gate(watch_seconds=0.05))
    topics.create(made)
    return made


async def until(condition):
    async with asyncio.timeout(SECONDS):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


class Opened:
    """A control that is closed when the block ends."""

    def __init__(self, settings):
        self.control = Control(settings)

    async def __aenter__(self):
        await asyncio.wait_for(self.control.open(), SECONDS)
        return self.control

    async def __aexit__(self, *_):
        await asyncio.wait_for(self.control.close(), SECONDS)


def test_it_is_read_whole_before_it_is_open_and_followed_afterwards(settings):
    async def scenario():
        writer = await Writer.open(settings)
        await writer.write([Vouched(n, n, {}) for n in range(200)])
        async with Opened(settings) as control:
            assert control.view.vouched == 199
            told = []
            control.on_change.append(lambda: told.append(control.view.vouched))
            await writer.write([Vouched(777, 777, {})])
            await until(lambda: 777 in told)
            await writer.write([outage(1, None)])
            await control.catch_up()
            assert control.view.stops == [(1, NEVER)]
            await writer.remove([key_of(outage(1, None))])
            await control.catch_up()
            assert control.view.stops == []
        await writer.close()

    asyncio.run(scenario())


def test_who_waits_for_it_is_let_go_when_it_is_closed(names):
    """A worker that is told to stop while it reads must not wait for what nobody reads any more."""

    async def play():
        control = Control(names.settings(kafka="127.0.0.1:1"))
        opening = asyncio.create_task(control.open())
        await asyncio.sleep(0)
        await control.close()
        await asyncio.wait_for(opening, 5)

    asyncio.run(play())


def test_an_empty_topic_is_open_at_once(settings):
    async def scenario():
        async with Opened(settings) as control:
            assert control.view.rules == []

    asyncio.run(scenario())


@pytest.mark.kafka
def test_a_watcher_that_was_fenced_cannot_write(real_kafka, names):
    settings = names.settings(kafka=real_kafka.bootstrap)
    topics.create(settings)

    async def scenario():
        old = await Writer.open(settings, "the-watch")
        await old.write([Vouched(1, 1, {})])
        new = await Writer.open(settings, "the-watch")
        with pytest.raises(Fenced):
            await old.write([Vouched(2, 2, {})])
        await new.write([Vouched(3, 3, {})])
        await old.close()
        async with Opened(settings) as control:
            assert control.view.vouched == 3
        await new.close()

    asyncio.run(scenario())


def test_the_ends_are_how_many_records_were_written(settings):
    async def scenario():
        ends = Ends(settings)
        name = settings.topics.clicks
        expected = {name: [0, 0], settings.topics.orders: [0, 0]}
        assert await ends.read() == expected
        async with AIOKafkaProducer(bootstrap_servers=settings.kafka) as producer:
            for number, count in ((0, 3), (1, 40), (0, 5)):
                for _ in range(count):
                    await producer.send_and_wait(name, b"{}", partition=number)
                expected[name][number] += count
                assert await ends.read() == expected
        await ends.close()

    asyncio.run(scenario())


def test_ends_that_nobody_tells_are_none(names):
    async def scenario():
        nowhere = names.settings(kafka="127.0.0.1:1")
        ends = Ends(nowhere)
        assert await ends.read() == {nowhere.topics.clicks: None, nowhere.topics.orders: None}
        await ends.close()

    asyncio.run(scenario())


def test_the_watch_goes_on_where_the_last_one_left_off_and_ends_when_told(settings):
    async def scenario():
        async with Opened(settings) as control:

            async def watched():
                while True:
                    before = control.view.vouching
                    task = asyncio.create_task(watch(settings, control).run())
                    await until(lambda before=before: (v := control.view.vouching) and v != before)
                    task.cancel()
                    await asyncio.wait([task], timeout=SECONDS)
                    assert task.done()
                    await control.catch_up()
                    if control.kept.vouched == control.view.vouching:  # else it ended amid a write
                        return control.kept.health

            healths = [await watched(), await watched()]
            assert healths[0] is healths[1], "nobody else watched in between"
            assert control.view.vouching.ends.keys() == {settings.topics.clicks, settings.topics.orders}

    asyncio.run(scenario())


def test_without_a_gate_or_with_the_events_clock_nothing_is_watched_but_the_rules_are_kept(settings):
    async def scenario():
        off = msgspec.structs.replace(settings, gate=Gate(enabled=False))
        for made in (off, msgspec.structs.replace(settings, clock="event")):
            async with Opened(made) as control:
                await asyncio.wait_for(watch(made, control).run(), SECONDS)
                await control.catch_up()
                assert control.view.vouching is None
                assert [rules.from_ for rules in control.view.rules] == [0]

    asyncio.run(scenario())


@pytest.mark.kafka
def test_of_two_watchers_the_first_ends_as_soon_as_it_writes(real_kafka, names):
    settings = names.settings(kafka=real_kafka.bootstrap, partitions=2, gate=Gate(watch_seconds=0.05))
    topics.create(settings)

    async def scenario():
        async with Opened(settings) as control:
            first = asyncio.create_task(watch(settings, control).run())
            await until(lambda: control.view.vouching)
            second = asyncio.create_task(watch(settings, control).run())
            await asyncio.wait_for(first, SECONDS)
            before = control.view.vouching
            await until(lambda: control.view.vouching != before)
            second.cancel()
            await asyncio.wait([second], timeout=SECONDS)

    asyncio.run(scenario())


def test_new_settings_bring_new_rules_a_little_later_and_old_workers_leave_them(settings):
    stricter = msgspec.structs.replace(settings, activity=Activity(dormant_days=10))

    async def keep(made, control, started_at, now):
        off = msgspec.structs.replace(made, gate=Gate(enabled=False))
        await asyncio.wait_for(watch(off, control, now, started_at).run(), SECONDS)
        await control.catch_up()
        return [(rules.version, rules.from_) for rules in control.view.rules]

    async def scenario():
        async with Opened(settings) as control:
            first = await keep(settings, control, 100, 1000)
            assert first == [("1", 0)]
            assert await keep(settings, control, 100, 2000) == first
            second = await keep(stricter, control, 2500, 3000)
            assert second == [("1", 0), ("2", 3000 + LEAD_MS)]
            assert control.view.rules[-1].document == rule_document(stricter)
            assert await keep(settings, control, 100, 4000) == second  # it was there before them
            assert await keep(settings, control, 3500, 4000) == [*second, ("3", 4000 + LEAD_MS)]

    asyncio.run(scenario())


def test_a_watch_keeps_what_it_cannot_write_and_writes_it_later(names, monkeypatch):
    written = []

    class Pen:
        async def write(self, records):
            records = list(records)
            if len(attempts) < 3:
                attempts.append(records)
                raise KafkaConnectionError
            written.extend(records)

        async def close(self):
            pass

    async def connect(*_):
        return Pen()

    attempts = []
    monkeypatch.setattr(Writer, "open", connect)
    made = watch(names.settings(), Control(names.settings()))

    async def scenario():
        made._keep([stop(5, None)])
        assert not await made._write()
        made._keep([stop(5, 9), Vouched(9, 10, {})])
        assert not await made._write()
        assert not await made._write()
        assert await made._write()

    asyncio.run(scenario())
    assert written == [stop(5, 9), Vouched(9, 10, {})]


def watch(settings, control, now=0, started_at=0):
    return Watch(settings, control, lambda: True, lambda: now or time.time_ns() // 1_000_000, started_at)
