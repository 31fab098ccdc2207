"""The charter: what each playbook's pushes go by, worked out once from the settings."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

from .gate import EPISODE, EVERY, Limit, Way
from .quiet import clock_time

if TYPE_CHECKING:
    from datetime import time

    from streams.settings import Playbook, Settings
    from streams.wire.message import MessageKind

HOUR, DAY = 3_600_000, 86_400_000
USAGE_WINDOW_MS = 28 * DAY
FOR_EVER_DAYS = 3650
"""The gate has windows only: ten years stand for ever."""


class Bounds(NamedTuple):
    """The limits of a message, in the order of the chain, and the tags under which it counts."""

    limits: tuple[Limit, ...]
    tags: tuple[str, ...]


class Message(NamedTuple):
    """What the chain asks of a message: the channels that it may take, in the order of the settings, and its offer."""

    kind: MessageKind
    channels: tuple[str, ...]
    offer: str


class Charter:
    """The settings, as the policy chain asks for them.

    Attributes:
        settings, push: as they are.
        channels: those that may be used at all, in the order of the settings.
        costs: what a send on each costs, in units of the currency.
        ways: a function that returns the ways to channels, the cheapest first; remembered, as they are few.
        cost: a function that returns what it costs at most to send on channels, with fallbacks: all that is sent at
            once, and the dearest of which one goes out; remembered too.
        caps: the caps in words.
        quiet: from when to when nobody is pushed, None where that is never so.
        zone: the time zone of users whose profile names none.
    """

    def __init__(self, settings: Settings) -> None:
        push = settings.push
        self.settings, self.push = settings, push
        self.channels = ready(settings)
        self.costs: dict[str, float] = {name: getattr(settings.channels, name).cost for name in self.channels}
        self._ways = {name: self._way(name) for name in sorted(self.channels, key=self.costs.__getitem__)}
        self.ways = cache(self._ways_of)
        self.cost = cache(self._cost_of)
        said = [(push.cap_sends, f"{push.cap_days:g}"), *((most, days) for days, most in push.caps.items())]
        self.caps = "at most " + ", ".join(f"{most} in {days} days" for most, days in said)
        self.quiet: tuple[time, time] | None = None
        if push.quiet_from:
            self.quiet = clock_time(push.quiet_from), clock_time(push.quiet_to)
        self.zone = ZoneInfo(push.time_zone)
        all_steps = [
            (name, playbook, step)
            for name, playbook in settings.playbooks.items()
            for step in range(1, len(playbook.steps) + 2)
        ]
        self._bounds = {(name, step): self._of(name, playbook, step) for name, playbook, step in all_steps}
        self._messages = {(name, step): self._message(playbook, step) for name, playbook, step in all_steps}

    def message(self, playbook: str, step: int) -> Message:
        """Return what the chain asks of a playbook's message."""
        return self._messages[playbook, step]

    def bounds(self, playbook: str, step: int) -> Bounds:
        """Return the limits and tags of a playbook's message."""
        return self._bounds[playbook, step]

    def _ways_of(self, channels: tuple[str, ...]) -> tuple[Way, ...]:
        """Return the ways to the channels that are named, the cheapest first."""
        return tuple(way for name, way in self._ways.items() if name in channels)

    def _cost_of(self, channels: tuple[str, ...], fallbacks: tuple[str, ...]) -> float:
        costs, along = self.costs, self.push.along
        sure = sum(costs[name] for name in channels if name in along)
        return sure + max((costs[name] for name in channels + fallbacks if name not in along), default=0)

    def _message(self, playbook: Playbook, step: int) -> Message:
        message = playbook.message(step)
        wanted = message.channels or self.channels
        return Message(message.kind, tuple(name for name in self.channels if name in wanted), message.offer)

    def _way(self, channel: str) -> Way:
        options, along = getattr(self.settings.channels, channel), channel in self.push.along
        return (
            Way(channel, along, _ms(options.cap_days), options.cap_sends) if options.cap_sends else Way(channel, along)
        )

    def _of(self, name: str, playbook: Playbook, step: int) -> Bounds:
        push, offer = self.push, playbook.message(step).offer
        limits, tags = [], [EVERY, f"playbook:{name}"]
        if playbook.again_days and step == 1:
            limits.append(Limit("already_served", tags[1], _ms(playbook.again_days), 1))
        if playbook.exclusive:
            tags.append(f"group:{playbook.exclusive}")
            # Its own messages may follow one another.
            limits.append(Limit("exclusive", tags[-1], _ms(playbook.exclusive_days), 1, EPISODE))
        if offer:
            tags.append(f"offer:{offer}")
            terms = self.settings.offers.get(offer)
            if terms is not None and terms.per_user:
                limits.append(Limit("offer_used", tags[-1], _ms(terms.per_user_days or FOR_EVER_DAYS), terms.per_user))
        limits.append(Limit("capped", EVERY, _ms(push.cap_days), push.cap_sends))
        limits += [Limit("capped", EVERY, _ms(float(days)), most) for days, most in push.caps.items()]
        if push.min_gap_hours:
            limits.append(Limit("min_gap", EVERY, round(push.min_gap_hours * HOUR), 1))
        return Bounds(tuple(limits), tuple(tags))


def ready(settings: Settings) -> tuple[str, ...]:
    """Return the channels that may be used at all, in the order of the settings."""
    return tuple(name for name in dict.fromkeys(settings.push.channels) if getattr(settings.channels, name).ready)


def _ms(days: float) -> int:
    return round(days * DAY)
