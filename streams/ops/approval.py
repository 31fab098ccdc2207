"""Approvals: what an operator says of pushes that the breaker has stopped. They may go, or they are cancelled.

His word stands on `control`, where every worker hears it; what was stopped is read from Redis, where it is counted.
"""

from __future__ import annotations

import asyncio
import difflib
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from redis.exceptions import RedisError
from rich.console import Console
from rich.table import Table

from streams.ops import NotReady
from streams.ops.control import at_control
from streams.push.breaker import HOUR, RedisBreaker, Trip
from streams.push.connection import connect
from streams.wire.control import Approval
from streams.wire.message import instant

if TYPE_CHECKING:
    from streams.settings import Settings
    from streams.worker.control import View, Writer


class Stopped(NamedTuple):
    """An hour in which a playbook was stopped, and what is to become of its pushes: waiting, approved, cancelled."""

    trip: Trip
    state: str


class NoSuchPlaybook(NotReady):
    """There is no playbook of this name."""


def approve(settings: Settings, playbook: str, now: int, hours: float) -> Approval:
    """Let go what was stopped of a playbook, and what comes for so many hours from `now` (int ms UTC).

    Raises:
        NoSuchPlaybook: the settings have none of this name.
        NotReady: the hours are none, or Kafka is not there.
    """
    if hours <= 0:
        raise NotReady(f"--for {hours:g}: is no time", "give a number of hours above 0, such as --for 12")
    return _say(settings, Approval(playbook, now, now + round(hours * HOUR)))


def refuse(settings: Settings, playbook: str, now: int) -> Approval:
    """Cancel what was stopped of a playbook up to `now` (int ms UTC); an approval that lasts ends.

    Raises:
        NoSuchPlaybook: the settings have none of this name.
        NotReady: Kafka is not there.
    """
    return _say(settings, Approval(playbook, now, now, granted=False))


def everything(settings: Settings, now: int) -> list[Stopped]:
    """Return the hours of the newest week in which playbooks were stopped, by playbook and time.

    Raises:
        NotReady: Kafka or Redis is not there.
    """

    async def ask(view: View, _: Writer) -> list[Approval]:
        return view.approvals

    approvals = at_control(settings, ask)
    return [Stopped(trip, state_of(trip, approvals, settings, now)) for trip in asyncio.run(_trips(settings, now))]


def state_of(trip: Trip, approvals: Sequence[Approval], settings: Settings, now: int) -> str:
    """Return what is to become of the pushes that were stopped in an hour."""
    until = trip.hour + HOUR + round(settings.push.approval_hours * HOUR)
    for said in approvals:
        if said.playbook == trip.playbook and trip.hour <= said.at < until:
            return f"{'approved' if said.granted else 'cancelled'} {instant(said.at)}"
    return f"waits until {instant(until)} at most" if now < until else "waited in vain"


def render(found: Sequence[Stopped]) -> None:
    """Print what was stopped to the terminal."""
    table = Table("playbook", "hour", "wanted to go", "went", "held", "what becomes of these", box=None, pad_edge=False)
    for trip, state in found:
        figures = str(trip.count), str(trip.allowed), str(trip.count - trip.allowed)
        table.add_row(trip.playbook, instant(trip.hour), *figures, state)
    Console(soft_wrap=True).print(table if found else "no playbook was stopped in the newest week")


def _say(settings: Settings, approval: Approval) -> Approval:
    if approval.playbook not in settings.playbooks:
        near = difflib.get_close_matches(approval.playbook, settings.playbooks, 1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(settings.playbooks)}"
        raise NoSuchPlaybook(f"there is no playbook {approval.playbook}", hint)

    async def write(_: View, writer: Writer) -> Approval:
        await writer.write([approval])
        return approval

    return at_control(settings, write)


async def _trips(settings: Settings, now: int) -> list[Trip]:
    try:
        async with connect(settings) as redis:
            return await RedisBreaker.open(settings, redis).tripped(settings.playbooks, now)
    except RedisError as error:
        raise NotReady(f"Redis does not answer: {error}", "ask awaken doctor") from error
