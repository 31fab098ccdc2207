"""Kafka and Redis go away and come back: nothing lost, nothing twice, and the pages say how it stands."""

import os
import signal
from functools import partial

from streams.demo.cache import EmbeddedRedis
from tests.end_to_end.history import generate
from tests.end_to_end.law import assert_told_once
from tests.end_to_end.scene import expected
from tests.end_to_end.test_crash import assert_whole, stages
from tests.oracle import DAY

CRASHED = 70


def test_a_broker_is_stopped_and_killed_and_comes_back(lone_kafka, play):
    """The worker may outlive it, or end because it cannot know what was committed; then the next one knows."""
    scene = play(lone_kafka, lateness_seconds=DAY / 1000)
    events = generate(seed=16, by_turns=True)
    first, second, third = stages(events, 3)
    worker = scene.start("worker 0")
    for number, (stage, end) in enumerate([(first, lone_kafka.stop), (second, lone_kafka.kill)], 1):
        scene.feed(stage)
        scene.await_more(20)
        scene.await_fed()
        worker.expected = False
        end()
        lone_kafka.restart()
        scene.wait("all to be committed, or the worker to end", partial(settled, scene, worker))
        if worker.exit_code is not None:
            assert worker.exit_code == CRASHED
            worker = scene.start(f"worker {number}")
    scene.feed(third)
    scene.await_pushed()
    scene.stop(worker)
    assert_whole(scene, events)


def settled(scene, worker):
    return worker.exit_code is not None or scene.folded()


def test_while_redis_is_away_transitions_go_on_and_pushes_wait(play, real_kafka):
    with EmbeddedRedis() as server:
        scene = play(real_kafka, redis=server.url, lateness_seconds=DAY / 1000)
        events = generate(seed=17, by_turns=True)
        worker = scene.start_ready()
        os.kill(server.pid, signal.SIGSTOP)
        scene.write(events)
        scene.await_folded()
        assert_told_once(scene.transitions(), expected(events, lateness=DAY))
        assert not [d for d in scene.decisions() if d.action == "send"]
        assert worker.problems("ready") == worker.problems("live") == []
        os.kill(server.pid, signal.SIGCONT)
        scene.await_pushed()
        scene.stop(worker)
        assert_whole(scene, events)
