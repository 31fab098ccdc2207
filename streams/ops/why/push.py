"""A decision in a person's words: whether it was sent, why or why not, what became of it, and what was asked."""

from __future__ import annotations

from streams.ops.why.decided import Push
from streams.ops.why.wording import listed, named, plural
from streams.portrait import moment
from streams.push.journal import End
from streams.push.reason import whole


def line(push: Push) -> str:
    """Return a decision in a line, such as `sent "We miss you" by inbox; inbox: delivered; opened 2017-01-15 18:02`."""
    parts = [verdict(push)]
    parts += [f"{channel}: {ended(end)}" for channel, end in sorted(push.outcomes.items())]
    parts += [f"{reply.kind} {moment(reply.at)}" for reply in push.replies if reply.kind != "delivered"]
    return "; ".join(parts)


def verdict(push: Push) -> str:
    """Return what was decided, and why if it was not simply sent."""
    way = f'"{push.title}" by {listed(list(push.channels), "nothing")}' if push.channels else ""
    if push.action == "send":
        return f"sent {way}"
    if push.action == "hold":
        until = f" until {moment(push.until)}" if push.until is not None else ""
        return f"held{until}, {way}: {whole(push.reason)}"
    return f"not sent: {whole(push.reason)}"


def ended(end: End) -> str:
    """Return what became of a delivery."""
    tries = f" after {plural(end.attempts, 'attempt')}" if end.attempts > 1 else ""
    return end.outcome + tries + (f", {end.detail}" if end.detail else "")


def trace(push: Push) -> str:
    """Return what was asked, rule by rule, up to the one that said no."""
    asked = [
        f"{named(one.rule)} ✓" if one.passed else f"{named(one.rule)} ✗ {one.detail}".rstrip() for one in push.trace
    ]
    return f"asked in turn: {', '.join(asked)}" if asked else ""
