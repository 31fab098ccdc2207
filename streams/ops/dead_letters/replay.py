"""A replay: dead letters sent to their topics once more, each once.

A letter is decoded first, as the worker would, and refused where it would only come back; then it is written to its
topic with its own key, headers and timestamp, into its key's home.

**Once.** Beside each replayed record stands a *marker* in the letter's own partition of `dead-letters`: a record
without value whose key, and header `awaken-replayed`, name the place. Both are written in one transaction, so that
neither is there without the other. A marker is younger than its letter and under the same retention, so it is there
for as long as the letter is; a scan of the input topic for the header would be long, and lose its memory to that
topic's retention or compaction. The producer's transactional id is the deployment's: who replays fences whoever was
at it before, then reads the markers, so that two operators at once cannot replay a letter twice. Without transactions
the record is written before its marker: after a crash in between it may be replayed again, and its header tells.

A profile is refused where a newer one of its user stands in the topic: the newest counts, and an old consent brought
back would allow what the user has forbidden since.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple, Self

import orjson
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, ProducerFenced
from aiokafka.structs import ConsumerRecord

from streams.core.row import SOURCES
from streams.ops import NotReady
from streams.ops.dead_letters.letter import Choice, Letter, Place
from streams.ops.dead_letters.shelf import REPLAYED, find
from streams.ops.scan import scan
from streams.settings import Settings
from streams.wire.decode import decode
from streams.wire.partitioner import home

FROM = "awaken-replayed-from"
AT_ONCE = 500
"""Letters a transaction."""
AFTERWARDS = "what was replayed is marked: replay what is left"


@dataclass(frozen=True)
class Mend:
    """What to change in each letter before it is replayed: top-level fields, and the key to what the user demands."""

    fields: Mapping[str, Any] = field(default_factory=dict)
    key_of_user: bool = False


class Result(NamedTuple):
    """What became of a letter: where it was sent, or why not."""

    place: Place
    outcome: Literal["replayed", "would be replayed", "refused", "replayed before"]
    detail: str


async def replay(
    settings: Settings, choice: Choice, mend: Mend, now: int, *, again: bool = False, dry_run: bool = False
) -> list[Result]:
    """Replay the chosen letters and return what became of each; `again` replays what was replayed before too.

    `now`, int ms UTC, is what the decoder holds the future against.

    Raises:
        NotReady: Kafka does not answer, or somebody else has begun to replay.
    """
    async with AsyncExitStack() as stack:
        producer = None if dry_run else await stack.enter_async_context(_Producer(settings))
        found = await find(settings, choice)
        newer = await _newer_profiles(settings, found.letters)
        results: list[Result] = []
        due: list[tuple[Letter, Letter]] = []
        for letter in found.letters:
            refusal, mended = _prepared(settings, letter, mend, newer, now)
            if letter.place in found.replayed and not again:
                results.append(Result(letter.place, "replayed before", "with --again it is replayed once more"))
            elif refusal:
                results.append(Result(letter.place, "refused", refusal))
            else:
                due.append((letter, mended))
                target = f"to {mended.topic}-{mended.partition}"
                results.append(Result(letter.place, "would be replayed" if dry_run else "replayed", target))
        if producer is not None:
            for start in range(0, len(due), AT_ONCE):
                await producer.write([mended for _, mended in due[start : start + AT_ONCE]])
    return results


def _prepared(
    settings: Settings, letter: Letter, mend: Mend, newer: Mapping[tuple[bytes | None, int], int], now: int
) -> tuple[str, Letter]:
    """Return why a letter cannot be replayed, or nothing; and the letter mended, in its key's home."""
    names = settings.topics
    inputs = [getattr(names, source) for source in SOURCES]
    if letter.topic not in inputs:
        return f"{letter.topic or 'where it came from'} is no input topic of this deployment", letter
    try:
        mended = _mended(letter, mend)
    except (orjson.JSONDecodeError, TypeError) as error:
        return f"not-json: it cannot be mended by fields: {error}", letter
    latest_at = now + round(settings.max_ahead_seconds * 1000)
    bad = decode(inputs.index(letter.topic), [mended], latest_at, settings.minor_units).bad
    if bad:
        return f"it would fail again: {bad[0].reason}: {bad[0].detail}", mended
    if letter.topic == names.profiles and (mended.key, letter.partition) in newer:
        stands = newer[mended.key, letter.partition]
        if stands > letter.offset:
            return f"a newer profile of this user stands at {letter.topic}-{letter.partition}@{stands}", mended
    if settings.partitioner == "murmur2":
        mended = replace(mended, partition=home(mended.key or b"", settings.partitions))
    return "", mended


