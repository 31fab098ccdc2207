"""The schemas accept what we read and write, and nothing that a reader would refuse."""

import json
import re
import subprocess
import sys
from pathlib import Path

import msgspec
import numpy as np
import orjson
import pytest
from jsonschema import Draft202012Validator

from streams import rulebook, settings
from streams.core.dimension import ACTIVITY, DIMENSIONS, FIRST_OWN, LEVEL, ORDER_VALUE, RFM
from streams.core.row import DAY, MOVE
from streams.index import Index
from streams.settings import Own, Settings, Topics
from streams.wire import control
from streams.wire.event import Click, Feedback, Order, Profile
from streams.wire.message import Decision, Outcome, Verdict, encode
from streams.wire.schema import CONTRACTS, asyncapi, schemas
from streams.wire.transition import Encoder

ROOT = Path(__file__).resolve().parents[2]
TOPICS = Topics()
OWN = {
    "spender": Own(of="spend", weeks=4, bands={"small": 1, "big": 500}),
    "region": Own(of="attributes.region", values={"north": ("Beijing",)}),
}
BOOK = rulebook.build(msgspec.structs.replace(Settings(), own=OWN))
SCHEMAS = schemas(TOPICS, BOOK)
AT = "2023-11-14T22:13:20Z"


def accepted(topic, record):
    return Draft202012Validator(SCHEMAS[topic]).is_valid(json.loads(record))


def transitions(dimension, before, to):
    """Write one real transition, with every figure, as the worker does."""
    index, encoder = Index(), Encoder("awaken/x")
    index.intern(["ü1".encode()])
    encoder.know(BOOK)
    move = np.zeros(1, MOVE)
    move["at"], move["seq"], move["figures"] = 20_000 * DAY, 3, [1.5, 2, 3, 4]
    move["dimension"], move["from"], move["to"] = dimension, before, to
    for field in set(MOVE.names) & {"rules", "version"}:
        move[field] = BOOK.number
    return [(topic, event) for topic, pairs in encoder.encode(move, index).items() for _, event in pairs.each()]


def test_every_topic_has_its_contract_and_every_schema_is_one():
    assert len(CONTRACTS) == len(SCHEMAS)
    assert {c.topic for c in CONTRACTS} == {f.name for f in msgspec.structs.fields(Topics)}
    for schema in SCHEMAS.values():
        Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize("dimension", range(FIRST_OWN + len(OWN)))
def test_every_transition_that_can_be_written_is_accepted_on_its_topic_alone(dimension):
    values = range(len(BOOK.values[dimension]))
    for before, to in ((b, t) for b in values for t in values if b != t):
        [(field, event)] = transitions(dimension, before, to)
        own = getattr(TOPICS, field)
        assert accepted(own, event), event
        others = {TOPICS.lifecycle_transitions, TOPICS.value_transitions, TOPICS.growth_transitions} - {own}
        assert not any(accepted(topic, event) for topic in others)


@pytest.mark.parametrize(
    ("key", "value"),
    [("to", "asleep"), ("from", "dormat"), ("cause", "whim"), ("seq", "3"), ("dimension", "stage"), ("evidence", [])],
)
def test_a_transition_that_says_something_else_is_refused(key, value):
    [(_, event)] = transitions(ACTIVITY, 2, 3)
    changed = json.loads(event)
    changed["data"][key] = value
    assert not accepted(TOPICS.lifecycle_transitions, json.dumps(changed))


def test_the_words_are_those_of_the_settings():
    enums = {
        one["title"]: one["properties"]["data"]["properties"]["to"]["enum"]
        for topic in (TOPICS.lifecycle_transitions, TOPICS.value_transitions, TOPICS.growth_transitions)
        for one in SCHEMAS[topic]["allOf"][1]["oneOf"]
    }
    assert set(enums) == {d.name for d in DIMENSIONS} | set(OWN)
    assert enums["rfm"] == list(DIMENSIONS[RFM].values)
    assert enums["level"] == list(BOOK.values[LEVEL])
    assert enums["order_value"] == list(BOOK.values[ORDER_VALUE])
    assert enums["region"] == ["none", "north"]


def test_a_dimension_that_is_not_kept_is_not_in_the_contract():
    book = rulebook.build(msgspec.structs.replace(Settings(), dimensions=("activity",)))
    found = schemas(TOPICS, book)
    [only] = found[TOPICS.lifecycle_transitions]["allOf"][1]["oneOf"]
    assert only["title"] == "activity"
    assert not accepted_by(found[TOPICS.growth_transitions], transitions(LEVEL, 1, 2)[0][1])


def accepted_by(schema, record):
    return Draft202012Validator(schema).is_valid(json.loads(record))


