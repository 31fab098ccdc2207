"""Kafka's record batches (format 2) ⇄ columns, compiled: the records of a batch without its head.

    record: length · attributes (1 byte) · timestamp · offset · key · value · headers

Timestamp and offset are told as differences to the batch's first ones. Numbers are zigzag varints; keys and values
begin with their length, -1 for null; headers with their number. Source: Apache Kafka's documentation, `Record Batch`
and `Record`.
"""

from __future__ import annotations

import numpy as np

from streams.core.compiled import compiled
from streams.wire.block import NOTHING
from streams.wire.varint import read_varint, varint_size, write_varint

MOST_HEAD = 5 + 1 + 10 + 5 + 5 + 5 + 1
"""The most bytes that a record of ours needs besides its key and value."""


@compiled
def split(data, at, first_offset, first_timestamp, append_time, offsets, timestamps, keys, values, headers):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Read the records that begin at `data[at]` into columns; return whether they are whole, to the last byte.

    `append_time` stands for every timestamp (int ms UTC) where it is not negative. `offsets` and `timestamps` are
    i8[n], `keys`, `values` and `headers` i8[n, 2], their spans in `data`; those of headers begin at -1 where there
    are none.
    """
    for k in range(offsets.size):
        length, at = read_varint(data, at, data.size)
        end = at + length
        if length < 1 or end > data.size:
            return False
        delta, at = read_varint(data, at + 1, end)
        timestamps[k] = append_time if append_time >= 0 else first_timestamp + delta
        delta, at = read_varint(data, at, end)
        offsets[k] = first_offset + delta
        at = _read_span(data, at, end, keys, k)
        at = _read_span(data, at, end, values, k)
        headers[k, 0], headers[k, 1] = at, end
        count, at = read_varint(data, at, end)
        if count == 0:
            headers[k, 0] = headers[k, 1] = NOTHING
        at = _pass_headers(data, at, end, count)
        if at != end:
            return False
    return at == data.size


@compiled
def _pass_headers(data, at, end, count):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    """Return the place after so many headers, or one that is not `end` where they are damaged."""
    while count and at <= end:
        name, at = read_varint(data, at, end)
        value, at = read_varint(data, at + max(name, 0), end)
        at = at + max(value, 0) if name >= 0 else end + 1
        count -= 1
    return at if count == 0 else end + 1


@compiled
def _read_span(data, at, end, spans, k):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    """Read the span of a key or a value; return the place after it, beyond `end` where it is cut off."""
    length, at = read_varint(data, at, end)
    if length < 0:
        spans[k, 0] = spans[k, 1] = NOTHING
        return at
    spans[k, 0], spans[k, 1] = at, min(at + length, end)
    return at + length


@compiled
def fitting(keys, values, headers, first, most):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Return how far the records from place `first` fit into `most` bytes, one of any size at least; and their bytes.

    A few bytes more may be counted than are needed.
    """
    size = np.int64(0)
    for k in range(first, len(keys)):
        more = MOST_HEAD + keys[k, 1] - keys[k, 0] + values[k, 1] - values[k, 0] + headers[k, 1] - headers[k, 0]
        if k > first and size + more > most:
            return k, size
        size += more
    return np.int64(len(keys)), size


@compiled
def join(data, keys, values, headers, first, last, out, at):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Write the records from place `first` up to `last` to `out[at]`, dated as their batch; return the end."""
    for k in range(first, last):
        key, value, header = _size(keys, k), _size(values, k), _size(headers, k)
        body = 2 + varint_size(k - first) + _span_size(key) + _span_size(value) + (header if header > 0 else 1)
        at = write_varint(out, at, body)
        out[at] = out[at + 1] = 0
        at = write_varint(out, at + 2, k - first)
        at = _copy(data, keys[k, 0], key, out, write_varint(out, at, key))
        at = _copy(data, values[k, 0], value, out, write_varint(out, at, value))
        if header > 0:
            at = _copy(data, headers[k, 0], header, out, at)
        else:
            out[at] = 0
            at += 1
    return at


@compiled
def _size(spans, k):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    return spans[k, 1] - spans[k, 0] if spans[k, 0] >= 0 else np.int64(-1)


@compiled
def _span_size(size):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    return varint_size(size) + max(size, 0)


@compiled
def _copy(data, start, size, out, at):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    """Copy `size` bytes, none for -1; return the place after them. Unsigned places let the compiler use vectors."""
    source, target = np.uint64(start), np.uint64(at)
    for b in range(np.uint64(max(size, 0))):
        out[target + b] = data[source + b]
    return at + max(size, 0)
