"""The agents: four Faust agents, each of which takes chunks of its topics.

    fold     clicks, orders, profiles, push-feedback  →  transitions, changelog, dead-letters
    decide   the transitions           →  push-decisions
    deliver  push-decisions            →  inbox, webhook  →  push-outcomes; or held with the users until it is time
    serve    what the others write and none of them reads  →  Redis, as what decide and deliver read is before they do

The topics all have the same number of partitions, so a user's events, transitions, decisions and profile meet in
one worker. Each agent only hands records and positions to the partition's ledger, which commits them together: a
decision is recorded once, with the offset of the transition that it answers. A delivery reaches out of Kafka, where
no transaction does: it goes by the recorded decision, and the gate remembers which were begun and which are done. A
push that is held is let go (`release`) in the transaction that writes its outcome.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

import faust
from redis.exceptions import RedisError

from streams import metrics
from streams.push import policy
from streams.push.decider import Decider
from streams.push.deliverer import Deliverer
from streams.push.trigger import trigger_topics
from streams.wire.message import Decision, Outcome, encode, read_decision, read_transition
from streams.worker.app import Awaken
from streams.worker.chunk import Chunk
from streams.worker.partition import RETRY_SECONDS, Partition
from streams.worker.standing import standing, words

if TYPE_CHECKING:
    from streams.worker.serve import Serve

LOOK_SECONDS = 0.1
GIVE_UP_SECONDS = 2.0
RELEASE_SECONDS = 0.2
T = TypeVar("T")
Work = Callable[[Partition, Chunk], Awaitable[None]]
Agents = dict[str, tuple[Sequence[str], Work]]
log = logging.getLogger(__name__)


def add_agents(app: Awaken, decider: Decider, deliverer: Deliverer, serve: Serve | None = None) -> None:
    """Give the app its agents. Without channels or playbooks nothing is ever pushed, so nothing is decided either."""
    topics = app.settings.topics
    agents: Agents = {
        "fold": ((topics.clicks, topics.orders, topics.profiles, topics.push_feedback), _fold),
        "decide": (trigger_topics(app.settings), lambda p, c: _decide(p, c, decider)),
        "deliver": ((topics.push_decisions,), lambda p, c: _deliver(p, c, deliverer)),
    }
    if not app.settings.push.channels or not agents["decide"][0]:
        agents = {"fold": agents["fold"]}
    if serve is not None:
        agents = _served(agents, serve)
    for name, (inputs, work) in agents.items():
        source = app.topic(*inputs, key_serializer="raw", value_serializer="raw", allow_empty=True)
        app.agent(source, name=name)(_agent(app, name, work))


def _served(agents: Agents, serve: Serve) -> Agents:
    """Return the agents with what they read told to Redis first, and one more for what none of them reads."""
    read = {topic for inputs, _ in agents.values() for topic in inputs}
    told = {name: (inputs, serve.first(work)) for name, (inputs, work) in agents.items()}
    return told | {"serve": ([topic for topic in serve.topics if topic not in read], serve.alone)}


def _agent(app: Awaken, name: str, work: Work) -> Callable[[Any], Awaitable[None]]:
    """Return an agent's body: each chunk to `work`, with the partition that it belongs to.

    Faust would take an agent's exception for a reason to skip the chunk; here it ends the worker, and the chunk is
    read again from the committed offsets. From a partition that is given up, the next owner reads it.
    """

    async def agent(stream: faust.Stream[Chunk]) -> None:
        async for chunk in stream:
            partition = app.partitions.get(chunk.partition)
            try:
                if partition is not None and not partition.closing:
                    partition.follow(chunk)
                    await work(partition, chunk)
            except Exception as error:
                if partition is not None and partition.closing:
                    log.warning("%s[%d]: left to the next owner: %r", chunk.topic, chunk.partition, error)
                    continue
                log.exception("%s[%d] from %d: could not be worked on", chunk.topic, chunk.partition, chunk.next_offset)
                await app.crash(error)
                raise
            finally:
                app.consumer.arrived(chunk)

    agent.__name__ = name
    return agent


async def _fold(partition: Partition, chunk: Chunk) -> None:
    partition.receive(chunk)
    partition.pump()
    await partition.relieve()


async def _decide(partition: Partition, chunk: Chunk, decider: Decider) -> None:
    """Decide about each transition that is a playbook's trigger."""
    may_trigger = decider.triggers.may_trigger
    triggers = [read_transition(r.value) for r in chunk.records if r.value and may_trigger(r.value)]
    transitions = [t for t in triggers if partition.knows(t.subject, t.data.seq)]
    now = partition.wall_now() if partition.settings.clock == "wall" else None
    asked = partial(standing, partition), partial(words, partition)
    decide = partial(decider.decide, transitions, partition.profile, now, *asked)
    decisions = await _patiently(partition, decide)
    if decisions is None:
        return
    source = f"awaken/{partition.settings.group}"
    rows = [(d.user.encode(), encode(d, source)) for d in decisions]
    if rows:
        partition.ledger.record(partition.settings.topics.push_decisions, rows)
    partition.ledger.position(chunk.topic, chunk.next_offset)
    for decision in decisions:
        metrics.DECISIONS.labels(decision.playbook, decision.reason).inc()


