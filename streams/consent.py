"""Consent: where, and about what, a user may be written to. His newest profile says so, and he himself.

What he says back of a push (`Feedback`) is kept beside his profile, each word with its time, and outlives every newer
profile. Of a channel the latest word counts: the profile's consent (of its `at`), what he said of this channel, what he
said of all channels (`*`); at equal times the one that says no. A kind of message goes out on a channel that is
allowed, unless the latest word on that kind there (`channel/kind`, `*/kind`) says no: profiles do not speak of kinds,
so only he himself takes such a no back. None of this depends on the order in which profiles and feedback come.

What is kept of a user is bytes:

    {…}                     his profile's record, as it came; he has said nothing
    [{said, bounced}, {…}]  what he said, then the record; `at` is 0 where none has come

A record is an object, never a list: whatever fields a producer writes into it, he cannot put words into a user's mouth.
"""

from __future__ import annotations

import msgspec
from msgspec import Struct, field

from streams.wire.event import Feedback, Profile, instant_ms
from streams.wire.message import MessageKind

OBJECTIONS = ("complained", "unsubscribed")
EVERYWHERE = "*"
LIST = b"["


class Said(Struct, array_like=True, frozen=True):
    """A word of his: when (int ms UTC), and whether it was yes."""

    at: int
    yes: bool


class Heard(Struct, frozen=True, omit_defaults=True):
    """All that he has said. `said`: by channel or `*`, alone or with `/kind`; `bounced`: channel → when, int ms UTC."""

    said: dict[str, Said] = {}
    bounced: dict[str, int] = {}


class Known(Profile, frozen=True):
    """A profile, and what its user has said himself.

    It is told by its type alone: `isinstance` of a struct that is none takes ten times as long, and every push asks.
    """

    said: dict[str, Said] = field(default_factory=dict)
    bounced: dict[str, int] = field(default_factory=dict)


NOTHING = Heard()
_read_profile = msgspec.json.Decoder(Profile).decode
_read_pair = msgspec.json.Decoder(tuple[Heard, Profile]).decode
_split_pair = msgspec.json.Decoder(tuple[Heard, msgspec.Raw]).decode
_encode = msgspec.json.Encoder().encode


def read(kept: bytes) -> Profile:
    """Return what is kept of a user as his profile: `Known`, where he has said anything himself."""
    if not kept.startswith(LIST):
        return _read_profile(kept)
    heard, profile = _read_pair(kept)
    return Known(**msgspec.structs.asdict(profile), said=heard.said, bounced=heard.bounced)


def renewed(kept: bytes | None, record: bytes) -> bytes:
    """Return what is to be kept when a newer record of his profile comes: what he said stays."""
    if kept is None or not kept.startswith(LIST):
        return record
    return _encode((_split_pair(kept)[0], msgspec.Raw(record)))


def spoken(kept: bytes | None, feedback: Feedback) -> bytes:
    """Return what is to be kept when he says something, or a message to him bounces.

    Of a bounce that names no channel nobody can say which address it was: nothing follows from it.
    """
    heard, record = _split(kept, feedback.user)
    at, said, bounced = instant_ms(feedback.at), dict(heard.said), dict(heard.bounced)
    if feedback.kind != "bounced":
        topic = _topic(feedback)
        word = Said(at, feedback.kind == "subscribed")
        said[topic] = max(word, said.get(topic, word), key=_weight)
    elif feedback.channel is not None:
        bounced[feedback.channel] = max(at, bounced.get(feedback.channel, at))
    return _encode((Heard(said, bounced), record))


def allowed(profile: Profile, kind: MessageKind | None = None) -> dict[str, bool]:
    """Return what the user consents to, channel by channel; given a kind of message, for messages of that kind.

    A channel that neither the profile nor he himself names is left out: it is not allowed. Of merged accounts the most
    restrictive consent wins.
    """
    said = profile.said if type(profile) is Known else {}
    if not said:
        return _consents(profile)
    words = {channel: Said(instant_ms(profile.at), yes) for channel, yes in _consents(profile).items()}
    channels = [*words, *(topic for topic in said if topic != EVERYWHERE and "/" not in topic and topic not in words)]
    return {
        channel: _yes(words.get(channel), said.get(channel), said.get(EVERYWHERE))
        and (kind is None or _yes(said.get(f"{channel}/{kind}"), said.get(f"{EVERYWHERE}/{kind}")))
        for channel in channels
    }


def refuses(profile: Profile, kind: MessageKind) -> bool:
    """Say whether he wants no message of a kind, on whichever channel; on one of them he may all the same."""
    word = profile.said.get(f"{EVERYWHERE}/{kind}") if isinstance(profile, Known) else None
    return not _yes(word)


def usable(profile: Profile, channel: str) -> bool:
    """Say whether his address on a channel is of use: nothing sent to it has bounced since his profile."""
    bounced = profile.bounced.get(channel) if type(profile) is Known else None
    return bounced is None or instant_ms(profile.at) > bounced


def _split(kept: bytes | None, user: str) -> tuple[Heard, msgspec.Raw]:
    """Return what he has said so far, and the record of his profile; one that says nothing where none has come."""
    if kept is None:
        return NOTHING, msgspec.Raw(_encode({"user": user, "at": 0}))
    return _split_pair(kept) if kept.startswith(LIST) else (NOTHING, msgspec.Raw(kept))


def _topic(feedback: Feedback) -> str:
    """Return of what his word is; a complaint is never of one kind of message only."""
    channel = feedback.channel or EVERYWHERE
    return f"{channel}/{feedback.about}" if feedback.about and feedback.kind != "complained" else channel


def _consents(profile: Profile) -> dict[str, bool]:
    if not profile.merged:
        return profile.consent
    return {
        channel: yes and all(other.consent.get(channel, False) for other in profile.merged)
        for channel, yes in profile.consent.items()
    }


def _yes(*words: Said | None) -> bool:
    """Say whether the word that counts says yes; so does silence."""
    word = max(filter(None, words), key=_weight, default=None)
    return word is None or word.yes


def _weight(word: Said) -> tuple[int, bool]:
    """Return by what the word that counts is found: the latest, and of the latest a no."""
    return word.at, not word.yes
