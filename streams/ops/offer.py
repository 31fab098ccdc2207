"""`awaken offer`: what an offer says and costs, whether a code is one of its own, and what may be told to others."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from streams.ops import NotReady
from streams.push import draw, voucher
from streams.push.offers import cost, grant
from streams.push.validity import obstacle
from streams.wire.message import instant

if TYPE_CHECKING:
    from streams.offer import Offer
    from streams.settings import Settings

EXAMPLE = "an example"


def preview(settings: Settings, name: str, now: int) -> list[str]:
    """Return in lines what a user would be promised at `now` (int ms UTC), until when, and what it costs at most.

    Raises:
        NotReady: there is no such offer, or it can be given no more.
    """
    offer, zone = _named(settings, name), ZoneInfo(settings.push.time_zone)
    ended = obstacle(offer, now, zone)
    granted = grant(name, offer, EXAMPLE, EXAMPLE, now, zone, EXAMPLE)  # a code that no shop takes
    if ended or granted is None:
        raise NotReady(f"{name}: {ended}", "give it a later end in the settings, or take it from its playbooks")
    dearest = max((cost(offer, prize) for prize in offer.prizes), default=granted.value)
    return [
        f"{name}: {granted.terms}",
        f"ends {instant(granted.until)}" if granted.until is not None else "never ends",
        f"costs at most {dearest:g}",
        f"a code looks like {granted.code}",
    ]


def verify(settings: Settings, name: str, code: str) -> str:
    """Say whether a code is genuine, mistyped or unknown.

    Raises:
        NotReady: there is no such offer.
    """
    _named(settings, name)
    return voucher.verify(code, voucher.key_of(name, settings.push.secret))


def key(settings: Settings, name: str) -> str:
    """Return the key by which a shop verifies codes of an offer.

    Raises:
        NotReady: there is no such offer.
    """
    _named(settings, name)
    return voucher.key_of(name, settings.push.secret)


def seed(settings: Settings, name: str) -> str:
    """Return the seed of a draw, to be published when it is over.

    Raises:
        NotReady: there is no such offer, or it is no draw.
    """
    if _named(settings, name).kind != "lucky_draw":
        raise NotReady(f"{name}: has no seed", "only an offer of kind lucky_draw has one")
    return draw.seed_of(name, settings.push.secret)


def _named(settings: Settings, name: str) -> Offer:
    if name not in settings.offers:
        raise NotReady(f"{name}: there is no such offer", f"there are {', '.join(settings.offers) or 'none'}")
    return settings.offers[name]
