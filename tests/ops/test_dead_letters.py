"""Dead letters are listed, shown with contacts masked, counted, and replayed once, to where they belong."""

import asyncio
import json
import time
from datetime import UTC, datetime

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.partitioner import murmur2
from typer.testing import CliRunner

from streams.cli import app
from streams.ops import NotReady, topics
from streams.ops.dead_letters.letter import Choice, Place
from streams.ops.dead_letters.replay import Mend, _Producer, replay
from streams.ops.dead_letters.shelf import find
from streams.ops.dead_letters.view import masked, shown
from streams.settings import environment
from tests.end_to_end import topic

AT = 1_700_000_000_000
NOW = AT + 1000
PARTITIONS = 3
CLICK = {"user": "u1", "at": AT, "kind": "view"}
PROFILE = {"user": "u1", "at": AT, "contacts": {"email": "eve@example.com", "sms": "+49 170 1234567"}}


@pytest.fixture(params=["embedded_broker", pytest.param("real_kafka", marks=pytest.mark.kafka)])
def settings(request, names):
    broker = request.getfixturevalue(request.param)
    guarantee = "at-least-once" if request.param == "embedded_broker" else "exactly-once"
    settings = names.settings(kafka=broker.bootstrap, partitions=PARTITIONS, guarantee=guarantee)
    topics.create(settings)
    return settings


def home(key):
    return (murmur2(key) & 0x7FFFFFFF) % PARTITIONS


def put(settings, *letters):
    """Put letters (source, key, value, reason, offset) where the worker would, each later; return their places."""
    now = time.time_ns() // 1_000_000

    async def write():
        async with AIOKafkaProducer(bootstrap_servers=settings.kafka) as producer:
            return [
                await producer.send_and_wait(*record(*letter), timestamp_ms=now + n, headers=headers(*letter))
                for n, letter in enumerate(letters)
            ]

    def record(_, key, value, *__):
        value = value if isinstance(value, bytes | None) else json.dumps(value).encode()
        return settings.topics.dead_letters, value, key, home(key or b"")

    def headers(source, key, _, reason, offset):
        name = getattr(settings.topics, source)
        said = {"reason": reason, "detail": f"because {reason}", "topic": name, "partition": home(key or b"")}
        said |= {"offset": offset, "timestamp": AT}
        return [("trace", b"\x00\xff"), *((f"awaken-{k}", str(v).encode()) for k, v in said.items())]

    return [str(Place(r.topic, r.partition, r.offset)) for r in asyncio.run(write())]


def awaken(settings, *words):
    return CliRunner().invoke(app, ["dead-letters", *words, "--config", "/dev/null"], env=environment(settings))


def lines(ended):
    assert ended.exception is None or isinstance(ended.exception, SystemExit), ended.exception
    return [json.loads(line) for line in ended.stdout.splitlines()]


def again(settings, source):
    """What now stands in an input topic."""
    return topic.read(settings.kafka, getattr(settings.topics, source), PARTITIONS)


def test_they_are_listed_and_counted_by_reason_and_topic(settings):
    places = put(
        settings,
        ("clicks", b"u1", b"{", "not-json", 5),
        ("orders", b"u1", b"{}", "missing-field", 6),
        ("clicks", b"u2", b"[", "not-json", 7),
    )
    listed = lines(awaken(settings, "list", "--json"))
    listed.sort(key=lambda row: (row["dead_at"], row["offset"]))  # who died in the same millisecond died in no order
    assert [row["place"] for row in listed] == places
    assert [(row["reason"], row["topic"], row["offset"], row["timestamp"]) for row in listed] == [
        ("not-json", settings.topics.clicks, 5, AT),
        ("missing-field", settings.topics.orders, 6, AT),
        ("not-json", settings.topics.clicks, 7, AT),
    ]
    assert len(lines(awaken(settings, "list", "--json", "-n", "1"))) == 1
    assert [r["place"] for r in lines(awaken(settings, "list", "--json", "--reason", "missing-field"))] == places[1:2]
    assert [r["place"] for r in lines(awaken(settings, "list", "--json", "--topic", settings.topics.orders))] == places[
        1:2
    ]
    later = datetime.fromtimestamp(listed[-1]["dead_at"] / 1000 + 1, UTC).isoformat()
    assert lines(awaken(settings, "list", "--json", "--since", later)) == []
    assert len(lines(awaken(settings, "list", "--json", "--since", "1h"))) == 3
    assert lines(awaken(settings, "count", "--json")) == [
        {"reason": "not-json", "topic": settings.topics.clicks, "letters": 2, "replayed": 0},
        {"reason": "missing-field", "topic": settings.topics.orders, "letters": 1, "replayed": 0},
    ]
    table = awaken(settings, "list").stdout
    assert "not-json" in table
    assert "3 of 3" in table


