"""The demo from start to end: servers, topics, worker, player, view; and all gone again, however it ends.

player ──→ Kafka ──→ worker ──→ transitions, decisions, outcomes ──→ subscriber ──→ tally ──→ view
                       └──────→ pushes ──→ a webhook of our own ────────────────────↑
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from redis.exceptions import ConnectionError as NoRedis
from rich.console import Console

from streams import settings as setting
from streams.demo import guest, report, screen
from streams.demo.broker import EmbeddedBroker
from streams.demo.cache import EmbeddedRedis
from streams.demo.drain import Drain
from streams.demo.engine import Engine
from streams.demo.history import TOPICS, History
from streams.demo.player import Player
from streams.demo.receiver import Receiver
from streams.demo.speed import describe_speed
from streams.demo.stop import Stop
from streams.demo.subscriber import Subscriber
from streams.demo.tally import Tally
from streams.demo.view import Facts
from streams.ops import NotReady, topics
from streams.ops.admin import Unreachable
from streams.ops.child import free_port

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterator

    from streams.settings import Settings


FRAME_SECONDS = 0.2
DRAIN_SECONDS = 20.0
APART_SECONDS = 1.0
MAX_LATENESS_SECONDS = 604_800.0
BATCH_BYTES = 256 * 1024


@dataclass(frozen=True)
class Plan:
    """What is asked for: `speed` in ms of event time per second, `start` in ms UTC, "" for our own server."""

    speed: float
    seconds: float | None = None
    kafka: str = ""
    redis: str = ""
    partitions: int = 4
    seed: int = 2017
    start: int | None = None
    config: Path | None = None


class Demo:
    """One run of the demo; what it shows stands in its tally."""

    def __init__(self, plan: Plan, console: Console) -> None:
        self._plan, self._console = plan, console
        self._stop, self._tally = Stop(), Tally(time.monotonic())
        self._seconds, self._drained = 0.0, False

    async def run(self) -> dict[str, Any]:
        """Run it and return its summary; when this returns or raises, nothing of it is left.

        Raises:
            NotReady: something that the demo needs is not there, or the worker ended by itself.

        """
        stack = AsyncExitStack()
        with self._stop.by_signals():
            try:
                await self._begin(stack)
            finally:
                with self._saying("stopping"):
                    await stack.aclose()
        return report.summarise(self._tally, self._seconds, self._plan.speed, drained=self._drained)

    async def _begin(self, stack: AsyncExitStack) -> None:
        with self._saying("starting servers and worker: some 10 seconds, a minute or two where it compiles first"):
            settings = await self._serve(stack)
            engine = await stack.enter_async_context(Engine(settings))
            loading = asyncio.to_thread(History, self._plan.seed)
            _, history = await asyncio.gather(engine.ready(self._stop.asked), loading)
        try:
            await self._show(stack, settings, engine, history)
        except KafkaError as error:
            raise NotReady(f"Kafka at {settings.kafka} failed us: {error!r}") from error

    async def _serve(self, stack: AsyncExitStack) -> Settings:
        """Start what runs beside the worker, create the topics, and return the worker's settings."""
        plan = self._plan
        kafka = plan.kafka or stack.enter_context(EmbeddedBroker()).bootstrap
        redis = plan.redis or stack.enter_context(EmbeddedRedis()).url
        receiver = await stack.enter_async_context(Receiver(self._tally))
        settings = settle(plan, kafka, redis, receiver.url)
        stack.push_async_callback(self._leave, settings)
        await asyncio.to_thread(topics.create, settings)
        return settings

    async def _leave(self, settings: Settings) -> None:
        """Delete what is ours on servers that are not, or say that it is still there."""
        leaving: list[Awaitable[None]] = []
        if self._plan.kafka:
            leaving.append(asyncio.to_thread(guest.leave_kafka, settings))
        if self._plan.redis:
            leaving.append(guest.leave_redis(settings))
        for error in await asyncio.gather(*leaving, return_exceptions=True):
            if error is None or isinstance(error, Unreachable | NoRedis):
                continue  # where nobody answers, nothing was begun, or that error is on its way already
            left = f"left on your servers, since it could not be deleted: all that is named {settings.group}"
            self._console.print(f"{left} ({error})", highlight=False, soft_wrap=True)

    async def _show(self, stack: AsyncExitStack, settings: Settings, engine: Engine, history: History) -> None:
        """Play the history, and show what comes of it until all of it has."""
        plan, tally = self._plan, self._tally
        subscriber = Subscriber(settings.kafka, settings.topics, tally)
        await subscriber.start()
        stack.push_async_callback(subscriber.stop)
        producer = AIOKafkaProducer(bootstrap_servers=settings.kafka, acks="all", max_batch_size=BATCH_BYTES)
        await producer.start()
        stack.push_async_callback(producer.stop)
        names = {topic: getattr(settings.topics, topic) for topic in TOPICS}
        player = Player(
            history.events(plan.start),
            producer,
            tally,
            speed=plan.speed,
            names=names,
            partitions=settings.partitions,
        )
        reading = asyncio.create_task(subscriber.run())
        playing = asyncio.create_task(player.play(self._stop.asked))
        try:
            with screen.choose(self._console, facts(plan, settings, engine, history)) as display:
                await self._watch(display, engine, reading, playing)
                await self._finish(display, engine, reading, Drain(settings, player, subscriber, tally))
        finally:
            for task in (playing, reading):
                task.cancel()
            await asyncio.gather(playing, reading, return_exceptions=True)

    async def _watch(
        self,
        display: screen.Display,
        engine: Engine,
        reading: asyncio.Task[None],
        playing: asyncio.Task[None],
    ) -> None:
        """Show the tally until the player has ended: by itself, by request or by the clock."""
        began = time.monotonic()
        while not playing.done():
            await self._frame(display, engine, reading, "playing")
            self._seconds = time.monotonic() - began
            if self._plan.seconds is not None and self._seconds >= self._plan.seconds:
                self._stop.asked.set()
        await playing

    async def _finish(self, display: screen.Display, engine: Engine, reading: asyncio.Task[None], drain: Drain) -> None:
        """Wait, within bounds, until everything that was played has gone through."""
        deadline = time.monotonic() + DRAIN_SECONDS
        self._stop.asked.set()  # so that Ctrl-C now means: at once
        while time.monotonic() < deadline and not self._stop.hurried.is_set() and not self._drained:
            await self._frame(display, engine, reading, "finishing")
            self._drained = await drain.done()

    async def _frame(self, display: screen.Display, engine: Engine, reading: asyncio.Task[None], state: str) -> None:
        engine.check()
        if reading.done():
            await reading
        now = time.monotonic()
        self._tally.tick(now)
        display.show(self._tally, state, now)
        await asyncio.sleep(FRAME_SECONDS)

    @contextmanager
    def _saying(self, text: str) -> Iterator[None]:
        """Say what goes on, with a spinner where there is a terminal."""
        if not self._console.is_terminal:
            self._console.print(f"{text} ...", highlight=False)
            yield
            return
        with self._console.status(text):
            yield


