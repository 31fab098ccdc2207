"""Topics that are read at different speeds are folded in order of time."""

from tests.end_to_end.history import CLICKS, ORDERS, PROFILES, generate, padded
from tests.end_to_end.law import assert_told_once
from tests.end_to_end.scene import expected


def test_a_sparse_topic_that_is_there_long_before_the_other_waits_for_it(play, real_kafka):
    scene = play(real_kafka, buffer_events=1000)
    events = generate(users=1500, seed=7)
    for source in (ORDERS, PROFILES):
        scene.write([event for event in events if event.source == source])
    scene.write([padded(event, 1000) for event in events if event.source == CLICKS])
    worker = scene.start_ready()
    scene.await_folded()
    scene.stop(worker)
    assert_told_once(scene.transitions(), expected(events))
