"""The output messages: declared once here, written as structured CloudEvents 1.0 (JSON).

`encode` wraps a payload in the envelope; `Envelope[T]` is the same as a type, for subscribers in Python and for
the schemas. `id` is deterministic, so a subscriber may deduplicate by it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import Generic, Literal, TypeVar

import msgspec
from msgspec import Struct

T = TypeVar("T")
Cause = Literal["event", "time", "threshold", "correction"]
MessageKind = Literal["content", "service", "offer"]
"""What sort of message: something to read, something of use to him, something that costs us."""


class Transition(Struct, frozen=True, rename={"from_": "from"}):
    """A user's change from one value of a dimension to another. `seq` counts a user's transitions from 1."""

    dimension: str
    from_: str
    to: str
    cause: Cause
    seq: int
    at: int
    rules: str
    historic: bool
    evidence: dict[str, int | float | str | None]


class Verdict(Struct, frozen=True, omit_defaults=True):
    """What one rule of the policy chain said; `detail` is left out where there is none."""

    rule: str
    passed: bool
    detail: str = ""


class Text(Struct, frozen=True):
    """A message in words: of a playbook a template, of a decision what was made of it."""

    title: str = ""
    body: str = ""


class Grant(Struct, frozen=True):
    """What a push offers its user: the offer's name and kind, a code of his own, and what it says.

    `value` is what it costs us when it is used, in units of the currency; `until` when it ends, int ms UTC, None for
    never. Of a draw, `prize` is what was won, and `commitment` the SHA-256 of the seed from which that follows.
    """

    offer: str
    kind: str
    code: str
    value: float
    terms: str
    until: int | None = None
    prize: str = ""
    commitment: str = ""


class Decision(Struct, frozen=True):
    """What was decided about one candidate push, and why. Times are int ms UTC; channels are in order of sending.

    `until` is when a push that is held goes out. One that is withheld from the holdout group names its channels as if
    it were sent. `fallbacks` are tried in turn where a channel fails. The message is told as it was when this was
    decided: `title` and `body`, and in `texts` the channels that have words of their own. `step` counts a playbook's
    messages from 1; `kind` is what sort of message it is. `cost` is what its sending costs at most, in units of the
    currency, and `arm` the group to which its user belongs by chance: `treated`, or `holdout`, who gets nothing.
    `since` is when he came to where the playbook found him.
    """

    id: str
    user: str
    at: int
    playbook: str
    transition: str
    action: Literal["send", "hold", "suppress"]
    reason: str
    channels: tuple[str, ...]
    trace: tuple[Verdict, ...]
    until: int | None = None
    title: str = ""
    body: str = ""
    step: int = 1
    kind: MessageKind = "content"
    texts: dict[str, Text] = {}
    link: str = ""
    picture: str = ""
    offer: Grant | None = None
    fallbacks: tuple[str, ...] = ()
    cost: float = 0
    arm: Literal["treated", "holdout"] = "treated"
    since: int = 0


class Outcome(Struct, frozen=True):
    """What became of the delivery of one decision on one channel. `at` is int ms UTC by the deliverer's clock."""

    decision: str
    user: str
    at: int
    channel: str
    outcome: Literal["delivered", "failed", "uncertain", "cancelled"]
    attempts: int
    detail: str = ""


class Envelope(Struct, Generic[T], frozen=True):
    """A CloudEvent in structured JSON; `time` is the payload's `at`, RFC 3339."""

    id: str
    source: str
    type: str
    subject: str
    time: str
    data: T
    specversion: Literal["1.0"] = "1.0"
    datacontenttype: Literal["application/json"] = "application/json"


class _Event(Struct):
    """A CloudEvent in the order in which it is written."""

    specversion: str
    id: str
    source: str
    type: str
    subject: str
    time: str
    datacontenttype: str
    data: object


THOUSANDTHS = tuple(f".{ms:03d}Z" for ms in range(1000))
_encode = msgspec.json.Encoder().encode


def encode(payload: Transition | Decision | Outcome, source: str) -> bytes:
    """Return the payload as the bytes of a CloudEvent."""
    return envelope(*_head(payload), payload.at, source, payload)


def envelope(ident: str, kind: str, user: str, at: int, source: str, data: object) -> bytes:
    """Return the bytes of a CloudEvent around `data`, which msgspec can write; `at` is int ms UTC."""
    return _encode(_Event("1.0", ident, source, kind, user, instant(at), "application/json", data))


def instant(at: int) -> str:
    """Return int ms UTC as RFC 3339 text with milliseconds."""
    return _to_the_second(at // 1000) + THOUSANDTHS[at % 1000]


@lru_cache(maxsize=4096)
def _to_the_second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def seq_of(transition: str) -> int:
    """Return the sequence number that a transition's id holds."""
    return int(transition.rsplit("-", 2)[1])


def playbook_of(decision: str) -> str:
    """Return the playbook that a decision's id names, whichever of its messages it is: `NAME:…` or `NAME/2:…`."""
    return decision.partition(":")[0].partition("/")[0]


def _head(payload: Transition | Decision | Outcome) -> tuple[str, str, str]:
    if isinstance(payload, Decision):
        return payload.id, f"awaken.push.{payload.action}", payload.user
    if isinstance(payload, Outcome):
        return f"{payload.decision}/{payload.channel}", f"awaken.push.{payload.outcome}", payload.user
    raise TypeError(f"{type(payload).__name__} is written by its own module")


read_transition = msgspec.json.Decoder(Envelope[Transition]).decode
read_decision = msgspec.json.Decoder(Envelope[Decision]).decode
read_outcome = msgspec.json.Decoder(Envelope[Outcome]).decode
