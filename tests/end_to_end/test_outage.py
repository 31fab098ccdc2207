"""Brokers and Redis that go away and come back: nothing lost, nothing twice."""

import pytest

from streams.demo.cache import EmbeddedRedis
from tests.end_to_end.history import generate
from tests.end_to_end.law import assert_pushed_once, assert_told_once, profiles_of
from tests.end_to_end.scene import expected
from tests.end_to_end.test_crash import assert_whole, stages
from tests.oracle import DAY

CRASHED = 70


@pytest.mark.parametrize("how", ["kill", "stop"])
def test_a_broker_that_goes_and_comes_back(lone_kafka, play, how):
    scene = play(lone_kafka, lateness_seconds=DAY / 1000)
    events = generate(seed=16, by_turns=True)
    before, after = stages(events, 2)
    scene.feed(before)
    worker = scene.start_ready("the first")
    scene.await_more(20)
    worker.expected = False  # it may end; it must not go on as if nothing were
    getattr(lone_kafka, how)()
    lone_kafka.restart()
    scene.feed(after)
    import time
    t0=time.time()
    print("restarted")
    while time.time()-t0<40:
        time.sleep(1); print(round(time.time()-t0), worker.exit_code, worker.page("/health/ready"), worker.page("/health/live"))
        if worker.exit_code is not None: break
    print(worker.log())
    if worker.exit_code is not None:
        assert worker.exit_code == CRASHED
        worker = scene.start_ready("the second")
    scene.await_pushed()
    scene.stop(worker)
    assert_whole(scene, events)
