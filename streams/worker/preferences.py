"""The preference page: /preferences/{token}, by which a user says, without a log-in, what he wants to get.

    GET   shows what he gets, and changes nothing: mail scanners follow links
    POST  a change, {"channel"?, "about"?, "subscribed"}, as JSON or from the form; or a mail program's one click
          (RFC 8058), which unsubscribes what the token names

A change goes to `push-feedback`, as what comes back of any push does, and the answer says so once all replicas have it:
it counts as soon as the owner of his partition has folded it. Any worker answers; one that does not hold him shows the
page without its present values.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import msgspec
import orjson
from aiohttp import web
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from faust.web.views import View
from msgspec import Struct

from streams import consent, preference
from streams.preference import PATH, Forged, Mandate
from streams.push.charter import ready
from streams.settings import Settings
from streams.wire.event import ChannelName, Feedback, Profile
from streams.wire.message import MessageKind
from streams.wire.partitioner import home
from streams.worker import form
from streams.worker.app import Awaken
from streams.worker.health import unready
from streams.worker.partition import Partition, wall_clock

PUBLISH_SECONDS = 10.0
ONE_CLICK = ("List-Unsubscribe", "One-Click")
TITLE = "What you get from us"
INVITATION = "Turn on or off what you like. A change counts at once; no log-in is needed."
BLIND = "What you get now cannot be shown here at the moment. What you choose counts all the same, and at once."
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
Publish = Callable[[Feedback, Sequence[int]], Awaitable[None]]
log = logging.getLogger(__name__)


class Held(Protocol):
    """What must be known of a worker to answer for its users."""

    settings: Settings
    working: bool
    waiting_since: float

    @property
    def should_stop(self) -> bool:
        """Whether it is ending."""

    @property
    def partitions(self) -> Mapping[int, Partition]:
        """What it holds."""


class Change(Struct, frozen=True, forbid_unknown_fields=True):
    """What he wants changed; of every channel where none is named, of every kind of message where none is."""

    subscribed: bool
    channel: ChannelName | None = None
    about: MessageKind | None = None


class Answer(NamedTuple):
    """What is said: an HTTP status; a text, and below it what can be switched; the same for a program."""

    status: int
    text: str
    told: dict[str, Any]
    shown: Sequence[form.Section] = ()


class Unpublished(Exception):
    """The brokers have not acknowledged what a user said."""


class Publisher:
    """Writes what users say to `push-feedback`. It connects when the first of them speaks."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._producer: AIOKafkaProducer | None = None
        self._opening = asyncio.Lock()

    async def publish(self, feedback: Feedback, partitions: Sequence[int]) -> None:
        """Write feedback to partitions, and wait until all replicas have it.

        Raises:
            Unpublished: the brokers did not say so in time; it may be there or not.
        """
        key, value, topic = feedback.user.encode(), msgspec.json.encode(feedback), self._settings.topics.push_feedback
        try:
            async with asyncio.timeout(PUBLISH_SECONDS):
                producer = await self._connected()
                for number in partitions:
                    await producer.send_and_wait(topic, value, key=key, partition=number)
        except (KafkaError, TimeoutError) as error:
            raise Unpublished(repr(error)) from error

    async def close(self) -> None:
        """Let go of the connection; what is not acknowledged is not waited for."""
        if self._producer is not None:
            await self._producer.stop()

    async def _connected(self) -> AIOKafkaProducer:
        async with self._opening:
            if self._producer is None:
                producer = AIOKafkaProducer(bootstrap_servers=self._settings.kafka.split(","), acks="all")
                try:
                    await producer.start()
                except BaseException:
                    await producer.stop()
                    raise
                self._producer = producer
        return self._producer


def add(app: Awaken) -> None:
    """Add the page to Faust's web server."""
    publisher = Publisher(app.settings)

    async def close(_app: Awaken, **_: object) -> None:
        await publisher.close()

    class Preferences(View):
        """The page as Faust routes it."""

        async def get(self, request: Any, token: str) -> web.Response:
            """Show what he gets."""
            return _respond(show(app, token), as_json=_asks_json(request))

        async def post(self, request: Any, token: str) -> web.Response:
            """Change what he gets."""
            said = await request.read() if _is_json(request) else dict(await request.post())
            return _respond(await change(app, token, said, publisher.publish), as_json=_is_json(request))

    app.page(PATH + "{token}")(Preferences)
    app.on_before_shutdown.connect(close, weak=False)


def show(app: Held, token: str) -> Answer:
    """Tell what the token's user gets, as far as it is known here; 404 where the token is none of ours."""
    try:
        mandate = preference.read(app.settings.push.secret, token)
    except Forged as error:
        return _refused(error)
    known = _known(app, mandate.user)
    return Answer(
        200,
        INVITATION if known else BLIND,
        _values(app, mandate, known),
        form.sections(mandate, _channels(app, mandate), known),
    )


