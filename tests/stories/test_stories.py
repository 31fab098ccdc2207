"""Plays the stories of this folder, as bytes through the decoder and the shard, and compares their transitions."""

from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import orjson
import pytest

from streams.core.row import CLICKS, NEVER, ORDERS
from streams.core.rules import activity_only
from streams.settings import DAY
from streams.shard import Shard
from streams.wire.decode import decode
from streams.wire.message import read_transition
from streams.wire.transition import encode_moves

STORIES = sorted(Path(__file__).parent.glob("*.txt"))
EVER = 1 << 62


def instant(date, time):
    return round(datetime.fromisoformat(f"{date}T{time}").replace(tzinfo=UTC).timestamp() * 1000)


def thresholds(text):
    days = {name: float(count) for name, count in (part.split()[:2] for part in text.split(","))}
    return activity_only(*(round(days[name] * DAY) if days[name] else NEVER for name in ("new", "dormant", "churned")))


def read(story):
    """Return (rules, steps, expected): a step is ("until", at) or ("event", at, user, what he did)."""
    rules, steps, expected, told = thresholds("new 7, dormant 14, churned 30"), [], [], False
    for line in story.read_text("utf-8").splitlines():
        words = line.split()
        if not words or line.startswith("#"):
            continue
        if words[0] == "thresholds:":
            rules = thresholds(line.partition(":")[2])
        elif words[0] == "expect":
            told = True
        elif told:
            date, time, user, before, _, to, cause = words
            expected.append((user, before, to, instant(date, time), cause))
        elif words[0] == "until":
            steps.append(("until", instant(*words[1:])))
        else:
            steps.append(("event", instant(*words[:2]), words[2], words[3:]))
    return rules, steps, expected


def record(offset, at, user, did):
    event = {"user": user, "at": at}
    if did[0] in {"order", "refunded"}:
        event |= {"order": f"o{at}", "amount": float(did[1]), "status": "paid" if did[0] == "order" else did[0]}
        source = ORDERS
    else:
        event["kind"], source = did[0], CLICKS
    return source, SimpleNamespace(
        offset=offset, timestamp=at, key=user.encode(), value=orjson.dumps(event), headers=()
    )


@pytest.mark.parametrize("story", STORIES, ids=lambda path: path.stem)
def test_story(story):
    rules, steps, expected = read(story)
    shard, found = Shard(rules), []

    def note(moves):
        for _, event in encode_moves(moves, shard.keys, rules, "awaken", 0):
            data = read_transition(event)
            found.append((data.subject, data.data.from_, data.data.to, data.data.at, data.data.cause))

    for offset, (what, at, *rest) in enumerate(steps):
        if what == "until":
            # Up to and with this instant: what is due at it has not passed yet.
            note(shard.advance(at))
        else:
            source, arrived = record(offset, at, *rest)
            decoded = decode(source, [arrived], EVER, 2)
            assert not decoded.bad, decoded.bad
            decoded.events["row"] = shard.intern(decoded.keys)
            note(shard.fold(decoded.events, {}))
    assert expected, "a story must expect something"
    assert found == expected
