"""Live time (`clock = "wall"`): it passes for those who are silent, and never because a backlog is long."""

import time
from collections import Counter

import pytest

from streams.ops import backfill
from streams.settings import Activity
from tests.end_to_end.history import CLICKS, RULES, click, generate, home, order, padded, profile, told
from tests.end_to_end.law import assert_lives_whole, assert_same, dormancies
from tests.end_to_end.scene import PARTITIONS, rows
from tests.oracle import DAY, Rules

SILENCE = 3e-5  # days, 2.592 s
RULES_OF_SECONDS = Rules(new_days=0, dormant_days=SILENCE, churned_days=0)
FOR_EVER = 1 << 60
HOUR = 3_600_000


@pytest.fixture
def live(play, real_kafka):
    """A scene in which a user is dormant after less than three seconds."""
    return play(real_kafka, clock="wall", activity=Activity(*RULES_OF_SECONDS))


def now():
    return time.time_ns() // 1_000_000


def test_those_who_fall_silent_become_dormant_and_nobody_else_does(live):
    silent = [f"u{number}" for number in range(40)]
    worker = live.start_ready()
    live.write([profile(user, 0, now()) for user in silent])
    acts = []

    def act(*users):
        events = [click(user, now()) for user in users]
        acts.extend((event.user, event.at) for event in events)
        live.write(events, pause_seconds=0.2)

    def await_dormant():
        due = len(told(acts, RULES_OF_SECONDS, FOR_EVER))
        live.wait("everybody to be dormant", lambda: live.told() >= due)

    act(*silent)
    regular = now() + 1.2 * SILENCE * DAY
    while now() < regular:  # one comes and comes again, for longer than the others take to become dormant
        act("regular")
    await_dormant()
    act(*silent)  # and the others come back
    await_dormant()
    live.await_pushed()
    live.stop(worker)
    transitions = live.transitions()
    assert_same("transitions", rows(transitions), told(acts, RULES_OF_SECONDS, FOR_EVER))
    assert_lives_whole(transitions)
    assert not any(envelope.data.historic for envelope in transitions)
    written = live.records(live.settings.topics.lifecycle_transitions)
    early = [e.id for e, r in zip(transitions, written, strict=True) if r.timestamp < e.data.at]
    assert not early, f"told before it was true: {early[:5]}"
    assert Counter(d.reason for d in live.decisions()) == {"sent": 2 * len(silent), "no_consent": 1}


def test_a_backlog_makes_nobody_dormant_who_is_not(play, real_kafka):
    scene = play(real_kafka, clock="wall")
    started = now()
    events = [event for event in generate(seed=13, start=started - 70 * DAY) if event.at <= started]
    scene.write([padded(event, 3000) if event.source == CLICKS else event for event in events])
    worker = scene.start_ready()
    scene.await_pushed()
    scene.wait("time to have reached the present", lambda: 0 <= worker.metric("awaken_watermark_delay_seconds") < 60)
    scene.stop(worker)
    transitions = scene.transitions()
    found = Counter(rows(transitions))
    least, most = due(events, started), due(events, now())
    assert not least - found, f"missing: {list(least - found)[:5]}"
    assert not found - most, f"too many: {list(found - most)[:5]}"
    assert_lives_whole(transitions)
    assert_history_is_marked(scene, transitions, started)


def test_what_is_loaded_late_of_a_declared_span_is_history_and_what_lies_beside_it_is_pushed(play, real_kafka):
    scene = play(real_kafka, clock="wall", activity=Activity(new_days=0, dormant_days=0.1, churned_days=0))
    worker, started = scene.start_ready(), now()
    made = backfill.declare(scene.settings, started - 24 * HOUR, started - 10 * HOUR, "a till was offline")
    scene.wait("the worker to know", lambda: f"backfill {made.id}" in worker.log(1000))
    acts = [order(user, started - hours * HOUR) for user, hours in (("late", 20), ("beside", 5))]
    scene.write([profile(user, 0, started - 30 * HOUR) for user in ("late", "beside")] + acts)
    scene.wait("both to be decided about", lambda: len(scene.decisions()) == len(acts))
    scene.await_pushed()
    scene.stop(worker)
    assert {e.subject: e.data.historic for e in dormancies(scene.transitions())} == {"late": True, "beside": False}
    assert {d.user: d.reason for d in scene.decisions()} == {"late": "historic", "beside": "sent"}


def due(events, end):
    """The Rows that are due at `end`, whatever the partition."""
    acts = {number: [] for number in range(PARTITIONS)}
    for event in events:
        if event.is_act:
            acts[home(event.user, PARTITIONS)].append((event.user, event.at))
    return Counter(row for part in acts.values() for row in told(part, RULES, end))


def assert_history_is_marked(scene, transitions, started):
    """What is older than `historic_hours` is marked so and nothing of it is pushed; what is younger is not."""
    edge = started - scene.settings.historic_hours * HOUR
    assert all(e.data.historic for e in transitions if e.data.at < edge)
    assert not any(e.data.historic for e in transitions if e.data.at > edge + HOUR)
    marked = {f"reactivation:{e.id}": e.data.historic for e in dormancies(transitions)}
    decisions = scene.decisions()
    assert {d.id: d.reason == "historic" for d in decisions} == marked
    assert {d.reason for d in decisions} >= {"historic", "sent"}
