"""What cannot be read goes whole to the dead letters, with a reason; its neighbours in the chunk are folded."""

import json
import time

import pytest

from tests.end_to_end import topic
from tests.end_to_end.history import CLICKS, ORDERS, PROFILES, START, generate
from tests.end_to_end.law import assert_same, assert_told_once
from tests.end_to_end.scene import expected

HOUR = 3_600_000
HEADERS = [("trace", b"\x00\xff"), ("trace", b"again"), ("empty", b"")]
CLICK = {"user": "bad", "at": START, "kind": "view"}
ORDER = {"user": "bad", "at": START, "order": "o1", "amount": 1}
PROFILE = {"user": "bad", "at": START}


def without(event, field):
    return {name: value for name, value in event.items() if name != field}


BAD = (
    # topic, key, value (JSON unless bytes or null), reason
    (CLICKS, b"bad", b"{", "not-json"),
    (CLICKS, b"bad", b"\xff\xfe", "not-json"),
    (CLICKS, b"bad", b"", "not-json"),
    (CLICKS, b"bad", None, "not-json"),
    (CLICKS, b"bad", [CLICK], "wrong-type"),
    (CLICKS, b"bad", CLICK | {"user": 5}, "wrong-type"),
    (CLICKS, b"bad", CLICK | {"at": 1.5}, "wrong-type"),
    (CLICKS, b"bad", CLICK | {"item": {}}, "wrong-type"),
    (CLICKS, b"bad", CLICK | {"kind": "stare"}, "bad-value"),
    (CLICKS, b"bad", CLICK | {"at": "yesterday"}, "bad-value"),
    (CLICKS, b"bad", CLICK | {"at": "2023-11-15T00:00:00"}, "bad-value"),
    (CLICKS, b"bad", without(CLICK, "kind"), "missing-field"),
    (CLICKS, b"bad", without(CLICK, "at"), "missing-field"),
    (CLICKS, b"bad", CLICK | {"at": 0}, "absurd-time"),
    (CLICKS, b"bad", CLICK | {"at": START // 1000}, "absurd-time"),
    (CLICKS, b"bad", CLICK | {"at": "2999-01-01T00:00:00Z"}, "absurd-time"),
    (CLICKS, b"other", CLICK, "key-mismatch"),
    (CLICKS, None, CLICK, "empty-key"),
    (CLICKS, b"", CLICK, "empty-key"),
    (ORDERS, b"bad", without(ORDER, "order"), "missing-field"),
    (ORDERS, b"bad", ORDER | {"amount": "12.34"}, "wrong-type"),
    (ORDERS, b"bad", ORDER | {"amount": -1}, "bad-value"),
    (ORDERS, b"bad", ORDER | {"amount": 1e8}, "bad-value"),
    (ORDERS, b"bad", ORDER | {"status": "promised"}, "bad-value"),
    (PROFILES, b"bad", PROFILE | {"consent": {"inbox": "yes"}}, "wrong-type"),
    (PROFILES, b"bad", PROFILE | {"contacts": ["a"]}, "wrong-type"),
    (PROFILES, b"other", PROFILE, "key-mismatch"),
    (PROFILES, b"", None, "empty-key"),
)


@pytest.mark.parametrize("kind", ["scene", "plain_scene"])
def test_bad_records_go_whole_to_the_dead_letters_and_their_neighbours_are_folded(kind, request):
    scene = request.getfixturevalue(kind)
    events = generate(users=30, seed=6)
    names = scene.settings.topics
    bad = [(getattr(names, t), key, written(value), START, HEADERS) for t, key, value, _ in BAD]
    ahead = CLICK | {"at": int(time.time() * 1000) + 2 * HOUR}
    bad.append((names.clicks, b"bad", written(ahead), START, HEADERS))
    good = [topic.encode(event, names) for event in events]
    scene.write_records(good[:100])
    places = scene.write_records(bad)
    scene.write_records(good[100:])
    worker = scene.start_ready()
    scene.await_pushed()
    reasons = [reason for *_, reason in BAD] + ["absurd-time"]
    assert worker.metric("awaken_dead_letters_total") == len(bad)
    assert worker.metric("awaken_dead_letters_total", reason="empty-key") == reasons.count("empty-key")
    scene.stop(worker)
    due = [letter(*of) for of in zip(bad, places, reasons, strict=True)]
    found = scene.dead_letters()
    assert all(dict(r.headers)["awaken-detail"] for r in found)
    assert_same("dead letters", [told(r) for r in found], due)
    assert_told_once(scene.transitions(), expected(events))


def written(value):
    return value if value is None or isinstance(value, bytes) else json.dumps(value).encode()


def letter(record, place, reason):
    """What must be told of a bad record: where it stood, all of it, and why."""
    name, key, value, at, headers = record
    said = {"reason": reason, "topic": name, "partition": place.partition, "offset": place.offset, "timestamp": at}
    return place.partition, key, value, (*headers, *((f"awaken-{k}", str(v).encode()) for k, v in said.items()))


def told(record):
    headers = tuple((name, value) for name, value in record.headers if name != "awaken-detail")
    return record.partition, record.key, record.value, headers
