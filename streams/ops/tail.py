"""What is told, followed as it is written: transitions, decisions and outcomes, a line each, in a person's words."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
import orjson
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError

from streams.ops import NotReady
from streams.ops.admin import START_KAFKA, connect
from streams.ops.why.wording import listed, named, plural, reason
from streams.portrait import moment
from streams.push.reason import brief
from streams.wire.message import Decision, Outcome, Transition

if TYPE_CHECKING:
    from streams.settings import Settings

POLL_MS = 500
KINDS = (Transition, Decision, Outcome)
FIELDS = {field.encode_name: None for kind in KINDS for field in msgspec.structs.fields(kind)}
"""What `--where` may ask for; dict for its order."""


def topics_named(settings: Settings, names: Sequence[str]) -> list[str]:
    """Return the topics of these names, all that tell anything where there are none.

    Raises:
        NotReady: there is no such topic to follow.
    """
    topics = settings.topics
    known = [topics.lifecycle_transitions, topics.value_transitions, topics.growth_transitions]
    known += [topics.push_decisions, topics.push_outcomes]
    for name in names:
        if name not in known:
            raise NotReady(f"{name}: is nothing to follow", f"there are {', '.join(known)}")
    return list(names) or known


def conditions(where: Sequence[str]) -> dict[str, str]:
    """Return what is asked for, FIELD=VALUE each.

    Raises:
        NotReady: it is not written so, or no message has such a field.
    """
    found = {}
    for text in where:
        field, equals, value = text.partition("=")
        if not equals or field not in FIELDS:
            raise NotReady(f"--where {text}: is no FIELD=VALUE", f"there are the fields {', '.join(FIELDS)}")
        found[field] = value
    return found


def fits(event: Mapping[str, Any], user: str | None, asked: Mapping[str, str]) -> bool:
    """Say whether an event (a CloudEvent as JSON has it) is of this user, and all that is asked for holds of it."""
    data = event["data"]
    if user is not None and event["subject"] != user:
        return False
    return all(field in data and _text(data[field]) == value for field, value in asked.items())


def line(event: Mapping[str, Any], minor_units: int) -> str:
    """Return an event in a line: when, of whom, what, and why."""
    data, kind = event["data"], event["type"].split(".")[1]
    told = _push(data) if kind == "push" else _transition(msgspec.convert(data, Transition), minor_units)
    return f"{moment(int(data['at']))}  {event['subject']}  {told}"


def follow(
    settings: Settings, topics: Sequence[str], each: Callable[[bytes], bool], *, from_beginning: bool = False
) -> None:
    """Hand each event of the topics to `each` as it comes, until that says False or Ctrl-C is pressed.

    Raises:
        NotReady: Kafka does not answer, or a topic is missing.
    """
    with connect(settings.kafka) as admin:
        missing = sorted(set(topics) - set(admin.list_topics()))
    if missing:
        raise NotReady(f"there is no topic {', '.join(missing)}", "create what is missing: awaken topics")
    try:
        asyncio.run(_follow(settings.kafka, topics, each, "earliest" if from_beginning else "latest"))
    except KeyboardInterrupt:
        return
    except KafkaError as error:
        raise NotReady(f"Kafka at {settings.kafka} would not let them be read: {error}", START_KAFKA) from error


async def _follow(kafka: str, topics: Sequence[str], each: Callable[[bytes], bool], reset: str) -> None:
    consumer = AIOKafkaConsumer(
        *topics,
        bootstrap_servers=kafka.split(","),
        isolation_level="read_committed",
        auto_offset_reset=reset,
        enable_auto_commit=False,
        fetch_max_wait_ms=POLL_MS,
    )
    await consumer.start()
    try:
        async for record in consumer:
            if record.value is not None and not each(record.value):
                return
    finally:
        await consumer.stop()


def _transition(told: Transition, minor_units: int) -> str:
    move = f"{named(told.from_)} → {named(told.to)}"
    mark = "  (historic)" if told.historic else ""
    return f"{told.dimension}: {move}  {reason(told, minor_units)}{mark}"


def _push(data: Mapping[str, Any]) -> str:
    if "outcome" in data:
        why = f": {data['detail']}" if data["detail"] else ""
        return f"{data['channel']}: {data['outcome']} after {plural(data['attempts'], 'attempt')}{why}"
    decision = msgspec.convert(data, Decision)
    head = f"{decision.playbook}: {decision.action}, {brief(decision.reason)}"
    if decision.until is not None:
        head += f" until {moment(decision.until)}"
    if not decision.channels:
        return head
    return f"{head}, by {listed(list(decision.channels))}" + (f'  "{decision.title}"' if decision.title else "")


def _text(value: object) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()
