"""The input falls silent and comes back: nobody is dormant for it, and those who really stay away are, afterwards."""

import asyncio
import json
import threading
import time

import pytest
from aiokafka import AIOKafkaProducer

from streams.settings import DAY, Activity, Gate
from streams.wire.control import Outage, RuleVersion, Stop, Vouched, read
from streams.worker.control import Writer, merged
from tests.end_to_end import topic
from tests.end_to_end.history import click
from tests.end_to_end.law import dormancies

THRESHOLD = 8000  # ms
LIMITS = Gate(
    watch_seconds=0.2, chance=1e-3, silence_seconds=1, silence_max_seconds=60, warmup_seconds=1, back_seconds=1
)
REGULARS = [f"regular{number}" for number in range(12)]


def now():
    return time.time_ns() // 1_000_000


class Clicking:
    """Users who click in turns, fifty times a second, for as long as the block lasts."""

    def __init__(self, scene, users):
        self._scene, self._users = scene, users
        self._over = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._click()), daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._thread.join(10)

    async def _click(self):
        name = self._scene.settings.topics.clicks
        async with AIOKafkaProducer(bootstrap_servers=self._scene.settings.kafka, acks="all") as producer:
            while not self._over.is_set():
                for user in self._users:
                    value = json.dumps(click(user, now()).body).encode()
                    await producer.send_and_wait(name, value, key=user.encode())
                    await asyncio.sleep(0.02)


@pytest.fixture
def live(play, real_kafka):
    activity = Activity(new_days=0, dormant_days=THRESHOLD / DAY, churned_days=0)
    return play(real_kafka, clock="wall", activity=activity, gate=LIMITS)


def control(scene):
    return [read(r.value) for r in topic.read(scene.settings.kafka, scene.settings.topics.control, 1) if r.value]


def newest(scene, kind):
    return next((record for record in reversed(control(scene)) if isinstance(record, kind)), None)


def dormant(scene):
    return {envelope.subject: envelope.data.at for envelope in dormancies(scene.transitions())}


def assert_really_absent(scene):
    """Whoever became dormant was absent for the whole threshold, not counting what was stopped.

    On a machine that is very busy one of those who click all the time may be among them, and rightly.
    """
    stops = {record.start: record for record in control(scene) if isinstance(record, Stop)}
    for envelope in dormancies(scene.transitions()):
        at, last = envelope.data.at, envelope.data.evidence["last_at"]
        spans = merged((stop.start, stop.end or at) for stop in stops.values())  # one may reach into another
        stopped = sum(max(0, min(end, at) - max(start, last)) for start, end in spans)
        assert at - last - stopped >= THRESHOLD, f"{envelope.subject} was taken for absent from {last} to {at}"


def await_vouched(scene, since):
    scene.wait("absence to be vouched for", lambda: (v := newest(scene, Vouched)) and v.through > since)


def test_a_silent_input_makes_nobody_dormant_even_if_its_watcher_is_killed(live):
    worker = live.start_ready("the first")
    with Clicking(live, [*REGULARS, "leaves"]):
        live.write([click("quits", now())])
        live.wait("the one who quit to be dormant", lambda: "quits" in dormant(live))
        before = dormant(live)
    silent_from = now()
    live.wait("the silence to be found out", lambda: newest(live, Stop))
    assert newest(live, Vouched).through <= newest(live, Stop).start <= silent_from
    assert worker.metric("awaken_gate_stopped") == 1
    assert worker.metric("awaken_gate_stops_total", reason="silent") == 1
    worker.kill()
    worker = live.start_ready("the second")
    live.wait("two thresholds of silence", lambda: now() > silent_from + 2 * THRESHOLD)
    assert dormant(live).keys() == before.keys(), "dormant by an outage"
    with Clicking(live, REGULARS):
        stop = live.wait("the silence to be over", lambda: (s := newest(live, Stop)).end and s)
        live.wait("the one who left to be dormant", lambda: "leaves" in dormant(live))
        assert worker.metric("awaken_gate_stopped") == 0
        assert worker.metric("awaken_gate_vouched_seconds") < THRESHOLD / 1000
    live.stop(worker)
    assert dormant(live)["leaves"] >= stop.end, "the stop was not credited"
    assert_really_absent(live)
    assert {decision.user for decision in live.decisions()} <= dormant(live).keys()


def test_partition_0_moves_and_the_watch_with_it(live):
    first = live.start_ready("the first")
    with Clicking(live, REGULARS):
        await_vouched(live, 0)
        second = live.start_ready("the second")
        live.wait("both to hold partitions", lambda: first.held() and second.held())
        await_vouched(live, now())
        live.stop(first)
        await_vouched(live, now())
    live.stop(second)
    assert [rules.from_ for rules in control(live) if isinstance(rules, RuleVersion)] == [0]
    assert_really_absent(live)


def test_an_outage_that_an_operator_declares_holds_for_all(play, real_kafka):
    activity = Activity(new_days=0, dormant_days=THRESHOLD / DAY, churned_days=0)
    scene = play(real_kafka, clock="wall", activity=activity)  # the gate is off
    worker = scene.start_ready()

    async def declare(end):
        writer = await Writer.open(scene.settings)
        await writer.write([Outage("o1", began - 1000, end, (), "the app could not be reached")])
        await writer.close()

    began = now()
    asyncio.run(declare(None))
    scene.wait("the worker to know", lambda: worker.metric("awaken_gate_stopped") == 1)
    scene.write([click("user", now())])
    scene.wait("two thresholds", lambda: now() > began + 2 * THRESHOLD)
    assert not dormant(scene), "dormant in an outage"
    ended = now()
    asyncio.run(declare(ended))
    scene.wait("the user to be dormant", lambda: dormant(scene))
    assert dormant(scene)["user"] >= ended + THRESHOLD - 1
    scene.stop(worker)
