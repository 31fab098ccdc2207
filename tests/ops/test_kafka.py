import asyncio
import os
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from streams.ops import jars
from streams.ops.admin import Unreachable, accepts, connect
from streams.ops.child import ServerFailed, free_port
from streams.ops.kafka import KafkaUnavailable, RealKafka

ROOT = Path(__file__).parents[2]
POM = """<project><properties><kafka.version>9.9.9</kafka.version></properties></project>"""
MAVEN = """#!/bin/sh
echo run >> "$RUNS"
for word in "$@"; do case "$word" in -DoutputDirectory=*) out="${word#*=}";; esac; done
[ -n "$FAIL" ] && { mkdir -p "$out"; touch "$out/half.jar"; echo "no such artifact"; exit 1; }
mkdir -p "$out" && touch "$out/kafka.jar"
"""


async def write(kafka, value):
    producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap, transactional_id="writer")
    await producer.start()
    try:
        async with producer.transaction():
            await producer.send_and_wait("things", value, partition=0)
    finally:
        await producer.stop()


async def read(kafka):
    consumer = AIOKafkaConsumer(
        bootstrap_servers=kafka.bootstrap, isolation_level="read_committed", auto_offset_reset="earliest"
    )
    await consumer.start()
    try:
        consumer.assign([TopicPartition("things", 0)])
        (end,) = (await consumer.end_offsets(consumer.assignment())).values()
        values = []
        while await consumer.position(TopicPartition("things", 0)) < end:
            for records in (await consumer.getmany(timeout_ms=100)).values():
                values += [record.value for record in records]
        return values
    finally:
        await consumer.stop()


def test_a_node_keeps_its_data_and_port_through_stop_kill_and_pause(lone_kafka, eventually):
    with connect(lone_kafka.bootstrap) as admin:
        admin.create_topics({"things": {"num_partitions": 1, "replication_factor": 1}})
    asyncio.run(write(lone_kafka, b"one"))
    lone_kafka.stop()
    assert not accepts("127.0.0.1", lone_kafka.port)
    lone_kafka.restart()
    asyncio.run(write(lone_kafka, b"two"))
    lone_kafka.kill()
    lone_kafka.restart()
    eventually(lambda: asyncio.run(read(lone_kafka)) == [b"one", b"two"])  # it may have a transaction to end first
    lone_kafka.pause()
    with pytest.raises(Unreachable, match=r"within 0\.5 seconds"), connect(lone_kafka.bootstrap, 0.5):
        pass
    lone_kafka.resume()
    assert asyncio.run(read(lone_kafka)) == [b"one", b"two"]


@pytest.mark.usefixtures("kafka_jars")
def test_nothing_is_left_of_a_node_and_it_stays_on_its_core(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with RealKafka(cpu=0) as kafka:
        assert os.sched_getaffinity(kafka.pid) == {0}
        assert list(tmp_path.iterdir())
        pid = kafka.pid
        kafka.pause()  # a stopped process must not outlive us either
    assert not list(tmp_path.iterdir())
    assert not Path(f"/proc/{pid}").exists()


@pytest.mark.usefixtures("kafka_jars")
def test_a_port_that_is_taken_is_told():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        with pytest.raises(ServerFailed, match=f"port {port} of 127.0.0.1 is taken"):
            RealKafka(port=port).__enter__()


@pytest.mark.usefixtures("kafka_jars")
def test_the_module_runs_one_in_the_foreground(eventually):
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "streams.ops.kafka", "--port", str(port)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    try:
        assert f"Kafka 4.1.0 listens on 127.0.0.1:{port}" in process.stdout.readline()
        assert accepts("127.0.0.1", port)
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
        eventually(lambda: not accepts("127.0.0.1", port))
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.fixture
def kitchen(tmp_path, monkeypatch):
    """A machine with a Maven of our own making, an empty cache and a small pom."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "deploy").mkdir()
    (tmp_path / "deploy" / "pom.xml").write_text(POM)
    maven = tmp_path / "bin" / "mvn"
    maven.write_text(MAVEN)
    maven.chmod(0o755)
    monkeypatch.setattr(jars, "DEPLOY", tmp_path / "deploy")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    return tmp_path


def test_the_jars_are_fetched_once_even_by_several_at_once(kitchen):
    asking = "import sys; from pathlib import Path; from streams.ops import jars; "
    asking += f"jars.DEPLOY = Path({str(kitchen / 'deploy')!r}); print(jars.fetch_jars())"
    asked = [
        subprocess.Popen([sys.executable, "-c", asking], stdout=subprocess.PIPE, text=True, cwd=ROOT) for _ in range(3)
    ]
    folder = kitchen / "cache" / "awaken" / "kafka-9.9.9"
    assert [one.communicate(timeout=60)[0].strip() for one in asked] == [str(folder)] * 3
    assert [jar.name for jar in folder.iterdir()] == ["kafka.jar"]
    assert (kitchen / "runs").read_text() == "run\n"


def test_a_fetch_that_fails_leaves_nothing_and_says_why(kitchen, monkeypatch):
    monkeypatch.setenv("FAIL", "1")
    with pytest.raises(KafkaUnavailable, match=r"could not be fetched: Maven failed(.|\n)*no such artifact"):
        jars.fetch_jars()
    assert [path.name for path in (kitchen / "cache" / "awaken").iterdir()] == ["kafka-9.9.9.lock"]
    monkeypatch.delenv("FAIL")
    assert jars.fetch_jars().is_dir()


def test_what_is_missing_is_named_with_how_to_get_it(kitchen, monkeypatch):
    (kitchen / "bin" / "mvn").unlink()
    monkeypatch.setenv("PATH", str(kitchen / "bin"))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    get = "apt-get install openjdk-17-jre-headless maven"
    with pytest.raises(KafkaUnavailable, match=f"fetched by Maven, and there is none: {get}"):
        jars.fetch_jars()
    with pytest.raises(KafkaUnavailable, match=f"needs Java 17, and there is none: {get}"):
        jars.require_java()
    java = kitchen / "bin" / "java"
    java.write_text("#!/bin/sh\necho 'openjdk version \"11.0.2\"' >&2\n")
    java.chmod(0o755)
    with pytest.raises(KafkaUnavailable, match=f'says openjdk version "11.0.2": {get}'):
        jars.require_java()
    (kitchen / "deploy" / "pom.xml").unlink()
    with pytest.raises(KafkaUnavailable, match="a checkout of Awaken"):
        jars.fetch_jars()


def test_the_version_is_the_poms():
    assert jars.version() == "4.1.0"


def test_a_broker_that_listens_and_says_nothing_is_not_waited_for_for_ever():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        with (
            pytest.raises(Unreachable, match=f"no Kafka answers at {address} within 0.5 s"),
            connect(address, 0.5),
        ):
            pass
