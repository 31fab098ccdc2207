"""The doctor: whether a worker could run here, asked of the servers themselves, with what mends it."""

from __future__ import annotations

import asyncio
import logging
import re
import tomllib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import redis
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from rich.console import Console
from rich.table import Table
from rich.text import Text

from streams.ops import NotReady, placement, topics
from streams.ops.admin import PATIENCE_SECONDS, START_KAFKA, accepts, advertised, connect

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from streams.settings import Settings

__all__ = ["Finding", "NotReady", "check", "render", "require"]

TRANSACTION_SECONDS = 15.0
START_REDIS = (
    "start one: valkey-server, or docker run --rm -p 6379:6379 valkey/valkey; or name yours: "
    "AWAKEN_REDIS=redis://host:port; or run `awaken demo`, which brings its own"
)

# aiokafka logs each refused attempt; we say it once, as a finding.
logging.getLogger("aiokafka").addHandler(logging.NullHandler())


@dataclass(frozen=True)
class Finding:
    """What was looked at, whether it will do, what was found, and what mends it."""

    name: str
    ok: bool
    detail: str
    mend: str = ""


def check(settings: Settings) -> list[Finding]:
    """Return what was found; of a Kafka that does not answer nothing more is asked."""
    return list(_findings(settings))


def require(settings: Settings) -> None:
    """Return if a worker could run here; missing topics are no obstacle if it creates them (`create_topics`).

    Raises:
        NotReady: it could not; the first thing that is wrong.
    """
    for finding in _findings(settings):
        if not finding.ok:
            raise NotReady(finding.detail, finding.mend)


def render(findings: Sequence[Finding]) -> None:
    """Print the findings to the terminal."""
    table = Table(box=None, show_header=False, pad_edge=False)
    for finding in findings:
        mark = Text("ok", "green") if finding.ok else Text("no", "bold red")
        table.add_row(mark, Text(finding.name, "bold"), Text(finding.detail))
        if not finding.ok:
            table.add_row("", "", Text(f"→ {finding.mend}", "yellow"))
    Console().print(table)


def _findings(settings: Settings) -> Iterator[Finding]:
    yield packages()
    kafka = broker(settings)
    yield kafka
    if kafka.ok:
        if settings.guarantee == "exactly-once":
            yield transactions(settings)
        yield from _topics(settings)
    if settings.push.channels:
        yield cache(settings)
        yield channels(settings)


def packages() -> Finding:
    """Find whether the packages that Awaken pins exactly are installed as pinned."""
    wrong = [
        f"{name} is {_installed(name) or 'missing'}, not {wanted}"
        for name, wanted in pins()
        if _installed(name) != wanted
    ]
    if wrong:
        return Finding("packages", ok=False, detail="; ".join(wrong), mend="pip install --force-reinstall awaken")
    return Finding("packages", ok=True, detail=", ".join(f"{name} {version}" for name, version in pins()))


def broker(settings: Settings) -> Finding:
    """Find whether Kafka answers, and whether its brokers can be reached where they say that they are."""
    try:
        with connect(settings.kafka) as admin:
            brokers = advertised(admin)
    except NotReady as error:
        return Finding("kafka", ok=False, detail=error.detail, mend=error.mend or START_KAFKA)
    for host, port in brokers:
        if not accepts(host, port):
            return Finding(
                "kafka",
                ok=False,
                detail=f"Kafka at {settings.kafka} names a broker at {host}:{port}, which cannot be reached",
                mend="set the broker's advertised.listeners to an address that workers can reach",
            )
    return Finding("kafka", ok=True, detail=f"{settings.kafka} ({len(brokers)} brokers)")


