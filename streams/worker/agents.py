"""The agents: four Faust agents, each of which takes chunks of its topics.

    fold     clicks, orders, profiles, push-feedback  →  transitions, changelog, dead-letters
    decide   the transitions           →  push-decisions, and playbooks' next steps, held with the users
    deliver  push-decisions            →  channels  →  push-outcomes; or held with the users until it is time
    serve    what the others write and none of them reads  →  Redis, as what decide and deliver read is before they do

The topics all have the same number of partitions, so a user's events, transitions, decisions and profile meet in
one worker. Each agent only hands records and positions to the partition's ledger, which commits them together: a
decision is recorded once, with the offset of the transition that it answers. A delivery reaches out of Kafka, where
no transaction does: it goes by the recorded decision, and the gate remembers which were begun and which are done. A
push that is held is let go (`release`) in the transaction that writes its outcome, a next step in its decision's.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from itertools import islice
from typing import Any

import faust

from streams import metrics
from streams.push import policy
from streams.push.breaker import refused
from streams.push.decider import Decider, following
from streams.push.deliverer import Deliverer
from streams.push.trigger import Candidate, trigger_topics
from streams.wire.block import cut
from streams.wire.message import Decision, Outcome, encode, read_decision, read_transition
from streams.worker.app import Awaken
from streams.worker.calendar import Calendar, observe
from streams.worker.chunk import Chunk
from streams.worker.partition import FOLDED_AT_ONCE, Partition
from streams.worker.patience import patiently
from streams.worker.serve import Serve
from streams.worker.spending import tell_budgets
from streams.worker.standing import Users

RELEASE_SECONDS = 0.2
STEPS_AT_ONCE = 500
Work = Callable[[Partition, Chunk], Awaitable[None]]
Agents = dict[str, tuple[Sequence[str], Work]]
log = logging.getLogger(__name__)


def add_agents(app: Awaken, decider: Decider, deliverer: Deliverer, serve: Serve | None = None) -> None:
    """Give the app its agents. Without channels or playbooks nothing is ever pushed, so nothing is decided either."""
    topics = app.settings.topics
    agents: Agents = {"fold": ((topics.clicks, topics.orders, topics.profiles, topics.push_feedback), _fold)}
    if app.settings.push.channels and decider.triggers.by_name:
        if triggers := trigger_topics(app.settings):
            agents["decide"] = triggers, lambda p, c: _decide(p, c, decider)
        agents["deliver"] = (topics.push_decisions,), lambda p, c: _deliver(p, c, deliverer)
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
    """Fold a chunk, a part at a time, so that it keeps nobody waiting."""
    for part in chunk.parts(FOLDED_AT_ONCE):
        if partition.closing:
            return
        await partition.fold(part)
        await partition.relieve()
        await asyncio.sleep(0)


async def _decide(partition: Partition, chunk: Chunk, decider: Decider) -> None:
    """Decide about each transition that is a playbook's trigger."""
    may_trigger = decider.triggers.may_trigger
    values = cut(chunk.records.data, chunk.records.values)
    triggers = [read_transition(value) for value in values if value and may_trigger(value)]
    transitions = partition.known(triggers)
    names = [transition.subject for transition in transitions]
    decisions = await patiently(
        partition, lambda: decider.decide(transitions, Users(partition, names), _present(partition))
    )
    if decisions is None:
        return
    _decided(partition, decisions)
    for step in (step for transition in transitions for step in decider.triggers.later(transition)):
        partition.shard.steps.add(step)
    partition.ledger.position(chunk.topic, chunk.next_offset)


def _present(partition: Partition) -> int | None:
    """Return the time at which is decided, int ms UTC; None where time is the events' own."""
    return partition.wall_now() if partition.settings.clock == "wall" else None


def _decided(partition: Partition, decisions: Sequence[Decision]) -> None:
    """Hand decisions to the ledger, count them, open their trials, and hold the steps that follow."""
    settings = partition.settings
    source = f"awaken/{settings.group}"
    rows = [(decision.user.encode(), encode(decision, source)) for decision in decisions]
    if rows:
        partition.ledger.record(settings.topics.push_decisions, rows)
    for (playbook, reason), count in Counter((d.playbook, d.reason) for d in decisions).items():
        metrics.DECISIONS.labels(playbook, reason).inc(count)
        if reason == "breaker":
            metrics.BREAKER_STOPS.labels(playbook).inc(count)
    for decision in decisions:
        partition.shard.trials.open(decision, policy.arm_of_all(decision.user, settings.push))
        step = following(decision, settings)
        if step is not None:
            partition.shard.steps.add(step)


