"""More comes in than goes out: lag is what grows, memory does not, the fold goes on, and nothing is lost.

The bound on memory is reckoned from what may be under way at once, not guessed; the burst is several times as large.
"""

import random
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest

from streams.core.row import EVENT
from streams.settings import Push
from streams.worker.partition import MOST_PENDING_BYTES
from streams.worker.transport import FETCH_BYTES, MOST_UNDER_WAY
from tests.end_to_end import topic
from tests.end_to_end.history import CLICKS, click, generate, padded
from tests.end_to_end.law import assert_pushed_once, assert_told_once, profiles_of
from tests.end_to_end.scene import PARTITIONS, expected
from tests.oracle import DAY

BUFFER_EVENTS = 1000
USERS = 100
USUAL = 600
BURST = 100 * USUAL
PADDING = 3600
"""Bytes of an event: the burst is to be several times what may be in memory."""
COPIES = 2
"""What was fetched is there as bytes of the fetch and as records for a moment."""
SPARE_BYTES = 32 << 20
"""What the interpreter, numba and the allocator take beside, whatever is read."""
HICCUP_SECONDS = 0.3
PATIENT = 120


def bound():
    """Bytes by which a worker may grow while it works off a backlog of clicks in all partitions."""
    fetched = PARTITIONS * (MOST_UNDER_WAY + 1) * FETCH_BYTES * COPIES  # one more is fetched ahead
    waiting = PARTITIONS * (BUFFER_EVENTS + (MOST_UNDER_WAY + 1) * FETCH_BYTES // PADDING) * EVENT.itemsize * COPIES
    return fetched + waiting + MOST_PENDING_BYTES + SPARE_BYTES


def most_memory(worker):
    """The most memory that a worker has had, in bytes."""
    [line] = [s for s in Path(f"/proc/{worker.pid}/status").read_text().splitlines() if s.startswith("VmHWM")]
    return int(line.split()[1]) << 10


def burst(after, seed):
    """A hundred times as many clicks as there were, by the same users, over the next days."""
    dice = random.Random(seed)
    acts = sorted((after + dice.randrange(1, 20 * DAY), f"u{dice.randrange(USERS):04d}") for _ in range(BURST))
    return [padded(click(user, at), PADDING) for at, user in acts]


def usual(seed):
    events = [event for event in generate(users=USERS, seed=seed) if event.source == CLICKS][:USUAL]
    return [padded(event, PADDING) for event in events]


@contextmanager
def hiccups(kafka):
    """Stop the broker for a moment, again and again."""
    done = threading.Event()

    def hiccup():
        while not done.wait(HICCUP_SECONDS):
            kafka.pause()
            done.wait(HICCUP_SECONDS)
            kafka.resume()

    thread = threading.Thread(target=hiccup)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


@pytest.mark.parametrize("broker", ["swift", "slow"])
def test_a_burst_of_a_hundred_times_the_usual_rate_is_lag_and_no_memory(lone_kafka, play, broker):
    scene = play(lone_kafka, push=Push(channels=()), buffer_events=BUFFER_EVENTS, session_seconds=60)
    before = usual(seed=41)
    scene.write(before)
    worker = scene.start_ready()
    scene.await_folded()
    at_rest = most_memory(worker)
    events = burst(before[-1].at, seed=42)
    assert 2 * bound() < BURST * PADDING, "the burst is too small to show anything"
    worker.pause()  # so that all of it comes at once
    scene.write(events)
    if broker == "slow":
        with hiccups(lone_kafka):
            worker.resume()
            lag = scene.wait("the lag to grow", lambda: sum(worker.lags()))
            scene.wait("the lag to shrink", lambda: sum(worker.lags()) < lag / 2)
    else:
        worker.resume()
        scene.wait("the lag to grow", lambda: sum(worker.lags()) > USUAL)
    scene.await_folded()
    grown = most_memory(worker) - at_rest
    assert grown < bound(), f"grew by {grown >> 20} MB, of {bound() >> 20} MB that may be under way"
    assert worker.metric("awaken_events_total") == len(before) + BURST
    scene.stop(worker)
    assert_told_once(scene.transitions(), expected(before + events))


def test_a_channel_that_takes_its_time_holds_up_pushes_and_not_the_fold(play, real_kafka):
    scene = play(real_kafka, lateness_seconds=DAY / 1000)
    scene.be_patient(PATIENT, deliveries_at_once=1)
    events = generate(users=200, seed=43, by_turns=True)
    middle = len(events) // 2
    scene.receiver.hold()
    worker = scene.start_ready()
    scene.write(events[:middle])
    scene.wait("a push to be under way", lambda: scene.receiver.held)
    scene.write(events[middle:], pause_seconds=0.05)
    scene.await_folded()
    assert_told_once(scene.transitions(), expected(events, lateness=DAY))
    assert not scene.receiver.taken
    decisions = scene.settings.topics.push_decisions
    scene.wait("pushes to lag", lambda: worker.metric("awaken_push_lag_events", topic=decisions) > 0)
    ends = {(decisions, r.partition): r.offset + 1 for r in scene.records(decisions)}
    committed = topic.committed(scene.settings.kafka, scene.settings.group, ends)
    assert all(committed[tp] < end for tp, end in ends.items())
    assert worker.problems("live") == worker.problems("ready") == []
    scene.receiver.release()
    scene.await_pushed()
    scene.wait("nothing to lag", lambda: worker.metric("awaken_push_lag_events") == 0)
    scene.stop(worker)
    assert_pushed_once(scene, scene.transitions(), profiles_of(events))
