"""Reads a story of this folder and plays it as bytes through decoder and shard; README.md says how to write one."""

import tomllib
from collections import defaultdict
from datetime import UTC, datetime
from typing import NamedTuple

import numpy as np
import orjson

from streams import rulebook
from streams.core.row import CLICKS, FEEDBACK, NEVER, ORDERS, PROFILES
from streams.dictionary import Codes
from streams.portrait import portrait
from streams.settings import judged
from streams.shard import Plan, Shard
from streams.wire.block import Record
from streams.wire.decode import Names, decode
from streams.wire.message import read_transition
from streams.wire.transition import Encoder

EVER = 1 << 62
LISTS = ("contacts", "allows", "denies")


class Told(NamedTuple):
    """A transition, as a story expects it or as it came about."""

    user: str
    dimension: str
    before: str
    to: str
    at: int
    cause: str


class Story:
    """What stands in a story's file.

    Attributes:
        settings: what is set at the start, as a document of the settings.
        later: [(at, what is set from then on)].
        watched: the dimensions whose transitions are told.
        steps: [("until", at) or ("outage", start, end) or ("event", at, user, what happened)].
        expected: the transitions that must follow, in their order.
        portraits: [(user, path, text)] that must hold at the end.
    """

    def __init__(self, text):
        self.settings, self.later = {}, []
        self.watched = ("activity",)
        self.steps, self.expected, self.portraits = [], [], []
        read = self.read_told
        for line in text.splitlines():
            words = line.split()
            if not words or line.startswith("#"):
                continue
            if words[0] == "expect":
                read = self.read_expected
            else:
                read(line, words)
        self.watched = tuple(dict.fromkeys((*self.watched, *(told.dimension for told in self.expected))))

    def read_told(self, line, words):
        rest = line.partition(" ")[2].strip()
        match words[0]:
            case "thresholds:":
                days = (part.split()[:2] for part in rest.split(","))
                merge(self.settings, {"activity": {f"{name}_days": float(count) for name, count in days}})
            case "watch:":
                self.watched = tuple(rest.split())
            case "set":
                merge(self.settings, setting(rest))
            case "from":
                self.later.append((instant(*words[1:3]), setting(line.partition(" set ")[2].strip())))
            case "until":
                self.steps.append(("until", instant(*words[1:3])))
            case "outage":
                start, _, end = rest.partition("..")
                self.steps.append(("outage", instant(*start.split()), instant(*end.split()) if end.strip() else NEVER))
            case _:
                self.steps.append(("event", instant(*words[:2]), words[2], words[3:]))

    def read_expected(self, line, words):
        if words[0] == "portrait":
            path, _, text = line.partition("portrait")[2].strip().partition(" = ")
            self.portraits.append((*path.split(), text.strip()))
            return
        date, time, user, *move, cause = words
        dimension = move[0] if len(move) == 4 else self.watched[0]
        self.expected.append(Told(user, dimension, move[-3], move[-1], instant(date, time), cause))


def instant(date, time):
    return round(datetime.fromisoformat(f"{date}T{time}").replace(tzinfo=UTC).timestamp() * 1000)


def setting(text):
    """What `value.recent_days 30` says, as a document; a value is TOML, or a word."""
    name, _, value = text.partition(" ")
    try:
        return tomllib.loads(f"{name} = {value}")
    except tomllib.TOMLDecodeError:
        return tomllib.loads(f'{name} = "{value.strip()}"')


def merge(under, over):
    for key, value in over.items():
        if isinstance(value, dict) and isinstance(under.get(key), dict) and key not in under.get("bands", {}):
            merge(under[key], value)
        else:
            under[key] = value
    return under


