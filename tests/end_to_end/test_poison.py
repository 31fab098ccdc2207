"""A pile of records that nobody could read, amid good ones: each is told, none stops its partition."""

from collections import Counter

import msgspec
import pytest

from streams.core.row import SOURCES
from streams.settings import Push
from tests.end_to_end import topic
from tests.end_to_end.history import generate
from tests.end_to_end.law import assert_told_once
from tests.end_to_end.scene import expected

START = 1_700_006_400_000
DEEP = b'{"a":' * 100_000
PILE = (
    b"",
    b"\x00" * 1000,
    b"\xff\xfe\xfd",
    b"null",
    b"NaN",
    b"[" * 500_000,
    b'{"user":' * 50_000,
    DEEP + b"1" + b"}" * 100_000,
    b'{"user":"bad","at":1700006400000,"kind":"view","page":' + DEEP + b"1" + b"}" * 100_001,
    b'{"user":"\\ud800","at":1700006400000,"kind":"view"}',
    b'{"user":"bad\\u0000","at":1700006400000,"kind":"view"}',
    b'{"user":"bad","at":' + b"9" * 400 + b',"kind":"view"}',
    b'{"user":"bad","at":1e999,"order":"o","amount":1e999}',
    b'{"user":"bad","at":1700006400000,"order":"o","amount":NaN}',
    b'{"user":"bad","at":1700006400000,"order":"o","amount":-Infinity}',
    b'{"user":"bad","user":5,"at":1700006400000,"kind":"view"}',
    b'{"user":"bad","at":"0001-01-01T00:00:00+23:59","kind":"view"}',
    b'"' + b"x" * 900_000 + b'"',
    b"{" * 900_000,
)


@pytest.mark.parametrize("kind", ["scene", "plain_scene"])
def test_a_pile_of_poison_amid_good_records_stops_nothing(kind, request):
    scene = request.getfixturevalue(kind)
    scene.settings = msgspec.structs.replace(scene.settings, push=Push(channels=()))
    names = scene.settings.topics
    events = generate(users=30, seed=51)
    good = [topic.encode(event, names) for event in events]
    pile = [(getattr(names, source), b"bad", value, START, []) for value in PILE for source in SOURCES]
    pile += [(names.clicks, key, b"{}", START, []) for key in (None, b"", b"\xff", b"k" * 10_000)]
    for number, record in enumerate(pile):
        good.insert(1 + number * 7 % len(good), record)
    places = scene.write_records(good)
    worker = scene.start_ready()
    scene.await_folded()
    scene.stop(worker)
    letters = scene.dead_letters()
    told = Counter((r.key, r.value, dict(r.headers)["awaken-topic"].decode()) for r in letters)
    assert told == Counter((key, value, name) for name, key, value, *_ in pile)
    assert len(places) == len(good)
    assert_told_once(scene.transitions(), expected(events))