def test_one_is_shown_whole_without_its_contacts_and_raw_with_them(settings):
    [place] = put(settings, ("profiles", b"u1", PROFILE | {"at": "soon"}, "bad-value", 5))
    page = awaken(settings, "show", place).stdout
    for part in (place, "bad-value", "because bad-value", f"{settings.topics.profiles}-{home(b'u1')}@5", "u1", "trace"):
        assert part in page
    assert "eve" not in page
    assert "1234567" not in page
    [told] = lines(awaken(settings, "show", place, "--json"))
    assert json.loads(told["value"])["contacts"] == {"email": "***", "sms": "***"}
    assert awaken(settings, "show", place, "--raw").stdout_bytes == json.dumps(PROFILE | {"at": "soon"}).encode()


@pytest.mark.parametrize(
    ("value", "hidden"),
    [
        (b'{"user":"u1","contacts":{"email":"eve@example.com","sms":"+491701234567"', ["eve", "170"]),
        (b'{"user":"u1","contacts":["eve@example.com"]}', ["eve"]),
        (b'{"user":"u1","contacts":"eve at home"}', ["eve"]),
        (b'{"user":"u1","note":"eve@example.com"}', ["eve"]),
        (b'{"attributes":{"contacts":{"sms":1701234567}}}', ["170"]),
        (b'\xff\xfe{"sms":"+49 170 1234567","email":"eve@example.com"}', ["eve", b"eve".hex(" "), "170"]),
        (b"\x00\x01\x02\x03eve@example.com\x80\x81\x82\x83" + bytes(range(128, 190)), ["eve", b"eve".hex(" ")]),
    ],
)
def test_no_contact_is_shown_however_broken_its_record(value, hidden):
    for part in hidden:
        assert part not in shown(value)


def test_masking_leaves_what_is_no_contact():
    assert json.loads(shown(json.dumps(CLICK).encode())) == CLICK
    assert shown(None) == "null"
    assert shown(b"") == ""
    assert shown(bytes(range(128, 160))) == bytes(range(128, 160)).hex(" ")
    assert masked("the key is b'u1', the user 'u2'") == "the key is b'u1', the user 'u2'"
    assert shown(b"[" * 100_000).startswith("[[[")


def test_what_would_pass_now_is_replayed_as_it_was_and_only_once(settings):
    good, bad = put(
        settings,
        ("clicks", b"u1", CLICK, "absurd-time", 5),
        ("clicks", b"u2", CLICK, "key-mismatch", 6),
    )
    dry = lines(awaken(settings, "replay", "--all", "--dry-run", "--json"))
    told = {r["place"]: r for r in dry}  # both may have died in one and the same millisecond of the broker's
    assert [told[place]["outcome"] for place in (good, bad)] == ["would be replayed", "refused"]
    assert "key-mismatch" in told[bad]["detail"]
    assert again(settings, "clicks") == []
    ended = awaken(settings, "replay", good, bad, "--json")
    assert ended.exit_code == 1
    assert {r["place"]: r["outcome"] for r in lines(ended)} == {good: "replayed", bad: "refused"}
    [record] = again(settings, "clicks")
    assert (record.key, json.loads(record.value), record.timestamp) == (b"u1", CLICK, AT)
    assert record.partition == home(b"u1")
    assert record.headers == (("trace", b"\x00\xff"), ("awaken-replayed-from", good.encode()))
    ended = awaken(settings, "replay", good, "--json")
    assert (ended.exit_code, [r["outcome"] for r in lines(ended)]) == (0, ["replayed before"])
    assert len(again(settings, "clicks")) == 1
    assert {r["place"]: r["replayed"] for r in lines(awaken(settings, "list", "--json"))} == {good: True, bad: False}
    assert [r["outcome"] for r in lines(awaken(settings, "replay", good, "--again", "--json"))] == ["replayed"]
    assert len(again(settings, "clicks")) == 2


