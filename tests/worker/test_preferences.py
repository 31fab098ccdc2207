"""The preference page and its API: who holds a token changes what its user gets, once the brokers have it."""

import asyncio
from functools import partial
from types import SimpleNamespace

import msgspec
import orjson
import pytest
from aiohttp import FormData
from aiohttp.test_utils import TestClient, TestServer
from aiohttp.web import Application
from kafka import KafkaConsumer, TopicPartition

from streams.channels import webhook
from streams.channels.known import Channels
from streams.ops import topics
from streams.preference import PATH, token
from streams.settings import Push, Settings
from streams.shard import Shard
from streams.wire.block import Block
from streams.wire.decode import read_feedback
from streams.wire.event import Feedback
from streams.wire.partitioner import home
from streams.worker import preferences
from streams.worker.chunk import Chunk
from streams.worker.partition import Partition, rules_of
from streams.worker.preferences import Publisher, Unpublished

T0 = 1_700_000_000_000
OF = 4
SECRET = "a-long-word"
USER = "u1"
HOME = home(USER.encode(), OF)
TOKEN = token(SECRET, USER, "inbox", "offer", "reactivation:t")
ONE_CLICK = {"List-Unsubscribe": "One-Click"}


def partition(number, settings):
    held = Partition(
        number, settings, Shard(rules_of(settings)), SimpleNamespace(record=lambda *_: None),
        SimpleNamespace(read_to_end=lambda _topic, _partition: T0), now=lambda: T0,
    )  # fmt: skip
    if number == HOME:
        profile = {"user": USER, "at": T0, "consent": {"inbox": True, "webhook": False}}
        record = SimpleNamespace(offset=0, timestamp=T0, key=b"u1", value=orjson.dumps(profile), headers=[])
        held.receive(Chunk(settings.topics.profiles, number, Block.of([record]), 1))
        held.pump()
    return held


def worker(*numbers, working=True, **changes):
    both = Channels(webhook=webhook.Options("http://receiver.example/"))
    settings = msgspec.structs.replace(Settings(partitions=OF, push=Push(secret=SECRET), channels=both), **changes)
    return SimpleNamespace(
        settings=settings, working=working, waiting_since=0.0, should_stop=False,
        partitions={n: partition(n, settings) for n in numbers},
    )  # fmt: skip


@pytest.fixture(scope="module")
def whole():
    return worker(*range(OF))


class Topic:
    """What was published: (feedback, partitions); `broken` publishes nothing."""

    def __init__(self, *, broken=False):
        self.told, self.broken = [], broken

    async def publish(self, feedback, partitions):
        if self.broken:
            raise Unpublished
        self.told.append((feedback, list(partitions)))

    async def close(self):
        pass


def ask(held, monkeypatch, requests, topic=None):
    """Send requests (method, token, options) over HTTP; return (status, headers, text) of each, and what was told."""
    topic = topic or Topic()
    monkeypatch.setattr(preferences, "Publisher", lambda _settings: topic)

    async def sent():
        site, views = Application(), []
        signal = SimpleNamespace(connect=lambda *_, **__: None)
        preferences.add(SimpleNamespace(page=lambda _: views.append, on_before_shutdown=signal, **vars(held)))
        for method in ("get", "post"):
            site.router.add_route(method, PATH + "{token}", partial(_routed, getattr(views[0], method)))
        answers = []
        async with TestClient(TestServer(site)) as client:
            for method, text, options in requests:
                async with client.request(method, PATH + text, **options) as answer:
                    answers.append((answer.status, answer.headers, await answer.text()))
        return answers

    return asyncio.run(sent()), topic.told


async def _routed(handler, request):
    return await handler(None, request, **request.match_info)


def change(held, said, topic=None):
    topic = topic or Topic()
    return asyncio.run(preferences.change(held, TOKEN, said, topic.publish)), topic.told


