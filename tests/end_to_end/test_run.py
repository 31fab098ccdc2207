"""A worker left in peace: what it writes is what the batch oracle says."""

from tests.end_to_end.history import generate
from tests.end_to_end.law import assert_pushed_once, assert_told_once, profiles_of
from tests.end_to_end.scene import expected


def test_a_backlog_becomes_the_oracles_transitions_and_their_pushes(scene):
    events = generate(seed=1)
    scene.write(events)
    worker = scene.start_ready()
    scene.await_pushed()
    scene.stop(worker)
    transitions = scene.transitions()
    assert_told_once(transitions, expected(events))
    assert_pushed_once(scene, transitions, profiles_of(events))
