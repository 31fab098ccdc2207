import asyncio
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from aiokafka import AIOKafkaProducer

from streams.ops import topics
from streams.ops.admin import Unreachable, connect
from streams.ops.child import free_port

LOG_APPEND_TIME = 1


@pytest.fixture(params=["embedded_broker", pytest.param("real_kafka", marks=pytest.mark.kafka)])
def settings(request, names):
    broker = request.getfixturevalue(request.param)
    return names.settings(kafka=broker.bootstrap, partitions=3)


@pytest.fixture
def real(real_kafka, names):
    return names.settings(kafka=real_kafka.bootstrap, partitions=3)


def make(settings, name, partitions, **config):
    configs = {key.replace("_", "."): value for key, value in config.items()}
    with connect(settings.kafka) as admin:
        admin.create_topics({name: {"num_partitions": partitions, "replication_factor": 1, "configs": configs}})


def partitions(settings):
    with connect(settings.kafka) as admin:
        return {topic["name"]: len(topic["partitions"]) for topic in admin.describe_topics()}


def follow(mend, settings, eventually):
    """Carry out the advice as its reader would, word by word, and leave off what is not a command."""
    command = mend[mend.index("python -m kafka.admin") :]
    for part in command.split(" && "):
        if part == topics.CREATE:
            eventually(lambda: topics.create(settings))  # the broker lists for a moment what was deleted
        else:
            words = [sys.executable, *shlex.split(part)[1:]]
            subprocess.run(words, check=True, capture_output=True, timeout=60)


def test_the_plan_names_every_topic_once_with_one_number_of_partitions(names):
    settings = names.settings(partitions=5)
    specs = topics.plan(settings)
    assert {spec.partitions for spec in specs if spec.name != settings.topics.control} == {5}
    assert {spec.partitions for spec in specs if spec.name == settings.topics.control} == {1}
    planned = [spec.name for spec in specs]
    declared = [getattr(settings.topics, field) for field in settings.topics.__struct_fields__]
    assert sorted(planned) == sorted([*declared, f"{settings.group}-users-changelog"])


def test_no_topic_loses_past_records_when_history_is_played(names):
    for spec in topics.plan(names.settings(clock="event")):
        assert spec.kept or spec.config == topics.OURS


def test_live_inputs_follow_the_brokers_retention(names):
    settings = names.settings(clock="wall")
    configs = {spec.name: spec.config for spec in topics.plan(settings)}
    for name in (settings.topics.clicks, settings.topics.orders, settings.topics.push_feedback):
        assert configs[name] == {}


def test_what_is_missing_is_created_once(settings):
    (problem,) = topics.check(settings)
    assert problem.missing
    assert set(problem.topics) == {spec.name for spec in topics.plan(settings)}
    assert str(problem).endswith("awaken topics")
    make(settings, settings.topics.clicks, 3)
    assert settings.topics.clicks not in topics.create(settings)
    assert topics.create(settings) == []
    assert topics.check(settings) == []
    found = partitions(settings)
    assert {spec.name: found[spec.name] for spec in topics.plan(settings)} == {
        spec.name: 1 if spec.name == settings.topics.control else 3 for spec in topics.plan(settings)
    }


def test_workers_that_start_together_create_each_topic_once(settings):
    with ThreadPoolExecutor(4) as pool:
        created = [name for names in pool.map(topics.create, [settings] * 4) for name in names]
    assert sorted(created) == sorted(spec.name for spec in topics.plan(settings))


def test_another_number_of_partitions_is_told_and_mended(settings, eventually):
    make(settings, settings.topics.orders, 2)
    topics.create(settings)
    (problem,) = topics.check(settings)
    assert problem.topics == (settings.topics.orders,)
    assert "of 2 partitions, but all keyed topics must have 3" in problem.detail
    assert "AWAKEN_PARTITIONS" not in problem.mend  # the others have 3
    follow(problem.mend, settings, eventually)
    eventually(lambda: topics.check(settings) == [])
    assert partitions(settings)[settings.topics.orders] == 3


def test_where_all_have_another_number_the_setting_is_what_is_wrong(settings, names):
    topics.create(settings)
    (problem,) = topics.check(names.settings(kafka=settings.kafka, partitions=4))
    assert len(problem.topics) == len(topics.plan(settings)) - 1  # control has one, whatever is set
    assert problem.mend.startswith("set AWAKEN_PARTITIONS=3; or,")


def test_control_of_more_than_one_partition_is_told_and_mended(settings, eventually):
    make(settings, settings.topics.control, 3, cleanup_policy="compact")
    topics.create(settings)
    (problem,) = topics.check(settings)
    assert problem.topics == (settings.topics.control,)
    assert "of 3 partitions, but must have 1" in problem.detail
    follow(problem.mend, settings, eventually)
    eventually(lambda: topics.check(settings) == [])
    assert partitions(settings)[settings.topics.control] == 1


@pytest.mark.parametrize(
    ("topic", "clock", "said"),
    [
        ("changelog", "wall", "deletes records by age"),
        ("profiles", "wall", "deletes records by age"),
        ("clicks", "event", "deletes records by age"),
        ("lifecycle_transitions", "wall", "deletes records by their own timestamps"),
        ("value_transitions", "wall", "deletes records by their own timestamps"),
        ("growth_transitions", "wall", "deletes records by their own timestamps"),
    ],
)
def test_a_topic_that_would_lose_records_is_told_and_mended(real, names, topic, clock, said, eventually):
    settings = names.settings(kafka=real.kafka, partitions=3, clock=clock)
    name = topics.changelog(settings) if topic == "changelog" else getattr(settings.topics, topic)
    make(settings, name, 3, cleanup_policy="delete", retention_ms="604800000")
    topics.create(settings)
    (problem,) = topics.check(settings)
    assert problem.topics == (name,)
    assert said in problem.detail
    follow(problem.mend, settings, eventually)
    eventually(lambda: topics.check(settings) == [])


def test_a_live_input_may_be_deleted_by_age(real):
    make(real, real.topics.clicks, 3, cleanup_policy="delete", retention_ms="604800000")
    topics.create(real)
    assert topics.check(real) == []


def test_the_broker_stamps_what_we_write(real):
    topics.create(real)

    async def write():
        producer = AIOKafkaProducer(bootstrap_servers=real.kafka)
        await producer.start()
        try:
            return await producer.send_and_wait(
                real.topics.lifecycle_transitions, b"{}", key=b"u", timestamp_ms=1_000_000_000_000
            )
        finally:
            await producer.stop()

    assert asyncio.run(write()).timestamp_type == LOG_APPEND_TIME


def test_a_refusal_names_the_topic_the_reason_and_the_setting(real, names):
    with pytest.raises(topics.TopicsRefused, match=r"only 1 broker(.|\n)*AWAKEN_REPLICATION"):
        topics.create(names.settings(kafka=real.kafka, replication=3))


def test_no_broker_is_told_with_the_command_that_starts_one(names):
    with pytest.raises(Unreachable, match=r"127\.0\.0\.1:\d+(.|\n)*python -m streams\.ops\.kafka"):
        topics.create(names.settings(kafka=f"127.0.0.1:{free_port()}"))