async def _deliver(partition: Partition, chunk: Chunk, deliverer: Deliverer) -> None:
    """Deliver each decision to send, some at once, and hold those that must wait.

    What a rebalance interrupts is the next owner's.
    """
    records = iter(chunk.records)
    while some := list(islice(records, partition.settings.push.deliveries_at_once)):
        decisions = [read_decision(r.value or b"").data for r in some]
        sends = [decision for decision in decisions if decision.action == "send"]
        outcomes = await _patiently(partition, partial(_deliver_all, partition, sends, deliverer))
        if outcomes is None:
            return
        for decision in decisions:
            if decision.action == "hold":
                partition.shard.hold.add(decision)
            else:  # decided anew, after the offsets were set back: it waits no longer
                partition.shard.hold.remove(decision.id)
        _record(partition, outcomes)
        partition.ledger.position(chunk.topic, some[-1].offset + 1)
    partition.ledger.position(chunk.topic, chunk.next_offset)


async def release(partition: Partition, deliverer: Deliverer) -> None:
    """Let pushes that were held go out when their time has come, for as long as the partition is held.

    Their time has come when all that happened before it is folded: on a backlog their users may be back already.
    """
    hold, most = partition.shard.hold, partition.settings.push.deliveries_at_once
    while not partition.closing:
        metrics.HELD.labels(str(partition.number)).set(len(hold))
        due = hold.due(partition.known_until(), most)
        if not due:
            await asyncio.sleep(RELEASE_SECONDS)
            continue
        outcomes = await _patiently(partition, partial(_deliver_all, partition, due, deliverer))
        if outcomes is None:
            return
        _record(partition, outcomes)
        for decision in due:
            hold.remove(decision.id)


def _record(partition: Partition, outcomes: Sequence[Outcome]) -> None:
    """Hand outcomes to the ledger, and count them."""
    source = f"awaken/{partition.settings.group}"
    rows = [(outcome.user.encode(), encode(outcome, source)) for outcome in outcomes]
    partition.ledger.record(partition.settings.topics.push_outcomes, rows)
    for outcome in outcomes:
        metrics.DELIVERIES.labels(outcome.channel, outcome.outcome).inc()


async def _deliver_all(partition: Partition, decisions: Sequence[Decision], deliverer: Deliverer) -> list[Outcome]:
    """Deliver decisions side by side, each as its user stands and can be reached by now."""
    now, push, live = partition.wall_now(), partition.settings.push, partition.settings.clock == "wall"
    sends = []
    for decision in decisions:
        contacts = policy.addresses(partition.profile(decision.user), push)
        stop = policy.stop(decision, standing(partition, decision), push, now if live else decision.at)
        sends.append(deliverer.deliver(decision, contacts, now, stop))
    return [outcome for outcomes in await asyncio.gather(*sends) for outcome in outcomes]


async def _patiently(partition: Partition, attempt: Callable[[], Coroutine[Any, Any, T]]) -> T | None:
    """Try until Redis answers; None if the partition is given up meanwhile. What waits is held, not lost."""
    said = False
    while not partition.closing:
        try:
            return await _while_held(partition, attempt())
        except RedisError as error:
            if not said:
                log.warning("partition %d: pushes are held, Redis does not answer: %s", partition.number, error)
                said = True
            await asyncio.sleep(RETRY_SECONDS)
    return None


async def _while_held(partition: Partition, work: Coroutine[Any, Any, T]) -> T | None:
    """Await the work; None if the partition is given up and the work takes longer than `GIVE_UP_SECONDS` from then.

    A group waits for its slowest member, so a channel that takes its time must not hold a rebalance up. What is
    broken off is to the next owner as if we had died: the gate knows that it was begun.
    """
    task = asyncio.ensure_future(work)
    try:
        while not (await asyncio.wait({task}, timeout=LOOK_SECONDS))[0]:
            if partition.closing:
                await asyncio.wait({task}, timeout=GIVE_UP_SECONDS)
                return task.result() if task.done() else None
        return task.result()
    finally:
        if not task.done():
            task.cancel()
            await asyncio.wait({task})
