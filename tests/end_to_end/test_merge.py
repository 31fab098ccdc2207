"""Topics that are read at different speeds are folded in order of time."""

from tests.end_to_end.history import CLICKS, ORDERS, PROFILES, generate
from tests.end_to_end.law import assert_told_once
from tests.end_to_end.scene import expected

PAGE = "https://shop.example/" + "x" * 1000
"""So long that a partition's clicks take several fetches."""


def test_a_sparse_topic_that_is_there_long_before_the_other_waits_for_it(play, real_kafka):
    scene = play(real_kafka, buffer_events=1000)
    events = generate(users=1500, seed=7)
    for source in (ORDERS, PROFILES):
        scene.write([event for event in events if event.source == source])
    scene.write([padded(event) for event in events if event.source == CLICKS])
    worker = scene.start_ready()
    scene.await_folded()
    scene.stop(worker)
    assert_told_once(scene.transitions(), expected(events))


def padded(event):
    return event._replace(body=event.body | {"page": PAGE})
