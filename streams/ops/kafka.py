"""A real Apache Kafka, one node in KRaft mode, from jars that Maven fetches once: for development and tests.

`python -m streams.ops.kafka` runs one in the foreground; `RealKafka` is the same as a context manager. The
jars (43 MB) stay in the user's cache; the data is in a temporary folder and goes when the broker ends.
"""

from __future__ import annotations

import argparse
import base64
import os
import shutil
import signal
import string
import sys
import tempfile
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Self

from streams.ops import NotReady
from streams.ops.admin import accepts, cluster_id
from streams.ops.child import Child, ServerFailed, free_port
from streams.ops.jars import KafkaUnavailable, deploy, fetch_jars, require_java, run, version

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["KafkaUnavailable", "RealKafka"]

START_SECONDS = 60.0
STOP_SECONDS = 15.0


class RealKafka:
    """One Kafka node on 127.0.0.1.

    `port`: a free one unless given; `cpu` pins the broker to one core; its data is under `folder`, if given.
    """

    def __init__(self, *, port: int | None = None, cpu: int | None = None, folder: Path | None = None) -> None:
        self.port = port or free_port()
        self.bootstrap = f"127.0.0.1:{self.port}"
        self._cpu = cpu
        self._controller_port = next(port for port in iter(free_port, None) if port != self.port)
        ident = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        self._cluster = ident.replace("-", "A")  # on a command line a leading dash would be an option
        self._under = folder
        self._folder: Path | None = None
        self._child: Child | None = None

    def __enter__(self) -> Self:
        """Fetch the jars if need be, start the broker and wait until it answers.

        Raises:
            KafkaUnavailable: there is no Java or no Maven, or the jars could not be fetched.
            ServerFailed: the broker did not start, or the port is taken.
        """
        java, jars = require_java(), fetch_jars()
        if accepts("127.0.0.1", self.port):
            raise ServerFailed(f"port {self.port} of 127.0.0.1 is taken: end what listens there, or choose another")
        self._folder = Path(tempfile.mkdtemp(prefix="awaken-kafka-", dir=self._under))
        try:
            self._format(java, jars)
            self.restart()
        except BaseException:
            self._clear()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._clear()

    def restart(self) -> None:
        """Start the broker again on the same data and port (after `stop`, after `kill`, or as it runs)."""
        if self._child is not None:
            self.stop()
            self._child.close()
        command = [require_java(), "-Xmx1g", "-Dlog4j2.level=WARN", "-cp", f"{fetch_jars()}/*", "kafka.Kafka"]
        self._child = Child("Kafka", [*command, str(self._properties)], cpu=self._cpu, cwd=self._folder)
        self._child.await_ready(self._answers, START_SECONDS)

    def stop(self) -> None:
        """End the broker in good order; its data stays."""
        self._running().resume()
        self._running().stop(STOP_SECONDS)

    def kill(self) -> None:
        """Kill the broker (SIGKILL); its data stays."""
        self._running().kill()

    def pause(self) -> None:
        """Stop the broker's process where it stands (SIGSTOP)."""
        self._running().pause()

    def resume(self) -> None:
        """Let a paused broker go on (SIGCONT)."""
        self._running().resume()

    @property
    def pid(self) -> int:
        """The broker's process id."""
        return self._running().pid

    def log(self) -> str:
        """Return the last lines of the broker's log."""
        return self._running().end()

    def _running(self) -> Child:
        if self._child is None:
            raise ServerFailed("this Kafka is not started: use it in a `with` statement")
        return self._child

    @property
    def _properties(self) -> Path:
        return self._home / "server.properties"

    @property
    def _home(self) -> Path:
        if self._folder is None:
            raise ServerFailed("this Kafka is not started: use it in a `with` statement")
        return self._folder

    def _format(self, java: str, jars: Path) -> None:
        template = string.Template((deploy() / "server.properties").read_text("utf-8"))
        self._properties.write_text(
            template.substitute(port=self.port, controller_port=self._controller_port, data=self._home / "data"),
            "utf-8",
        )
        tool = [java, "-cp", f"{jars}/*", "kafka.tools.StorageTool", "format", "--standalone"]
        run([*tool, "-t", self._cluster, "-c", str(self._properties)], "Kafka's StorageTool", START_SECONDS)

    def _answers(self) -> bool:
        return cluster_id(self.bootstrap, 2) == self._cluster

    def _clear(self) -> None:
        if self._child is not None:
            self._child.close()
            self._child = None
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None


def main() -> int:
    """Run a Kafka in the foreground until Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m streams.ops.kafka", description=main.__doc__)
    parser.add_argument("--port", type=int, default=9092, help="where it listens on 127.0.0.1 (default: 9092)")
    parser.add_argument("--cpu", type=int, help="pin it to this core")
    chosen = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        with RealKafka(port=chosen.port, cpu=chosen.cpu) as kafka:
            said = f"Kafka {version()} listens on {kafka.bootstrap}; its data goes when it ends (Ctrl-C)."
            print(said, flush=True)  # noqa: T201
            os.waitpid(kafka.pid, 0)
            print(f"Kafka has ended:\n{kafka.log()}", file=sys.stderr)  # noqa: T201
    except KeyboardInterrupt:
        return 0
    except NotReady as error:
        print(error, file=sys.stderr)  # noqa: T201
    return 1


if __name__ == "__main__":
    sys.exit(main())