def _mended(letter: Letter, mend: Mend) -> Letter:
    if not mend.fields and not mend.key_of_user:
        return letter
    body = orjson.loads(letter.value or b"")
    if not isinstance(body, dict):
        raise TypeError(f"it is a {type(body).__name__}, not an object")
    value = orjson.dumps(body | dict(mend.fields)) if mend.fields else letter.value
    user = (body | dict(mend.fields)).get("user")
    key = user.encode() if mend.key_of_user and isinstance(user, str) else letter.key
    return replace(letter, key=key, value=value)


async def _newer_profiles(settings: Settings, letters: Iterable[Letter]) -> dict[tuple[bytes | None, int], int]:
    """Return the offset of the newest profile of each (key, partition), if any of the letters is a profile."""
    newest: dict[tuple[bytes | None, int], int] = {}
    if any(letter.topic == settings.topics.profiles for letter in letters):

        def take(record: ConsumerRecord) -> None:
            newest[record.key, record.partition] = record.offset

        await scan(settings.kafka, settings.topics.profiles, take)
    return newest


class _Producer:
    """Writes replayed records with their markers; entering it fences whoever replays here already."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._transactions = settings.guarantee == "exactly-once"
        self._producer: AIOKafkaProducer | None = None

    async def __aenter__(self) -> Self:
        ident = f"{self._settings.group}-dead-letters" if self._transactions else None
        self._producer = AIOKafkaProducer(
            bootstrap_servers=self._settings.kafka.split(","),
            transactional_id=ident,
            acks="all",
            max_request_size=4 << 20,
        )
        try:
            await self._producer.start()
        except KafkaError as error:
            await self._producer.stop()
            raise NotReady(f"Kafka at {self._settings.kafka} refused: {error!r}", "ask `awaken doctor`") from error
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._producer is not None:
            await self._producer.stop()

    async def write(self, letters: Sequence[Letter]) -> None:
        """Write letters to their topics, and their markers, as one."""
        producer = self._producer
        assert producer is not None  # noqa: S101 (it was entered)
        try:
            if not self._transactions:
                await self._send(producer, letters)
                return
            async with producer.transaction():
                await self._send(producer, letters)
        except ProducerFenced as error:
            raise NotReady("somebody else has begun to replay dead letters", AFTERWARDS) from error
        except KafkaError as error:
            raise NotReady(f"Kafka would not take a replayed record: {error!r}", AFTERWARDS) from error

    async def _send(self, producer: AIOKafkaProducer, letters: Sequence[Letter]) -> None:
        """Write the records, and when the broker has them their markers."""
        sent = [
            await producer.send(
                one.topic, one.value, one.key, one.partition, one.timestamp, [*one.headers, (FROM, _named(one))]
            )
            for one in letters
        ]
        await asyncio.gather(*sent)
        marked = [
            await producer.send(
                one.place.topic, None, _named(one), one.place.partition, headers=[(REPLAYED, _named(one))]
            )
            for one in letters
        ]
        await asyncio.gather(*marked)


def _named(letter: Letter) -> bytes:
    return str(letter.place).encode()