async def change(app: Held, token: str, said: bytes | Mapping[str, object], publish: Publish) -> Answer:
    """Publish what the token's user wants changed, and tell what he gets then.

    `said` is JSON, or a form's fields. 404 where the token is none of ours, 400 for what cannot be asked, 503 where the
    brokers did not acknowledge it.
    """
    try:
        mandate = preference.read(app.settings.push.secret, token)
        wanted = _wanted(said, mandate, _channels(app, mandate))
    except Forged as error:
        return _refused(error)
    except ValueError as error:
        return Answer(400, f"This cannot be changed: {error}.", {"error": str(error)})
    feedback = Feedback(
        mandate.user,
        wall_clock(),
        mandate.decision,
        "subscribed" if wanted.subscribed else "unsubscribed",
        wanted.channel,
        wanted.about,
    )
    try:
        await publish(feedback, _places(app, mandate.user))
    except Unpublished as error:
        log.warning("what a user said could not be published: %s", error)
        return Answer(503, "This could not be saved just now. Please try again in a minute.", {"error": "try again"})
    known = _known(app, mandate.user, feedback)
    text = f"Done. {form.name_of(wanted.channel, wanted.about)}: {'on' if wanted.subscribed else 'off'} from now on."
    told = {"done": msgspec.to_builtins(wanted)} | _values(app, mandate, known)
    return Answer(200, text, told, form.sections(mandate, _channels(app, mandate), known))


def _wanted(said: bytes | Mapping[str, object], mandate: Mandate, channels: Sequence[str]) -> Change:
    """Return the change that was asked for.

    Raises:
        ValueError: it cannot be asked for.
    """
    if isinstance(said, bytes):
        wanted = msgspec.json.decode(said, type=Change)
    elif said.get(ONE_CLICK[0]) == ONE_CLICK[1]:
        wanted = Change(subscribed=False, channel=mandate.channel, about=mandate.kind)
    else:
        wanted = msgspec.convert({name: word for name, word in said.items() if word != ""}, Change, strict=False)
    if wanted.channel is not None and wanted.channel not in channels:
        raise ValueError(f"channel = {wanted.channel!r}: must be one of {', '.join(channels)}")
    return wanted


def _channels(app: Held, mandate: Mandate) -> Sequence[str]:
    """Return the channels that can be switched: those in use, and the one that the message came by."""
    return tuple(dict.fromkeys((*ready(app.settings), mandate.channel)))


def _known(app: Held, user: str, feedback: Feedback | None = None) -> Profile | None:
    """Return what is known here of a user, and of what he has just said; None while he may be held elsewhere."""
    if unready(app):
        return None
    homes = _homes(app, user)
    kept = [p.shard.profile(user.encode()) for p in app.partitions.values() if p.number in homes]
    found = next(filter(None, kept), None)
    if found is None:
        return None
    return consent.read(consent.spoken(found, feedback) if feedback else found)


def _homes(app: Held, user: str) -> Sequence[int]:
    """Return the partitions in which a user may stand."""
    if app.settings.partitioner == "murmur2":
        return (home(user.encode(), app.settings.partitions),)
    return range(app.settings.partitions)


def _places(app: Held, user: str) -> Sequence[int]:
    """Return where what he says is to be written.

    With producers that place keys in their own way nobody knows where a user stands whom this worker does not hold:
    then it is written to every partition, since a word that is not heard would be worse than one that is heard twice.
    """
    found = [p.number for p in app.partitions.values() if p.shard.number(user.encode()) is not None]
    return found[:1] if found and app.settings.partitioner == "any" else _homes(app, user)


def _values(app: Held, mandate: Mandate, known: Profile | None) -> dict[str, Any]:
    """Return what he gets by channel and by kind of message; null where nobody knows here."""
    if known is None:
        return {"channels": None, "kinds": None}
    yes = consent.allowed(known)
    return {
        "channels": {name: yes.get(name, False) for name in _channels(app, mandate)},
        "kinds": {kind: not consent.refuses(known, kind) for kind in form.KINDS},
    }


def _refused(error: Forged) -> Answer:
    text = "This link does not work. Please open the one in your newest message from us."
    return Answer(404, text, {"error": f"the token cannot be used: {error}"})


def _is_json(request: Any) -> bool:
    return bool(request.content_type == "application/json")


def _asks_json(request: Any) -> bool:
    return "application/json" in request.headers.get("Accept", "")


def _respond(answer: Answer, *, as_json: bool) -> web.Response:
    if as_json:
        body, kind = orjson.dumps(answer.told), "application/json"
    else:
        body, kind = form.page(TITLE, answer.text, answer.shown).encode(), "text/html"
    charset = None if as_json else "utf-8"
    return web.Response(body=body, status=answer.status, content_type=kind, charset=charset, headers=HEADERS)
