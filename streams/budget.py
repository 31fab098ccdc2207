"""Budgets as the settings declare them: what pushes and their offers may cost."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

Each = Literal["day", "week", "month", "ever"]


class Budget(Struct, frozen=True):
    """What may be spent: on sending, and on offers as if every one of them were used."""

    amount: Annotated[float, Meta(ge=0, le=1e12, description="in units of the currency; 0 allows nothing")] = 0
    each: Annotated[Each, Meta(description="for how long; it begins anew with each, in push.time_zone")] = "month"
    per_user: Annotated[
        float, Meta(ge=0, le=1e9, description="at most so much for one user in it; 0 for no such limit")
    ] = 0


EXAMPLE = """\
[budgets.spring]
amount = 5000
each = "month\""""
