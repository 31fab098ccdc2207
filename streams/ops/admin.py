"""The administrator's connection to Kafka: kafka-python, opened with bounded patience, closed for certain."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING

from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE_SECONDS = 5.0

# kafka-python logs each refused connection; we say it once, as an exception.
logging.getLogger("kafka").addHandler(logging.NullHandler())


class Unreachable(ConnectionError):  # noqa: N818 - it says what is so
    """No broker answered in time; the text names the address."""


@contextmanager
def connect(bootstrap: str, seconds: float = PATIENCE_SECONDS) -> Iterator[KafkaAdminClient]:
    """Yield an administrator's client of `bootstrap` (host:port,host:port).

    Raises:
        Unreachable: no broker answered within `seconds`.
    """
    patience = int(seconds * 1000)
    try:
        client = KafkaAdminClient(
            bootstrap_servers=bootstrap.split(","),
            bootstrap_timeout_ms=patience,
            request_timeout_ms=patience * 2,
        )
    except KafkaError as error:
        raise Unreachable(f"no Kafka broker answers at {bootstrap} within {seconds:g} seconds") from error
    try:
        yield client
    finally:
        client.close()


def cluster_id(bootstrap: str, seconds: float = PATIENCE_SECONDS) -> str | None:
    """Return the id of the cluster at `bootstrap` if it answers and has a live broker, else None."""
    try:
        with connect(bootstrap, seconds) as client:
            cluster = client.describe_cluster()
    except (Unreachable, KafkaError):
        return None
    return str(cluster["cluster_id"]) if cluster["brokers"] else None
