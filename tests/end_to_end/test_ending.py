"""A worker that does not get on, or is told to stop, ends in bounded time, with a code that says how it went."""

import pytest

from streams.ops.admin import connect
from streams.settings import Push
from streams.worker.ending import Ending
from tests.end_to_end.history import generate
from tests.end_to_end.law import assert_pushed_once, assert_told_once, profiles_of
from tests.end_to_end.scene import PARTITIONS, expected

PATIENT = 120


@pytest.fixture
def alone(lone_kafka, play, request):
    """A scene on a Kafka of its own; it goes on before the scene is struck."""

    def play_alone(**changes):
        scene = play(lone_kafka, **changes)
        request.addfinalizer(lone_kafka.resume)
        return scene

    return play_alone


def ended(scene, worker, seconds=60):
    """The exit code of a worker that ends by itself, or was told to."""
    worker.expected = False
    scene.wait(f"{worker.name} to end", lambda: worker.exit_code is not None, seconds)
    return worker.exit_code


def test_a_worker_that_cannot_commit_for_long_ends_and_says_why(alone, lone_kafka):
    # Commits are seldom, and the broker falls silent after one: with what was folded since, the next cannot be written.
    scene = alone(stuck_seconds=5, session_seconds=30, commit_seconds=3)
    worker = scene.start_ready(instance="one")
    scene.feed(generate(users=200, seed=31))
    scene.await_more(20)
    folded = worker.metric("awaken_events_total")
    scene.wait("more to be folded", lambda: worker.metric("awaken_events_total") >= folded + 200)
    lone_kafka.pause()
    try:
        assert ended(scene, worker) == Ending.STUCK
    finally:
        lone_kafka.resume()
    said = worker.log(200)
    assert "has not committed for" in said
    assert "ending with exit code 75. The loop's thread:" in said
    assert "_commit_regularly" in said
    again = scene.start_ready("the next", instance="one")
    scene.await_pushed()
    scene.stop(again)


def test_told_to_stop_while_the_broker_is_away_it_ends_all_the_same_and_says_that_something_is_left(alone, lone_kafka):
    scene = alone(drain_seconds=3, stuck_seconds=600, session_seconds=30)
    worker = scene.start_ready(instance="one")
    events = generate(users=200, seed=32, by_turns=True)
    scene.feed(events)
    scene.await_more(20)
    lone_kafka.pause()
    worker.terminate()
    try:
        assert ended(scene, worker) == Ending.UNSETTLED
    finally:
        lone_kafka.resume()
    assert "told to stop, it has not ended within drain_seconds = 3" in worker.log(200)
    again = scene.start_ready("the next", instance="one")
    scene.await_pushed()
    scene.stop(again)


def test_told_to_stop_while_a_channel_takes_its_time_it_commits_and_leaves_the_rest_to_the_next(play, real_kafka):
    scene = play(real_kafka, drain_seconds=20)
    scene.be_patient(PATIENT)
    events = generate(users=100, seed=33)
    scene.write(events)
    scene.receiver.hold()
    worker = scene.start_ready()
    scene.wait("a push to be under way", lambda: scene.receiver.held)
    scene.await_folded()
    worker.terminate()
    assert ended(scene, worker) == Ending.STOPPED
    scene.receiver.release()
    again = scene.start_ready("the next")
    scene.await_pushed()
    scene.stop(again)
    transitions = scene.transitions()
    assert_told_once(transitions, expected(events))
    assert_pushed_once(scene, transitions, profiles_of(events))


def test_a_number_of_partitions_that_changes_ends_it_with_a_code_of_its_own(play, real_kafka):
    scene = play(real_kafka, push=Push(channels=()))
    events = generate(users=50, seed=34)
    scene.write(events)
    worker = scene.start_ready()
    scene.await_folded()
    name = scene.settings.topics.orders
    with connect(scene.settings.kafka) as admin:
        admin.create_partitions({name: PARTITIONS + 1})
    assert ended(scene, worker) == Ending.MISFIT
    assert f"{name} has {PARTITIONS + 1}, but all keyed topics must have {PARTITIONS}" in worker.log(200)
    assert ended(scene, scene.start("the next")) == Ending.REFUSED
