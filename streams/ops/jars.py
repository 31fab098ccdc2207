"""Apache Kafka's jars, as deploy/kafka/pom.xml names them: Maven fetches them once into the user's cache."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from streams.ops import NotReady
from streams.ops.child import ServerFailed

if TYPE_CHECKING:
    from collections.abc import Iterator

DEPLOY = Path(__file__).resolve().parents[2] / "deploy" / "kafka"
JAVA = 17
FETCH_SECONDS = 600.0
GET = "apt-get install openjdk-17-jre-headless maven"


class KafkaUnavailable(NotReady):
    """A real Kafka cannot be had here; its text says what is missing and how to get it."""


def deploy() -> Path:
    """Return the folder deploy/kafka of the checkout.

    Raises:
        KafkaUnavailable: Awaken was installed without its checkout.
    """
    if not (DEPLOY / "pom.xml").exists():
        raise KafkaUnavailable(
            f"{DEPLOY}/pom.xml is missing: run this from a checkout of Awaken, or use a Kafka of your own: "
            "AWAKEN_KAFKA=host:port"
        )
    return DEPLOY


def require_java() -> str:
    """Return the path of a Java that can run Kafka.

    Raises:
        KafkaUnavailable: there is none, or an older one.
    """
    home = os.environ.get("JAVA_HOME")
    java = shutil.which("java", path=str(Path(home) / "bin")) if home else shutil.which("java")
    if java is None:
        raise KafkaUnavailable(f"Kafka needs Java {JAVA}, and there is none: {GET}")
    said = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    found = re.search(r'version "(\d+)', said)
    if found is None or int(found[1]) < JAVA:
        answer = said.strip().partition("\n")[0] or "nothing"
        raise KafkaUnavailable(f"Kafka needs Java {JAVA}, and {java} says {answer}: {GET}")
    return java


def fetch_jars() -> Path:
    """Return the folder of Kafka's jars, which Maven fetches at the first call.

    Raises:
        KafkaUnavailable: they are not in the cache and Maven is missing or could not fetch them.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "awaken"
    jars = cache / f"kafka-{version()}"
    if jars.is_dir():
        return jars
    cache.mkdir(parents=True, exist_ok=True)
    with _locked(cache / f"{jars.name}.lock"):
        if not jars.is_dir():
            _download(jars)
    return jars


def version() -> str:
    """Return the version of Kafka that deploy/kafka/pom.xml names."""
    pom = (deploy() / "pom.xml").read_text("utf-8")
    found = re.search(r"<kafka\.version>([^<]+)</kafka\.version>", pom)
    if found is None:
        raise KafkaUnavailable(f"{deploy() / 'pom.xml'} names no <kafka.version>")
    return found[1]


def _download(jars: Path) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise KafkaUnavailable(f"Kafka's jars are fetched by Maven, and there is none: {GET}")
    with tempfile.TemporaryDirectory(prefix=f"{jars.name}-", dir=jars.parent) as scratch:
        # The pom's own copy, so that Maven writes no folder `target` into the checkout.
        pom, libs = Path(scratch) / "pom.xml", Path(scratch) / "libs"
        shutil.copyfile(deploy() / "pom.xml", pom)
        goal = ["dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={libs}"]
        try:
            run([maven, "-B", "-q", "-f", str(pom), *goal], "Maven", FETCH_SECONDS)
        except ServerFailed as error:
            raise KafkaUnavailable(f"Kafka's jars could not be fetched: {error}") from error
        libs.rename(jars)  # all of them, or none


def run(command: list[str], name: str, seconds: float) -> None:
    """Run a command to its end.

    Raises:
        ServerFailed: it failed, or did not end within `seconds`.
    """
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=seconds, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise ServerFailed(f"{name} did not end within {seconds:g} seconds") from error
    if done.returncode:
        raise ServerFailed(f"{name} failed (exit {done.returncode}):\n{(done.stdout + done.stderr)[-4000:]}")


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
