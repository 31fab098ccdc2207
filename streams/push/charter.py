"""The charter: what each playbook's pushes go by, worked out once from the settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

from .gate import EVERY, Limit, Way
from .quiet import clock_time

if TYPE_CHECKING:
    from datetime import time

    from streams.settings import Playbook, Settings

HOUR, DAY = 3_600_000, 86_400_000
USAGE_WINDOW_MS = 28 * DAY


class Bounds(NamedTuple):
    """A playbook's limits: of its first message, and of those that follow; and the tags under which they count."""

    first: tuple[Limit, ...]
    later: tuple[Limit, ...]
    tags: tuple[str, ...]


class Charter:
    """The settings, as the policy chain asks for them.

    Attributes:
        settings, push: as they are.
        channels: those that may be used at all, in the order of the settings.
        ways: of each of them its way, the cheapest first.
        costs: what a send on each costs, in units of the currency.
        caps: the caps in words.
        quiet: from when to when nobody is pushed, None where that is never so.
        zone: the time zone of users whose profile names none.
    """

    def __init__(self, settings: Settings) -> None:
        push = settings.push
        self.settings, self.push = settings, push
        self.channels: tuple[str, ...] = tuple(
            n for n in dict.fromkeys(push.channels) if n != "webhook" or push.webhook_url
        )
        self.costs = dict.fromkeys(self.channels, 0.0)
        self.ways = {
            name: Way(name, name in push.along) for name in sorted(self.channels, key=lambda name: self.costs[name])
        }
        said = [(push.cap_sends, f"{push.cap_days:g}"), *((most, days) for days, most in push.caps.items())]
        self.caps = "at most " + ", ".join(f"{most} in {days} days" for most, days in said)
        self.quiet: tuple[time, time] | None = None
        if push.quiet_from:
            self.quiet = clock_time(push.quiet_from), clock_time(push.quiet_to)
        self.zone = ZoneInfo(push.time_zone)
        self._bounds = {name: self._of(name, playbook) for name, playbook in settings.playbooks.items()}

    def bounds(self, playbook: str) -> Bounds:
        """Return a playbook's limits and tags."""
        return self._bounds[playbook]

    def _of(self, name: str, playbook: Playbook) -> Bounds:
        push = self.push
        caps = [Limit("capped", EVERY, _ms(push.cap_days), push.cap_sends)]
        caps += [Limit("capped", EVERY, _ms(float(days)), most) for days, most in push.caps.items()]
        if push.min_gap_hours:
            caps.append(Limit("min_gap", EVERY, round(push.min_gap_hours * HOUR), 1))
        group = f"group:{playbook.exclusive}"
        own = [Limit("exclusive", group, _ms(playbook.exclusive_days), 1)] if playbook.exclusive else []
        again = (
            [Limit("already_served", f"playbook:{name}", _ms(playbook.again_days), 1)] if playbook.again_days else []
        )
        tags = (EVERY, f"playbook:{name}", *([group] if playbook.exclusive else []))
        return Bounds((*again, *own, *caps), (*own, *caps), tags)


def _ms(days: float) -> int:
    return round(days * DAY)
