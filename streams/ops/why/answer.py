"""The answer: a user's row, and of each dimension the transition that made it what it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import msgspec

from streams.ops import NotReady
from streams.ops.page import workers
from streams.ops.why import decided
from streams.ops.why.ask import ask
from streams.ops.why.decided import Push
from streams.ops.why.replay import replay
from streams.ops.why.told import find
from streams.portrait import day
from streams.settings import Settings
from streams.wire.message import Transition

DAY_MS = 86_400_000


class Answer(NamedTuple):
    """What is known of a user.

    Attributes:
        told: his row, as `worker.pages` tells it.
        reasons: dimension → the transition by which its value was entered, as far as it could be found.
        history: every transition of his, in order; only of a replay.
        notes: what is to be known about all this.
        pushes: what was decided about him, the newest first.
    """

    told: dict[str, Any]
    reasons: dict[str, Transition]
    history: Sequence[Transition]
    notes: Sequence[str]
    pushes: Sequence[Push] = ()

    def plain(self) -> dict[str, Any]:
        """Return it as JSON's types."""
        why, history = msgspec.to_builtins(self.reasons), msgspec.to_builtins(self.history)
        decisions = msgspec.to_builtins(self.pushes)
        return self.told | {"why": why, "decisions": decisions, "history": history, "notes": list(self.notes)}


def from_worker(settings: Settings, user: str, urls: Sequence[str]) -> Answer:
    """Return what the worker that holds the user tells, and for what reasons, as far as Kafka lets them be read.

    Raises:
        NotReady: nothing is known of him, or no worker that was asked holds his partition.
    """
    asked, notes = workers(settings, urls), []
    told = ask(asked, user)
    why: dict[str, Transition] = {}
    try:
        why = reasons(told, life(find(settings, told), told["transitions"]))
    except NotReady as error:
        notes.append(f"the reasons are not known: {error.detail}")
    pushes = _pushes(notes, lambda: decided.from_worker(settings, user, told["partition"], asked))
    return Answer(told, why, (), notes, pushes)


def from_topics(settings: Settings, user: str) -> Answer:
    """Return what a replay of the topics tells.

    Raises:
        NotReady: Kafka or a topic is not there, or nothing is known of him.
    """
    found = replay(settings, user)
    history = life(found.transitions, found.told["transitions"])
    pushes = _pushes(found.notes, lambda: decided.from_topics(settings, user, found.told["partition"]))
    return Answer(found.told, reasons(found.told, history), history, found.notes, pushes)


def _pushes(notes: list[str], find: Callable[[], list[Push]]) -> list[Push]:
    """Return what was decided about him, or note that it is not known, and why: the rest is told all the same."""
    try:
        return find()
    except NotReady as error:
        notes.append(f"what was decided about him is not known: {error.detail}")
        return []


def life(transitions: Iterable[Transition], count: int) -> list[Transition]:
    """Return a user's newest `count` transitions, each once, in order.

    One who was erased and came back is counted from 1 again: of two with the same number, the later one is his.
    """
    found: dict[int, Transition] = {}
    for transition in transitions:
        if transition.seq <= count and (transition.seq not in found or transition.at >= found[transition.seq].at):
            found[transition.seq] = transition
    return [found[seq] for seq in sorted(found)]


def reasons(told: dict[str, Any], history: Iterable[Transition]) -> dict[str, Transition]:
    """Return of each dimension the newest transition, if it is the one by which its present value was entered."""
    newest = {transition.dimension: transition for transition in history}
    return {
        name: newest[name]
        for name, held in told["values"].items()
        if name in newest and newest[name].to == held["value"] and day(newest[name].at // DAY_MS) == held["since"]
    }
