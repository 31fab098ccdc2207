"""Workers that are killed, or sleep through their session, amid a stream that goes on: nothing lost, nothing twice.

The input is fed by days, so the watermark stays a day behind; see `history.generate` on `by_turns`.
"""

import random

import pytest

from tests.end_to_end.history import CLICKS, generate, stages
from tests.end_to_end.law import assert_pushed_once, assert_rows_exact, assert_told_once, profiles_of
from tests.end_to_end.scene import PARTITIONS, expected
from tests.oracle import DAY

KILLS = 4


@pytest.fixture
def scene(play, real_kafka):
    return play(real_kafka, lateness_seconds=DAY / 1000)


def assert_whole(scene, events):
    """Everything that had to follow from the events has followed, once."""
    transitions = scene.transitions()
    assert_told_once(transitions, expected(events, lateness=DAY))
    assert_pushed_once(scene, transitions, profiles_of(events))
    assert_rows_exact(scene, events)


def test_killed_in_mid_stream_again_and_again(scene):
    events, dice = generate(seed=2, by_turns=True), random.Random(2)
    first, *rest = stages(events, KILLS + 1)
    scene.feed(first)
    worker = scene.start("worker 0", instance="one")
    for number, stage in enumerate(rest, 1):
        scene.await_more(dice.randrange(10, 60))
        scene.feed(stage)
        worker.kill()
        worker = scene.start(f"worker {number}", instance="one")
    scene.await_pushed()
    scene.stop(worker)
    assert_whole(scene, events)


def test_one_of_two_is_killed(scene):
    events = generate(seed=3, by_turns=True)
    before, amid, after = stages(events, 3)
    stays, dies = scene.start("the one that stays"), scene.start("the one that dies")
    scene.wait("both to share the partitions", lambda: share(stays, dies))
    scene.feed(before)
    scene.wait("both to have worked", lambda: all(w.metric("awaken_events_total") > 0 for w in (stays, dies)))
    scene.await_more(20)
    scene.feed(amid)
    dies.kill()
    scene.wait("the other to take over", lambda: stays.ready() and stays.held() == PARTITIONS)
    scene.feed(after)
    scene.await_pushed()
    scene.stop(stays)
    assert_whole(scene, events)


def test_one_of_two_sleeps_through_its_session_and_wakes(play, real_kafka):
    # Seldom commits: it falls asleep with work that is folded and not written, and wakes with it.
    scene = play(real_kafka, lateness_seconds=DAY / 1000, commit_seconds=0.8)
    events = generate(seed=4, by_turns=True)
    before, amid, after = stages(events, 3)
    stays, sleeps = scene.start("the one that stays"), scene.start("the one that sleeps")
    scene.wait("both to share the partitions", lambda: share(stays, sleeps))
    scene.feed(before)
    scene.wait("both to have worked", lambda: all(w.metric("awaken_events_total") > 0 for w in (stays, sleeps)))
    scene.await_more(20)
    sleeps.pause()
    scene.feed(amid)
    scene.wait("the other to take over", lambda: stays.ready() and stays.held() == PARTITIONS)
    scene.await_more(20)
    scene.feed(after)
    sleeps.resume()
    scene.wait("the sleeper to work again", lambda: share(stays, sleeps))
    scene.await_pushed()
    for worker in (stays, sleeps):
        scene.stop(worker)
    assert_whole(scene, events)


def test_workers_come_and_go(scene):
    events = generate(seed=5, by_turns=True)
    alone, together, again = stages(events, 3)
    workers = [scene.start("worker 0")]
    scene.feed(alone)
    scene.await_more(20)
    workers += [scene.start("worker 1"), scene.start("worker 2")]
    scene.wait("all three to share the partitions", lambda: share(*workers))
    scene.feed(together)
    scene.await_more(20)
    scene.feed(again)
    for worker in workers[:2]:
        scene.stop(worker)
    scene.await_pushed()
    scene.stop(workers[2])
    assert_whole(scene, events)


def share(*workers):
    """Whether each works on some of the partitions, and together on all."""
    if not all(worker.ready() for worker in workers):
        return False
    held = [worker.held() for worker in workers]
    return min(held) > 0 and sum(held) == PARTITIONS


def test_the_first_events_of_all_are_not_lost_when_they_come_amid_a_rebalance(play, real_kafka):
    scene = play(real_kafka)
    # Clicks alone: written all at once, two topics would reach a worker that is not behind in no order of time.
    events = [event for event in generate(seed=15) if event.source == CLICKS]
    first = scene.start_ready("the first")
    second = scene.start("the second")
    scene.wait("the group to rebalance", lambda: not first.ready())
    scene.write(events)
    scene.await_folded()
    for worker in (first, second):
        scene.stop(worker)
    assert_told_once(scene.transitions(), expected(events))
