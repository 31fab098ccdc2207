import asyncio

import msgspec
import pytest
from aiokafka import AIOKafkaProducer

from streams.channels.app_push import Options as AppPush
from streams.channels.known import Channels
from streams.channels.sms import Options as Sms
from streams.demo.broker import binary
from streams.ops import NotReady, admin, doctor, topics
from streams.ops.child import Child, free_port
from streams.settings import Push, Settings
from streams.wire.partitioner import home


@pytest.fixture
def embedded(embedded_broker, embedded_redis, names):
    return names.settings(
        kafka=embedded_broker.bootstrap, redis=embedded_redis.url, partitions=2, guarantee="at-least-once"
    )


def by_name(findings):
    return {finding.name: finding for finding in findings}


def test_all_is_well_on_the_embedded_servers(embedded):
    topics.create(embedded)
    found = doctor.check(embedded)
    assert [finding.name for finding in found] == ["packages", "kafka", "topics", "redis", "channels"]
    assert all(finding.ok for finding in found)
    doctor.require(embedded)


def test_exactly_once_is_refused_where_there_are_no_transactions(embedded, names):
    settings = names.settings(kafka=embedded.kafka, redis=embedded.redis)
    assert not by_name(doctor.check(settings))["transactions"].ok
    with pytest.raises(NotReady, match=r"has no transactions(.|\n)*AWAKEN_GUARANTEE=at-least-once"):
        doctor.require(settings)


def test_exactly_once_is_granted_by_a_real_kafka(real_kafka, embedded, names):
    settings = names.settings(kafka=real_kafka.bootstrap, redis=embedded.redis)
    assert by_name(doctor.check(settings))["transactions"].ok
    doctor.require(settings)


def test_the_doctor_may_be_called_where_a_loop_runs(real_kafka, names):
    settings = names.settings(kafka=real_kafka.bootstrap)

    async def inside():
        return doctor.transactions(settings)

    assert asyncio.run(inside()).ok


def test_missing_topics_are_no_obstacle_if_the_worker_creates_them(embedded):
    doctor.require(embedded)
    found = by_name(doctor.check(embedded))["topics"]
    assert found.ok
    assert f"the worker will create {embedded.topics.clicks}" in found.detail


def test_missing_topics_are_one_if_it_may_not(embedded, names):
    settings = names.settings(
        kafka=embedded.kafka, redis=embedded.redis, guarantee="at-least-once", create_topics=False
    )
    with pytest.raises(NotReady, match=r"missing(.|\n)*awaken topics"):
        doctor.require(settings)


def test_topics_that_do_not_fit_stop_the_worker(embedded, names):
    topics.create(embedded)
    settings = names.settings(kafka=embedded.kafka, redis=embedded.redis, guarantee="at-least-once", partitions=3)
    with pytest.raises(NotReady, match="set AWAKEN_PARTITIONS=2"):
        doctor.require(settings)


@pytest.mark.parametrize(("astray", "refused"), [(60, True), (5, False)])
def test_a_topic_that_is_partitioned_otherwise_stops_the_worker_and_a_few_records_do_not(embedded, astray, refused):
    topics.create(embedded)
    keys = [f"u{number}".encode() for number in range(100)]
    placed = [(key, home(key, 2) if number >= astray else 1 - home(key, 2)) for number, key in enumerate(keys)]
    name = embedded.topics.orders

    async def write():
        async with AIOKafkaProducer(bootstrap_servers=embedded.kafka) as producer:
            for key, partition in placed:
                await producer.send_and_wait(name, b"{}", key, partition)

    asyncio.run(write())
    if not refused:
        doctor.require(embedded)
        return
    with pytest.raises(NotReady, match=r"stand in another partition(.|\n)*partitioner=murmur2_random") as refusal:
        doctor.require(embedded)
    assert name in refusal.value.detail
    doctor.require(msgspec.structs.replace(embedded, partitioner="any"))


