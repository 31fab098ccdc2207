"""Playbooks as the settings declare them: when we write to whom, and what; and those that are there from the start."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct, field

from streams import template
from streams.offer import Offer, known
from streams.wire.message import MessageKind, Text

Words = Annotated[str, Meta(max_length=2000)]
Timing = Literal["at_once", "best_hour"]
ALL = "all"
"""Stands for all playbooks together, so that none may be called so."""


class Step(Struct, frozen=True, forbid_unknown_fields=True):
    """A later message of a playbook, for whom the ones before have not moved."""

    after_days: Annotated[float, Meta(gt=0, le=365)]
    title: Annotated[str, Meta(min_length=1, max_length=200)]
    body: Annotated[str, Meta(min_length=1, max_length=2000)]
    kind: MessageKind = "content"
    texts: dict[str, Text] = {}
    link: Words = ""
    picture: Words = ""
    offer: str = ""
    budget: str = ""
    channels: tuple[str, ...] = ()


class Playbook(Struct, frozen=True):
    """A reason to write to a user: he came to a value of a dimension, or a day of his or everybody's is near."""

    on: Annotated[
        str,
        Meta(
            pattern=r"^[a-z0-9_]+\.[a-z0-9_]+$",
            examples=["activity.dormant"],
            description="the dimension and the value to which he came; calendar.birthday, calendar.NAME of a festival",
        ),
    ] = "activity.dormant"
    when: Annotated[
        dict[str, str | tuple[str, ...]],
        Meta(
            examples=['{ rfm = ["keep", "rescue"], "attributes.region" = "Beijing" }'],
            description="only for whom all of this holds: dimension, attribute, contacts.CHANNEL (known or unknown) or "
            "time_zone, and one word or several",
        ),
    ] = field(default_factory=dict)
    after_days: Annotated[
        float, Meta(ge=0, le=365, description="so long after he came there, if he still is; 0 for at once")
    ] = 0
    kind: Annotated[MessageKind, Meta(description="what sort of message; a user may want no more of one sort")] = (
        "content"
    )
    title: Annotated[str, Meta(min_length=1, max_length=200, description="the message's title, a template")] = (
        "We miss you"
    )
    body: Annotated[str, Meta(min_length=1, max_length=2000, description="the message's body, a template")] = (
        "It has been a while. See what is new in {interest|our shop}."
    )
    texts: Annotated[
        dict[str, Text],
        Meta(
            examples=['{ sms = { body = "Something new in {interest|our shop}" } }'],
            description="other words for a channel; what is not named is as above",
        ),
    ] = field(default_factory=dict)
    link: Annotated[
        Words,
        Meta(
            examples=["https://shop.example/new"],
            description="where a tap leads, a template; the decision's id is added as ?awaken=",
        ),
    ] = ""
    picture: Annotated[
        Words, Meta(examples=["{picture|}"], description="address of an image, a template; {picture|} is his item's")
    ] = ""
    offer: Annotated[str, Meta(examples=["come_back"], description="the offer that it brings, of [offers.NAME]")] = ""
    channels: Annotated[
        tuple[str, ...], Meta(examples=['["email", "sms"]'], description="where it may go; empty for everywhere")
    ] = ()
    steps: Annotated[
        tuple[Step, ...],
        Meta(
            examples=['[[playbooks.NAME.steps]] with after_days = 7, title = "…", body = "…", kind = "offer"'],
            description="what follows, days after, as long as he has not moved; by default one message is all",
        ),
    ] = ()
    timing: Annotated[Timing, Meta(description="at once, or in the hours of the day in which he is usually here")] = (
        "at_once"
    )
    priority: Annotated[int, Meta(ge=0, le=100, description="of two at the same time, the higher is asked first")] = 50
    exclusive: Annotated[
        str,
        Meta(
            pattern=r"^[a-z0-9_]{0,40}$",
            examples=["coming_back"],
            description="one at a time: of playbooks with the same word here a user is in one only",
        ),
    ] = ""
    exclusive_days: Annotated[float, Meta(ge=0, le=365, description="… for so long after its newest message")] = 14
    again_days: Annotated[
        float, Meta(ge=0, le=3650, description="not a second time within so long; 0 for once for each time he comes")
    ] = 0
    lead_days: Annotated[int, Meta(ge=0, le=60, description="so long before the day, of calendar.…")] = 0
    holdout: Annotated[
        float, Meta(ge=0, le=1, description="share of users who do not get this one, to compare with; beside the rest")
    ] = 0
    budget: Annotated[
        str, Meta(examples=["spring"], description="what it may cost, of [budgets.NAME]; a step may name its own")
    ] = ""
    enabled: Annotated[bool, Meta(description="false: nobody is written to for it")] = True

    def message(self, step: int) -> Playbook | Step:
        """Return the `step`-th message, counted from 1: the playbook's own, or one of those that follow it."""
        return self if step == 1 else self.steps[step - 2]

    def budget_of(self, step: int) -> str:
        """Return the budget that the `step`-th message charges, empty for none: its own, or the playbook's."""
        return self.message(step).budget or self.budget


