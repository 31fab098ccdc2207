"""The contracts of the topics, as JSON Schema (2020-12) and AsyncAPI 3: made from the declarations, never by hand.

What goes in and out is declared in `event`, `message` and `control`; the words that a transition may carry are those
of the rules that hold, so that the bands and dimensions of one's own stand in the schema as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import msgspec

from streams.core.rules import Rulebook
from streams.wire.control import Record
from streams.wire.event import Click, Feedback, Order, Profile
from streams.wire.message import Decision, Envelope, Outcome, Transition

if TYPE_CHECKING:
    from streams.settings import Topics

DIALECT = "https://json-schema.org/draft/2020-12/schema"
IN_SCHEMA = "#/$defs/{name}"
IN_ASYNCAPI = "#/components/schemas/{name}"


class Contract(NamedTuple):
    """What the topic of this name in the settings carries; None for bytes as they came."""

    topic: str
    payload: Any
    action: Literal["receive", "send"]
    key: str = "the user's id, UTF-8"
    note: str = ""


CONTRACTS = (
    Contract("clicks", Click, "receive"),
    Contract("orders", Order, "receive"),
    Contract("profiles", Profile, "receive", note="A record without a value erases the user."),
    Contract("push_feedback", Feedback, "receive"),
    Contract("lifecycle_transitions", Envelope[Transition], "send"),
    Contract("value_transitions", Envelope[Transition], "send"),
    Contract("growth_transitions", Envelope[Transition], "send"),
    Contract("referrals", Envelope[Transition], "send", "the inviter's id, UTF-8"),
    Contract("push_decisions", Envelope[Decision], "send"),
    Contract("push_outcomes", Envelope[Outcome], "send"),
    Contract(
        "dead_letters",
        None,
        "send",
        "the key of the record",
        "The bytes that could not be read; why is in the headers.",
    ),
    Contract("control", Record, "send", "what the record replaces", "One partition, compacted, read whole."),
)


def schemas(topics: Topics, rulebook: Rulebook) -> dict[str, dict[str, Any]]:
    """Return the JSON Schema of every topic's records, by the topic's name."""
    return {getattr(topics, c.topic): schema(c, getattr(topics, c.topic), rulebook) for c in CONTRACTS}


def schema(contract: Contract, name: str, rulebook: Rulebook) -> dict[str, Any]:
    """Return the JSON Schema of one topic's records, complete in itself."""
    head = {"$schema": DIALECT, "title": name}
    payload, components = _payload(contract, rulebook, IN_SCHEMA)
    return head | payload | ({"$defs": components} if components else {})


def asyncapi(topics: Topics, rulebook: Rulebook, version: str) -> dict[str, Any]:
    """Return the AsyncAPI 3.0 document of every topic; `version` is Awaken's."""
    components: dict[str, Any] = {}
    channels, operations = {}, {}
    for contract in CONTRACTS:
        payload, needed = _payload(contract, rulebook, IN_ASYNCAPI)
        components |= needed
        key = {"type": "string", "description": contract.key}
        message = {"name": contract.topic, "payload": payload, "bindings": {"kafka": {"key": key}}}
        if contract.payload is None:
            message["contentType"] = "application/octet-stream"
        channels[contract.topic] = {"address": getattr(topics, contract.topic), "messages": {contract.topic: message}}
        operations[contract.topic] = {
            "action": contract.action,
            "channel": {"$ref": f"#/channels/{contract.topic}"},
            "messages": [{"$ref": f"#/channels/{contract.topic}/messages/{contract.topic}"}],
        }
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Awaken", "version": version, "description": f"Under the rules {rulebook.version}."},
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": operations,
        "components": {"schemas": components},
    }


def _payload(contract: Contract, rulebook: Rulebook, place: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the schema of a contract's payload, and the components that it refers to."""
    note = {"description": contract.note} if contract.note else {}
    if contract.payload is None:
        return note, {}
    [found], components = msgspec.json.schema_components([contract.payload], ref_template=place)
    found.pop("discriminator", None)  # OpenAPI's; AsyncAPI's is another, and every variant says its own `kind`
    if contract.topic in rulebook.topics:
        return {"allOf": [found, {"oneOf": _transitions(contract.topic, rulebook)}]}, components
    return found | note, components


def _transitions(topic: str, rulebook: Rulebook) -> list[dict[str, Any]]:
    """Return what tells the transitions of one dimension from another's, for each that is kept and has this topic."""
    kept = rulebook.table["on"].max(axis=0)
    return [
        _transition(name, rulebook.values[place], rulebook.figures[place])
        for place, name in enumerate(rulebook.dimensions)
        if kept[place] and rulebook.topics[place] == topic
    ] or [{"not": {}}]


def _transition(dimension: str, values: tuple[str, ...], figures: tuple[str, ...]) -> dict[str, Any]:
    data = {
        "dimension": {"const": dimension},
        "from": {"enum": list(values)},
        "to": {"enum": list(values)},
        "evidence": {"properties": {figure: {"type": "number"} for figure in figures}},
    }
    types = {"enum": [f"awaken.{dimension}.{value}" for value in values]}
    return {"title": dimension, "properties": {"type": types, "data": {"properties": data}}}
