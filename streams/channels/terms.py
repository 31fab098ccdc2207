"""What the options of every channel have in common: what a send costs, how many a user may have, how patient we are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

from msgspec import Meta, Struct

if TYPE_CHECKING:
    from . import Message

URL = r"^(https?://([^\s/?#@]+@)?(\[[0-9A-Fa-f:.]+\]|[^\s/?#@:\[\]]+)(:\d{1,5})?([/?#]\S*)?)?$"
"""An address to post to, or nothing."""
SHOWN = ("title", "body", "link", "picture")
Secret = Annotated[str, Meta(max_length=4000)]


class Terms(Struct, frozen=True, kw_only=True):
    """What a channel costs, and how often it may be used. `NEEDS` are the settings without which it is not ready."""

    NEEDS: ClassVar[tuple[str, ...]] = ()
    """Each by name; of those with "or" between them one is enough."""

    cost: Annotated[float, Meta(ge=0, le=1000, description="of one send, in units of the currency")] = 0
    cap_sends: Annotated[
        int, Meta(ge=0, le=1000, description="at most so many a user on this channel …; 0: no cap of its own")
    ] = 0
    cap_days: Annotated[float, Meta(gt=0, le=365, description="… in any rolling window of this many days")] = 30

    @property
    def lacks(self) -> tuple[str, ...]:
        """What must still be set before anything can be sent."""
        return tuple(need for need in self.NEEDS if not any(getattr(self, name) for name in need.split(" or ")))

    @property
    def ready(self) -> bool:
        """Whether enough is set to send."""
        return not self.lacks

    def shown(self, message: Message) -> dict[str, str]:
        """Return what a user sees of a message, part by part: what is empty is left out, what is too long is cut."""
        return {name: text for name in SHOWN if (text := getattr(message, name))}


class Line(Terms, frozen=True, kw_only=True):
    """The same of a channel that leads out of our house, and how long we try on it."""

    timeout_seconds: Annotated[float, Meta(gt=0, le=120, description="how long one attempt may take")] = 5
    attempts: Annotated[int, Meta(ge=1, le=20, description="how often to try before it has failed")] = 4
    per_second: Annotated[
        float, Meta(ge=0, le=100_000, description="at most so many attempts a second and worker; 0 for no limit")
    ] = 0