def settle(plan: Plan, kafka: str, redis: str, webhook: str) -> Settings:
    """Return the worker's settings: the user's file and environment, and above them what makes it a demo."""
    guests = plan.kafka or plan.redis
    name = guest.guest_name() if guests else "awaken-demo"
    ours = {
        "AWAKEN_KAFKA": kafka,
        "AWAKEN_REDIS": redis,
        "AWAKEN_GROUP": name,
        "AWAKEN_CLOCK": "event",
        "AWAKEN_PARTITIONS": str(plan.partitions),
        "AWAKEN_WEB_HOST": "127.0.0.1",
        "AWAKEN_WEB_PORT": str(free_port()),
        "AWAKEN_INSTANCE": "",
        "AWAKEN_CHANNELS_WEBHOOK_URL": webhook,
        **guest.guest_topics(name),
    }
    if not plan.kafka:
        ours["AWAKEN_GUARANTEE"] = "at-least-once"  # the embedded broker has no transactions
    settings = setting.load(plan.config, {**os.environ, **ours})
    # Topics reach the worker some ms apart, which at this speed are hours: more than anybody's lateness.
    apart = min(plan.speed / 1000 * APART_SECONDS, MAX_LATENESS_SECONDS)
    return setting.replace(settings, lateness_seconds=max(settings.lateness_seconds, apart))


def facts(plan: Plan, settings: Settings, engine: Engine, history: History) -> Facts:
    """Return what the view says of this run."""
    whose = "your Kafka" if plan.kafka else "embedded servers"
    return Facts(
        servers=f"{whose}, {settings.guarantee.replace('-', ' ')}",
        speed=describe_speed(plan.speed),
        first_at=max(plan.start or 0, history.first_at),
        last_at=history.last_at,
        pages=engine.url,
    )


def run(plan: Plan, file: Path | None = None) -> None:
    """Run the demo in this terminal, and write its summary into `file`.

    Raises:
        NotReady: something that the demo needs is not there, or the worker ended by itself.

    """
    if file is not None and not file.absolute().parent.is_dir():
        raise NotReady(f"--report {file}: there is no folder {file.parent}")
    logging.getLogger("aiokafka").addHandler(logging.NullHandler())  # the screen is ours; errors are raised
    console = Console()
    summary = asyncio.run(Demo(plan, console).run())
    console.print(report.tell(summary), highlight=False, soft_wrap=True)
    if file is not None:
        report.write(summary, file)
