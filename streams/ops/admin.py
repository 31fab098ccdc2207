"""The administrator's connection to Kafka: kafka-python, opened with bounded patience, closed for certain."""

from __future__ import annotations

import logging
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError
from kafka.net.compat import KafkaNetClient

from streams.ops import NotReady

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE_SECONDS = 5.0
START_KAFKA = (
    "start one: python -m streams.ops.kafka (needs Java 17 and Maven); or name yours: "
    "AWAKEN_KAFKA=host:port; or run `awaken demo`, which brings its own"
)

# kafka-python logs each refused connection; we say it once, as an exception.
logging.getLogger("kafka").addHandler(logging.NullHandler())


class Unreachable(NotReady):
    """No broker answered in time; the text names the address."""


@contextmanager
def connect(bootstrap: str, seconds: float = PATIENCE_SECONDS) -> Iterator[KafkaAdminClient]:
    """Yield an administrator's client of `bootstrap` (host:port,host:port).

    Raises:
        Unreachable: no broker answered within `seconds`, or none listens.
        NotReady: the broker refused what the body asked.
    """
    addresses = [address.rsplit(":", 1) for address in bootstrap.split(",")]
    if not any(accepts(host, int(port), seconds) for host, port in addresses):
        raise Unreachable(f"nothing listens at {bootstrap}, where Kafka should be", START_KAFKA)
    made: list[KafkaNetClient] = []  # a client that cannot bootstrap leaves its thread and sockets open
    try:
        client = KafkaAdminClient(
            bootstrap_servers=bootstrap.split(","),
            bootstrap_timeout_ms=int(seconds * 1000),
            request_timeout_ms=int(seconds * 2000),
            kafka_client=lambda **config: _kept(made, config),
        )
    except KafkaError as error:
        for network in made:
            network.close()
        raise Unreachable(f"no Kafka answers at {bootstrap} within {seconds:g} seconds", START_KAFKA) from error
    try:
        yield client
    except KafkaError as error:
        raise NotReady(f"Kafka at {bootstrap} refused: {error}") from error
    finally:
        client.close()


def accepts(host: str, port: int, seconds: float = PATIENCE_SECONDS) -> bool:
    """Return whether somebody accepts connections there within `seconds`."""
    try:
        socket.create_connection((host, port), timeout=seconds).close()
    except OSError:
        return False
    return True


def advertised(client: KafkaAdminClient) -> list[tuple[str, int]]:
    """Return the addresses that the brokers give of themselves, as the one that answered first told them.

    Asking with a request would go to such an address, and tell nothing when it is wrong.
    """
    return [(node.host, node.port) for node in client._manager.cluster.brokers()]  # noqa: SLF001


def cluster_id(bootstrap: str, seconds: float = PATIENCE_SECONDS) -> str | None:
    """Return the id of the cluster at `bootstrap` if it answers and has a live broker, else None."""
    try:
        with connect(bootstrap, seconds) as client:
            cluster = client.describe_cluster()
    except NotReady:
        return None
    return str(cluster["cluster_id"]) if cluster["brokers"] else None


def _kept(made: list[KafkaNetClient], config: dict[str, Any]) -> KafkaNetClient:
    made.append(KafkaNetClient(**config))
    return made[-1]