def check(
    name: str,
    playbook: Playbook,
    dimensions: Collection[str],
    channels: Collection[str],
    budgets: Collection[str],
    offers: dict[str, Offer],
) -> None:
    """Refuse a playbook of which a message could not be written or sent, or that names what there is not.

    `dimensions`, `channels`, `budgets` and `offers` are those that there are.

    Raises:
        ValueError: its text names the key, the value and what is allowed.
    """
    place = f"playbooks.{name}"
    if name == ALL:
        raise ValueError(f"{place}: this name stands for all playbooks together; choose another")
    _check_named(f"{place}.budget", playbook.budget, budgets)
    _check_message(place, playbook, dimensions, channels, offers)
    before = playbook.after_days
    for number, step in enumerate(playbook.steps):
        here = f"{place}.steps[{number}]"
        if step.after_days <= before:
            raise ValueError(f"{here}.after_days = {step.after_days:g}: must be above {before:g}, which is before it")
        _check_named(f"{here}.budget", step.budget, budgets)
        _check_message(here, step, dimensions, channels, offers)
        before = step.after_days


def _check_message(
    place: str,
    message: Playbook | Step,
    dimensions: Collection[str],
    channels: Collection[str],
    offers: dict[str, Offer],
) -> None:
    for channel in message.channels:
        _check_named(f"{place}.channels", channel, channels)
    for channel in message.texts:
        _check_named(f"{place}.texts", channel, channels)
    _check_named(f"{place}.offer", message.offer, (*offers, *SHIPPED_OFFERS))
    if message.offer and message.kind != "offer":
        raise ValueError(f"{place}.kind = {message.kind!r}: with an offer it must be 'offer', which a user may refuse")
    always = known(offers.get(message.offer, SHIPPED_OFFERS.get(message.offer, Offer()))) if message.offer else ()
    for key, text in _texts(message):
        try:
            template.check(text, dimensions, always)
        except ValueError as error:
            raise ValueError(f"{place}.{key} = {text!r}: {error}") from error


def _check_named(place: str, name: str, there: Collection[str]) -> None:
    if name and name not in there:
        raise ValueError(f"{place} = {name!r}: there is none such; there are {', '.join(there) or 'none'}")


def _texts(message: Playbook | Step) -> Iterator[tuple[str, str]]:
    """Yield all templates of a message, each with its key."""
    for key in ("title", "body", "link", "picture"):
        yield key, getattr(message, key)
    for channel, text in message.texts.items():
        yield f"texts.{channel}.title", text.title
        yield f"texts.{channel}.body", text.body


SHIPPED_TOML = Path(__file__).with_name("playbooks.toml").read_text("utf-8")
SHIPPED = msgspec.convert(tomllib.loads(SHIPPED_TOML)["playbooks"], dict[str, Playbook])
"""Those that are there from the start."""
SHIPPED_OFFERS = {
    offer: Offer()
    for playbook in SHIPPED.values()
    for step in range(1, len(playbook.steps) + 2)
    if (offer := playbook.message(step).offer)
}
"""Offers that they wait for: named, though nobody need declare them."""
EXAMPLE = """\
[playbooks.beijing]
on = "activity.dormant"
when = { "attributes.region" = "Beijing", rfm = ["keep", "rescue"] }
title = "Something new near you"
body = "See what {interest|our shop} has for you.\""""
