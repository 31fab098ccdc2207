"""Redis goes away and comes back: nothing lost, nothing twice, and the pages say how it stands."""

import os
import signal

from streams.demo.cache import EmbeddedRedis
from tests.end_to_end.history import generate
from tests.end_to_end.law import assert_told_once
from tests.end_to_end.scene import expected
from tests.end_to_end.test_crash import assert_whole
from tests.oracle import DAY


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