def test_to_look_changes_nothing(whole, monkeypatch):
    asked = [("GET", TOKEN, {}), ("GET", TOKEN, {"headers": {"Accept": "application/json"}}), ("HEAD", TOKEN, {})]
    [page, told, _], published = ask(whole, monkeypatch, asked)
    assert (page[0], told[0], published) == (200, 200, [])
    assert page[1]["Content-Type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in page[1]["Content-Security-Policy"]
    assert page[1]["Cache-Control"] == "no-store"
    assert "Turn off: Offers and coupons by inbox in the app" in page[2]
    assert orjson.loads(told[2]) == {
        "channels": {"inbox": True, "webhook": False},
        "kinds": {"content": True, "service": True, "offer": True},
    }


@pytest.mark.parametrize(
    ("options", "channel", "about", "kind"),
    [
        ({"json": {"channel": "inbox", "about": "offer", "subscribed": False}}, "inbox", "offer", "unsubscribed"),
        ({"json": {"about": "content", "subscribed": False}}, None, "content", "unsubscribed"),
        ({"json": {"subscribed": False}}, None, None, "unsubscribed"),
        ({"json": {"channel": "webhook", "subscribed": True}}, "webhook", None, "subscribed"),
        ({"data": {"channel": "inbox", "about": "", "subscribed": "false"}}, "inbox", None, "unsubscribed"),
        ({"data": {"channel": "", "about": "offer", "subscribed": "true"}}, None, "offer", "subscribed"),
        ({"data": ONE_CLICK}, "inbox", "offer", "unsubscribed"),
        ({"data": FormData(ONE_CLICK, default_to_multipart=True)}, "inbox", "offer", "unsubscribed"),
    ],
)
def test_what_is_posted_is_told_to_the_owner_of_his_partition(whole, monkeypatch, options, channel, about, kind):
    [(status, _, text)], [(feedback, partitions)] = ask(whole, monkeypatch, [("POST", TOKEN, options)])
    assert status == 200
    assert "one" in text
    assert (feedback.user, feedback.decision, partitions) == (USER, "reactivation:t", [HOME])
    assert (feedback.kind, feedback.channel, feedback.about) == (kind, channel, about)


def test_the_answer_shows_what_he_gets_now(whole):
    answer, _ = change(whole, b'{"channel": "inbox", "subscribed": false}')
    assert answer.told["done"] == {"channel": "inbox", "about": None, "subscribed": False}
    assert answer.told["channels"] == {"inbox": False, "webhook": False}
    assert answer.text == "Done. Inbox in the app: off from now on."
    assert preferences.show(whole, TOKEN).told["channels"]["inbox"] is True, "it counts once it is folded"


@pytest.mark.parametrize("blind", [worker(*(set(range(OF)) - {HOME})), worker(*range(OF), working=False)])
def test_a_worker_that_does_not_hold_him_shows_no_values_and_takes_his_word(blind):
    answer = preferences.show(blind, TOKEN)
    assert (answer.status, answer.told) == (200, {"channels": None, "kinds": None})
    answer, [(_, partitions)] = change(blind, b'{"subscribed": false}')
    assert (answer.status, answer.told["channels"], partitions) == (200, None, [HOME])


def test_with_a_partitioner_of_their_own_it_goes_where_he_stands_or_everywhere(whole):
    settings = msgspec.structs.replace(whole.settings, partitioner="any")
    here = SimpleNamespace(**vars(whole) | {"settings": settings})
    assert change(here, b'{"subscribed": false}')[1][0][1] == [HOME]
    elsewhere = worker(*(set(range(OF)) - {HOME}), partitioner="any")
    assert change(elsewhere, b'{"subscribed": false}')[1][0][1] == list(range(OF))


@pytest.mark.parametrize("text", [TOKEN[:-4], TOKEN + "x", "nonsense", token("other", USER, "inbox", "offer", "d")])
def test_a_token_that_is_none_of_ours_does_nothing(whole, monkeypatch, text):
    asked = [("GET", text, {}), ("POST", text, {"data": ONE_CLICK}), ("POST", text, {"json": {"subscribed": False}})]
    answers, published = ask(whole, monkeypatch, asked)
    assert [status for status, *_ in answers] == [404] * len(answers)
    assert all(USER not in said for *_, said in answers)
    assert published == []


def test_without_a_secret_there_is_no_page():
    assert preferences.show(worker(push=Push()), TOKEN).status == 404


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (b"{}", "subscribed"),
        (b"nonsense", "JSON"),
        (b'{"subscribed": "maybe"}', "subscribed"),
        (b'{"subscribed": false, "channel": "fax"}', "channel = 'fax': must be one of inbox, webhook"),
        (b'{"subscribed": false, "about": "everything"}', "everything"),
        (b'{"subscribed": false, "user": "u2"}', "user"),
        ({"subscribed": "maybe"}, "bool"),
        ({}, "subscribed"),
        ({"List-Unsubscribe": "Two-Clicks"}, "List-Unsubscribe"),
    ],
)
def test_what_cannot_be_changed_is_said(whole, said, why):
    answer, published = change(whole, said)
    assert (answer.status, published) == (400, [])
    assert why in answer.told["error"]


def test_nothing_is_said_to_be_done_that_the_brokers_have_not(whole):
    answer, _ = change(whole, b'{"subscribed": false}', Topic(broken=True))
    assert answer.status == 503
    assert "done" not in answer.told
    assert "try again" in answer.text


FEEDBACK = Feedback(USER, T0, "d", "unsubscribed", "email")


def test_a_word_is_published_under_its_user(names, embedded_broker):
    settings = names.settings(kafka=embedded_broker.bootstrap, guarantee="at-least-once", partitions=2)
    topics.create(settings)

    async def published():
        publisher = Publisher(settings)
        await publisher.publish(FEEDBACK, [1])
        await publisher.close()

    asyncio.run(published())
    place = TopicPartition(settings.topics.push_feedback, 1)
    consumer = KafkaConsumer(bootstrap_servers=settings.kafka, auto_offset_reset="earliest", consumer_timeout_ms=20_000)
    consumer.assign([place])
    record = next(consumer)
    consumer.close()
    assert (record.key, read_feedback(record.value)) == (USER.encode(), FEEDBACK)


def test_where_there_is_no_broker_nothing_is_published(monkeypatch):
    monkeypatch.setattr(preferences, "PUBLISH_SECONDS", 5)
    publisher = Publisher(Settings(kafka="127.0.0.1:1"))
    with pytest.raises(Unpublished):
        asyncio.run(publisher.publish(FEEDBACK, [0]))