def test_a_letter_is_mended_and_goes_to_its_keys_home(settings):
    elsewhere = next(f"v{n}" for n in range(100) if home(f"v{n}".encode()) != home(b""))
    field, key = put(
        settings,
        ("clicks", b"u1", CLICK | {"kind": "stare"}, "bad-value", 5),
        ("clicks", b"", CLICK | {"user": elsewhere}, "empty-key", 6),
    )
    assert [r["outcome"] for r in lines(awaken(settings, "replay", field, "--set", "kind=view", "--json"))] == [
        "replayed"
    ]
    assert [r["outcome"] for r in lines(awaken(settings, "replay", key, "--key-of-user", "--json"))] == ["replayed"]
    found = {r.key: r for r in again(settings, "clicks")}
    assert json.loads(found[b"u1"].value) == CLICK
    assert found[elsewhere.encode()].partition == home(elsewhere.encode())


def test_what_cannot_be_mended_by_fields_is_told(settings):
    broken, listed = put(settings, ("clicks", b"u1", b"{", "not-json", 5), ("clicks", b"u1", b"[]", "wrong-type", 6))
    told = lines(awaken(settings, "replay", "--all", "--set", "kind=view", "--json"))
    assert [(r["place"], r["outcome"]) for r in told] == [(broken, "refused"), (listed, "refused")]
    assert all("cannot be mended by fields" in r["detail"] for r in told)


def test_an_old_profile_does_not_come_back_over_a_newer_one(settings):
    name = settings.topics.profiles
    [newer] = topic.write(settings.kafka, [(name, b"u1", json.dumps({"user": "u1", "at": AT}).encode(), AT, [])])
    _, old, young = put(
        settings,
        ("clicks", b"u9", b"", "not-json", 1),
        ("profiles", b"u1", PROFILE, "absurd-time", newer.offset - 1),
        ("profiles", b"u2", PROFILE | {"user": "u2"}, "absurd-time", newer.offset + 1),
    )
    told = {r["place"]: r for r in lines(awaken(settings, "replay", old, young, "--json"))}
    assert told[old]["outcome"] == "refused"
    assert f"a newer profile of this user stands at {name}-{newer.partition}@{newer.offset}" in told[old]["detail"]
    assert told[young]["outcome"] == "replayed"


def test_who_begins_to_replay_fences_whoever_was_at_it(real_kafka, names):
    settings = names.settings(kafka=real_kafka.bootstrap, partitions=PARTITIONS)
    topics.create(settings)
    put(settings, ("clicks", b"u1", CLICK, "absurd-time", 5))

    async def both():
        async with _Producer(settings) as first:
            letters = (await find(settings, Choice())).letters
            assert [r.outcome for r in await replay(settings, Choice(), Mend(), NOW)] == ["replayed"]
            with pytest.raises(NotReady, match="somebody else"):
                await first.write(letters)

    asyncio.run(both())
    assert len(again(settings, "clicks")) == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("show", "nowhere"), "'nowhere' is no place"),
        (("show", "dead-letters-0@99"), "there is no dead letter at dead-letters-0@99"),
        (("replay",), "nothing was chosen"),
        (("replay", "--all", "--set", "kind"), "names no field and value"),
        (("list", "--since", "yesterday"), "is no time"),
    ],
)
def test_a_wrong_word_is_told(settings, words, said):
    ended = awaken(settings, *words)
    assert said in str(ended.exception)
    assert ended.exit_code == 1
