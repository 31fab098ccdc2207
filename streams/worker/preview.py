"""The page POST /users/{id}/preview: what a playbook would send a user now, and what the policy chain would say.

    {"playbook": "reactivation", "settings": {"playbooks": {"reactivation": {"body": "…"}}}}

`settings`, which may be left out, lie above the worker's own, so that a message can be looked at before it is deployed.
Nothing is sent, counted or spent: what caps, budgets and the breaker would say is not asked.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from streams.push.breaker_memory import MemoryBreaker
from streams.push.decider import Decider
from streams.push.memory import MemoryGate
from streams.push.purse import Purse
from streams.push.purse_memory import MemoryStore
from streams.push.trigger import Origin, holds
from streams.settings import Settings, SettingsError, judged
from streams.worker.partition import Partition
from streams.worker.standing import Users

SENT = ("playbooks", "offers", "budgets")
"""The sections that may be brought along."""


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
    enabled = msgspec.structs.replace(laid.playbooks[wish.playbook], enabled=True)
    return wish.playbook, msgspec.structs.replace(laid, playbooks=laid.playbooks | {wish.playbook: enabled})


async def preview(partition: Partition, who: str, name: str, settings: Settings) -> dict[str, Any]:
    """Return what a playbook of these settings would send a user, step by step, each as a decision."""
    users, now, playbook = Users(partition), partition.time_now(), settings.playbooks[name]
    known, (dimension, _, value) = users.words(who), playbook.on.partition(".")
    there, meant, decisions = known.value(dimension) == value, holds(playbook, known), []
    for step in range(1, len(playbook.steps) + 2):
        decider = Decider(settings, MemoryGate(), Purse(MemoryStore()), MemoryBreaker(settings.push))
        origin = Origin("preview", who, now, now)
        candidate = decider.triggers.candidate(name, step, origin, users.words(who))
        decisions += await decider.judge([candidate], users, now)
    return {
        "user": who,
        "playbook": name,
        "on": playbook.on,
        "there": there,
        "meant": meant,
        "after_days": [0, *(step.after_days for step in playbook.steps)],
        "decisions": msgspec.to_builtins(decisions),
    }