def test_a_kafka_that_is_not_there(embedded, names):
    address = f"127.0.0.1:{free_port()}"
    settings = names.settings(kafka=address, redis=embedded.redis)
    found = by_name(doctor.check(settings))
    assert set(found) == {"packages", "kafka", "redis", "channels"}  # of a Kafka that does not answer no more is asked
    assert address in found["kafka"].detail
    assert "python -m streams.ops.kafka" in found["kafka"].mend
    assert found["redis"].ok


def test_a_kafka_that_gives_an_address_that_cannot_be_reached(names):
    port, nowhere = free_port(), free_port()
    urls = [
        "--listener-url",
        f"tcp://127.0.0.1:{port}",
        "--advertised-listener-url",
        f"tcp://127.0.0.1:{nowhere}",
    ]
    child = Child("a broker behind a wall", [binary(), "broker", *urls, "--storage-engine", "memory://tansu/"])
    try:
        child.await_ready(lambda: admin.accepts("127.0.0.1", port), 20)
        found = doctor.broker(names.settings(kafka=f"127.0.0.1:{port}"))
    finally:
        child.close()
    assert not found.ok
    assert f"names a broker at 127.0.0.1:{nowhere}, which cannot be reached" in found.detail
    assert "advertised.listeners" in found.mend


def test_a_redis_that_is_not_there_is_told_without_its_password(embedded, names):
    url = f"redis://user:very-secret@127.0.0.1:{free_port()}/0"
    settings = names.settings(kafka=embedded.kafka, redis=url, guarantee="at-least-once")
    with pytest.raises(NotReady, match=r"user:\*\*\*@127.*(.|\n)*valkey-server") as refusal:
        doctor.require(settings)
    assert "very-secret" not in str(refusal.value)


def test_channels_are_told_with_what_they_lack_and_stop_nobody(embedded):
    settings = msgspec.structs.replace(embedded, push=Push(channels=("inbox", "webhook")))
    said = by_name(doctor.check(settings))["channels"]
    assert (said.ok, said.detail.splitlines()) == (True, ["ready: inbox", "webhook lacks url"])
    doctor.require(settings)


def test_a_channel_that_needs_one_of_two_lacks_neither_where_it_has_one():
    channels = Channels(app_push=AppPush(project="shop"), sms=Sms(key_id="k", key_secret="s", sign_name="shop"))
    push = Push(channels=("app_push", "sms"))
    assert doctor.channels(Settings(push=push, channels=channels)).detail.splitlines() == [
        "ready: none", "app_push lacks token or token_file", "sms lacks template_code"
    ]  # fmt: skip
    push = Push(channels=("app_push",))
    channels = Channels(app_push=AppPush(project="shop", token_file="/run/token"))
    assert doctor.channels(Settings(push=push, channels=channels)).detail == "ready: app_push"


def test_a_package_of_another_version_is_told(monkeypatch):
    assert {"faust-streaming", "aiokafka", "mode-streaming"} <= {name for name, _ in doctor.pins()}
    monkeypatch.setattr(doctor, "_installed", lambda name: None if name == "aiokafka" else "0.0.1")
    found = doctor.packages()
    assert not found.ok
    assert "aiokafka is missing, not 0.14.0" in found.detail
    assert "faust-streaming is 0.0.1, not 0.15.3" in found.detail


def test_the_findings_are_printed_with_what_mends_them(capsys):
    doctor.render(
        [
            doctor.Finding("kafka", ok=True, detail="there"),
            doctor.Finding("redis", ok=False, detail="not there", mend="start it [now]"),
        ]
    )
    printed = [line.strip().split(maxsplit=2) for line in capsys.readouterr().out.splitlines()]
    assert printed[0] == ["ok", "kafka", "there"]
    assert printed[1] == ["no", "redis", "not there"]
    assert printed[2] == ["→", "start", "it [now]"]
