"""What is told becomes tags in Redis and decisions on a page; a Redis that was emptied has its tags again."""

import json
from contextlib import contextmanager

import redis

from streams.settings import Push, Settings
from tests.end_to_end.history import START, click, order, profile
from tests.oracle import DAY

USER = "ü/decisions {1}"
PATH = "/users/%C3%BC%2Fdecisions%20%7B1%7D"
DIMENSIONS = Settings().dimensions


@contextmanager
def reading(scene):
    with redis.Redis.from_url(scene.settings.redis, decode_responses=True) as client:
        yield client


def tags_of(client, scene, user=USER):
    return client.hgetall(f"{scene.settings.group}:{{{user.replace('}', '%7D')}}}:tags")


def portrayed(worker):
    """What a user's page tells of his values, as tags have it."""
    status, text = worker.page(PATH)
    assert status == 200, text
    told = json.loads(text)
    values = {name: held["value"] for name, held in told["values"].items() if held["value"] != "none"}
    return values | {"seq": str(told["transitions"]), "rules": told["rules"]}


def lived(scene):
    """Let a user buy, come again and stay away, until a push has gone out to him; return the worker."""
    scene.write([profile(USER, 0, START), click(USER, START), order(USER, START + DAY), click("other", START + DAY)])
    scene.write([click(f"later-{n}", START + 20 * DAY) for n in range(12)])
    worker = scene.start_ready()
    scene.await_pushed()
    return worker


def assert_told(scene, worker):
    with reading(scene) as client:
        scene.wait("his tags to be those of his page", lambda: told_alike(client, scene, worker))
        assert tags_of(client, scene)["activity"] == "dormant"
    [one] = scene.wait("what became of it", lambda: decided(worker))
    assert (one["user"], one["playbook"], one["reason"]) == (USER, "reactivation", "sent")
    assert {channel: end["outcome"] for channel, end in one["outcomes"].items()} == {
        "inbox": "delivered", "webhook": "delivered"
    }  # fmt: skip
    assert [verdict["passed"] for verdict in one["trace"]] == [True] * len(one["trace"])


def told_alike(client, scene, worker):
    tags = tags_of(client, scene)
    return tags and {name: text for name, text in tags.items() if name != "at"} == portrayed(worker)


def decided(worker):
    """What his page tells of decisions, once both channels have an end."""
    status, text = worker.page(f"{PATH}/decisions")
    assert status == 200, text
    return [one for one in json.loads(text) if len(one["outcomes"]) == 2]


def test_a_transition_becomes_a_tag_and_a_decision_a_page_exactly_once(play, real_kafka):
    scene = play(real_kafka, dimensions=DIMENSIONS)
    worker = lived(scene)
    assert_told(scene, worker)
    scene.stop(worker)


def test_tags_come_back_to_a_redis_that_was_emptied(play, embedded_broker):
    scene = play(embedded_broker, guarantee="at-least-once", dimensions=DIMENSIONS)
    worker = lived(scene)
    assert_told(scene, worker)
    with reading(scene) as client:
        before = {user: tags_of(client, scene, user) for user in (USER, "other", "later-0")}
        assert all(before.values())
        client.flushdb()
        scene.wait("all tags to be there again", lambda: {u: tags_of(client, scene, u) for u in before} == before)
    assert worker.page(f"{PATH}/decisions") == (200, "[]")
    scene.stop(worker)


def test_where_tags_are_not_wanted_there_are_none_and_decisions_all_the_same(play, embedded_broker):
    scene = play(embedded_broker, guarantee="at-least-once", dimensions=("activity",), tags=False)
    worker = lived(scene)
    scene.wait("what became of it", lambda: decided(worker))
    with reading(scene) as client:
        assert client.keys(f"{scene.settings.group}:*tags*") == []
    scene.stop(worker)


def test_without_channels_redis_need_not_be_there(play, embedded_broker):
    scene = play(
        embedded_broker, guarantee="at-least-once", push=Push(channels=()), redis="redis://127.0.0.1:1/0"
    )  # fmt: skip
    scene.write([click(USER, START)])
    worker = scene.start_ready()
    scene.await_folded()
    assert worker.page(f"{PATH}/decisions") == (200, "[]")
    scene.stop(worker)