@pytest.mark.parametrize(
    ("topic", "kind", "record", "good"),
    [
        ("clicks", Click, {"user": "u", "at": 1_700_000_000_000, "kind": "visit"}, True),
        ("clicks", Click, {"user": "u", "at": AT, "kind": "redeem", "points": 3, "more": {"x": 1}}, True),
        ("clicks", Click, {"user": "u", "at": 1, "kind": "dance"}, False),
        ("clicks", Click, {"user": "", "at": 1, "kind": "visit"}, False),
        ("clicks", Click, {"user": "u", "kind": "visit"}, False),
        ("orders", Order, {"user": "u", "at": 1, "order": "o", "amount": 1.5, "lines": [{"item": "i"}]}, True),
        ("orders", Order, {"user": "u", "at": 1, "order": "o", "amount": -1}, False),
        ("orders", Order, {"user": "u", "at": 1, "order": "o", "amount": 1, "status": "lost"}, False),
        ("profiles", Profile, {"user": "u", "at": 1, "attributes": {"age": 3}, "consent": {"sms": True}}, True),
        ("profiles", Profile, {"user": "u", "at": 1, "consent": {"sms": "yes"}}, False),
        ("push-feedback", Feedback, {"user": "u", "at": 1, "decision": "d", "kind": "opened"}, True),
        ("push-feedback", Feedback, {"user": "u", "at": 1, "decision": "d", "kind": "eaten"}, False),
    ],
)
def test_of_the_inputs_it_accepts_what_we_can_read(topic, kind, record, good):
    written = json.dumps(record)
    assert accepted(topic, written) is good
    try:
        msgspec.json.decode(written, type=kind)
        read = True
    except msgspec.ValidationError:
        read = False
    assert read is good


def test_decisions_and_outcomes_as_we_write_them_are_accepted():
    verdict = Verdict("cap", passed=True, detail="1 of 3")
    decision = Decision("d", "u", 5, "comeback", "u-1-5", "send", "sent", ("inbox",), (verdict,))
    outcome = Outcome("d", "u", 5, "inbox", "delivered", 1)
    assert accepted(TOPICS.push_decisions, encode(decision, "awaken/x"))
    assert accepted(TOPICS.push_outcomes, encode(outcome, "awaken/x"))
    assert not accepted(TOPICS.push_outcomes, encode(decision, "awaken/x"))


@pytest.mark.parametrize(
    "record",
    [
        control.Vouched(5, 6, {"clicks": (1, 2)}),
        control.Stop(1, None, ("clicks",), "silent", "clicks"),
        control.Backfill("20231114T221320Z", 1, 2, "the old shop"),
        control.Approval("win_back", 1, 2),
        control.RuleVersion(BOOK.version, 0, rulebook.document(Settings())),
        control.Cuts("cuts-x", {"user": {"frequency": 2.5}}),
    ],
)
def test_the_records_of_control_are_accepted(record):
    assert accepted(TOPICS.control, control.encode(record))
    assert not accepted(TOPICS.control, b'{"kind": "rumour"}')


def test_what_comes_out_in_the_readme_is_accepted():
    shown = re.findall(r"```json\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)
    topics = TOPICS.lifecycle_transitions, TOPICS.value_transitions, TOPICS.push_decisions
    for topic, message in zip(topics, shown, strict=True):
        assert accepted(topic, message)


def references(node):
    if isinstance(node, dict):
        yield from ([node["$ref"]] if "$ref" in node else [])
        node = list(node.values())
    if isinstance(node, list):
        for inner in node:
            yield from references(inner)


def test_the_asyncapi_document_has_every_topic_and_leads_nowhere_else():
    found = json.loads(orjson.dumps(asyncapi(TOPICS, BOOK, "1.2.3")))
    assert not any("discriminator" in m["payload"] for c in found["channels"].values() for m in c["messages"].values())
    assert (found["asyncapi"], found["info"]["version"]) == ("3.0.0", "1.2.3")
    assert {c["address"] for c in found["channels"].values()} == set(SCHEMAS)
    assert {o["action"] for o in found["operations"].values()} == {"receive", "send"}
    for reference in set(references(found)):
        node = found
        for step in reference.removeprefix("#/").split("/"):
            node = node[step]


def schema(*words):
    command = [sys.executable, "-m", "streams.cli", "schema", *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, timeout=120, check=False)


def test_the_command_prints_them(tmp_path):
    defaults = rulebook.build(settings.load(ROOT / "config" / "awaken.toml", {}))
    everything = schema()
    assert json.loads(everything.stdout) == json.loads(orjson.dumps(schemas(TOPICS, defaults)))
    file = tmp_path / "mine.toml"
    file.write_text('[topics]\nclicks = "taps"')
    one = json.loads(schema("--topic", "taps", "--config", str(file)).stdout)
    assert one["title"] == "taps"
    assert json.loads(schema("--asyncapi").stdout)["asyncapi"] == "3.0.0"
    wrong = schema("--topic", "tapes")
    assert wrong.returncode == 2
    assert b"--topic tapes: there is no such topic; there are clicks, orders" in wrong.stderr