def transactions(settings: Settings) -> Finding:
    """Find whether Kafka has transactions, by starting a transactional producer as the ledger does.

    What a broker lists in ApiVersions does not tell: the embedded one lists InitProducerId and refuses it.
    """
    with ThreadPoolExecutor(1) as own:  # a loop of its own, whether or not one runs here
        refusal = own.submit(lambda: asyncio.run(_begin(settings))).result()
    if not refusal:
        return Finding("transactions", ok=True, detail="a transactional producer starts")
    return Finding(
        "transactions",
        ok=False,
        detail=f"Kafka at {settings.kafka} has no transactions ({refusal}), which exactly-once needs",
        mend="set AWAKEN_GUARANTEE=at-least-once; or use Apache Kafka, with "
        "transaction.state.log.replication.factor no greater than its number of brokers",
    )


def cache(settings: Settings) -> Finding:
    """Find whether Redis answers."""
    shown = _without_password(settings.redis)
    client = redis.Redis.from_url(
        settings.redis, socket_timeout=PATIENCE_SECONDS, socket_connect_timeout=PATIENCE_SECONDS
    )
    try:
        client.ping()
    except (redis.RedisError, OSError) as error:
        return Finding("redis", ok=False, detail=f"no Redis answers at {shown}: {error}", mend=START_REDIS)
    finally:
        client.close()
    return Finding("redis", ok=True, detail=shown)


def channels(settings: Settings) -> Finding:
    """Find which channels are ready, and what the others lack; a worker runs with none, and no vendor is asked."""
    lacks = {name: getattr(settings.channels, name).lacks for name in dict.fromkeys(settings.push.channels)}
    ready = [name for name, lacking in lacks.items() if not lacking]
    parts = [f"ready: {', '.join(ready) or 'none'}"]
    parts += [f"{name} lacks {', '.join(lacking)}" for name, lacking in lacks.items() if lacking]
    return Finding("channels", ok=True, detail="\n".join(parts))


def _topics(settings: Settings) -> Iterator[Finding]:
    try:
        problems = topics.check(settings)
    except NotReady as error:
        yield Finding("topics", ok=False, detail=error.detail, mend=error.mend or "ask the cluster's owner")
        return
    missing = [name for problem in problems if problem.missing for name in problem.topics]
    if missing and settings.create_topics:
        yield Finding("topics", ok=True, detail=f"the worker will create {', '.join(missing)}")
        problems = [problem for problem in problems if not problem.missing]
    if not problems and not missing:
        problems = placement.check(settings)
    for problem in problems:
        yield Finding("topics", ok=False, detail=problem.detail, mend=problem.mend)
    if not problems and not missing:
        yield Finding("topics", ok=True, detail=f"all there, with {settings.partitions} partitions each")


async def _begin(settings: Settings) -> str:
    """Start and stop a transactional producer; return why it would not start, or nothing."""
    producer = AIOKafkaProducer(
        bootstrap_servers=settings.kafka,
        transactional_id=f"{settings.group}-doctor",
        request_timeout_ms=int(PATIENCE_SECONDS * 1000),
    )
    try:
        await asyncio.wait_for(producer.start(), TRANSACTION_SECONDS)
    except TimeoutError:
        return f"no answer within {TRANSACTION_SECONDS:g} seconds"
    except KafkaError as error:
        return type(error).__name__
    finally:
        await producer.stop()
    return ""


def pins() -> list[tuple[str, str]]:
    """Return the packages that are pinned exactly, by our own metadata or the checkout's pyproject.toml."""
    try:
        wanted = metadata.requires("awaken") or []
    except metadata.PackageNotFoundError:
        project = Path(__file__).resolve().parents[2] / "pyproject.toml"
        wanted = tomllib.loads(project.read_text("utf-8"))["project"]["dependencies"]
    found = (re.fullmatch(r"([\w.-]+)==([\w.]+)", requirement) for requirement in wanted)
    return [(match[1], match[2]) for match in found if match]


def _installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _without_password(url: str) -> str:
    parts = urlsplit(url)
    return url.replace(f":{parts.password}@", ":***@") if parts.password else url
