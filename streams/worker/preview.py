"""The page POST /users/{id}/preview: what a playbook would send a user, were he to come to its trigger now.

    {"playbook": "reactivation", "settings": {"playbooks": {"reactivation": {"body": "…"}}}}

`settings`, which may be left out, lie above the worker's own, so that a message can be looked at before it is deployed.
Nothing is sent, counted or spent: what caps, budgets and the breaker would say is not asked. Codes and draws are
samples, which no shop takes: a page that made real ones would be a mint.
"""

from __future__ import annotations

from collections.abc import Collection
from copy import copy
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from streams.channels.terms import Terms
from streams.core.row import DAY
from streams.playbook import Playbook
from streams.push.breaker_memory import MemoryBreaker
from streams.push.charter import Charter
from streams.push.decider import Decider
from streams.push.deliverer import message_of
from streams.push.memory import MemoryGate
from streams.push.purse import Purse
from streams.push.purse_memory import MemoryStore
from streams.push.trigger import Known, Origin, holds
from streams.settings import Settings, SettingsError, judged
from streams.wire.message import Decision
from streams.worker.partition import Partition
from streams.worker.standing import Users

SENT = ("playbooks", "offers", "budgets")
"""The sections that may be brought along."""
UNASKED = ("caps", "budgets", "breaker")
"""What a preview leaves out, since asking it would count."""
SAMPLE = "a sample: no secret of anybody's"
"""Stands for `push.secret`, so that no code is genuine and no draw is foretold."""


class Wish(Struct, frozen=True, forbid_unknown_fields=True):
    """Which playbook, and the settings above the worker's."""

    playbook: str
    settings: dict[str, Any] = {}


def wished(body: bytes, settings: Settings) -> tuple[str, Settings]:
    """Return the playbook that is asked for, and the settings by which it is to be looked at.

    Raises:
        SettingsError: the body cannot be read, or there is no such playbook.
    """
    try:
        wish = msgspec.json.decode(body, type=Wish)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"preview: {error}") from error
    if strange := [name for name in wish.settings if name not in SENT]:
        raise SettingsError(f"preview: {strange[0]}: only {', '.join(SENT)} can be brought along")
    laid = judged(wish.settings, "preview", settings)
    if wish.playbook not in laid.playbooks:
        there = ", ".join(laid.playbooks)
        raise SettingsError(f"preview: {wish.playbook!r}: there is no such playbook; there are {there}")
    enabled = replace(laid.playbooks[wish.playbook], enabled=True)
    return wish.playbook, replace(
        laid,
        playbooks=laid.playbooks | {wish.playbook: enabled},
        push=replace(laid.push, secret=SAMPLE),
    )


async def preview(partition: Partition, who: str, name: str, settings: Settings) -> dict[str, Any]:
    """Return what a playbook of these settings would send a user of whom something is known, step by step.

    Each step is decided as of its own time (`at`, int ms UTC), by what is known of him now. `there` is null where the
    playbook waits for what is no value of his, such as a day.
    """
    seen = copy(partition)
    seen.settings = settings
    users, now, playbook = Users(seen), partition.time_now(), settings.playbooks[name]
    dimensions, known = partition.shard.book.dimensions, users.words(who)
    trigger, conditions = _trigger(playbook, known, dimensions), _conditions(playbook, known, dimensions)
    # The number of a transition that his row does not know: he has just come there, so nobody asks whether he still is.
    number = partition.shard.number(who.encode())
    key = f"{who}-{1 + int(partition.shard.rows['seq'][number])}-{now}"
    steps = []
    for step, days in enumerate((playbook.after_days, *(step.after_days for step in playbook.steps)), 1):
        at = now + round(days * DAY)
        decider = Decider(settings, MemoryGate(), Purse(MemoryStore()), MemoryBreaker(settings.push))
        candidate = decider.triggers.candidate(name, step, Origin("preview", who, at, now, key), users.words(who))
        [decision] = await decider.judge([candidate], users, at)
        steps.append({"step": step, "after_days": days, "at": at} | _told(decision, settings))
    place = {"user": who, "partition": partition.number, "now": now, "playbook": name}
    return place | {"trigger": trigger, "when": conditions, "steps": steps, "unasked": UNASKED}


def _trigger(playbook: Playbook, known: Known, dimensions: Collection[str]) -> dict[str, Any]:
    """Return what a playbook waits for, and whether the user is there now."""
    dimension, _, wanted = playbook.on.partition(".")
    value = _value(dimension, known, dimensions)
    return {"on": playbook.on, "value": value, "there": value == wanted if dimension in dimensions else None}


def _conditions(playbook: Playbook, known: Known, dimensions: Collection[str]) -> list[dict[str, Any]]:
    """Return each thing that a playbook asks of whom it is meant for, and whether it holds."""
    return [
        {
            "name": name,
            "wanted": [said] if isinstance(said, str) else list(said),
            "value": _value(name, known, dimensions),
            "holds": holds(replace(playbook, when={name: said}), known),
        }
        for name, said in playbook.when.items()
    ]


def _value(name: str, known: Known, dimensions: Collection[str]) -> str | None:
    """Return what he has by a name; in a dimension in which he has no place none, elsewhere None."""
    return known.value(name) or ("none" if name in dimensions else None)


def _told(decision: Decision, settings: Settings) -> dict[str, Any]:
    """Return a decision, its message as it stands on each channel, and those that it names though they are not set up.

    Of one that goes nowhere the message is told for all channels by which it could go.
    """
    wanted, ready = settings.playbooks[decision.playbook].message(decision.step).channels, Charter(settings).channels
    able = tuple(name for name in ready if name in wanted) if wanted else ready
    ways = (*decision.channels, *decision.fallbacks) or able
    return {
        "decision": msgspec.to_builtins(decision),
        "shown": {name: _shown(decision, name, settings) for name in ways},
        "not_ready": [name for name in wanted if name not in ready],
    }


def _shown(decision: Decision, channel: str, settings: Settings) -> dict[str, str]:
    """Return what he would see on a channel, part by part."""
    options: Terms = getattr(settings.channels, channel)
    return options.shown(message_of(decision, channel, settings.push))