class Player:
    """Plays a story; `found` are the transitions that came about, in their order."""

    def __init__(self, story):
        self.story = story
        self.encoder, self.found = Encoder("awaken"), []
        self.books = list(self.rulebooks())
        self.shard = Shard(self.books[0].book)
        self.shard.plan(self.books)
        self.offsets, self.newest_order, self.stops = defaultdict(int), {}, []

    def rulebooks(self):
        """Yield what holds from when."""
        document, before = self.story.settings, None
        for number, (since, change) in enumerate([(0, {}), *self.story.later], 1):
            document = merge(orjson.loads(orjson.dumps(document)), change)
            before = rulebook.build(judged(document, "story"), before, number)
            self.encoder.know(before)
            yield Plan(since, before)

    def play(self):
        for what, *rest in self.story.steps:
            getattr(self, what)(*rest)
        return self

    def until(self, at):
        """Let time pass up to and with this instant: what is due at it has not passed yet."""
        self.note(self.shard.advance(at))
        self.note(self.shard.advance(at))  # those whom new thresholds move, too

    def outage(self, start, end):
        self.stops.append((start, end))
        self.shard.trust(NEVER, np.array(sorted(self.stops), np.int64))

    def event(self, at, user, did):
        source, value = self.said(at, user, did)
        offset = self.offsets[source]
        self.offsets[source] += 1
        told = orjson.dumps({"user": user, "at": at} | value)
        record = Record(offset, at, user.encode(), told)
        sides = Codes({name: k for k, name in enumerate(self.shard.book.kinds, 1)})
        names = Names(self.shard.categories, self.shard.origins, sides)
        decoded = decode(source, [record], EVER, 2, names)
        assert not decoded.bad, decoded.bad
        decoded.events["row"] = self.shard.intern_spans(decoded.data, decoded.keys)
        self.note(self.shard.fold(decoded.events, dict(decoded.payloads)))

    def said(self, at, user, did):
        """What happened, as (source, the event's own fields)."""
        what, rest = did[0], [word for word in did[1:] if "=" not in word]
        more = dict(word.split("=", 1) for word in did[1:] if "=" in word)
        match what:
            case "order" | "refunded" | "cancelled":
                return ORDERS, self.order(at, user, what, rest, more)
            case "push":
                return FEEDBACK, {"decision": f"d{at}", "kind": rest[0], **more}
            case "profile":
                return PROFILES, profile(rest, more)
        if "points" in more:
            more["points"] = int(more["points"])
        return CLICKS, {"kind": what, **more}

    def order(self, at, user, what, rest, more):
        """An order has an id of its own unless it says one; what is taken back without an id is the newest."""
        paid = what == "order"
        ident = more.pop("id", f"o{at}" if paid else self.newest_order.get(user, f"o{at}"))
        if paid:
            self.newest_order[user] = ident
        amount = float(rest[0]) if rest else 0.0
        return {"order": ident, "amount": amount, "status": "paid" if paid else what, **more}

    def note(self, moves):
        for k in range(len(moves)):
            for written in self.encoder.encode(moves[k : k + 1], self.shard.index).values():
                [(_, value)] = written.each()
                event = read_transition(value)
                data = event.data
                if data.dimension in self.story.watched:
                    self.found.append(Told(event.subject, data.dimension, data.from_, data.to, data.at, data.cause))

    def portrait(self, user, path):
        """What a user's portrait says at a path such as contact.allowed, as text."""
        found = portrait(self.shard, user.encode())
        for name in path.split("."):
            found = found[name]
        return ", ".join(map(str, found)) if isinstance(found, list) else str(found)


def profile(rest, more):
    """A profile: contacts, allows and denies name channels; member is a span; what else stands there are attributes."""
    channels = {name: more.pop(name).split(",") if name in more else [] for name in LISTS}
    said = {
        "contacts": dict.fromkeys(channels["contacts"], "known"),
        "consent": dict.fromkeys(channels["allows"], True) | dict.fromkeys(channels["denies"], False),
        "seed": "seed" in rest,
    }
    for field, name in (("side", "side"), ("zone", "time_zone")):
        if field in more:
            said[name] = more.pop(field)
    if "member" in more:
        since, _, until = more.pop("member").partition("..")
        said["membership"] = {"since": instant(since, "00:00"), "until": instant(until, "00:00")}
    if "merged" in more:
        other, *allows = more.pop("merged").split(",")
        said["merged"] = [{"user": other, "consent": dict.fromkeys(allows, True)}]
    return said | {"attributes": more}


def line(told):
    """A transition as a story's line."""
    at = datetime.fromtimestamp(told.at / 1000, UTC).strftime("%Y-%m-%d %H:%M")
    return f"{at}  {told.user}  {told.dimension}  {told.before} > {told.to}  {told.cause}"
