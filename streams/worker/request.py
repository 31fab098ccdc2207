"""Produce requests, each joined once: aiokafka's own copy what a batch holds eight times on its way to the socket.

There every part of a request is joined into the next larger one. Here the parts are gathered, those of the header
before them, and joined when all are there.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from aiokafka.protocol import produce
from aiokafka.protocol.struct import Struct
from aiokafka.protocol.types import Array, Bytes, Int32, Schema


class ProduceRequest(produce.ProduceRequest):
    """aiokafka's, which writes itself in one go."""

    def build(self, kind: Any) -> Any:
        """Return the request in the version of a broker."""
        return super().build(_joined(kind))


class Joined:
    """What makes a request of aiokafka's write itself in one go, with its header."""

    def build_request_header(self, correlation_id: int, client_id: str) -> Struct:
        """Keep the header for `encode`, and return one of which nothing is written."""
        self._header: Struct = super().build_request_header(correlation_id, client_id)  # type: ignore[misc]
        return Struct()

    def encode(self) -> bytes:
        """Return header and request as the protocol has them."""
        schema: Any = self.SCHEMA  # type: ignore[attr-defined]
        return b"".join((self._header.encode(), *_parts(schema, [getattr(self, name) for name in schema.names])))


@cache
def _joined(kind: type) -> type:
    return type(kind.__name__, (Joined, kind), {})


def _parts(kind: Any, value: Any) -> Iterator[bytes]:
    """Yield the parts of a value as the protocol has them, bytes as they are."""
    if isinstance(kind, Schema):
        for field, part in zip(kind.fields, value, strict=True):
            yield from _parts(field, part)
    elif isinstance(kind, Array):
        yield Int32.encode(len(value))
        for item in value:
            yield from _parts(kind.array_of, item)
    elif kind is Bytes:
        yield Int32.encode(len(value))
        yield value
    else:
        yield kind.encode(value)
