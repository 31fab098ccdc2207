"""What was decided about a user and what became of it: asked of a worker, or read from the topics.

What came back of a push (opened, clicked …) stands on the topic of feedback alone, and is read from there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

import msgspec
from msgspec import Struct

from streams.ops import NotReady
from streams.ops.page import OK, Silent, escaped, get
from streams.ops.why import told
from streams.push.journal import Told, join
from streams.settings import Settings
from streams.wire.event import Feedback, instant_ms
from streams.wire.message import read_decision, read_outcome

_read_feedback = msgspec.json.Decoder(Feedback).decode


class Reply(Struct, frozen=True):
    """What came back of a push; `at` is int ms UTC."""

    kind: str
    at: int
    channel: str | None = None


class Push(Told, frozen=True, kw_only=True):
    """A decision with what became of it, and what came back of it, in order of time."""

    replies: tuple[Reply, ...] = ()


def from_worker(settings: Settings, user: str, partition: int, urls: Sequence[str]) -> list[Push]:
    """Return what the worker that holds the user tells, the newest first.

    Raises:
        NotReady: no worker that was asked can tell, or Kafka does not let the feedback be read.
    """
    decided = _ask(urls, user)
    if not any(one.outcomes for one in decided):
        return _with_replies(decided, ())
    from_ms = min(one.at for one in decided)
    topic = settings.topics.push_feedback
    return _with_replies(decided, told.read(settings, [topic], partition, user, from_ms).get(topic, ()))


def from_topics(settings: Settings, user: str, partition: int) -> list[Push]:
    """Return what the topics tell, as far back as they reach, the newest first.

    Raises:
        NotReady: Kafka does not let them be read.
    """
    names = settings.topics
    topics = names.push_decisions, names.push_outcomes, names.push_feedback
    found = told.read(settings, topics, partition, user)
    decisions, outcomes, feedback = (found.get(topic, []) for topic in topics)
    decided = join((read_decision(value).data for value in decisions), (read_outcome(value).data for value in outcomes))
    return _with_replies(decided, feedback)


def _ask(urls: Sequence[str], user: str) -> list[Told]:
    said: list[str] = []
    for url in urls:
        try:
            page = get(url, f"/users/{escaped(user)}/decisions", expected=list)
        except Silent as error:
            said.append(error.detail)
            continue
        if page.status == OK:
            return msgspec.convert(page.body, list[Told])
        said.append(f"{page.url}: {page.body['error']}")
    raise NotReady("; ".join(said), "try again; or read the topics: --topics")


def _with_replies(decided: Iterable[Told], feedback: Iterable[bytes]) -> list[Push]:
    replies: defaultdict[str, list[Reply]] = defaultdict(list)
    for value in feedback:
        try:
            said = _read_feedback(value)
        except msgspec.DecodeError:
            continue  # a worker has sent it to the dead letters
        replies[said.decision].append(Reply(said.kind, instant_ms(said.at), said.channel))
    return [
        Push(
            **{name: getattr(one, name) for name in one.__struct_fields__},
            replies=tuple(sorted(replies[one.id], key=lambda reply: reply.at)),
        )
        for one in decided
    ]
