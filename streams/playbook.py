"""Playbooks as the settings declare them: when we write to whom, and what; and those that are there from the start."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct, field


class Playbook(Struct, frozen=True):
    """A reason to write to a user: he came to a value of a dimension."""

    on: Annotated[
        str,
        Meta(
            pattern=r"^[a-z0-9_]+\.[a-z0-9_]+$",
            examples=["activity.dormant"],
            description="the dimension and the value to which he came",
        ),
    ] = "activity.dormant"
    when: Annotated[
        dict[str, str | tuple[str, ...]],
        Meta(
            examples=['{ rfm = ["keep", "rescue"], "attributes.region" = "Beijing" }'],
            description="only for whom all of this holds: dimension or attribute, and one word or several",
        ),
    ] = field(default_factory=dict)
    title: Annotated[str, Meta(min_length=1, max_length=200, description="the message's title, a template")] = (
        "We miss you"
    )
    body: Annotated[str, Meta(min_length=1, max_length=2000, description="the message's body, a template")] = (
        "It has been a while. See what is new in {interest|our shop}."
    )
    enabled: Annotated[bool, Meta(description="false: nobody is written to for it")] = True


SHIPPED = {
    "reactivation": Playbook(),
    "win_back": Playbook(
        on="activity.churned",
        title="Come and see",
        body="Much has changed since you were here, in {interest|our shop} too.",
    ),
    "welcome_back": Playbook(
        on="activity.returning",
        title="Good to see you again",
        body="What you liked is still here: {interest|have a look}.",
    ),
    "second_order": Playbook(
        on="customer.new_customer",
        title="Thank you for your order",
        body="There is more of the kind in {interest|our shop}.",
    ),
    "points_to_use": Playbook(
        on="points.worth_using",
        title="Your points are waiting",
        body="You have {points|enough}: see what for.",
    ),
    "renewal": Playbook(
        on="membership.renewal_due",
        title="Your membership ends soon",
        body="Renew it, and keep what it gives you.",
    ),
    "weakening": Playbook(
        on="attention.weakening",
        title="What are you up to?",
        body="It has become quiet without you in {interest|our club}.",
    ),
}
EXAMPLE = """\
[playbooks.beijing]
on = "activity.dormant"
when = { "attributes.region" = "Beijing", rfm = ["keep", "rescue"] }
title = "Something new near you"
body = "See what {interest|our shop} has for you.\""""


def as_toml(name: str) -> str:
    """Return one of those that are there from the start as it would stand in a settings file."""
    playbook = SHIPPED[name]
    return f'[playbooks.{name}]\non = "{playbook.on}"\ntitle = "{playbook.title}"\nbody = "{playbook.body}"\n'
