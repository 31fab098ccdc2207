"""Scenes on real Kafka (exactly once) and on the embedded broker (at least once); a failure shows the workers' logs."""

import pytest

from tests.end_to_end.receiver import Receiver
from tests.end_to_end.scene import Scene


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    report = yield
    if report.when == "call" and report.failed:
        for scene in getattr(item, "scenes", ()):
            report.sections += [(f"log of {worker.name}", worker.log()) for worker in scene.workers]
    return report


@pytest.fixture
def receiver():
    with Receiver() as one:
        yield one


@pytest.fixture
def play(request, names, embedded_redis, receiver):
    """Return a function that sets a scene on a broker; it is struck when the test is over."""
    request.node.scenes = []

    def play(kafka, **changes):
        scene = Scene(names, receiver, **{"kafka": kafka.bootstrap, "redis": embedded_redis.url} | changes)
        request.node.scenes.append(scene)
        return scene.__enter__()

    yield play
    for scene in request.node.scenes:
        scene.__exit__()


@pytest.fixture
def scene(play, real_kafka):
    """An exactly-once deployment on real Kafka."""
    return play(real_kafka)


@pytest.fixture
def plain_scene(play, embedded_broker):
    """An at-least-once deployment on the embedded broker."""
    return play(embedded_broker, guarantee="at-least-once")
