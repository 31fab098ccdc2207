"""What the options of every channel have in common: what a send costs, how many a user may have, how patient we are."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

URL = r"^(https?://([^\s/?#@]+@)?(\[[0-9A-Fa-f:.]+\]|[^\s/?#@:\[\]]+)(:\d{1,5})?([/?#]\S*)?)?$"
"""An address to post to, or nothing."""
Secret = Annotated[str, Meta(max_length=4000)]


class Terms(Struct, frozen=True, kw_only=True):
    """What a channel costs, and how often it may be used."""

    cost: Annotated[float, Meta(ge=0, le=1000, description="of one send, in units of the currency")] = 0
    cap_sends: Annotated[
        int, Meta(ge=0, le=1000, description="at most so many a user on this channel …; 0: no cap of its own")
    ] = 0
    cap_days: Annotated[float, Meta(gt=0, le=365, description="… in any rolling window of this many days")] = 30


class Line(Terms, frozen=True, kw_only=True):
    """The same of a channel that leads out of our house, and how long we try on it."""

    timeout_seconds: Annotated[float, Meta(gt=0, le=120, description="how long one attempt may take")] = 5
    attempts: Annotated[int, Meta(ge=1, le=20, description="how often to try before it has failed")] = 4
    per_second: Annotated[
        float, Meta(ge=0, le=100_000, description="at most so many attempts a second and worker; 0 for no limit")
    ] = 0