async def _deliver(partition: Partition, chunk: Chunk, deliverer: Deliverer) -> None:
    """Deliver each decision to send, some at once, and hold those that must wait.

    What a rebalance interrupts is the next owner's.
    """
    records = iter(chunk.records)
    while some := list(islice(records, partition.settings.push.deliveries_at_once)):
        decisions = [read_decision(r.value or b"").data for r in some]
        sends = [decision for decision in decisions if decision.action == "send"]
        outcomes = await patiently(partition, partial(_deliver_all, partition, sends, deliverer))
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


async def watch_time(partition: Partition, decider: Decider, deliverer: Deliverer, serve: Serve) -> None:
    """Do what time asks for, as long as the partition is held: let go what was held, keep calendar and tags."""
    calendar = Calendar(partition.settings, decider.triggers)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(release(partition, decider, deliverer))
        tasks.create_task(serve.tend(partition))
        tasks.create_task(tell_budgets(partition, decider.purse))
        if calendar:
            tasks.create_task(observe(partition, calendar, partial(_decide_candidates, partition, decider)))


async def _decide_candidates(partition: Partition, decider: Decider, candidates: Sequence[Candidate]) -> bool:
    """Decide about candidates and record the decisions; False where the partition is given up meanwhile."""
    names = [candidate.user for candidate in candidates]
    decisions = await patiently(
        partition, lambda: decider.judge(candidates, Users(partition, names), _present(partition))
    )
    if decisions is not None:
        _decided(partition, decisions)
    return decisions is not None


async def release(partition: Partition, decider: Decider, deliverer: Deliverer) -> None:
    """Let go what was held when its time has come, for as long as the partition is held.

    Its time has come when all that happened before it is folded: on a backlog its users may be back already.
    """
    while not partition.closing:
        metrics.HELD.labels(str(partition.number)).set(len(partition.shard.hold))
        if not await _release_pushes(partition, deliverer) and not await _release_steps(partition, decider):
            await asyncio.sleep(RELEASE_SECONDS)


async def _release_pushes(partition: Partition, deliverer: Deliverer) -> bool:
    """Deliver pushes whose time has come; say whether there were any."""
    hold, most = partition.shard.hold, partition.settings.push.deliveries_at_once
    due = hold.due(partition.known_until(), most)
    outcomes = await patiently(partition, partial(_deliver_all, partition, due, deliverer)) if due else None
    if outcomes is None:
        return False
    _record(partition, outcomes)
    for decision in due:
        hold.remove(decision.id)
    return True


async def _release_steps(partition: Partition, decider: Decider) -> bool:
    """Decide about playbooks' next steps whose time has come; say whether there were any."""
    steps = partition.shard.steps
    due = steps.due(partition.known_until(), STEPS_AT_ONCE)
    if not due:
        return False
    names = [step.user for step in due]
    decisions = await patiently(
        partition, lambda: decider.decide_steps(due, Users(partition, names), _present(partition))
    )
    if decisions is None:
        return False
    for step in due:
        steps.remove(step.id)
    _decided(partition, decisions)
    return True


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
    users, sends = Users(partition, [decision.user for decision in decisions]), []
    for decision in decisions:
        contacts = policy.addresses(users.profile(decision.user), deliverer.channels, decision.kind)
        standing, moment = users.standing(decision), now if live else decision.at
        stop = policy.stop(decision, standing, push, moment, approved=_may_go(partition, users, decision))
        sends.append(deliverer.deliver(decision, contacts, now, stop))
    return [outcome for outcomes in await asyncio.gather(*sends) for outcome in outcomes]


def _may_go(partition: Partition, users: Users, decision: Decision) -> bool:
    """Say whether somebody has approved a push that the breaker has stopped."""
    playbook = decision.playbook
    return not refused(partition.approvals, playbook, decision.at) and users.approved(playbook)
